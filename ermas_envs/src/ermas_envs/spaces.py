"""A batch of actions against a Gymnasium space: checks, and clipping for Gaussian policies."""

from collections.abc import Mapping

import numpy as np
from gymnasium import spaces

from ermas_envs.arrays import Array


def check_joint_actions(
    action_spaces: Mapping[str, spaces.Space[object]], actions: Mapping[str, object], num_envs: int
) -> dict[str, Array]:
    """Return `actions` with every role's batch checked by `check_action_batch`; ValueError unless the roles match."""
    if actions.keys() != action_spaces.keys():
        raise ValueError(f"actions must name exactly {list(action_spaces)}, got {list(actions)}.")
    return {role: check_action_batch(role, space, actions[role], num_envs) for role, space in action_spaces.items()}


def clip_to_box(space: spaces.Space[object], actions: Array) -> Array:
    """`actions` clipped to a Box, whose Gaussian policies leave it; unchanged for every other space."""
    return np.clip(actions, space.low, space.high) if isinstance(space, spaces.Box) else actions


def check_action_batch(name: str, space: spaces.Space[object], actions: object, num_envs: int) -> Array:
    """Return `actions` as an array of shape (num_envs, *space.shape) inside `space`.

    Args:
        name: id of the acting agent, named in errors.
        space: Discrete, MultiDiscrete, MultiBinary or Box.

    Raises:
        ValueError: wrong shape or dtype, or a value outside the space.
    """
    batch = np.asarray(actions)
    shape = (num_envs, *(space.shape or ()))
    if batch.shape != shape:
        raise ValueError(f"actions[{name!r}] must have shape {shape}, got {batch.shape}.")
    if isinstance(space, spaces.Box):
        inside = batch.dtype.kind in "iuf" and bool(((batch >= space.low) & (batch <= space.high)).all())
    elif batch.dtype.kind not in "iu":
        raise ValueError(f"actions[{name!r}] must be integers of {space}, got dtype {batch.dtype}.")
    elif isinstance(space, spaces.Discrete):
        # As unsigned numbers, those below the range become huge: one reduction checks both ends.
        batch = batch.astype(np.int64, copy=False)
        shifted = batch - space.start if space.start else batch
        inside = num_envs == 0 or int(shifted.view(np.uint64).max()) < int(space.n)
    elif isinstance(space, spaces.MultiDiscrete):
        inside = bool(((batch >= space.start) & (batch - space.start < space.nvec)).all())
    else:
        inside = all(space.contains(row.astype(space.dtype)) for row in batch)
    if not inside:
        given = f"values in [{batch.min()}, {batch.max()}]"
        raise ValueError(f"actions[{name!r}] must lie in {space}, got {given}.")
    return batch
