"""A batch of actions against a Gymnasium space: checks, clipping for Gaussian policies, and the form of masks."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import check_mapping
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.base.groups import ByRole, Roles


class JointActionCheck:
    """Checks the joint actions of a batch, and gives them by group.

    Args:
        roles: who acts.
        action_spaces: of every acting role; those of a group are equal.
        num_envs: number of replicas, R.
    """

    def __init__(self, roles: Roles, action_spaces: Mapping[str, spaces.Space[Any]], num_envs: int) -> None:
        self._roles, self._spaces, self._num_envs = roles, action_spaces, num_envs
        self._bounds = {group: _common_bounds(action_spaces[names[0]]) for group, names in roles.groups.items()}
        # Engines of many like roles, and of unlike ones, read actions by group, those of two like ones by role.
        most = max(len(group) for group in roles.groups.values())
        self._all_unlike, self._many = most == 1, most > 2

    def __call__(self, actions: Mapping[str, Any]) -> ByRole[Array]:
        """Actions by role, (R, *action shape) each, or by group, (R, n, *action shape), as `ByRole`.

        Raises:
            ValueError: others than the acting roles, or their groups, are named; see also `check_action_batch`.
        """
        actions = check_mapping("actions", actions)
        if isinstance(actions, ByRole) and actions.roles.groups == self._roles.groups:
            actions = actions.by_group
        if self._are_by_group(actions):
            return ByRole(self._roles, {group: self._group(group, actions[group]) for group in self._roles.groups})
        if actions.keys() != self._spaces.keys():
            groups = list(self._roles.groups)
            raise ValueError(
                f"actions must name exactly {list(self._spaces)}, got {list(actions)} (by group: {groups})."
            )
        if self._all_unlike:
            alone = {group: self._role_of(group, roles[0], actions) for group, roles in self._roles.groups.items()}
            return ByRole(self._roles, alone)
        checked = {group: self._roles_of(group, actions) for group in self._roles.groups}
        if self._many and all(isinstance(parts, np.ndarray) for parts in checked.values()):
            by_group = {group: np.ascontiguousarray(np.swapaxes(parts, 0, 1)) for group, parts in checked.items()}
            return ByRole(self._roles, by_group)
        pairs = (zip(self._roles.groups[group], parts, strict=True) for group, parts in checked.items())
        return ByRole(self._roles, given=dict(chain.from_iterable(pairs)))

    def _are_by_group(self, actions: Mapping[str, Any]) -> bool:
        if actions.keys() != self._roles.groups.keys():
            return False
        if actions.keys() != self._spaces.keys():
            return True
        axes = [(as_array(role, actions[role]).ndim, len(space.shape or ())) for role, space in self._spaces.items()]
        return all(given == own + 2 for given, own in axes)

    def _group(self, group: str, given: object) -> Array:
        roles = self._roles.groups[group]
        return check_group_actions(group, roles, self._spaces[roles[0]], given, self._num_envs)

    def _role_of(self, group: str, role: str, actions: Mapping[str, Any]) -> Array:
        """(R, 1, *action shape) of the only role of a group, checked."""
        space, bounds = self._spaces[role], self._bounds[group]
        alone: Array = check_action_batch(role, space, actions[role], self._num_envs, bounds)[:, None]
        return alone

    def _roles_of(self, group: str, actions: Mapping[str, Any]) -> Array | list[Array]:
        """(R, *action shape) of each role of a group, checked; one array (n, R, *action shape) where they are alike."""
        roles = self._roles.groups[group]
        space = self._spaces[roles[0]]
        try:
            batches = [np.asarray(actions[role]) for role in roles]
        except (RuntimeError, TypeError, ValueError):
            batches = [as_array(role, actions[role]) for role in roles]  # which tells whose they are
        shape, dtype = (self._num_envs, *(space.shape or ())), batches[0].dtype
        if all(batch.shape == shape and batch.dtype == dtype for batch in batches):
            together = batches[0] if len(batches) == 1 else np.concatenate(batches)
            if _are_inside(space, together, self._bounds[group]):
                if isinstance(space, spaces.Discrete):
                    together = together.astype(np.int64, copy=False)
                return together.reshape((len(roles), *shape))
        return [
            check_action_batch(role, space, batch, self._num_envs) for role, batch in zip(roles, batches, strict=True)
        ]


def as_array(name: str, given: object) -> Array:
    """Actions of a role or a group as an array; ValueError for what is none: ragged lists, tensors that learn."""
    try:
        return np.asarray(given)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"actions[{name!r}] must be an array of numbers: {error}") from None


def _common_bounds(space: spaces.Space[Any]) -> tuple[float, float] | None:
    """What every part of a Box contains, from and to; None for other spaces and for a Box without parts."""
    return (space.low.max(), space.high.min()) if isinstance(space, spaces.Box) and space.low.size else None


def _are_inside(space: spaces.Space[Any], batch: Array, common: tuple[float, float] | None = None) -> bool:
    """Whether all actions of a batch, of any leading shape, are seen at once to lie in the space; a False means that
    they are to be looked at one role at a time.

    Args:
        space: of one role.
        batch: of one or several.
        common: see `_common_bounds`; two reductions are enough for actions within them."""
    if isinstance(space, spaces.Box):
        if batch.dtype.kind not in "iuf":
            return False
        if common is not None and batch.size:
            low, high = np.minimum.reduce(batch, axis=None), np.maximum.reduce(batch, axis=None)
            if common[0] <= low and high <= common[1]:
                return True
        return bool(((batch >= space.low) & (batch <= space.high)).all())
    if batch.dtype.kind not in "iu":
        return False
    # As unsigned numbers, those below the range become huge: one comparison checks both ends.
    if isinstance(space, spaces.Discrete):
        return batch.size == 0 or _inside_discrete(space, batch.astype(np.int64, copy=False))
    if isinstance(space, spaces.MultiDiscrete):
        shifted = (batch.astype(np.int64, copy=False) - space.start).view(np.uint64)
        return bool((shifted < space.nvec.astype(np.uint64)).all())
    return False


def clip_to_box(space: spaces.Space[object], actions: Array) -> Array:
    """`actions` clipped to a Box, whose Gaussian policies leave it; unchanged for every other space."""
    return np.clip(actions, space.low, space.high) if isinstance(space, spaces.Box) else actions


def check_action_batch(
    name: str, space: spaces.Space[object], actions: object, num_envs: int, common: tuple[float, float] | None = None
) -> Array:
    """Return `actions` as an array of shape (num_envs, *space.shape) inside `space`.

    Args:
        name: id of the acting agent, named in errors.
        space: Discrete, MultiDiscrete, MultiBinary or Box.
        common: see `_common_bounds`; a check that knows them is faster.

    Raises:
        ValueError: wrong shape or dtype, or a value outside the space.
    """
    batch = as_array(name, actions)
    shape = (num_envs, *(space.shape or ()))
    if batch.shape != shape:
        raise ValueError(f"actions[{name!r}] must have shape {shape}, got {batch.shape}.")
    if not isinstance(space, spaces.Box) and batch.dtype.kind not in "iu":
        raise ValueError(f"actions[{name!r}] must be integers of {space}, got dtype {batch.dtype}.")
    if isinstance(space, spaces.Discrete):
        batch = batch.astype(np.int64, copy=False)
    inside = _are_inside(space, batch, common)
    if isinstance(space, spaces.MultiBinary):
        inside = all(space.contains(row.astype(space.dtype)) for row in batch)
    if not inside:
        given = f"values in [{batch.min()}, {batch.max()}]"
        raise ValueError(f"actions[{name!r}] must lie in {space}, got {given}.")
    return batch


def check_group_actions(
    group: str, roles: Sequence[str], space: spaces.Space[Any], given: object, num_envs: int
) -> Array:
    """Return actions of like roles as an array (num_envs, n, *action shape) inside their space.

    Raises:
        ValueError: another shape; see also `check_action_batch`.
    """
    batch = as_array(group, given)
    shape = (num_envs, len(roles), *(space.shape or ()))
    if batch.shape != shape:
        raise ValueError(f"actions[{group!r}] must have shape {shape}, got {batch.shape}.")
    if _are_inside(space, batch, _common_bounds(space)):
        return batch.astype(np.int64, copy=False) if isinstance(space, spaces.Discrete) else batch
    columns = [check_action_batch(role, space, batch[:, k], num_envs) for k, role in enumerate(roles)]
    return np.stack(columns, axis=1)  # each is inside its space by a closer look


def _inside_discrete(space: spaces.Discrete, batch: Array) -> bool:
    """Whether all numbers of a non-empty int64 batch lie in the space."""
    shifted = batch - space.start if space.start else batch
    return int(np.maximum.reduce(shifted.view(np.uint64), axis=None)) < int(space.n)


def mask_size(space: spaces.Space[Any]) -> int | None:
    """Entries of a flat action mask: n for Discrete, Σ nvec for MultiDiscrete of one axis; None where there is none."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
        return int(space.nvec.sum())
    return None


def uniform_choice(masks: BoolArray, noise: FloatArray) -> Array:
    """(…) allowed values of masks (…, values), each with the same probability, from uniform noise (…) in [0, 1)."""
    rank = (noise * masks.sum(axis=-1)).astype(np.int64)
    return np.asarray((masks.cumsum(axis=-1) <= rank[..., None]).sum(axis=-1))


def split_mask(space: spaces.Space[Any], mask: Array) -> list[Array]:
    """Views of a flat mask (…, mask size), one per part of a MultiDiscrete action; the mask itself for Discrete."""
    if isinstance(space, spaces.MultiDiscrete):
        return np.split(mask, np.cumsum(space.nvec)[:-1], axis=-1)
    return [mask]


def are_allowed(space: spaces.Space[Any], masks: BoolArray, actions: Array) -> BoolArray:
    """(…) whether flat masks (…, mask size) allow actions (…, *action shape), with every part of MultiDiscrete ones."""
    start: Any = getattr(space, "start", 0)
    parts = (actions - start).reshape(*masks.shape[:-1], -1)
    chosen = [
        np.take_along_axis(mask, parts[..., [k]], axis=-1)[..., 0] for k, mask in enumerate(split_mask(space, masks))
    ]
    allowed: BoolArray = np.logical_and.reduce(chosen)
    return allowed


def sampling_mask(space: spaces.Space[Any], mask: Array) -> Any:
    """A flat mask (mask size,) as `space.sample` takes it: int8, for MultiDiscrete a tuple of int8, one per part."""
    parts = tuple(part.astype(np.int8) for part in split_mask(space, mask))
    return parts if isinstance(space, spaces.MultiDiscrete) else parts[0]


def flat_mask(mask: Any) -> BoolArray:
    """The flat mask (mask size,) bool of one that is flat already, or a tuple with one mask per part."""
    return np.asarray(np.concatenate([np.ravel(part) for part in mask]) if isinstance(mask, tuple) else mask, bool)
