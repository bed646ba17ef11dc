"""Structs of arrays for kernels: their allocation, and the check of the shapes on which kernels rely."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ermas_envs.base.arrays import Array
from ermas_envs.kernels.lanes import LANES


def allocate(kind: Any, shapes: dict[str, tuple[tuple[int, ...], type]]) -> Any:
    """A struct of zeros from (shape, dtype) by field; behind the end of each array is room for `LANES` elements."""

    def zeros(shape: tuple[int, ...], dtype: type) -> Array:
        size = math.prod(int(side) for side in shape)  # in Python's integers, which do not wrap
        return np.zeros(size + LANES, dtype)[:size].reshape(shape)

    return kind(**{name: zeros(*given) for name, given in shapes.items()})


def assert_shapes(arrays: Mapping[str, tuple[Array, tuple[int, ...]]]) -> None:
    """AssertionError naming the array unless each has the shape beside it, on which kernels rely without looking."""
    for name, (array, shape) in arrays.items():
        if array.shape != shape:
            raise AssertionError(f"{name}: the rules need the shape {shape}, and the array has {array.shape}.")
