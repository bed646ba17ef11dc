"""Looks up every address outside the site: exit status 1 for one that is gone, none for one that could not be asked.

Without a network nothing is known and nothing fails: addresses that did not answer are listed. `make
docs-links` runs it.
"""

import json
import subprocess
import sys
from pathlib import Path

GONE = (404, 410)
DOCS = Path(__file__).parents[1]
OUT = DOCS.parent / "build/links"


def main() -> None:
    """Run Sphinx's own check, and judge what it found."""
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-b",
        "linkcheck",
        "-d",
        str(OUT / "doctrees"),
        str(DOCS),
        str(OUT),
    ]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    found = [json.loads(line) for line in (OUT / "output.json").read_text(encoding="utf-8").splitlines()]
    outside = [link for link in found if link["status"] not in ("unchecked", "local", "ignored")]
    gone, silent = judged(outside)
    print(f"{len(outside)} addresses: {len(gone)} gone, {len(silent)} did not answer")
    for link in gone + silent:
        print(f"{link['filename']}:{link['lineno']}: {link['uri']}: {link['info']}")
    sys.exit(1 if gone else 0)


def judged(links: list[dict]) -> tuple[list[dict], list[dict]]:
    """Those that a server says it does not have, and those of which nothing is known."""
    failed = [link for link in links if link["status"] in ("broken", "timeout")]
    gone = [link for link in failed if link.get("code") in GONE or "Anchor" in link["info"]]
    return gone, [link for link in failed if link not in gone]


if __name__ == "__main__":
    main()
