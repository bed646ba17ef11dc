"""The trainers: outer loops around learners (paper section 3; docs/ermas.md), and the baselines among them."""

from collections.abc import Mapping
from typing import Any

from ermas_algos.algorithms.config import ERMASConfig, MARLConfig, PopulationConfig
from ermas_algos.algorithms.ermas import ERMAS
from ermas_algos.algorithms.marl import MARL
from ermas_algos.algorithms.population import Population
from ermas_algos.algorithms.risk import RiskConfig

TRAINERS: Mapping[str, Any] = {trainer.name: trainer for trainer in (MARL, ERMAS, Population)}
"""Trainer classes by name."""

__all__ = [
    "ERMAS",
    "MARL",
    "TRAINERS",
    "ERMASConfig",
    "MARLConfig",
    "Population",
    "PopulationConfig",
    "RiskConfig",
]
