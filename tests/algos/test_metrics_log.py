"""The log of a run: exact numbers, one set of columns, and resuming after a kill."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ermas_algos.metrics_log import MetricsLog, read_progress


def write_rows(directory: Path, iterations: range, resume: bool = False, scale: float = 0.1) -> None:
    """Log ``{"a": scale * i, "b/c": -i}`` for every iteration, without TensorBoard."""
    with MetricsLog(directory, tensorboard=False) as log:
        if resume:
            log.resume_from(iterations.start)
        for i in iterations:
            log.log(i, {"a": scale * i, "b/c": -i})


def expected(iterations: range, scale: float = 0.1) -> list[dict[str, float]]:
    return [{"iteration": i, "a": scale * i, "b/c": -i} for i in iterations]


def tensorboard_scalars(directory: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(directory / "tensorboard")).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_file_as_written(tmp_path: Path) -> None:
    write_rows(tmp_path / "new" / "run", range(2))
    text = (tmp_path / "new" / "run" / "progress.csv").read_text()
    assert text == "iteration,a,b/c\n0,0.0,0.0\n1,0.1,-1.0\n"
    assert os.listdir(tmp_path / "new" / "run") == ["progress.csv"]


@given(st.lists(st.floats(), min_size=1, max_size=5))
@settings(max_examples=50)
def test_numbers_keep_their_precision(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    directory = tmp_path_factory.mktemp("run")
    with MetricsLog(directory, tensorboard=False) as log:
        for i, value in enumerate(values):
            log.log(i, {"x": value})
    found = [row["x"] for row in read_progress(directory / "progress.csv")]
    assert [repr(value) for value in found] == [repr(value) for value in values]


def test_numpy_scalars_and_any_order_of_names(tmp_path: Path) -> None:
    first: dict[str, Any] = {"a": np.float32(0.1), "b": np.int64(2)}
    with MetricsLog(tmp_path, tensorboard=False) as log:
        log.log(0, first)
        log.log(1, {"b": 4, "a": 3})
    rows = read_progress(tmp_path / "progress.csv")
    assert rows == [{"iteration": 0, "a": float(np.float32(0.1)), "b": 2}, {"iteration": 1, "a": 3, "b": 4}]


def test_rows_are_on_disk_before_close(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path)
    log.log(0, {"a": 0.5})
    assert read_progress(tmp_path / "progress.csv") == [{"iteration": 0, "a": 0.5}]
    assert tensorboard_scalars(tmp_path, "a") == [(0, 0.5)]
    log.close()
    log.close()


def test_rows_survive_a_process_that_exits_at_once(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from ermas_algos.metrics_log import MetricsLog\n"
        "log = MetricsLog(pathlib.Path(sys.argv[1]), tensorboard=False)\n"
        "log.log(0, {'a': 1.0}); log.log(1, {'a': 2.0}); os.kill(os.getpid(), 9)"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=env).returncode == -9
    assert [row["a"] for row in read_progress(tmp_path / "progress.csv")] == [1.0, 2.0]


def test_columns_that_begin_later_are_nan_before(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, tensorboard=False) as log:
        with pytest.raises(ValueError, match="after the first row"):
            log.add_columns(["b"])
        log.log(0, {"a": 1.0})
        log.add_columns(["b", "c"])
        log.log(1, {"a": 2.0, "b": 3.0, "c": 4.0})
        for names, message in ((["a"], "different names"), (["d,e"], "cannot be the name"), (["f", "f"], "different")):
            with pytest.raises(ValueError, match=message):
                log.add_columns(names)
    assert (tmp_path / "progress.csv").read_text() == "iteration,a,b,c\n0,1.0,nan,nan\n1,2.0,3.0,4.0\n"


def test_a_log_without_a_file_grows_too() -> None:
    with MetricsLog(None) as log:
        log.log(0, {"a": 1.0})
        log.add_columns(["b"])
        assert log.columns == ("a", "b")
        log.log(1, {"a": 1.0, "b": 2.0})


def test_changed_names_are_refused_and_write_nothing(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, tensorboard=False) as log:
        log.log(0, {"a": 1.0, "b": 2.0})
        with pytest.raises(ValueError, match=r"missing \['b'\], not in the first row \['c'\]"):
            log.log(1, {"a": 1.0, "c": 2.0})
        log.log(1, {"a": 3.0, "b": 4.0})
    assert [row["a"] for row in read_progress(tmp_path / "progress.csv")] == [1.0, 3.0]


@pytest.mark.parametrize("name", ["iteration", "a,b", 'a"', "a\n"])
def test_names_that_would_break_the_file_are_refused(tmp_path: Path, name: str) -> None:
    with (
        MetricsLog(tmp_path, tensorboard=False) as log,
        pytest.raises(ValueError, match="cannot be the name"),
    ):
        log.log(0, {name: 1.0})
    assert os.listdir(tmp_path) == []


def test_without_a_directory_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with MetricsLog(None) as log:
        log.resume_from(4)
        log.log(4, {"a": 1.0})
        with pytest.raises(ValueError, match="missing"):
            log.log(5, {})
    assert os.listdir(tmp_path) == []


def test_an_old_log_is_not_overwritten_unasked(tmp_path: Path) -> None:
    write_rows(tmp_path, range(3))
    with pytest.raises(FileExistsError, match="resume_from"):
        write_rows(tmp_path, range(1))
    assert read_progress(tmp_path / "progress.csv") == expected(range(3))


@pytest.mark.parametrize("start", [1, 3, 5])
def test_resume_drops_later_rows_and_appends(tmp_path: Path, start: int) -> None:
    write_rows(tmp_path, range(5))
    write_rows(tmp_path, range(start, 7), resume=True, scale=0.7)
    rows = read_progress(tmp_path / "progress.csv")
    assert rows == expected(range(start)) + expected(range(start, 7), scale=0.7)
    assert os.listdir(tmp_path) == ["progress.csv"]


def test_resumed_file_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    write_rows(tmp_path / "whole", range(6))
    write_rows(tmp_path / "parts", range(4))
    write_rows(tmp_path / "parts", range(2, 6), resume=True)
    whole, parts = [(tmp_path / name / "progress.csv").read_bytes() for name in ("whole", "parts")]
    assert whole == parts


def test_resume_keeps_the_columns(tmp_path: Path) -> None:
    write_rows(tmp_path, range(2))
    with MetricsLog(tmp_path, tensorboard=False) as log:
        log.resume_from(2)
        with pytest.raises(ValueError, match=r"missing \['b/c'\], not in the first row \['d'\]"):
            log.log(2, {"a": 1.0, "d": 2.0})
        log.log(2, {"b/c": -2, "a": 0.2})
    assert read_progress(tmp_path / "progress.csv") == expected(range(3))


def test_resume_from_zero_starts_again_with_new_columns(tmp_path: Path) -> None:
    write_rows(tmp_path, range(4))
    with MetricsLog(tmp_path, tensorboard=False) as log:
        log.resume_from(0)
        log.log(0, {"d": 1.0})
    assert (tmp_path / "progress.csv").read_text() == "iteration,d\n0,1.0\n"


def test_resume_without_an_old_log(tmp_path: Path) -> None:
    write_rows(tmp_path, range(3, 5), resume=True)
    assert read_progress(tmp_path / "progress.csv") == expected(range(3, 5))


def test_resume_after_logging_is_refused(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, tensorboard=False) as log:
        log.log(0, {"a": 1.0})
        with pytest.raises(ValueError, match="before the first row"):
            log.resume_from(0)


def test_torn_last_line_is_dropped_wherever_it_tears(tmp_path: Path) -> None:
    """Cut the file at every byte: a row counts only with its newline, and the run goes on."""
    write_rows(tmp_path / "whole", range(4))
    whole = (tmp_path / "whole" / "progress.csv").read_bytes()
    for cut in range(len(whole)):
        path = tmp_path / "torn" / "progress.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole[:cut])
        complete = max(whole[:cut].count(b"\n") - 1, 0)
        assert read_progress(path) == expected(range(complete))
        write_rows(path.parent, range(complete, 4), resume=True)
        assert path.read_bytes() == whole


def test_failed_rewrite_keeps_the_old_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    write_rows(tmp_path, range(4))
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_rows(tmp_path, range(2, 4), resume=True)
    assert read_progress(tmp_path / "progress.csv") == expected(range(4))
    assert os.listdir(tmp_path) == ["progress.csv"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("iteration,a\n0,1.0\n1\n2,3.0\n", "line 3"),
        ("iteration,a\n0,x\n", "line 2"),
        ("time,a\n0,1.0\n", "line 1"),
    ],
)
def test_damage_before_the_last_line_is_reported(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "progress.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"progress.csv: {line} does not"):
        read_progress(path)


def test_tensorboard_forgets_what_the_killed_run_logged(tmp_path: Path) -> None:
    with MetricsLog(tmp_path) as log:
        for i in range(5):
            log.log(i, {"regret/agent_0": i / 4})
    with MetricsLog(tmp_path) as log:
        log.resume_from(3)
        for i in range(3, 6):
            log.log(i, {"regret/agent_0": -i / 4})
    scalars = tensorboard_scalars(tmp_path, "regret/agent_0")
    assert scalars == [(0, 0.0), (1, 0.25), (2, 0.5), (3, -0.75), (4, -1.0), (5, -1.25)]
    rows = read_progress(tmp_path / "progress.csv")
    assert [(int(row["iteration"]), row["regret/agent_0"]) for row in rows] == scalars


def test_nan_is_kept(tmp_path: Path) -> None:
    with MetricsLog(tmp_path) as log:
        log.log(0, {"a": math.nan})
    assert math.isnan(read_progress(tmp_path / "progress.csv")[0]["a"])
    assert math.isnan(tensorboard_scalars(tmp_path, "a")[0][1])
