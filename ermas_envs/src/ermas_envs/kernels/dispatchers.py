"""Numba's dispatchers of kernels: a compilation that takes long says so, and a copy of a kernel is found by name."""

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from typing import Any

from numba.core.registry import CPUDispatcher

PATIENCE = 2.0
"""Seconds after which a process says that it compiles."""
NOTICE = (
    "ermas_envs: compiling the rules of a game; they are kept for later processes (`ermas-envs warm-up` compiles all)"
)


@functools.cache
def announce() -> None:
    """Write `NOTICE` on stderr, once in a process: a game has many kernels, and kernels wait for those they call."""
    print(NOTICE, file=sys.stderr, flush=True)


class Kernel(CPUDispatcher):
    """What Python and kernels call."""

    def compile(self, sig: Any) -> Any:
        """As in Numba; `announce` where it compiles and that takes longer than `PATIENCE`."""
        before, ready = self.stats.cache_misses.total(), threading.Event()

        def watch() -> None:
            while not ready.wait(PATIENCE):
                if self.stats.cache_misses.total() > before:  # else it is still read from a file, on a busy machine
                    return announce()

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

    def __call__(self, *arguments: object, **named: object) -> None:
        """TypeError: without a way in, the process would die."""
        raise TypeError(f"{self.py_func.__name__} is internal: only kernels can call it.")


def _named(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
