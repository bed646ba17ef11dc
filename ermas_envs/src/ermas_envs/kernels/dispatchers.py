"""Numba's dispatchers of kernels: they can be played in Python, long compilations say so, copies are found by name."""

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core.registry import CPUDispatcher

PATIENCE = 2.0
"""Seconds after which a process says that it compiles."""
NOTICE = (
    "ermas_envs: compiling the rules of a game; they are kept for later processes (`ermas-envs warm-up` compiles all)"
)


@functools.cache
def announce(notice: str) -> None:
    """Write a notice on stderr, once in a process: a game has many kernels, and kernels wait for those they call."""
    print(notice, file=sys.stderr, flush=True)


class _Playing(threading.local):
    """Whether this thread plays kernels in Python."""

    in_python = False


_playing = _Playing()


def in_python(kernel: "Kernel") -> Callable[..., None]:
    """The kernel, and all that it calls, as the Python functions that they are: integers wrap, and x / 0 is inf,
    without a warning."""

    def play(*arguments: Any) -> None:
        before, _playing.in_python = _playing.in_python, True
        try:
            with np.errstate(all="ignore"):
                kernel.py_func(*arguments)
        finally:
            _playing.in_python = before

    return play


class Kernel(CPUDispatcher):
    """What Python and kernels call."""

    @property
    def kept(self) -> Any:
        """Its files of machine code (`KernelCache`)."""
        return self._cache  # type: ignore[attr-defined]

    def __call__(self, *arguments: Any) -> Any:
        """Machine code, which is compiled first if need be; in a kernel that is played `in_python`, the function."""
        return self.py_func(*arguments) if _playing.in_python else super().__call__(*arguments)

    def compile(self, sig: Any) -> Any:
        """As in Numba; `announce` where it compiles and that takes longer than `PATIENCE`."""
        compiled: Any = self.overloads.get(sig)
        if compiled is not None:
            return compiled.entry_point
        before, ready = self.stats.cache_misses.total(), threading.Event()

        def watch() -> None:
            while not ready.wait(PATIENCE):
                if self.stats.cache_misses.total() > before:  # else it is still read from a file, on a busy machine
                    return announce(NOTICE)

        threading.Thread(target=watch, daemon=True).start()
        try:
            return super().compile(sig)
        finally:
            ready.set()

    def __reduce__(self) -> tuple[Callable[[str, str], Any], tuple[str, str]]:
        """By name: a copy in another process finds what is kept there, and does not compile again."""
        return _named, (self.py_func.__module__, self.py_func.__qualname__)


class Internal(CPUDispatcher):
    """What only kernels call."""

    def __call__(self, *arguments: Any) -> Any:
        """TypeError but in a kernel that is played `in_python`: without a way in, the process would die."""
        if not _playing.in_python:
            raise TypeError(f"{self.py_func.__name__} is internal: only kernels can call it.")
        return self.py_func(*arguments)


def _named(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
