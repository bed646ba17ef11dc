"""The two forms of a kernel: machine code that Python calls, and LLVM code that goes into the kernels that call it.

Numba emits and stores machine code of every function that a kernel calls, too. Where functions are inlined, nobody ever
calls that code, and it was two fifths of the time of a first step. Here what a kernel calls ends as LLVM code. It is
optimised, although it is optimised again where it is inlined: without that, engines step a tenth slower.
"""

import importlib
import sys
import threading
from collections.abc import Callable
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher

PATIENCE = 2.0
"""Seconds after which a process says that it compiles."""
NOTICE = (
    "ermas_envs: compiling the rules of a game; they are kept for later processes (`ermas-envs warm-up` compiles all)"
)


class InlinedLibrary(JITCodeLibrary):
    """LLVM code that is linked into other libraries, and has no machine code."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """0: there is none."""
        return 0

    @property
    def codegen(self) -> Any:
        """The code generator; it sets no environment, which lies in machine code."""
        return _WithoutEnvironments(self._codegen)


class _WithoutEnvironments:
    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def set_env(self, name: str, environment: object) -> None:
        """Nothing is set."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)


class _OfOneLibrary(CPUDispatcher):
    library: type[JITCodeLibrary]

    def compile(self, sig: Any) -> Any:
        """As in Numba; kernels that this one calls are compiled meanwhile, by dispatchers of their own."""
        codegen: Any = self.targetctx.codegen()  # type: ignore[attr-defined]
        with global_compiler_lock:
            before, codegen._library_class = codegen._library_class, self.library
            try:
                return super().compile(sig)
            finally:
                codegen._library_class = before


class Inlined(_OfOneLibrary):
    """The form that kernels call."""

    library = InlinedLibrary

    def __call__(self, *arguments: object, **named: object) -> None:
        """TypeError: without a way in, the process would die."""
        raise TypeError(f"{self.py_func.__name__} is internal: only kernels can call it.")


class Kernel(_OfOneLibrary):
    """The form that Python calls; `inlined` is the one that kernels call. A compilation that takes long says so."""

    library = JITCodeLibrary
    inlined: Inlined

    def compile(self, sig: Any) -> Any:
        """As in Numba."""
        notice = threading.Timer(PATIENCE, print, (NOTICE,), {"file": sys.stderr, "flush": True})
        notice.daemon = True
        notice.start()
        try:
            return super().compile(sig)
        finally:
            notice.cancel()

    def __reduce__(self) -> tuple[Callable[[str, str], Any], tuple[str, str]]:
        """By name: a copy in another process finds what is kept there, and does not compile again."""
        return _named, (self.py_func.__module__, self.py_func.__qualname__)

    @property
    def _numba_type_(self) -> Any:
        return self.inlined._numba_type_  # type: ignore[attr-defined]


def _named(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def inlined(make: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """A function in the form that kernels call; `make` makes Numba's dispatcher of it, with further options."""
    dispatcher: Any = make(function, no_cpython_wrapper=True)
    dispatcher.__class__ = Inlined
    return dispatcher


def kernel(make: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """A function in both forms; see `inlined`."""
    dispatcher: Any = make(function)
    dispatcher.__class__ = Kernel
    dispatcher.inlined = inlined(make, function)
    return dispatcher
