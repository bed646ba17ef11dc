"""Files of the commands: a run's checkpoint; places for results, found unusable before anything is run."""

import os
import tempfile
from pathlib import Path

from ermas_algos.algorithms.trainer import CHECKPOINT


def checkpoint_file(path: Path) -> Path:
    """The checkpoint of a run's directory; any other path as it is."""
    return path / CHECKPOINT if path.is_dir() else path


def prepare_directory(path: Path) -> None:
    """Create a directory for results; ValueError if it cannot be created or written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        reason = "is not a directory" if isinstance(error, FileExistsError) else os.strerror(error.errno or 0)
        raise ValueError(f"out: {path} cannot be written: {reason}.") from None


def prepare_file(path: Path) -> None:
    """Create the directory of a file for results; ValueError if the file cannot be written."""
    if path.is_dir() or not path.name:
        raise ValueError(f"out: {path} is a directory; name a file.")
    if path.exists() and not path.is_file():  # such as /dev/null, which must not be replaced
        raise ValueError(f"out: {path} is no ordinary file.")
    prepare_directory(path.parent)
