"""ermas-algos is a typed package whose layers look down: studies, experiments, evaluation, algorithms, learners."""

import ast
import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import ermas_algos

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "ermas_algos/src"
LAYERS = ["learners", "algorithms", "evaluation", "experiments", "studies"]  # lowest first
BESIDE = ["bench", "commands", "plots"]
"""Folders that are no layers; each has tests of its own here."""


def imports(path: Path) -> Iterator[str]:
    """Dotted names of everything that a source file imports, at any depth, relative imports resolved."""
    package = path.relative_to(SOURCES).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_of(paths: Iterator[Path], forbidden: str) -> list[str]:
    """Lines "file imports name" for every import of the module `forbidden` or of something inside it."""
    return [
        f"{path.relative_to(SOURCES)} imports {name}"
        for path in paths
        for name in imports(path)
        if f"{name}.".startswith(f"{forbidden}.")
    ]


def test_is_not_an_empty_namespace_package() -> None:
    assert ermas_algos.__file__ is not None


def test_ships_type_information() -> None:
    assert (Path(ermas_algos.__file__).parent / "py.typed").is_file()


def test_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "ermas_algos/pyproject.toml").read_text())["project"]
    assert ermas_algos.__version__ == project["version"]


@pytest.mark.parametrize(
    ("lower", "higher"),
    [(low, high) for i, low in enumerate(LAYERS) for high in LAYERS[i + 1 :]],
)
def test_no_layer_imports_a_higher_one(lower: str, higher: str) -> None:
    folder = SOURCES / "ermas_algos" / lower
    assert folder.is_dir()
    assert imports_of(folder.rglob("*.py"), f"ermas_algos.{higher}") == []


def test_every_folder_is_a_layer_or_stands_beside_them() -> None:
    folders = [path.parent.name for path in (SOURCES / "ermas_algos").glob("*/__init__.py")]
    assert sorted(folders) == sorted([*LAYERS, *BESIDE])


def test_plots_are_for_experiments_studies_and_examples_only() -> None:
    allowed = {"plots", "experiments", "studies"}
    others = (p for p in SOURCES.rglob("*.py") if not allowed & set(p.relative_to(SOURCES).with_suffix("").parts))
    assert imports_of(others, "ermas_algos.plots") == []


def test_plots_read_tables_only() -> None:
    for layer in ("algorithms", "learners", "experiments"):
        assert imports_of((SOURCES / "ermas_algos/plots").rglob("*.py"), f"ermas_algos.{layer}") == []


def test_a_studys_picture_reads_tables_only() -> None:
    pictures = sorted((SOURCES / "ermas_algos/studies").glob("*_picture.py"))
    assert pictures
    for layer in ("algorithms", "learners", "evaluation", "experiments", "studies"):
        assert imports_of(iter(pictures), f"ermas_algos.{layer}") == []


def test_nothing_knows_the_benchmarks() -> None:
    others = (p for p in SOURCES.rglob("*.py") if p.parent.name != "bench")
    assert imports_of(others, "ermas_algos.bench") == []


def test_nothing_below_knows_the_commands() -> None:
    below = (p for p in SOURCES.rglob("*.py") if p.parent.name != "commands" and p.name != "command_line.py")
    assert imports_of(below, "ermas_algos.commands") == []


@pytest.mark.parametrize("package", ["ermas_envs", "ermas_algos"])
def test_every_public_name_exists(package: str) -> None:
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
