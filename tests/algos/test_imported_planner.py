"""Planners from modules of the user's: which file is meant, and that nothing of it stays loaded."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from ermas_algos.commands.imported_planner import imported_planner
from ermas_envs.planners import Planner


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def action_of(planner: Planner) -> int:
    planner.bind(spaces.Discrete(9), spaces.Discrete(9))
    return int(planner.act(np.zeros(1, np.int64), np.zeros((1, planner.noise_size)), None)[0])


@pytest.mark.parametrize(
    ("module", "files"),
    [
        ("my_planners", {"my_planners.py": "def plan(observation):\n    return {number}\n"}),
        (
            "my_planners",
            {
                "my_planners.py": "from helpers import NUMBER\n\ndef plan(observation):\n    return NUMBER\n",
                "helpers.py": "NUMBER = {number}\n",
            },
        ),
        (
            "my_planners",
            {
                "my_planners.py": "def plan(observation):\n    from helpers import NUMBER\n    return NUMBER\n",
                "helpers.py": "import my_planners\nassert my_planners.plan\nNUMBER = {number}\n",
            },
        ),
        (
            "mine.planners",
            {
                "mine/__init__.py": "",
                "mine/planners.py": "from .numbers import NUMBER\n\ndef plan(observation):\n    return NUMBER\n",
                "mine/numbers.py": "NUMBER = {number}\n",
            },
        ),
        ("folder.planners", {"folder/planners.py": "def plan(observation):\n    return {number}\n"}),
        ("statistics", {"statistics.py": "def plan(observation):\n    return {number}\n"}),
        ("colorsys", {"colorsys.py": "import statistics\n\ndef plan(observation):\n    return {number}\n"}),
    ],
    ids=["alone", "helpers", "helpers, late", "package", "folder", "loaded library's name", "library's name"],
)
def test_the_current_directory_s_file_is_meant(
    module: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was imported before; and each planner keeps its own."""
    import statistics

    before, path = set(sys.modules), list(sys.path)
    planners = []
    for number in (3, 5):
        texts = {name: text.replace("{number}", str(number)) for name, text in files.items()}
        monkeypatch.chdir(write(tmp_path / f"folder {number}", texts))
        planners.append(imported_planner(module, "plan"))
    monkeypatch.chdir(tmp_path)
    assert [action_of(planner) for planner in planners] == [3, 5]
    assert set(sys.modules) - before == set()
    assert sys.modules["statistics"] is statistics
    assert sys.path == path


def test_a_changed_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (3, 8):
        write(
            tmp_path, {"my_planners.py": f"def plan(observation):\n    return {number}{'  # changed' * (number > 3)}\n"}
        )
        assert action_of(imported_planner("my_planners", "plan")) == number


def test_a_sibling_s_name_may_be_that_of_a_loaded_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("helpers")
    monkeypatch.setitem(sys.modules, "helpers", other)
    text = "import helpers\n\ndef plan(observation):\n    return helpers.NUMBER\n"
    monkeypatch.chdir(write(tmp_path, {"my_planners.py": text, "helpers.py": "NUMBER = 4\n"}))
    assert action_of(imported_planner("my_planners", "plan")) == 4
    assert sys.modules["helpers"] is other


def test_what_was_loaded_from_the_same_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's own import, say; so are our packages, where somebody works among their sources."""
    text = "seen = []\n\ndef plan(observation):\n    seen.append(observation)\n    return 4\n"
    monkeypatch.chdir(write(tmp_path, {"my_planners.py": text}))
    spec = importlib.util.spec_from_file_location("my_planners", tmp_path / "my_planners.py")
    assert spec is not None
    assert spec.loader is not None
    loaded: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "my_planners", loaded)
    spec.loader.exec_module(loaded)
    assert action_of(imported_planner("my_planners", "plan")) == 4
    assert loaded.seen
    assert sys.modules["my_planners"] is loaded


def test_libraries_that_a_planner_imports_stay_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many cannot be loaded twice."""
    text = "import library\n\ndef plan(observation):\n    return library.NUMBER\n"
    write(tmp_path, {"here/my_planners.py": text, "here/.venv/library.py": "NUMBER = 4\n"})
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(str(tmp_path / "here/.venv"))
    assert action_of(imported_planner("my_planners", "plan")) == 4
    assert sys.modules.pop("library").NUMBER == 4
