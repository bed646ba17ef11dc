"""Groups: the arrays of like roles are one array with an axis for the roles; by role they are views of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import Array, Observation, select

T = TypeVar("T")
_NUMBER = re.compile(r"[_-]?\d+$")


class Roles:
    """Who belongs to which group, and where.

    Args:
        groups: per group its roles, in order; every role belongs to one group.
        order: all roles in the order of acting; None takes them group by group.

    Attributes:
        groups: as given.
        names: the roles in the order of acting.
        seats: per role its group and its place on the group's axis.
    """

    def __init__(self, groups: Mapping[str, Sequence[str]], order: Sequence[str] | None = None) -> None:
        self.groups = {group: tuple(roles) for group, roles in groups.items()}
        seats = {role: (group, k) for group, roles in self.groups.items() for k, role in enumerate(roles)}
        self.names = tuple(seats) if order is None else tuple(order)
        self.seats = {role: seats[role] for role in self.names}

    @classmethod
    def alike(
        cls,
        names: Sequence[str],
        planner: str,
        observation_spaces: Mapping[str, spaces.Space[Any]],
        action_spaces: Mapping[str, spaces.Space[Any]],
    ) -> "Roles":
        """Groups of like agents: equal spaces, and ids that differ in a number at their end only (`agent_0`, `agent_1`:
        the group `agent`). The planner is a group of its own."""
        members: dict[str, list[str]] = {}
        of_stem: dict[str, list[str]] = {}
        for role in names:
            stem = str(role) if role == planner else _NUMBER.sub("", str(role)) or str(role)
            fitting = [] if role == planner else of_stem.setdefault(stem, [])
            for group in fitting:
                first = members[group][0]
                if _same(observation_spaces, first, role) and _same(action_spaces, first, role):
                    members[group].append(role)
                    break
            else:
                wanted = stem if stem != planner or role == planner else str(role)
                group = wanted if wanted not in members else _free(str(role), members)
                members[group] = [role]
                fitting.append(group)
        return cls(members, names)

    def without(self, role: str) -> "Roles":
        """The others; those of its group keep their places, so that arrays by group are the same."""
        chosen = Roles.__new__(Roles)
        chosen.names = tuple(name for name in self.names if name != role)
        chosen.seats = {name: self.seats[name] for name in chosen.names}
        chosen.groups = {group: roles for group, roles in self.groups.items() if roles != (role,)}
        return chosen

    def stacked(self, by_role: Mapping[str, Any], axis: int = 1) -> "ByRole[Any]":
        """Arrays by role as `ByRole`, by group only when they are asked for; of a `ByRole`, what these roles have."""
        if not isinstance(by_role, ByRole):
            return ByRole(self, given=by_role, axis=axis)
        return by_role if by_role.roles is self else by_role.read_by(self)


class ByRole(Mapping[str, T], Generic[T]):
    """Arrays of all roles: by group (R, n, …), and by role (R, …), each a view or a stack of the other.

    Args:
        roles: who they are.
        by_group: per group its array, or a mapping of arrays for Dict observations; groups may be left out.
        axis: which axis of an array by group is that of the roles.
        given: arrays by role, in the place of `by_group`.
    """

    __slots__ = ("_axis", "_by_group", "_given", "roles")

    def __init__(
        self,
        roles: Roles,
        by_group: Mapping[str, Any] | None = None,
        axis: int = 1,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self.roles, self._axis, self._by_group, self._given = roles, axis, by_group, given

    @property
    def by_group(self) -> Mapping[str, Any]:
        """Per group its array. ValueError if its roles were given arrays of different shapes."""
        if self._by_group is None:
            given = self._given or {}
            groups = {group: roles for group, roles in self.roles.groups.items() if roles[0] in given}
            self._by_group = {
                group: _stack(group, [given[role] for role in roles], self._axis) for group, roles in groups.items()
            }
        return self._by_group

    def read_by(self, roles: Roles) -> "ByRole[T]":
        """The same arrays, of other roles or only some of these."""
        if self._given is not None:
            return ByRole(roles, axis=self._axis, given=self._given)
        own = self.by_group
        return ByRole(roles, {group: own[group] for group in roles.groups if group in own}, self._axis)

    def __getitem__(self, role: str) -> T:
        group, place = self.roles.seats[role]
        if self._given is not None:
            return cast("T", self._given[role])
        return cast("T", select(self.by_group[group], (*(slice(None),) * self._axis, place)))

    def __iter__(self) -> Iterator[str]:
        return (role for role in self.roles.names if role in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, role: object) -> bool:
        seat = self.roles.seats.get(role)  # type: ignore[call-overload]
        return seat is not None and (role in self._given if self._given is not None else seat[0] in self.by_group)


def same_for_all(array: Array, number: int) -> Array:
    """(R, number, …): an array (R, …) as that of every role of a group, without a copy."""
    return np.lib.stride_tricks.as_strided(
        array, (array.shape[0], number, *array.shape[1:]), (array.strides[0], 0, *array.strides[1:])
    )


def _same(by_role: Mapping[str, spaces.Space[Any]], first: str, other: str) -> bool:
    return by_role[first] is by_role[other] or by_role[first] == by_role[other]


def _free(name: str, taken: Mapping[str, object]) -> str:
    """A name that no group has."""
    while name in taken:
        name += "+"
    return name


def _stack(group: str, parts: Sequence[Observation], axis: int) -> Observation:
    first = parts[0]
    try:
        if isinstance(first, Mapping):
            return {key: _side_by_side([part[key] for part in parts], axis) for key in first}
        return _side_by_side(cast("Sequence[Array]", parts), axis)
    except ValueError as error:
        raise ValueError(f"group {group!r}: its roles must have arrays of one shape ({error}).") from None


def _side_by_side(parts: Sequence[Array], axis: int) -> Array:
    """`np.stack`, in half the time where alike arrays have few numbers; of a single array a view."""
    first, before = parts[0], (slice(None),) * axis
    if len(parts) == 1 and first.ndim >= axis:
        view: Array = first[(*before, None)]  # a tenth of the time of `expand_dims`
        return view
    if any(part.shape != first.shape or part.dtype != first.dtype for part in parts):
        return np.stack(parts, axis=axis)
    out = np.empty((*first.shape[:axis], len(parts), *first.shape[axis:]), first.dtype)
    for place, part in enumerate(parts):
        where: tuple[Any, ...] = (*before, place)
        out[where] = part
    return out
