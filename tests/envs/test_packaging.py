"""ermas-envs is a real, typed package that stands alone: no torch, nothing of ermas_algos."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import ermas_envs

ROOT = Path(__file__).parents[2]

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
import ermas_envs

names = [module.name for module in pkgutil.walk_packages(ermas_envs.__path__, "ermas_envs.")]
for name in names:
    if not name.endswith(".__main__"):
        importlib.import_module(name)
assert len(names) > 1, names
unwanted = {"torch", "stable_baselines3", "ermas_algos"} & set(sys.modules)
assert not unwanted, unwanted
"""


def test_is_not_an_empty_namespace_package() -> None:
    assert ermas_envs.__file__ is not None


def test_ships_type_information() -> None:
    assert (Path(ermas_envs.__file__).parent / "py.typed").is_file()


def test_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "ermas_envs/pyproject.toml").read_text())["project"]
    assert ermas_envs.__version__ == project["version"]


def test_no_submodule_imports_torch_or_the_algorithms() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_EVERYTHING], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    "base": (),
    "bench": (
        *("base", "game", "kernels", "games.economy", "games.one_step"),
        *("augmented_bimatrix_v0", "bimatrix_v0", "contract_v0", "economy_v0", "toll_v0"),
    ),
    "kernels": ("base",),
    "game": ("base",),
    "faces": ("base", "game"),
    "games.bimatrix": ("base", "game"),
    "games.contract": ("base", "game", "kernels"),
    "games.taxation": ("base", "game", "kernels"),
    "games.economy": ("base", "game", "kernels", "games.taxation"),
    "games.economy.pictures": ("base", "game", "games.economy", "games.taxation", "faces", "testing"),
    "games.toll": ("base", "game"),
    "games.one_step": ("base", "game", "kernels", "games.taxation"),
    "oracles": ("base", "game", "games.bimatrix"),
    "oracles.contracts": ("base", "games.contract", "oracles"),
    "oracles.tolls": ("base", "games.toll", "oracles"),
    "oracles.taxes": ("base", "games.taxation", "games.one_step"),
    "replay": ("base", "game", "games.economy", "games.taxation", "games.one_step"),
    "testing": ("base", "game", "faces", "make"),
    "wrappers": ("base", "faces"),
}
"""What the modules of each room may import of this package beside their own room: nothing above it, no other game.

Modules that stand outside the rooms are for users; they import what they like, and only `testing` and `bench` import
some of them. The engine of the economy alone reaches up: to the pictures that it draws.
"""
DRAWS_ITSELF = ("games.economy.engine", "games.economy.pictures")


def room_of(module: str) -> str:
    """The longest name in the table that the module stands in; its own first name if it stands in none."""
    rooms = [room for room in MAY_IMPORT if f"{module}.".startswith(f"{room}.")]
    return max(rooms, key=len, default=module.partition(".")[0])


def imports_between_rooms(sources: Path) -> Iterator[tuple[str, str]]:
    """(module, imported module) wherever the two stand in different rooms."""
    for path in sorted(sources.rglob("*.py")):
        module = ".".join(path.relative_to(sources).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                imported = name.removeprefix("ermas_envs.")
                if imported != name and room_of(imported) != room_of(module):
                    yield module, imported


def rooms(sources: Path) -> list[str]:
    """All packages, as names below `sources`; the empty name is `sources` itself."""
    return [".".join(path.parent.relative_to(sources).parts) for path in sorted(sources.rglob("__init__.py"))]


def test_every_room_stands_in_the_table() -> None:
    found = [room for room in rooms(ROOT / "ermas_envs/src/ermas_envs") if room]
    assert sorted({*found} - {"games"}) == sorted(MAY_IMPORT)


def test_rooms_import_what_the_table_allows() -> None:
    found = list(imports_between_rooms(ROOT / "ermas_envs/src/ermas_envs"))
    assert len(found) > 100
    for module, imported in found:
        room, other = room_of(module), room_of(imported)
        if (module, other) != DRAWS_ITSELF and room in MAY_IMPORT:
            assert other in MAY_IMPORT[room], f"{module} imports {imported}"
