"""The files for learners of other libraries: each states a level, checks it, and stands in the tables of both pages.

They are not run here: every library wants an environment of its own (examples/third_party/README.md).
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/third_party"
FILES = sorted(FOLDER.glob("*.py"))


def test_there_are_files() -> None:
    assert len(FILES) >= 7


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_states_its_level_and_checks_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    module = ast.parse(text)
    stated = ast.get_docstring(module)
    assert stated is not None
    assert "Level: " in stated
    assert "Exit status 1 below" in stated
    functions = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    assert {"main", "planner"} <= functions  # `planner` is what `ermas evaluate` scores
    returned = [node for node in ast.walk(module) if isinstance(node, ast.Return) and node.value is not None]
    assert any("LEVEL else 1" in ast.unparse(node) for node in returned)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_stands_in_both_tables(file: Path) -> None:
    for page in (FOLDER / "README.md", ROOT / "docs/other-libraries.md"):
        assert f"`{file.name}`" in page.read_text(encoding="utf-8"), page


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_table_has_the_level_of_the_file(file: Path) -> None:
    level = re.search(r"^LEVEL, START(?:, \w+)* = ([\d.]+), 100\.0", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert level is not None
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    (row,) = (line for line in lines if line.startswith(f"| `{file.name}` |"))
    assert row.endswith(f"| {float(level[1]):.0f} |")
