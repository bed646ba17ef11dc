"""Commitments: the fixed actions that a planner can name once and keep, as a finite grid of its action space."""

import itertools
import math
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import Array, FloatArray


def grid(space: spaces.Space[Any], levels: int, most: int, generator: np.random.Generator) -> tuple[Array, FloatArray]:
    """All actions of a grid, or `most` different ones of it, drawn uniformly, where it has more.

    Args:
        space: of the planner's action: Discrete, MultiDiscrete, or a Box with bounds.
        levels: evenly spaced numbers, both ends among them, in every dimension of a Box.
        most: actions.
        generator: draws them.

    Returns:
        (K, *action shape) actions, and (K, d) the same with every part as a number in [0, 1].

    Raises:
        ValueError: another space.
    """
    sizes, low, high = _parts(space, levels)
    if math.prod(sizes) <= most:
        places = np.array(list(itertools.product(*(range(size) for size in sizes))), dtype=np.int64)
    else:
        places = _drawn(sizes, most, generator)
    shares = places / np.maximum(np.array(sizes) - 1, 1)
    if isinstance(space, spaces.Box):
        actions = np.asarray(low + shares * (high - low), dtype=space.dtype)
    else:
        actions = np.asarray(places + low, dtype=space.dtype)
    return actions.reshape(-1, *(space.shape or ())), shares


def number_of(space: spaces.Space[Any], levels: int, most: int) -> int:
    """K of `grid`, without making it."""
    return min(math.prod(_parts(space, levels)[0]), most)


def _parts(space: spaces.Space[Any], levels: int) -> tuple[list[int], Any, Any]:
    """Numbers of every part, the least of each, and the largest."""
    if isinstance(space, spaces.Box) and space.is_bounded():
        low, high = (np.asarray(bound, dtype=np.float64).ravel() for bound in (space.low, space.high))
        return [levels] * len(low), low, high
    if isinstance(space, spaces.Discrete):
        return [int(space.n)], int(space.start), None
    if isinstance(space, spaces.MultiDiscrete):
        return np.ravel(space.nvec).tolist(), np.ravel(space.start), None
    raise ValueError(f"commitments need a Discrete, MultiDiscrete or bounded Box action space, got {space}.")


def _drawn(sizes: list[int], most: int, generator: np.random.Generator) -> Array:
    """(most, d) different places, in the order in which they were drawn; there are more than `most`."""
    found: dict[tuple[int, ...], None] = {}
    while len(found) < most:
        found.setdefault(tuple(int(generator.integers(size)) for size in sizes))
    return np.array(list(found), dtype=np.int64)
