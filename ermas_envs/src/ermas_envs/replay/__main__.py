"""Command line of the replay; exit status 0 only if every quantity of every file is within its tolerance."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ermas_envs.base.text import replace_what_cannot_be_shown
from ermas_envs.replay.comparison import Comparison
from ermas_envs.replay.files import replay_file


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table per file; ends in SystemExit: 0 all passed, 1 a deviation, 2 a file that cannot be replayed."""
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(
        prog="python -m ermas_envs.replay",
        description="Replay recordings of the original simulator (trajectories of schema 1) through this engine, with "
        "the recorded random draws, and compare every quantity. Deviations are relative to max(1, |recorded|); "
        "exact quantities have tolerance 0.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings, JSON or gzipped JSON")
    parser.add_argument("--brief", action="store_true", help="one line per file, and what exceeded its tolerance")
    given = parser.parse_args(arguments)
    status = 0
    for path in given.files:
        try:
            found = replay_file(path)
        except ValueError as error:
            print(error, file=sys.stderr)
            status = 2
            continue
        _report(path, found, given.brief)
        status = max(status, 0 if found.passed else 1)
    sys.exit(status)


def _report(path: Path, found: Comparison, brief: bool) -> None:
    compared = sum(deviation.compared for deviation in found.quantities.values())
    print(
        f"{'pass' if found.passed else 'FAIL'}  {path.name}: {compared} numbers in {len(found.quantities)} quantities"
    )
    if found.left_out:
        print(f"      {found.left_out} steps past the end of an episode left out: here, episodes end at their horizon")
    for name, deviation in sorted(found.quantities.items()):
        if brief and deviation.exceeded is None:
            continue
        exceeded = "" if deviation.exceeded is None else f"  first at {deviation.exceeded}"
        print(f"      {name:<46} {deviation.largest:9.2e}  (tolerance {deviation.tolerance:g}){exceeded}")


if __name__ == "__main__":
    main()
