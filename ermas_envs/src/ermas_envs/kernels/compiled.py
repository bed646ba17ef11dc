"""How kernels are compiled: Numba without the interpreter lock, cached under a key of all kernels' sources.

Numba's cache of one function does not notice that a function, or a constant, in another file has changed. The cache's
directory is therefore named after a hash of every module that has kernels or structs, so that rules can live in several
modules.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core.registry import CPUDispatcher

from ermas_envs.kernels.background import is_compiled_elsewhere
from ermas_envs.kernels.dispatchers import Internal, Kernel, in_python
from ermas_envs.kernels.kernel_files import KernelCache, private_folder

_CODE_SETTINGS = ("BOUNDSCHECK", "DEBUGINFO_DEFAULT", "OPT")  # Numba's own cache does not tell their values apart

Function = TypeVar("Function", bound=Callable[..., Any])

_MARKS = (b"@compiled", b"@internal", b"NamedTuple")  # what modules contain whose change must empty the cache


@functools.cache
def cache_directory() -> str:
    """Where compiled kernels are kept: the `private_folder` of this state of their sources."""
    settings = [getattr(numba.config, name) for name in _CODE_SETTINGS]
    digest = hashlib.sha256(repr((numba.__version__, settings)).encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        source = path.read_bytes()
        if any(mark in source for mark in _MARKS):
            digest.update(path.name.encode() + source)
    return str(private_folder(digest.hexdigest()[:16]))


def compiled(function: Function) -> Function:
    """`function` compiled at its first call, or taken from the cache.

    Floating point follows IEEE (x / 0 is inf). Numba's reference counting is off, which costs most of the time where
    structs of arrays are passed around; a kernel that allocates does not compile. Kernels are inlined into those that
    call them: passing a struct takes longer than most of them.
    """
    kernel: Function = _jit(function, Kernel)
    return kernel


def internal(function: Function) -> Function:
    """`compiled`, for a kernel that only kernels call: from Python it is a TypeError.

    The way in from Python, which unpacks structs of a hundred arrays, takes a third of the time of compilation.
    """
    kernel: Function = _jit(function, Internal, no_cpython_wrapper=True)
    return kernel


def _jit(function: Any, kind: type[CPUDispatcher], **options: bool) -> Any:
    settings: Any = numba.config
    jit: Any = numba.njit
    if settings.DISABLE_JIT:
        return _in_python(function)
    options = {"nogil": True, "_nrt": False, "forceinline": True, "no_cfunc_wrapper": True, **options}
    before, settings.CACHE_DIR = settings.CACHE_DIR, cache_directory()
    try:
        kernel = jit(error_model="numpy", **options)(function)
        kernel.__class__ = kind
        kernel._cache = KernelCache(function, cache_directory())  # instead of `cache=True`
        return kernel
    finally:
        settings.CACHE_DIR = before


def _in_python(function: Function) -> Function:
    """The kernel as it is written, for NUMBA_DISABLE_JIT=1: integers wrap, and x / 0 is inf, without a warning."""

    @functools.wraps(function)
    def kernel(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    typed: Any = kernel
    return typed


class Entry:
    """The way into a kernel that many calls take: argument types are looked up only when other structs come.

    Numba looks them up at every call. With structs of a hundred arrays that takes 20 µs, as long as many a step.

    Args:
        kernel: compiled; it is neither called nor compiled here.
        waits: False: Python plays the kernel, to the same bits, while another process compiles it.
    """

    def __init__(self, kernel: Any, waits: bool = True) -> None:
        self._kernel, self._waits = kernel, waits
        self._structs: tuple[Any, ...] = ()
        self._code: Callable[..., None] | None = None

    def __reduce__(self) -> tuple[type["Entry"], tuple[Any, bool]]:
        return Entry, (self._kernel, self._waits)  # machine code cannot be pickled

    def code(self, structs: tuple[Any, ...], arguments: tuple[Any, ...]) -> Callable[..., None]:
        """The kernel's machine code, which reads arguments of other types wrongly; or Python's, see `waits`.

        Args:
            structs: those of the arguments that may come to be of another type.
            arguments: all of them; the others must have the same types in every call, arrays the same dtype, number of
                dimensions and C order.
        """
        if not isinstance(self._kernel, Kernel):  # NUMBA_DISABLE_JIT
            kernel: Callable[..., None] = self._kernel
            return kernel
        known = len(structs) == len(self._structs)
        if self._code is None or not known or any(a is not b for a, b in zip(structs, self._structs, strict=True)):
            type_of: Any = numba.typeof
            types = tuple(type_of(argument) for argument in arguments)
            if not self._waits and is_compiled_elsewhere(self._kernel, types):
                return in_python(self._kernel)
            self._code, self._structs = self._kernel.compile(types), structs
        assert self._code is not None
        return self._code


def call(kernel: Any, *arguments: Any, waits: bool) -> None:
    """Call a kernel that few steps call; `waits` as in `Entry`."""
    Entry(kernel, waits).code((), arguments)(*arguments)
