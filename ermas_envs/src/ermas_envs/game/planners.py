"""The planner hook: objects that play the planner inside the environment, and their registry."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import shown
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, Observation, num_rows, select
from ermas_envs.base.registry import Registry


class Planner(Protocol):
    """Plays the planner in every replica. It must not depend on the number of replicas."""

    @property
    def noise_size(self) -> int:
        """Uniform random numbers that one decision needs (0 for a deterministic planner)."""

    def bind(self, observation_space: spaces.Space[object], action_space: spaces.Space[object]) -> None:
        """Check, once, before the first step, that the planner fits the game; ValueError if not."""

    def act(self, observations: Any, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        """Decide in all replicas.

        Args:
            observations: (num_envs, *observation shape); a mapping from keys to such arrays where the planner observes
                a Dict.
            noise: (num_envs, noise_size) float64, uniform in [0, 1), from each replica's own stream.
            action_masks: (num_envs, mask size; see `BatchObservation`), or None where the action space is not discrete.

        Returns:
            (num_envs, *action shape) actions inside the action space.
        """

    def tabular(self, observations: Any, action_masks: BoolArray | None) -> FloatArray | None:
        """(R, number of actions) probabilities at observations (R, …), or None if the planner is no fixed function of
        its observation or its actions are not Discrete; exact oracles need it."""


def check_planner_object(given: Any, instead: str) -> Planner:
    """Return `given`; ValueError unless it is a planner object. `instead`: what else the argument may be."""
    if isinstance(given, type) or not hasattr(given, "act"):  # a planner's class has its methods, too
        hint = (
            "; a function of an observation plays as FunctionPlanner(function)"
            if callable(given) and not isinstance(given, type)
            else ""
        )
        raise ValueError(f"planner must be {instead} or a planner object, got {given!r}{hint}.")
    planner: Planner = given
    return planner


class ConstantPlanner:
    """Always plays the same action.

    Args:
        action: an element of the planner's action space.
    """

    noise_size = 0

    def __init__(self, action: object) -> None:
        self.action = np.asarray(action)
        self._action_space: spaces.Space[object] | None = None

    def bind(self, observation_space: spaces.Space[object], action_space: spaces.Space[object]) -> None:
        """ValueError if the action is outside the planner's action space."""
        numbers = self.action.dtype.kind in "iuf" and bool(np.isfinite(self.action).all())
        fitting = self.action.astype(action_space.dtype) if numbers and action_space.dtype else self.action
        if not numbers or not np.array_equal(fitting, self.action) or not action_space.contains(fitting):
            raise ValueError(f"action of the constant planner must lie in {action_space}, got {self.action}.")
        self.action, self._action_space = fitting, action_space

    def act(self, observations: Observation, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        """The constant, once per replica."""
        return np.broadcast_to(self.action, (num_rows(observations), *self.action.shape))

    def tabular(self, observations: Observation, action_masks: BoolArray | None) -> FloatArray | None:
        """One on the constant, zero elsewhere; None where actions are not Discrete."""
        if not isinstance(self._action_space, spaces.Discrete):
            return None
        probabilities = np.zeros((num_rows(observations), int(self._action_space.n)))
        probabilities[:, int(self.action - self._action_space.start)] = 1.0
        return probabilities


class FunctionPlanner:
    """Plays a plain function of one observation.

    Args:
        function: maps an observation of the planner, (*observation shape) or for a Dict space a dict of such arrays, to
            an action; always the same action for the same observation. It is called once per distinct observation of a
            batch, with a copy. Masks are not passed.
    """

    noise_size = 0

    def __init__(self, function: Callable[[Any], object]) -> None:
        if not callable(function):
            raise ValueError(f"function must be callable, got {function!r}.")
        self.function = function
        self._action_space: spaces.Space[Any] | None = None

    def bind(self, observation_space: spaces.Space[object], action_space: spaces.Space[object]) -> None:
        """Remember the action space, against which every action is checked."""
        self._action_space = action_space

    def act(self, observations: Observation, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        """The function's actions; ValueError for one outside the action space, and what the function itself raises."""
        arrays = list(observations.values()) if isinstance(observations, Mapping) else [observations]
        rows = np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        distinct = select(observations, first)  # a copy, in which the function may write
        actions: Array = np.stack([self._action(select(distinct, k)) for k in range(len(first))])
        return actions[which.ravel()]  # NumPy 2.0.0 gives `which` a second axis

    def tabular(self, observations: Observation, action_masks: BoolArray | None) -> FloatArray | None:
        """One on the function's action, zero elsewhere; None where actions are not Discrete."""
        if not isinstance(self._action_space, spaces.Discrete):
            return None
        actions = self.act(observations, np.empty((num_rows(observations), 0)), None) - self._action_space.start
        return np.asarray(np.eye(int(self._action_space.n))[actions])

    def _action(self, observation: Observation) -> Array:
        space = self._action_space
        assert space is not None
        given = np.asarray(self.function(observation))
        numbers = given.dtype.kind in "iuf" and given.shape == (space.shape or ())
        with np.errstate(all="ignore"):  # NaN and numbers that the dtype cannot hold are refused below
            action = given.astype(space.dtype) if numbers else given
        rounds = np.issubdtype(action.dtype, np.floating)
        if not numbers or not (rounds or np.array_equal(action, given)) or not space.contains(action):
            raise ValueError(
                f"action of the function planner must lie in {space}, got {shown(given)} for {shown(observation)}."
            )
        return action


def as_planner(given: Any) -> Planner:
    """A planner object as it is, a plain function of one observation as a `FunctionPlanner`; ValueError otherwise."""
    if not isinstance(given, type):  # a planner's class has its methods, too
        if hasattr(given, "act") and hasattr(given, "bind"):
            planner: Planner = given
            return planner
        if callable(given) and not hasattr(given, "act"):
            return FunctionPlanner(given)
    raise ValueError(
        "a planner must be a planner object or a function of an observation "
        f"(an object has noise_size, bind, act and tabular), got {given!r}."
    )


planner_registry: Registry[Planner] = Registry("planner")
planner_registry.register("constant", ConstantPlanner)
