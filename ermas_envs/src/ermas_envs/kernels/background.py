"""Compilation in another process: a kernel is played in Python, to the same bits, until its machine code is kept.

The other process ends with this one; what it has compiled by then is kept. Processes that share a folder of kernels
compile one after another, so that what one has done the next one finds.
"""

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba

from ermas_envs.kernels.dispatchers import Kernel, announce
from ermas_envs.kernels.kernel_files import KernelCache

try:
    import fcntl
except ImportError:  # Windows: everybody compiles for himself
    fcntl = None  # type: ignore[assignment]

NOTICE = (
    "ermas_envs: another process compiles the rules of a game, about a minute; Python plays them until then, slowly "
    "(`ermas-envs warm-up` compiles all)"
)
_PROGRAM = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from ermas_envs.kernels.background import compile_for_another
compile_for_another()
"""


_started: dict[tuple[int, Kernel, tuple[Any, ...]], "subprocess.Popen[bytes] | None"] = {}
"""By this process's number, which a fork changes, kernel and types; None where no process could be started."""


def is_compiled_elsewhere(kernel: Kernel, types: tuple[Any, ...]) -> bool:
    """True while another process compiles a kernel, which is begun here if need be; False: there is nothing to wait
    for, or this process must compile it itself.

    Args:
        kernel: compiled or not.
        types: Numba's, of its arguments.
    """
    cache, settings = kernel.kept, numba.config
    has_interpreter = bool(sys.executable) and not hasattr(sys, "frozen")  # else it is a program that embeds Python
    if types in kernel.overloads or not isinstance(cache, KernelCache) or not has_interpreter:
        return False
    checked = settings.BOUNDSCHECK  # type: ignore[attr-defined]
    if checked or cache.holds(types, kernel.targetctx):  # who wants checks wants them in every step
        return False
    key = (os.getpid(), kernel, types)
    if key not in _started:
        _started[key] = _start(kernel, types)
    compilation = _started[key]
    return compilation is not None and compilation.poll() is None


def wait() -> None:
    """Return when all is compiled that this process has asked for: what is called next is machine code."""
    for (process, *_), compilation in list(_started.items()):
        if compilation is not None and process == os.getpid():
            compilation.wait()


def _start(kernel: Kernel, types: tuple[Any, ...]) -> "subprocess.Popen[bytes] | None":
    asked = pickle.dumps(sys.path) + pickle.dumps((kernel.kept._cache_path, kernel, types))
    try:
        started = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    assert started.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended already, and this process compiles
        started.stdin.write(asked)
        started.stdin.flush()  # it stays open: its end tells the other process that this one has ended
    atexit.register(_stop, os.getpid(), started)
    announce(NOTICE)
    return started


def _stop(process: int, started: "subprocess.Popen[bytes]") -> None:
    if os.getpid() == process:
        started.kill()
        started.communicate()


def compile_for_another() -> None:
    """What the other process does: compile what standard input asks for. It ends when that is closed.

    Exit status 1: it keeps kernels in another folder than the process that asked.
    """
    folder, kernel, types = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    if kernel.kept._cache_path != folder:
        sys.exit(1)
    with _alone_in(folder):
        kernel.compile(types)


def _end_with_the_other() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


@contextlib.contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """Wait for the process that compiles into this folder, where the system has such locks."""
    with open(Path(folder) / "compiling.lock", "ab") as lock:
        if fcntl is not None:
            with contextlib.suppress(OSError):  # not on every file system
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
