"""What a checkpoint gives back is checked before it is used: counters, tables, generators, tensors.

A file's checksum has no key: anybody can write a file that passes it. Every check raises a ValueError that names what
is wrong; `checkpoint.content_of` adds the file.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

LARGEST_COUNT = 2**53
"""Largest counter of a checkpoint: up to here floats hold every integer."""


def saved_count(name: str, value: object, maximum: int = LARGEST_COUNT) -> int:
    """`value`; ValueError unless it is an integer (no bool) in [0, maximum]."""
    if type(value) is not int or not 0 <= value <= maximum:
        raise ValueError(f"{name} must be an integer in [0, {maximum}], got {value!r}.")
    return value


def saved_table(name: str, value: object, keys: Collection[str]) -> dict[str, Any]:
    """`value`; ValueError unless it is a dict with exactly these keys."""
    if not isinstance(value, dict) or value.keys() != set(keys):
        found = sorted(value) if isinstance(value, dict) else repr(value)
        raise ValueError(f"{name} must be a table of {sorted(keys)}, got {found}.")
    return value


def restore_generator(name: str, generator: np.random.Generator, state: object) -> None:
    """Put back what `generator.bit_generator.state` was; ValueError unless it is a state of this kind (PCG64)."""
    kind = generator.bit_generator.state["bit_generator"]
    table = saved_table(name, state, ("bit_generator", "state", "has_uint32", "uinteger"))
    if table["bit_generator"] != kind:
        raise ValueError(f"{name}: bit_generator must be {kind!r}, got {table['bit_generator']!r}.")
    words = saved_table(f"{name}: state", table["state"], ("state", "inc"))
    for word in words:
        saved_count(f"{name}: {word}", words[word], 2**128 - 1)
    if words["inc"] % 2 == 0:
        raise ValueError(f"{name}: inc must be odd, got {words['inc']}.")
    saved_count(f"{name}: has_uint32", table["has_uint32"], 1)
    saved_count(f"{name}: uinteger", table["uinteger"], 2**32 - 1)
    generator.bit_generator.state = table


def check_tensors(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """ValueError unless `found` has exactly the names, shapes and dtypes of `expected`, and finite numbers; both hold
    torch tensors, or both NumPy arrays."""
    missing, unknown = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if missing or unknown:
        raise ValueError(f"tensors are missing: {missing}; or not known: {unknown}.")
    for name, tensor in found.items():
        wanted = expected[name]
        if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
            raise ValueError(
                f"{name} must be {wanted.dtype} of shape {tuple(wanted.shape)}, "
                f"got {tensor.dtype} of shape {tuple(tensor.shape)}."
            )
    check_finite(found)


def check_finite(tensors: Mapping[str, Any]) -> None:
    """ValueError naming a torch tensor or NumPy array that holds NaN or infinite numbers."""
    for name, tensor in tensors.items():
        if not np.isfinite(np.asarray(tensor)).all():
            raise ValueError(f"{name} must hold finite numbers.")
