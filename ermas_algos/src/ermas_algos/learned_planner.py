"""A trained planner learner as a planner object: frozen, it plays inside the environment (the planner hook)."""

from typing import Any

from gymnasium import spaces

from ermas_algos.learners.protocol import Learner
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.base.spaces import clip_to_box


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


def check_planner_spaces(trained: Any, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
    """ValueError unless the spaces that something was trained with are those of the game."""
    for name, own, given in (
        ("observation", trained.observation_space, observation_space),
        ("action", trained.action_space, action_space),
    ):
        if own != given:
            raise ValueError(f"the planner was trained with {name} space {own}, the environment has {given}.")
