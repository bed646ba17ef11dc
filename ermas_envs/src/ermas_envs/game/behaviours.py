"""The behaviour hook: what agents do in the place of what they chose, and a registry."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray
from ermas_envs.base.registry import Registry
from ermas_envs.base.spaces import are_allowed, uniform_choice
from ermas_envs.game.transitions import GameInfo


@dataclass(frozen=True)
class Intentions:
    """What n like agents, those of a group, mean to do in one step of `num_envs` replicas."""

    agents: tuple[str, ...]
    """Their ids, in order; a game has the same groups in every step."""
    actions: Array
    """(num_envs, n, *action shape) what they chose."""
    action_masks: BoolArray | None
    """(num_envs, n, mask size; see `BatchObservation`) what they may do; None where nothing is masked."""
    steps: IntArray
    """0-based number of this step in its episode, (num_envs,) int64."""
    episodes: IntArray
    """Index of the episode of each replica, (num_envs,) int64; a reset sets where the count starts."""
    noise: FloatArray
    """(num_envs, n, noise_size) float64, uniform in [0, 1), from each replica's own stream."""


class Behaviour(Protocol):
    """What agents do in the place of what they chose.

    What they do in a replica may depend on that replica's intentions since its episode began only: never on `num_envs`,
    nor on an episode before. The planner has none.
    """

    @property
    def noise_size(self) -> int:
        """Uniform random numbers that an agent needs in a step (0 where nothing is left to chance)."""

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """Prepare for a game, once, before the first step; ValueError if it does not fit."""

    def __call__(self, intentions: Intentions) -> Array:
        """Called once for each group in every step.

        Returns:
            (num_envs, n, *action shape) actions that are executed: inside the action space, and what masks forbid only
            where the agent itself chose it.
        """


def check_behaviour_object(given: Any) -> Behaviour:
    """Return `given`; ValueError if it is no behaviour but, say, the registered name of one."""
    if isinstance(given, type) or not callable(given) or not hasattr(given, "noise_size"):
        known = ", ".join(behaviour_registry.names())
        raise ValueError(f"behaviour must be an object such as registry.make gives ({known}), got {given!r}.")
    behaviour: Behaviour = given
    return behaviour


class ActionNoise:
    """A trembling hand: one of the allowed actions, uniformly, in the place of the chosen one (R. Selten 1975).

    Args:
        probability: of a slip, in [0, 1].
    """

    noise_size = 2  # one number tells whether, one to what

    def __init__(self, probability: float) -> None:
        self.probability = check_number("action_noise", probability, 0.0, 1.0)
        self._spaces: dict[str, spaces.Discrete] = {}

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """ValueError unless every agent has a Discrete action space."""
        self._spaces = {}
        for agent in game.agents:
            space = game.action_spaces[agent]
            if not isinstance(space, spaces.Discrete):
                raise ValueError(f"action_noise needs Discrete actions; {agent!r} has {space}.")
            self._spaces[agent] = space

    def __call__(self, intentions: Intentions) -> Array:
        """What hands do."""
        intended, space = intentions.actions, self._spaces[intentions.agents[0]]
        allowed = intentions.action_masks
        if allowed is None:
            allowed = np.ones((*intended.shape, int(space.n)), dtype=np.bool_)
        slips, which = np.moveaxis(intentions.noise, -1, 0)
        uniform = uniform_choice(allowed, which) + space.start
        return np.where(slips < self.probability, uniform, intended).astype(intended.dtype)


class Habit:
    """Agents repeat what they did last, where their mask allows it; in the first step of an episode they are free.

    Args:
        probability: of a repetition, in [0, 1], for each agent and step on its own.
    """

    noise_size = 1

    def __init__(self, probability: float) -> None:
        self.probability = check_number("probability", probability, 0.0, 1.0)
        self._spaces: Any = {}
        self._last: dict[tuple[str, ...], Array] = {}

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """Remember the action spaces."""
        self._spaces, self._last = game.action_spaces, {}

    def __call__(self, intentions: Intentions) -> Array:
        """The last actions or the chosen ones."""
        agents, intended = intentions.agents, intentions.actions
        last = self._last.get(agents, intended)
        repeats = (intentions.noise[..., 0] < self.probability) & (intentions.steps > 0)[:, None]
        if intentions.action_masks is not None:
            repeats &= are_allowed(self._spaces[agents[0]], intentions.action_masks, last)
        done = np.where(repeats.reshape(*repeats.shape, *[1] * (intended.ndim - 2)), last, intended)
        self._last[agents] = done
        return done


behaviour_registry: Registry[Behaviour] = Registry("behaviour")
behaviour_registry.register("habit", Habit)
