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

from numba.core import entrypoints
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.runtime.nrt import rtsys


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
    """Numba's cache of one function, in a folder that all installations of the same sources share.

    Numba's own tells functions apart by where their files lie, so that every virtual environment compiles again in
    spite of a common folder; here the module's name and the content of its file count. And Numba numbers the files of
    machine code: two processes that compile a function for different types at once take the same number there, and code
    for one of them then stands under the types of the other. Here a file is named after the types that it is for.

    Args:
        function: the kernel.
        folder: where the files lie.
    """

    def __init__(self, function: Any, folder: str) -> None:
        super().__init__(function)
        self._cache_path = self._impl.locator._cache_path = folder
        source = Path(function.__code__.co_filename).read_bytes()
        within_module = self._impl.filename_base.partition(".")[2]
        self._cache_file = _NamedFiles(
            folder, f"{function.__module__}.{within_module}", hashlib.sha256(source).hexdigest()
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """As in Numba, without the registries of types that only a compiler needs, and loads itself: they take .4 s,
        a third of a process's way to its first step. What machine code is linked with is there: Numba's runtime, and
        what extensions of Numba bring."""
        with self._guard_against_spurious_io_errors():
            rtsys.initialize(target_context)
            entrypoints.init_all()
            return self._load_overload(sig, target_context)

    def holds(self, types: tuple[Any, ...], context: Any) -> bool:
        """Whether machine code is kept for arguments of these types, as far as the index of the files says."""
        return self._index_key(types, context.codegen()) in self._cache_file._load_index()


class _NamedFiles(IndexDataCacheFile):
    def __init__(self, folder: str, base: str, stamp: str) -> None:
        super().__init__(folder, base, stamp)
        self._base, self._stamp = base, stamp

    def save(self, key: Any, data: Any) -> None:
        name = f"{self._base}.{hashlib.sha256(repr((self._stamp, key)).encode()).hexdigest()[:16]}.nbc"
        self._save_data(name, data)
        overloads = self._load_index()
        overloads[key] = name
        self._save_index(overloads)
