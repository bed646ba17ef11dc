"""Checks of what users' code returns in a step: every error names what it is, where it was, and the value."""

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import shown
from ermas_envs.base.arrays import Array, FloatArray, IntArray


def finite_number(what: str, given: Any, where: str) -> float:
    """`given` as a float; ValueError unless it is one finite number."""
    try:
        value = float(given) if np.ndim(given) == 0 and not isinstance(given, str | bytes) else math.nan
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{what} in {where} must be one finite number, got {shown(given)}.")
    return value


def checked_observation(what: str, space: spaces.Space[Any], given: Any, where: str) -> Array:
    """`given` as an array of the shape and dtype of `space`, which is not a Dict.

    Raises:
        ValueError: another shape; numbers that are not finite, that the dtype cannot hold, or, where the space counts,
            that lie outside of it. (Bounds of a Box are the environment's matter.)
    """
    shape, found = space.shape or (), np.shape(given)
    if found != shape:
        raise ValueError(f"{what} must have shape {shape}, as its space says, got {found}.")
    array = np.asarray(given)
    if array.dtype.kind not in "biuf" or first_not_finite(array) is not None:
        raise ValueError(f"{what} in {where} must hold finite numbers, got {shown(given)}.")
    with np.errstate(all="ignore"):  # what the dtype cannot hold is refused below
        held = array.astype(space.dtype, copy=False)
    fits = first_not_finite(held) is None if held.dtype.kind == "f" else np.array_equal(held, array)
    if not fits or not (isinstance(space, spaces.Box) or space.contains(held if shape else held[()])):
        raise ValueError(f"{what} in {where} must lie in {space}, got {shown(given)}.")
    return held


def checked_addition(agent: str, given: Any, steps: IntArray) -> FloatArray:
    """What a perturbation adds to an agent's rewards: (num_envs,) float64, finite; ValueError otherwise.

    Args:
        agent: whose rewards.
        given: what the perturbation returned.
        steps: (num_envs,) steps that were done in each replica's episode before this one.
    """
    what = f"the perturbation of {agent!r}"
    try:
        added = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{what} must be {len(steps)} numbers, got {shown(given)}.") from None
    if added.shape != steps.shape:
        raise ValueError(f"{what} must have shape {steps.shape}, got {added.shape}.")
    wrong = first_not_finite(added)
    if wrong is not None:
        finite_number(what, added[wrong], f"step {steps[wrong[0]] + 1} of an episode (replica {wrong[0]})")
    return added


def checked_draw(given: Any, num_envs: int) -> FloatArray:
    """What a perturbation shows of its draw: (num_envs, k ≥ 1) float32, finite; ValueError otherwise."""
    what, array = "what the perturbation shows", np.asarray(given)
    if array.ndim != 2 or array.shape[0] != num_envs or array.shape[1] == 0 or array.dtype != np.float32:
        raise ValueError(f"{what} must be float32 of shape ({num_envs}, k), k >= 1, got {shown(given)}.")
    if first_not_finite(array) is not None:
        raise ValueError(f"{what} must be finite, got {shown(given)}.")
    return array


def first_not_finite(array: Array) -> tuple[int, ...] | None:
    """Index of the first NaN or infinity in an array of floats, if there is one; None for other arrays."""
    if array.dtype.kind != "f":
        return None
    # The sum of squares is finite unless a number is not, or is huge; it costs less than `isfinite`.
    flat = array.ravel()
    with np.errstate(all="ignore"):
        probably = math.isfinite(flat.dot(flat))
    if probably:
        return None
    finite = np.isfinite(array)
    return None if finite.all() else tuple(int(k) for k in np.argwhere(~finite)[0])
