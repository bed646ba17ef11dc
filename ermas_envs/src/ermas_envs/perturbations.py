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
    "perturbation_registry",
]
