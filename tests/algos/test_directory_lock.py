"""One command at a time in a directory: others are refused, by exit status 2, and nothing of a run is touched."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ermas_algos import MARL, MARLConfig, command_line
from ermas_algos.directory_lock import locked_directory
from ermas_algos.experiments.backends import Processes
from ermas_algos.experiments.jobs import Scale
from ermas_algos.experiments.sweep import Method as SweepMethod
from ermas_algos.experiments.sweep import Sweep, Task, run_sweep
from ermas_algos.studies.reproduction import reproduce
from ermas_envs import augmented_bimatrix_v0

REFUSED = "another command is using this directory"


@contextmanager
def used(directory: Path) -> Iterator[None]:
    """Another thread uses the directory, as another command would."""
    begun, over = threading.Event(), threading.Event()

    def use() -> None:
        with locked_directory(directory):
            begun.set()
            over.wait(60)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        over.set()
        thread.join()


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom ermas_algos.directory_lock import locked_directory\n"
        "with locked_directory(Path(sys.argv[1])):\n    print('locked', flush=True)\n    time.sleep(60)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    with pytest.raises(ValueError, match=REFUSED) as refusal, locked_directory(tmp_path / "run"):
        pass
    assert str(refusal.value).startswith(f"{tmp_path / 'run'}: ")
    other.kill()
    other.communicate()
    assert (tmp_path / "run/.lock").exists()
    with locked_directory(tmp_path / "run"):
        pass


def test_calls_of_one_thread_are_nested_whatever_the_path_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with locked_directory(Path("run")):
        with locked_directory(tmp_path / "run"), locked_directory(Path("run/../run")):
            pass
        with pytest.raises(ValueError, match=REFUSED), used_elsewhere(tmp_path / "run"):
            pass
    with used(tmp_path / "run"):
        pass


@contextmanager
def used_elsewhere(directory: Path) -> Iterator[None]:
    """Raises what another thread is told."""
    errors: list[ValueError] = []

    def use() -> None:
        try:
            with locked_directory(directory):
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    for error in errors:
        raise error
    yield


def test_learn_keeps_out_of_a_directory_in_use(tmp_path: Path) -> None:
    config = MARLConfig(num_envs=4)
    MARL(augmented_bimatrix_v0.batched_env, config).learn(1, tmp_path)
    before = files(tmp_path)
    with used(tmp_path), pytest.raises(ValueError, match=REFUSED):
        MARL(augmented_bimatrix_v0.batched_env, config).learn(2, tmp_path)
    assert files(tmp_path) == before
    MARL(augmented_bimatrix_v0.batched_env, config).learn(1, tmp_path)


def test_sweeps_and_experiments_keep_out_of_a_directory_in_use(tmp_path: Path) -> None:
    sweep = Sweep({"game": Task("augmented_bimatrix_v0")}, {"MARL": SweepMethod("MARL")}, (0,), (0.0,))
    with used(tmp_path):
        with pytest.raises(ValueError, match=REFUSED):
            run_sweep(sweep, tmp_path, Processes(1))
        with pytest.raises(ValueError, match=REFUSED):
            reproduce("mixing", Scale(1, quick=True), tmp_path, Processes(1))
    assert list(files(tmp_path)) == [".lock"]


SWEEP = """
seeds = [0]
gaps = [0.0]
tasks.game = { environment = "augmented_bimatrix_v0" }
methods.MARL = { algorithm = "MARL" }
"""


@pytest.mark.parametrize(
    "command",
    [
        ("train", "--environment", "augmented_bimatrix_v0", "--algorithm", "MARL"),
        ("sweep", "sweep.toml"),
        ("reproduce", "mixing", "--quick"),
    ],
)
def test_a_command_in_a_directory_in_use_is_refused(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sweep.toml").write_text(SWEEP)
    with used(tmp_path / "out"), pytest.raises(SystemExit) as end:
        command_line.main([*command, "--out", "out"])
    assert end.value.code == 2
    assert capsys.readouterr().err == (f"ermas {command[0]}: out: {REFUSED}; wait for it, or choose another one.\n")
    assert list(files(tmp_path / "out")) == [".lock"]
