"""Learners: the protocol that the outer loop knows, and the Stable-Baselines3 adapter behind it."""

from ermas_algos.learners.protocol import Learner, LearnerFactory, LearnerState, Rollout
from ermas_algos.learners.sb3 import SB3Learner, SB3LearnerConfig


__all__ = ["Learner", "LearnerFactory", "LearnerState", "Rollout", "SB3Learner", "SB3LearnerConfig"]
