"""The learners of studies as another kind: what the kind `jax` does is the same PPO, several times as fast."""

import dataclasses
from typing import Any

from ermas_algos.algorithms.run import Run
from ermas_algos.learners.jax_config import JaxLearnerConfig
from ermas_algos.learners.protocol import LearnerConfig
from ermas_algos.learners.sb3 import SB3LearnerConfig

_LEARNERS = ("agent_learner", "planner_learner", "deviation_learner")
"""Settings of trainers that are learners."""


def of_kind(kind: str, learner: LearnerConfig) -> LearnerConfig:
    """The same PPO as the kind `sb3` or `jax`."""
    if kind == JaxLearnerConfig.kind and isinstance(learner, SB3LearnerConfig):
        return JaxLearnerConfig.like(learner)
    return learner


def learning_with(kind: str, run: Run) -> Run:
    """The same training with all learners of a kind, as `of_kind`."""
    given = {name: getattr(run.config, name, None) for name in _LEARNERS}
    same: dict[str, Any] = {name: of_kind(kind, one) for name, one in given.items() if one is not None}
    return dataclasses.replace(run, config=dataclasses.replace(run.config, **same))
