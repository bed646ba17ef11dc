"""Bit-exact comparison of what environments return, and a guard that exposes the global random generators."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np


def difference(first: Any, second: Any, where: str = "") -> str | None:
    """First place where two nested results differ in type, shape, dtype or a bit; None if they are identical.

    Args:
        first: numbers, arrays, None, or mappings and sequences of these.
        second: what it is compared with.
        where: name of the compared thing, put before the place.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if first.keys() != second.keys():
            return f"{where} has keys {sorted(map(str, first))} and {sorted(map(str, second))}"
        pairs = [(f"{where}[{key!r}]", first[key], second[key]) for key in first]
    elif isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)) and len(first) == len(second):
        pairs = [(f"{where}[{k}]", *pair) for k, pair in enumerate(zip(first, second, strict=True))]
    else:
        return _array_difference(first, second, where)
    return next((found for name, a, b in pairs if (found := difference(a, b, name))), None)


def _array_difference(first: Any, second: Any, where: str) -> str | None:
    a, b = np.asarray(first), np.asarray(second)
    if a.dtype == object or b.dtype == object:
        return None if first == second else f"{where} is {first!r} and {second!r}"
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{where} is {a.dtype}{a.shape} and {b.dtype}{b.shape}"
    if a.tobytes() == b.tobytes():
        return None
    apart = ""
    if a.dtype.kind == "f":
        with np.errstate(all="ignore"):
            apart = f", {np.nanmax(np.abs(a - b), initial=0.0):.3g} apart at most"
    return f"{where} is {first!r} and {second!r}{apart}"


@contextmanager
def exposed_global_generators() -> Iterator["GlobalGenerators"]:
    """Lends the global generators of `random` and NumPy to a check and restores their states afterwards."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 the global generator is the point
    try:
        yield GlobalGenerators()
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


class GlobalGenerators:
    """Reseeds the global generators differently at every call: what draws from them cannot repeat."""

    def __init__(self) -> None:
        self._calls = 0

    def disturb(self) -> None:
        """To be called before every step of what is checked."""
        self._calls += 1
        random.seed(self._calls)
        np.random.seed(self._calls)  # noqa: NPY002
