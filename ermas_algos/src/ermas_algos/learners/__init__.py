"""Learners: the protocol that the outer loop knows, the Stable-Baselines3 adapter behind it, and SB3's `VecEnv`."""

from ermas_algos.learners.protocol import Learner, LearnerFactory, LearnerState, Rollout
from ermas_algos.learners.sb3 import SB3Learner, SB3LearnerConfig
from ermas_algos.learners.vec_env import BatchedVecEnv

__all__ = ["BatchedVecEnv", "Learner", "LearnerFactory", "LearnerState", "Rollout", "SB3Learner", "SB3LearnerConfig"]
