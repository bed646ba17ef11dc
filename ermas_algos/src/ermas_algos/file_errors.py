"""Errors of the operating system name the file that was asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_errors(path: Path | str) -> Iterator[None]:
    """For code that reads or writes `path`: its OSErrors name it, rather than nothing (a full disk) or a temporary."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # made by a library: its text is all there is
            raise OSError(f"{path}: {error}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error
