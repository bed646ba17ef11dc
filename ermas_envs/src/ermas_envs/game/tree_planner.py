"""A planner that people can read: a decision tree over the numbers of its observation, as plain data."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import check_integer, check_json, check_number, shown
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray
from ermas_envs.game.planners import planner_registry

Tree: TypeAlias = Mapping[str, Any]
"""`{"action": …}`, a leaf; or `{"entry": k, "at_most": x, "then": Tree, "otherwise": Tree}`."""
MOST_LEAVES = 1024
"""Of a tree that is taken from data."""
DEEPEST = 64
"""Splits below each other."""
NUMBERS = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
"""Kinds of observations that a tree can read: every number of an array is an entry, a Discrete one has a single one."""
_SPLIT = {"entry", "at_most", "then", "otherwise"}


class Leaf(NamedTuple):
    """Where a tree acts."""

    conditions: tuple[tuple[int, bool, float], ...]
    """From the root down: entry, whether it is at most the number that follows, or above it, and that number."""
    action: Any
    """What it does; JSON types."""


def leaves_of(tree: Tree) -> list[Leaf]:
    """All leaves of a tree, those of `then` first.

    Raises:
        ValueError: neither a leaf nor a split, more than `MOST_LEAVES` leaves or `DEEPEST` splits below each other.
    """
    found = []
    for leaf in _leaves(tree, ()):
        found.append(leaf)
        if len(found) > MOST_LEAVES:
            raise ValueError(f"tree must have at most {MOST_LEAVES} leaves.")
    return found


def _leaves(tree: Any, conditions: tuple[tuple[int, bool, float], ...]) -> Iterator[Leaf]:
    if isinstance(tree, Mapping) and set(tree) == {"action"}:
        yield Leaf(conditions, tree["action"])
        return
    if not isinstance(tree, Mapping) or set(tree) != _SPLIT:
        raise ValueError(f"tree: a leaf has 'action', a split {sorted(_SPLIT)}; got {shown(tree)}.")
    if len(conditions) >= DEEPEST:
        raise ValueError(f"tree must have at most {DEEPEST} splits below each other.")
    entry, limit = check_integer("tree: entry", tree["entry"], 0), check_number("tree: at_most", tree["at_most"])
    yield from _leaves(tree["then"], (*conditions, (entry, True, limit)))
    yield from _leaves(tree["otherwise"], (*conditions, (entry, False, limit)))


class TreePlanner:
    """Plays by a decision tree: always the same action for the same observation.

    Args:
        tree: nested tables of JSON types (`Tree`); `entry` counts the numbers of the observation, in order. Masks are
            not looked at.

    Raises:
        ValueError: no such tables.
    """

    noise_size = 0

    def __init__(self, tree: Tree) -> None:
        self.leaves = leaves_of(tree)
        self.tree: Tree = check_json("tree", tree)
        self._actions: Array = np.zeros(0)
        self._action_space: spaces.Space[Any] | None = None

    def bind(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        """ValueError for observations that are no arrays, an entry that they lack, or an action outside its space."""
        if not isinstance(observation_space, NUMBERS):
            raise ValueError(f"a tree planner needs observations that are arrays of numbers, got {observation_space}.")
        size = int(np.prod(observation_space.shape or ()))
        needed = [entry for leaf in self.leaves for entry, *_ in leaf[0]]
        if max(needed, default=0) >= size:
            raise ValueError(f"tree: entry must be at most {size - 1} in {observation_space}, got {max(needed)}.")
        self._action_space = action_space
        self._actions = np.stack([self._checked(leaf.action) for leaf in self.leaves])

    def _checked(self, given: Any) -> Array:
        space = self._action_space
        assert space is not None
        try:
            number = np.asarray(given)
        except ValueError:  # ragged
            number = np.asarray(None)
        fitting = number.astype(space.dtype) if number.dtype.kind in "iuf" else number
        exact = np.issubdtype(fitting.dtype, np.floating) or np.array_equal(fitting, number)
        if number.dtype.kind not in "iuf" or not exact or not space.contains(fitting):
            raise ValueError(f"tree: action must lie in {space}, got {shown(given)}.")
        return fitting

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        """The actions of the leaves that the observations fall into."""
        return np.asarray(self._actions[self.leaf_of(observations)])

    def leaf_of(self, observations: Array) -> IntArray:
        """(R,) index of the leaf that each observation (R, …) falls into."""
        numbers = observations.reshape(len(observations), -1).astype(np.float64)
        found = np.zeros(len(numbers), dtype=np.int64)
        for index, leaf in enumerate(self.leaves):
            inside = np.ones(len(numbers), dtype=np.bool_)
            for entry, below, limit in leaf.conditions:
                inside &= (numbers[:, entry] <= limit) == below
            found[inside] = index
        return found

    def tabular(self, observations: Array, action_masks: BoolArray | None) -> FloatArray | None:
        """One on the leaf's action, zero elsewhere; None where actions are not Discrete."""
        if not isinstance(self._action_space, spaces.Discrete):
            return None
        actions = self.act(observations, np.empty((len(observations), 0)), None) - self._action_space.start
        return np.asarray(np.eye(int(self._action_space.n))[actions])


planner_registry.register("tree", TreePlanner)
