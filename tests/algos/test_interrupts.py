"""Ctrl-C, pressed once or often: a message, status 130, and no traceback, neither of the command nor of its workers."""

import atexit
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.processes import ENDS_WITHIN, descendants, wait_until

from ermas_algos.commands import interrupts
from ermas_algos.metrics_log import read_progress

ERMAS = (sys.executable, "-m", "ermas_algos.command_line")
SWEEP = """
seeds = [0, 1]
gaps = [0.0]
iterations = 5000
tasks.game = { environment = "augmented_bimatrix_v0" }
methods.MARL = { algorithm = "MARL" }
"""


def slowly(pauses: list[float]) -> Any:
    """Other pauses than the fast tests have."""
    return pytest.param(pauses, marks=pytest.mark.slow)


def started(*arguments: str) -> subprocess.Popen[str]:
    """In a process group of its own, which Ctrl-C reaches as a whole."""
    return subprocess.Popen([*ERMAS, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                            start_new_session=True)  # fmt: skip


def interrupted(process: subprocess.Popen[str], pauses: list[float]) -> str:
    """What it says; Ctrl-C after each pause, as long as it lives."""
    for pause in pauses:
        time.sleep(pause)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=ENDS_WITHIN)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    return errors


@pytest.mark.parametrize("pauses", [[0.0], slowly([0.0, 0.0]), [0.0, 0.05, 0.2, 0.2], slowly([1.5, 0.1, 0.1])])
def test_a_sweep_whose_workers_are_starting(pauses: list[float], tmp_path: Path) -> None:
    """They import for seconds before they know that Ctrl-C is not theirs."""
    (tmp_path / "sweep.toml").write_text(SWEEP)
    process = started("sweep", str(tmp_path / "sweep.toml"), "--out", str(tmp_path / "out"))
    wait_until(lambda: len(descendants(process.pid)) >= 2, 120)  # the first of what multiprocessing starts
    errors = interrupted(process, pauses)
    assert errors == "ermas sweep: interrupted; finished jobs are kept; the same command does the rest.\n"


@pytest.mark.parametrize("pauses", [slowly([0.0, 0.0]), [0.0, 0.1, 0.1, 0.1]])
def test_a_training(pauses: list[float], tmp_path: Path) -> None:
    process = started("train", "--environment", "augmented_bimatrix_v0", "--algorithm", "MARL", "--iterations", "5000",
                      "--out", str(tmp_path))  # fmt: skip
    wait_until(lambda: (tmp_path / "progress.csv").exists() and read_progress(tmp_path / "progress.csv") != [], 120)
    errors = interrupted(process, pauses)
    assert errors.startswith("ermas train: interrupted; ")
    assert errors.count("\n") == 1


def test_a_command_that_does_not_end_can_be_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Patience is over: the second Ctrl-C ends the process at once."""
    ended: list[int] = []
    monkeypatch.setattr(interrupts, "PATIENCE", 0.0)
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(atexit, "register", lambda *_: None)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts.one_interrupt():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert ended == [130]
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_that_a_library_swallows_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "ONE_PRESS", 0.2)
    monkeypatch.setattr(atexit, "register", lambda *_: None)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interrupts.one_interrupt():
            for pause in (0.0, 0.3):
                time.sleep(pause)
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)  # the same press
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.one_interrupt():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
