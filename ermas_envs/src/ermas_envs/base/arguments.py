"""Checks of user arguments: every error names the argument and the allowed range."""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from ermas_envs.base.arrays import FloatArray

LARGEST_INTEGER = 2**63 - 1
"""Largest integer that NumPy's arrays and compiled kernels can hold; no argument may be larger."""
LARGEST_PAYOFF = 1e30
"""Largest size of a payoff, or of what is added to one, in a step: sums over episodes stay finite, in float32, too."""


def unknown_name(argument: str, given: object, known: Iterable[str]) -> ValueError:
    """Error for a name that is not among `known`; suggests the nearest match."""
    names = sorted(known)
    small = {name.lower(): name for name in names}  # a difference in capitals is none
    near = get_close_matches(given.lower(), small, n=1, cutoff=0.5) if isinstance(given, str) else []
    hint = f" Did you mean {small[near[0]]!r}?" if near else ""
    return ValueError(f"{argument}: unknown name {shown(given)}.{hint} Known: {', '.join(names)}.")


def check_choice(argument: str, given: object, known: Iterable[str]) -> str:
    """Return `given` if it is one of `known`, else raise the error of `unknown_name`."""
    names = known if isinstance(known, Mapping) else tuple(known)  # a registry loads plugins for unknown names only
    if not isinstance(given, str) or given not in names:
        raise unknown_name(argument, given, names)
    return str(given)


def check_flag(argument: str, given: object) -> bool:
    """Return `given` as a bool; ValueError unless it is True or False."""
    if not isinstance(given, (bool, np.bool_)):
        raise ValueError(f"{argument} must be True or False, got {shown(given)}.")
    return bool(given)


def check_sequence(argument: str, given: object, example: str) -> Sequence[Any]:
    """Return `given` as a tuple; ValueError unless it is a sequence or a 1-D array, such as `example`."""
    array = isinstance(given, np.ndarray) and given.ndim == 1
    if not array and (not isinstance(given, Sequence) or isinstance(given, (str, bytes))):
        raise ValueError(f"{argument} must be a sequence such as {example}, got {shown(given)}.")
    return tuple(given)  # type: ignore[arg-type]


def check_mapping(argument: str, given: object) -> Mapping[str, Any]:
    """Return `given`; ValueError unless it is a mapping from names."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{argument} must be a mapping from names to values, got {shown(given)}.")
    return given


def check_integer(argument: str, given: object, minimum: int, maximum: int = LARGEST_INTEGER) -> int:
    """Return `given` as an int; ValueError unless it is an integer (not a bool) within [minimum, maximum]."""
    try:
        value = minimum - 1 if isinstance(given, bool) else operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        value = minimum - 1
    if value < minimum:
        raise ValueError(f"{argument} must be an integer >= {minimum}, got {shown(given)}.")
    if value > maximum:
        raise ValueError(f"{argument} must be at most {maximum}, got {shown(given)}.")
    return value


def check_number(argument: str, given: object, minimum: float = -math.inf, maximum: float = math.inf) -> float:
    """Return `given` as a float; ValueError unless it is finite and within [minimum, maximum]."""
    bounds = " and ".join(
        text
        for text in (
            f">= {minimum:g}" if minimum > -math.inf else "",
            f"<= {maximum:g}" if maximum < math.inf else "",
        )
        if text
    )
    allowed = f"a finite number{' ' + bounds if bounds else ''}"
    try:
        if isinstance(given, (bool, np.bool_, str, bytes)):  # which float() would take
            raise TypeError
        value = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):  # the last from an integer beyond the floats
        raise ValueError(f"{argument} must be {allowed}, got {shown(given)}.") from None
    if not math.isfinite(value) or not minimum <= value <= maximum:
        raise ValueError(f"{argument} must be {allowed}, got {value!r}.")
    return value


def check_positive(argument: str, given: object) -> float:
    """Return `given` as a float; ValueError unless it is finite and above 0."""
    value = check_number(argument, given, 0.0)
    if value == 0.0:
        raise ValueError(f"{argument} must be > 0, got {value!r}.")
    return value


def check_magnitude(argument: str, given: object, maximum: float = LARGEST_PAYOFF, minimum: float = -math.inf) -> float:
    """Return `given` as a float; ValueError unless it is a finite number within ± maximum, and at least `minimum`."""
    value = check_number(argument, given, minimum)
    if abs(value) > maximum:
        raise ValueError(f"{argument} must lie within ±{maximum:g}, got {value!r}.")
    return value


def check_probabilities(argument: str, given: object, shape: tuple[int, ...]) -> FloatArray:
    """Return `given` as float64; ValueError unless it has the shape, its numbers are ≥ 0 and sum to 1 along its last
    axis."""
    try:
        found = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape != shape:
        got = f"shape {found.shape}" if found.size else shown(given)
        raise ValueError(f"{argument} must be probabilities of shape {shape}, got {got}.")
    if not ((found >= 0.0).all() and (np.abs(found.sum(axis=-1) - 1.0) <= 1e-5).all()):
        raise ValueError(f"{argument} must be probabilities: numbers >= 0 that sum to 1 along the last axis.")
    return found


def check_json(argument: str, given: object) -> Any:
    """Return `given` as JSON types, a copy: NumPy's numbers become Python's, arrays and tuples lists, mappings dicts.

    Raises:
        ValueError: something that JSON does not hold, named by its place: another object, a number that is not finite,
            a key that is no text.
    """
    if given is None:
        return None
    for kinds, plain in (((str,), str), ((bool, np.bool_), bool), ((int, np.integer), int)):
        if isinstance(given, kinds):
            return plain(given)
    if isinstance(given, (float, np.floating)):
        return check_number(argument, given)
    if isinstance(given, np.ndarray) and given.ndim == 0:
        return check_json(argument, given.item())
    if isinstance(given, Mapping):
        for key in given:
            if not isinstance(key, str):
                raise ValueError(f"{argument}: names must be text, got {shown(key)}.")
        return {str(key): check_json(f"{argument}.{key}", value) for key, value in given.items()}
    if isinstance(given, (list, tuple, np.ndarray)):
        return [check_json(f"{argument}[{index}]", value) for index, value in enumerate(given)]
    raise ValueError(f"{argument} must be what JSON can hold, got {shown(given)}.")


def keep(settings: object, /, **checked: object) -> None:
    """Store checked values in the fields of a frozen dataclass, by field: what was validated is what is kept.

    For `__post_init__`. NumPy's numbers become Python's on the way, whose arithmetic neither wraps nor rounds to 16
    bits, and which JSON can hold.
    """
    for name, value in checked.items():
        object.__setattr__(settings, name, value)


def shown(given: object) -> str:
    """A value as an error message shows it: its `repr`, cut where it is long, and never an error."""
    if isinstance(given, int) and given.bit_length() > 256:  # Python refuses to print the largest
        return f"an integer of {given.bit_length()} bits"
    try:
        text = repr(given)
    except Exception:  # of a user's object
        return f"an object of type {type(given).__name__}"
    return text if len(text) <= 200 else f"{text[:200]}…"
