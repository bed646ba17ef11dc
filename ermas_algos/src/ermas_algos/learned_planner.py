"""A trained planner learner as a planner object, which plays inside the environment (the planner hook), and the other
way round: a planner object in the place of the learner, beside agents that learn or are frozen."""

from typing import Any

from gymnasium import spaces

from ermas_algos.learners.protocol import Learner
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.base.spaces import clip_to_box
from ermas_envs.planners import Planner


class LearnedPlanner:
    """Plays a learner's stochastic policy, which nothing updates any more.

    Args:
        learner: the trained planner learner.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.noise_size = learner.noise_size

    def bind(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        """ValueError unless the learner's spaces are those of the game."""
        check_planner_spaces(self.learner, observation_space, action_space)

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        """Sample from the policy; Box actions are clipped to the box."""
        return clip_to_box(self.learner.action_space, self.learner.act(observations, noise, action_masks))

    def tabular(self, observations: Array, action_masks: BoolArray | None) -> FloatArray | None:
        """The policy's probabilities; None where actions are not Discrete."""
        if not isinstance(self.learner.action_space, spaces.Discrete):
            return None
        return self.learner.action_probabilities(observations, action_masks)


class ActingPlanner:
    """Acts like a `Learner`, by a planner object, and learns nothing.

    Args:
        planner: the object; it is bound to the spaces.
        observation_space: what the planner sees.
        action_space: what it does.
    """

    def __init__(self, planner: Planner, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        planner.bind(observation_space, action_space)
        self.observation_space, self.action_space = observation_space, action_space
        self.noise_size = max(planner.noise_size, 1)  # rollouts draw at least one number for everybody
        self._planner = planner

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None = None) -> Array:
        """See `Planner.act`."""
        return self._planner.act(observations, noise[:, : self._planner.noise_size], action_masks)

    def action_probabilities(self, observations: Array, action_masks: BoolArray | None = None) -> FloatArray:
        """See `Planner.tabular`; TypeError where the planner has no such table."""
        probabilities = self._planner.tabular(observations, action_masks)
        if probabilities is None:
            raise TypeError(f"this planner has no probabilities of actions in {self.action_space}.")
        return probabilities


def check_planner_spaces(trained: Any, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
    """ValueError unless the spaces that something was trained with are those of the game."""
    for name, own, given in (
        ("observation", trained.observation_space, observation_space),
        ("action", trained.action_space, action_space),
    ):
        if own != given:
            raise ValueError(f"the planner was trained with {name} space {own}, the environment has {given}.")
