"""Seats: a role in a block of replicas, and the few slices of arrays by group that a learner's seats come down to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.base.groups import ByRole, Roles

Seat: TypeAlias = tuple[str, int]
"""A role, and the block in which it is played."""


class Part(NamedTuple):
    """Seats that are a rectangle of a group's arrays (…, replicas, roles, …)."""

    group: str
    """Which group."""
    replicas: slice
    """Those of one or more blocks that follow each other."""
    places: slice
    """Places of the roles on the group's axis."""

    def rows(self, array: Array, lead: int) -> Array:
        """(…, rows, …) of a group's array with `lead` axes before that of the replicas; replica by replica."""
        chosen = array[(slice(None),) * lead + (self.replicas, self.places)]
        return chosen.reshape(*array.shape[:lead], -1, *array.shape[lead + 2 :])

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of replicas and of roles."""
        return self.replicas.stop - self.replicas.start, self.places.stop - self.places.start


def parts_of(seats: Iterable[Seat], roles: Roles, size: int) -> list[Part]:
    """The seats as rectangles: group by group, block by block, role by role.

    Args:
        seats: in any order.
        roles: who acts.
        size: replicas of a block.
    """
    places: dict[str, dict[int, list[int]]] = {}
    for role, block in seats:
        group, place = roles.seats[role]
        places.setdefault(group, {}).setdefault(block, []).append(place)
    parts = []
    for group, by_block in places.items():
        runs = [(block, block + 1, _runs(sorted(by_block[block]))) for block in sorted(by_block)]
        merged = runs[:1]
        for first, last, here in runs[1:]:
            start, stop, before = merged[-1]
            if stop == first and before == here:
                merged[-1] = (start, last, here)
            else:
                merged.append((first, last, here))
        parts += [Part(group, slice(start * size, stop * size), run) for start, stop, here in merged for run in here]
    return parts


def rows_of(parts: Sequence[Part], by_role: ByRole[Array], lead: int) -> Array:
    """(…, rows, …): what the seats' parts have in arrays by group, one part after another."""
    chosen = [part.rows(by_role.by_group[part.group], lead) for part in parts]
    return chosen[0] if len(chosen) == 1 else np.concatenate(chosen, axis=lead)


def per_replica(parts: Sequence[Part], array: Array) -> Array:
    """(T, rows): an array (T, num_envs) that is the same for all roles."""
    chosen = [np.repeat(array[:, part.replicas], part.shape[1], axis=1) for part in parts]
    return chosen[0] if len(chosen) == 1 else np.concatenate(chosen, axis=1)


def rewards_of(parts: Sequence[Part], by_role: Mapping[str, FloatArray], roles: Roles) -> FloatArray:
    """(T, rows): rewards (T, num_envs) of single roles."""
    chosen = []
    for part in parts:
        columns = [by_role[role][:, part.replicas] for role in roles.groups[part.group][part.places]]
        chosen.append(np.stack(columns, axis=2).reshape(len(columns[0]), -1))
    return chosen[0] if len(chosen) == 1 else np.concatenate(chosen, axis=1)


def _runs(places: Sequence[int]) -> list[slice]:
    """Ascending numbers as slices of numbers that follow each other."""
    runs: list[slice] = []
    for place in places:
        if runs and runs[-1].stop == place:
            runs[-1] = slice(runs[-1].start, place + 1)
        else:
            runs.append(slice(place, place + 1))
    return runs
