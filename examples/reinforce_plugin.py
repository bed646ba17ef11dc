"""A learner of one's own as a plugin: REINFORCE in NumPy, `my_reinforce` in files, commands and checkpoints.

    export PYTHONPATH=examples ERMAS_PLUGINS=reinforce_plugin
    ermas train --environment augmented_bimatrix_v0 --algorithm MARL --iterations 60 --out runs/reinforce \
        --settings agent_learner.kind my_reinforce planner_learner.kind my_reinforce
    ermas evaluate runs/reinforce --gaps 0 0.6 --fresh-agents agent_learner.kind my_reinforce
    ermas certify runs/reinforce
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete

from ermas_algos.learners import LearnerState, learner_registry


@dataclass(frozen=True)
class ReinforceConfig:
    """Settings of the learner."""

    kind: ClassVar[str] = "my_reinforce"
    needs: ClassVar[str] = "samples"
    learning_rate: float = 1.0
    """Step size of the gradient ascent, > 0."""
    gamma: float = 0.9
    """Discount of the reward-to-go, in [0, 1]."""

    def __post_init__(self):
        if not (self.learning_rate > 0 and 0 <= self.gamma <= 1):
            raise ValueError("learning_rate must be > 0 and gamma in [0, 1].")

    def make(self, spaces, seed, game=None):
        """A fresh learner; ValueError for spaces that it does not know."""
        check_spaces(spaces)
        return Reinforce(self, spaces, seed)

    def least_numbers(self, spaces):
        """A checkpoint with fewer numbers than this is refused."""
        check_spaces(spaces)
        return int(np.prod(spaces.observation.shape)) * int(spaces.action.n)


def check_spaces(spaces):
    """ValueError unless actions are Discrete and observations one array."""
    if not isinstance(spaces.action, Discrete) or not isinstance(spaces.observation, Box):
        raise ValueError(f"my_reinforce needs Discrete actions and Box observations, got {spaces}.")


class Reinforce:
    """Linear softmax policy for Discrete actions, gradient ascent on the discounted reward-to-go."""

    noise_size = 1

    def __init__(self, config, spaces, seed):
        self.config, (self.observation_space, self.action_space) = config, spaces
        size = int(np.prod(spaces.observation.shape)), int(spaces.action.n)
        self.weights = 0.01 * np.random.default_rng(seed).standard_normal(size)

    def act(self, observations, noise, action_masks=None):
        """Sample by the inverse distribution function."""
        cumulative = self.action_probabilities(observations, action_masks).cumsum(axis=1)
        return (cumulative[:, :-1] <= noise).sum(axis=1)

    def update(self, rollout):
        """One step on a rollout; rewards behind a cut count nothing, as there is no value function."""
        steps, rows = rollout.rewards.shape
        returns, ahead = np.empty((steps, rows)), np.zeros(rows)
        for t in reversed(range(steps)):
            ahead = rollout.rewards[t] + self.config.gamma * np.where(rollout.ended[t], 0.0, ahead)
            returns[t] = ahead
        advantages = (returns - returns.mean(axis=1, keepdims=True)).ravel()
        seen = rollout.observations.reshape(steps * rows, -1)
        masks = None if rollout.action_masks is None else rollout.action_masks.reshape(steps * rows, -1)
        errors = np.eye(self.action_space.n)[rollout.actions.ravel()] - self.action_probabilities(seen, masks)
        self.weights += self.config.learning_rate * seen.T @ (errors * advantages[:, None]) / len(seen)
        return {"mean_return": float(returns[0].mean())}

    def state(self):
        """Everything to go on with."""
        return LearnerState({"weights": self.weights.copy()}, {})

    def load_state(self, state):
        """Go on from a state; a checkpoint may come from anybody, so that its numbers are looked at."""
        weights = state.tensors["weights"]
        if weights.shape != self.weights.shape or not np.isfinite(weights).all():
            raise ValueError(f"weights must be finite, of shape {self.weights.shape}.")
        self.weights = weights.copy()

    def get_parameters(self):
        """All weights as one vector."""
        return self.weights.ravel().copy()

    def set_parameters(self, vector):
        """Take over all weights."""
        self.weights = vector.astype(np.float64).reshape(self.weights.shape)

    def kl(self, other, observations, action_masks=None):
        """Mean KL divergence from another policy."""
        own, others = (policy.action_probabilities(observations, action_masks) for policy in (self, other))
        ratio = np.log(np.maximum(own, 1e-12)) - np.log(np.maximum(others, 1e-12))
        return float((own * ratio).sum(axis=1).mean())

    def action_probabilities(self, observations, action_masks=None):
        """(R, number of actions)."""
        logits = observations.reshape(len(observations), -1) @ self.weights
        if action_masks is not None:
            logits = np.where(action_masks, logits, -np.inf)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)


learner_registry.register(ReinforceConfig.kind, ReinforceConfig)
