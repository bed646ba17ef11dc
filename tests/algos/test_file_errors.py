"""Full disks, directories that cannot be opened, damaged logs: errors name the file, and what was whole stays whole.

A limit on the size of files stands for a full disk: writing beyond it fails with an error that names no file either.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ermas_algos import command_line
from ermas_algos.checkpoint import replace_file
from ermas_algos.file_errors import file_errors
from ermas_algos.metrics_log import PROGRESS_FILE, MetricsLog

TRAIN = ("train", "--environment", "augmented_bimatrix_v0", "--algorithm", "MARL", "--settings", "num_envs", "8")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def train(directory: Path, iterations: int) -> object:
    with pytest.raises(SystemExit) as end:
        command_line.main([*TRAIN, "--iterations", str(iterations), "--out", str(directory)])
    return end.value.code


def test_errors_without_a_name_get_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as full, file_errors(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert full.value.filename == str(tmp_path / "x")
    with pytest.raises(PermissionError) as denied, file_errors("x"):
        raise PermissionError(errno.EACCES, "Permission denied", ".x.tmp")
    assert denied.value.filename == "x"
    with pytest.raises(OSError, match=r"^x: strange$"), file_errors("x"):
        raise OSError("strange")


def test_a_full_disk_keeps_the_old_file_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    with files_of_at_most(100), pytest.raises(OSError, match="File too large") as error:
        replace_file(path, bytes(1000))
    assert error.value.filename == str(path)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_full_disk_is_named_by_the_log(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, tensorboard=False)
    log.log(0, {"a": 1.0})
    with files_of_at_most(20), pytest.raises(OSError, match="File too large") as error, log:
        log.log(1, {"a": 1.0})
    assert error.value.filename == str(tmp_path / PROGRESS_FILE)


def test_training_on_a_full_disk_names_the_checkpoint_and_keeps_the_old_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, 1) == 0
    path = tmp_path / "checkpoint.safetensors"
    before = path.read_bytes()
    capsys.readouterr()
    with files_of_at_most(len(before) // 2):
        assert train(tmp_path, 2) == 2
    assert capsys.readouterr().err == f"ermas train: {path}: File too large\n"
    assert path.read_bytes() == before
    assert train(tmp_path, 2) == 0


@pytest.mark.parametrize("damage", [b"\xff", b"1,2\n", b"0,0\n0,0\n"])
def test_a_damaged_log_is_refused_by_its_name(
    damage: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, 1) == 0
    path = tmp_path / PROGRESS_FILE
    header, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(header + b"\n" + damage + rest)
    capsys.readouterr()
    assert train(tmp_path, 2) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ermas train: {path}: line 2 ")
    assert error.count("\n") == 1


def test_a_column_twice_is_damage(tmp_path: Path) -> None:
    (tmp_path / PROGRESS_FILE).write_text("iteration,a,a\n0,1.0,2.0\n")
    with (
        pytest.raises(ValueError, match=r"progress\.csv: line 1 is damaged: it has a column twice"),
        MetricsLog(tmp_path) as log,
    ):
        log.resume_from(1)


@pytest.mark.parametrize("refusal", ["open", "fsync"])
def test_where_directories_cannot_be_synchronised_files_are_written_all_the_same(
    refusal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows opens no directories; some network file systems refuse to synchronise them."""
    opened, synchronised = os.open, os.fsync

    def windows_open(path: str | Path, *rest: int, **names: int) -> int:
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *rest, **names)

    def network_fsync(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        synchronised(descriptor)

    monkeypatch.setattr(os, *(("open", windows_open) if refusal == "open" else ("fsync", network_fsync)))
    assert train(tmp_path / "w", 1) == 0
    assert (tmp_path / "w/checkpoint.safetensors").exists()
    assert capsys.readouterr().err == ""
