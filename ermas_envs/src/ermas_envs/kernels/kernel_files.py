"""Where compiled kernels are kept: a folder that only its user can write, and files that processes write side by side.

A cached kernel is executable code in a pickle: whoever can write the folder can run code as its user.
"""

import hashlib
import os
import stat
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile


def private_folder(name: str) -> Path:
    """The folder `name` in `NUMBA_CACHE_DIR`, else in the user's cache, made with access for nobody else.

    Where that cannot be written, or somebody else could write it, too, it lies in the temporary folder, in a folder of
    the user's; if somebody else has taken that one's name, in a new one that no other process finds.
    """
    given = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    try:
        return _made(Path(given or Path.home() / ".cache").absolute() / "ermas_envs", name)
    except _Foreign as error:
        warnings.warn(f"{error}; compiled kernels are kept in the temporary folder.", stacklevel=2)
    except (OSError, RuntimeError):  # no home, or one that cannot be written
        pass
    try:
        return _made(Path(tempfile.gettempdir()) / f"ermas_envs-{_user()}", name)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="ermas_envs-"))


class _Foreign(OSError):
    """A folder that somebody else could write."""


def _made(base: Path, name: str) -> Path:
    base.parent.mkdir(parents=True, exist_ok=True)
    for folder in (base, base / name):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.stat()
        owners = {found.st_uid, folder.lstat().st_uid}  # of a link, too
        if sys.platform != "win32" and (owners != {_user()} or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            raise _Foreign(f"{folder}: is another user's, or others can write there")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"{folder}: cannot be written")
    return base / name


def _user() -> int | str:
    return "user" if sys.platform == "win32" else os.geteuid()  # there, the temporary folder is the user's own


class KernelCache(FunctionCache):
    """Numba's cache of one function, except that it does not number the files of machine code.

    Two processes that compile a function for different types at once take the same number there, and code for one of
    them then stands under the types of the other. Here a file is named after the types that it is for.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = _NamedFiles(
            self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp()
        )


class _NamedFiles(IndexDataCacheFile):
    def __init__(self, folder: str, base: str, stamp: Any) -> None:
        super().__init__(folder, base, stamp)
        self._base = base

    def save(self, key: Any, data: Any) -> None:
        name = f"{self._base}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"
        self._save_data(name, data)
        overloads = self._load_index()
        overloads[key] = name
        self._save_index(overloads)
