"""One command at a time writes into a directory of results."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ermas_algos.file_errors import file_errors

LOCK_FILE = ".lock"
"""Name of the file that is locked; it stays, and means nothing by itself."""


@contextmanager
def locked_directory(directory: Path) -> Iterator[None]:
    """Keep other processes and other threads out of a directory; within a thread, calls may be nested.

    The operating system holds the lock, and releases it when the process ends, however it ends.

    Args:
        directory: created.

    Raises:
        ValueError: another command is using the directory.
        OSError: the directory cannot be made or written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory.resolve() / LOCK_FILE
    lock = FileLock(path, timeout=0, is_singleton=True)  # one object per thread and path: nested calls are counted
    with file_errors(path):
        try:
            lock.acquire()
        except Timeout:  # an OSError, too
            raise ValueError(
                f"{directory}: another command is using this directory; wait for it, or choose another one."
            ) from None
    try:
        yield
    finally:
        lock.release()
