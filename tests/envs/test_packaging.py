"""ermas-envs is a real, typed package that stands alone: no torch, nothing of ermas_algos."""

import subprocess
import sys
import tomllib
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
