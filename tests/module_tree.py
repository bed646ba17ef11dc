"""The tree of modules in docs/architecture.md, made of their first lines: `make tree` writes it, a test compares it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/architecture.md"
PACKAGES = ("ermas_envs", "ermas_algos")
TREE = re.compile(r"(?<=<!-- tree -->\n).*?(?=<!-- end of tree -->)", re.DOTALL)
WIDTH = 24
"""Letters before the first line of a module."""


def first_line(path: Path) -> str:
    documentation = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return (documentation or "").partition("\n")[0]


def lines_of(folder: Path, depth: int) -> Iterator[str]:
    """Folders first, each followed by what it holds."""
    for inner in sorted(path for path in folder.iterdir() if (path / "__init__.py").exists()):
        yield f"{'  ' * depth + inner.name + '/':{WIDTH}} {first_line(inner / '__init__.py')}"
        yield from lines_of(inner, depth + 1)
    for path in sorted(folder.glob("*.py")):
        if not path.stem.startswith("__"):
            yield f"{'  ' * depth + path.stem:{WIDTH}} {first_line(path)}"


def tree() -> str:
    """All of it, as it stands on the page."""
    parts = []
    for package in PACKAGES:
        folder = ROOT / package / "src" / package
        parts.append("\n".join(["```text", f"{package}/", *lines_of(folder, 1), "```\n"]))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(TREE.sub(lambda _: tree(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
