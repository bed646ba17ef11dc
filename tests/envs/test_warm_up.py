"""`ermas-envs warm-up`: what it compiles is found by later processes; errors are answered."""

import subprocess
from typing import Any

import pytest

from ermas_envs import warm_up


def test_every_game_with_kernels_is_played(capsys: pytest.CaptureFixture[str]) -> None:
    warm_up.main(["warm-up", "--processes", "1"])
    said = capsys.readouterr().out
    assert "ready after" in said
    assert warm_up.cache_directory() in said


def test_without_a_command_the_commands_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    warm_up.main([])
    assert "warm-up" in capsys.readouterr().out


@pytest.mark.parametrize("given", ["0", "-1", "two"])
def test_bad_processes_are_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        warm_up.main(["warm-up", "--processes", given])
    assert ended.value.code == 2
    assert "processes" in capsys.readouterr().err


def test_a_game_that_fails_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise subprocess.CalledProcessError(1, "python")

    monkeypatch.setattr(warm_up.subprocess, "run", fail)
    with pytest.raises(SystemExit, match="could not be played"):
        warm_up.main(["warm-up"])
