"""Learners: the protocol that the outer loop knows; Stable-Baselines3, PPO in JAX and exact play behind it."""

from ermas_algos.learners.exact import ExactLearner, ExactLearnerConfig, ExactRollout
from ermas_algos.learners.jax_config import JaxLearnerConfig
from ermas_algos.learners.protocol import (
    InGame,
    Learner,
    LearnerConfig,
    LearnerFactory,
    LearnerState,
    Rollout,
    Spaces,
    learner_registry,
)
from ermas_algos.learners.sb3 import SB3Learner, SB3LearnerConfig
from ermas_algos.learners.vec_env import BatchedVecEnv

__all__ = [
    "BatchedVecEnv",
    "ExactLearner",
    "ExactLearnerConfig",
    "ExactRollout",
    "InGame",
    "JaxLearnerConfig",
    "Learner",
    "LearnerConfig",
    "LearnerFactory",
    "LearnerState",
    "Rollout",
    "SB3Learner",
    "SB3LearnerConfig",
    "Spaces",
    "learner_registry",
]
