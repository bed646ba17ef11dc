"""Reward perturbations for users: the protocol `RewardPerturbation`, those that we ship, and their registry."""

from ermas_envs.game.perturbations import (
    Bounded,
    DrawnPerturbation,
    PlannerAdversity,
    RandomOffset,
    RandomTables,
    RewardPerturbation,
    SumOf,
    perturbation_registry,
)
from ermas_envs.games.taxation.risk_aversion import RandomRiskAversion, RiskAversion
from ermas_envs.games.toll.value_of_time import ValueOfTime

__all__ = [
    "Bounded",
    "DrawnPerturbation",
    "PlannerAdversity",
    "RandomOffset",
    "RandomRiskAversion",
    "RandomTables",
    "RewardPerturbation",
    "RiskAversion",
    "SumOf",
    "ValueOfTime",
    "perturbation_registry",
]
