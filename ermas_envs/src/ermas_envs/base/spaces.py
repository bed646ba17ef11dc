"""A batch of actions against a Gymnasium space: checks, clipping for Gaussian policies, and the form of masks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import Array, BoolArray

_INT64 = np.dtype(np.int64)


def check_joint_actions(
    action_spaces: Mapping[str, spaces.Space[object]], actions: Mapping[str, object], num_envs: int
) -> dict[str, Array]:
    """Return `actions` with every role's batch checked by `check_action_batch`; ValueError unless the roles match."""
    if actions.keys() != action_spaces.keys():
        raise ValueError(f"actions must name exactly {list(action_spaces)}, got {list(actions)}.")
    return {role: check_action_batch(role, space, actions[role], num_envs) for role, space in action_spaces.items()}


class JointActionCheck:
    """`check_joint_actions` of one environment; roles that share a Discrete space are looked at together.

    Args:
        action_spaces: of the acting roles; the first one's Discrete space is the shared one.
        num_envs: number of replicas.
    """

    def __init__(self, action_spaces: Mapping[str, spaces.Space[Any]], num_envs: int) -> None:
        self._spaces, self._num_envs = action_spaces, num_envs
        first = next(iter(action_spaces.values()))
        self._space = first if isinstance(first, spaces.Discrete) else None
        self._alike = {role for role, space in action_spaces.items() if self._space is not None and space == first}

    def __call__(self, actions: Mapping[str, object]) -> dict[str, Array]:
        """See `check_joint_actions`."""
        if actions.keys() != self._spaces.keys() or not self._alike_are_valid(actions):
            return check_joint_actions(self._spaces, actions, self._num_envs)  # role by role: it names the culprit
        given: Mapping[str, Any] = actions
        return {
            role: given[role] if role in self._alike else check_action_batch(role, space, given[role], self._num_envs)
            for role, space in self._spaces.items()
        }

    def _alike_are_valid(self, actions: Mapping[str, Any]) -> bool:
        """Whether the roles of the shared space were given int64 arrays that lie in it."""
        batches = [actions[role] for role in self._alike]
        for batch in batches:
            if type(batch) is not np.ndarray or batch.dtype != _INT64 or batch.shape != (self._num_envs,):
                return False
        if self._space is None or self._num_envs == 0:
            return True
        return _inside_discrete(self._space, np.concatenate(batches))


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
        batch = batch.astype(np.int64, copy=False)
        inside = num_envs == 0 or _inside_discrete(space, batch)
    elif isinstance(space, spaces.MultiDiscrete):
        inside = bool(((batch >= space.start) & (batch - space.start < space.nvec)).all())
    else:
        inside = all(space.contains(row.astype(space.dtype)) for row in batch)
    if not inside:
        given = f"values in [{batch.min()}, {batch.max()}]"
        raise ValueError(f"actions[{name!r}] must lie in {space}, got {given}.")
    return batch


def _inside_discrete(space: spaces.Discrete, batch: Array) -> bool:
    """Whether all numbers of a non-empty int64 batch lie in the space."""
    # As unsigned numbers, those below the range become huge: one reduction checks both ends.
    shifted = batch - space.start if space.start else batch
    return int(shifted.view(np.uint64).max()) < int(space.n)


def mask_size(space: spaces.Space[Any]) -> int | None:
    """Entries of a flat action mask: n for Discrete, Σ nvec for MultiDiscrete of one axis; None where there is none."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
        return int(space.nvec.sum())
    return None


def split_mask(space: spaces.Space[Any], mask: Array) -> list[Array]:
    """Views of a flat mask (…, mask size), one per part of a MultiDiscrete action; the mask itself for Discrete."""
    if isinstance(space, spaces.MultiDiscrete):
        return np.split(mask, np.cumsum(space.nvec)[:-1], axis=-1)
    return [mask]


def sampling_mask(space: spaces.Space[Any], mask: Array) -> Any:
    """A flat mask (mask size,) as `space.sample` takes it: int8, for MultiDiscrete a tuple of int8, one per part."""
    parts = tuple(part.astype(np.int8) for part in split_mask(space, mask))
    return parts if isinstance(space, spaces.MultiDiscrete) else parts[0]


def flat_mask(mask: Any) -> BoolArray:
    """The flat mask (mask size,) bool of one that is flat already, or a tuple with one mask per part."""
    return np.asarray(np.concatenate([np.ravel(part) for part in mask]) if isinstance(mask, tuple) else mask, bool)
