"""The trainers: outer loops around learners (paper section 3; docs/ermas.md), and the baselines among them."""

from typing import Any

from ermas_algos.algorithms.callbacks import Callback
from ermas_algos.algorithms.commitment import Commitment
from ermas_algos.algorithms.config import CommitmentConfig, ERMASConfig, MARLConfig, PopulationConfig
from ermas_algos.algorithms.ermas import ERMAS
from ermas_algos.algorithms.marl import MARL
from ermas_algos.algorithms.population import Population
from ermas_algos.algorithms.risk import RiskConfig
from ermas_algos.algorithms.training_stop import TrainingStopped
from ermas_envs.base.registry import Registry

TRAINERS: Registry[Any] = Registry("algorithm")
"""Trainer classes by name; third parties register theirs."""
for _trainer in (MARL, ERMAS, Population, Commitment):
    TRAINERS.register(_trainer.name, _trainer)

__all__ = [
    "ERMAS",
    "MARL",
    "TRAINERS",
    "Callback",
    "Commitment",
    "CommitmentConfig",
    "ERMASConfig",
    "MARLConfig",
    "Population",
    "PopulationConfig",
    "RiskConfig",
    "TrainingStopped",
]
