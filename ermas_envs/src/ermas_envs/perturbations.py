"""Reward perturbations for users: the protocol `RewardPerturbation`, those that we ship, and their registry."""

from ermas_envs.game.perturbations import (
    Bounded,
    PlannerAdversity,
    RandomOffset,
    RandomTables,
    RewardPerturbation,
    SumOf,
    perturbation_registry,
)
from ermas_envs.games.taxation.risk_aversion import RiskAversion

__all__ = [
    "Bounded",
    "PlannerAdversity",
    "RandomOffset",
    "RandomTables",
    "RewardPerturbation",
    "RiskAversion",
    "SumOf",
    "perturbation_registry",
]
