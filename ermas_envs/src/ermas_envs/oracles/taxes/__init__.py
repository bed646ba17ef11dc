"""Exact oracles of the one-step economy: responses, equilibria, worst cases, schedules, certificates. No torch."""

from ermas_envs.oracles.taxes.certificate import AgentsUnder, ScheduleCertificate, certify_schedule
from ermas_envs.oracles.taxes.elasticity import reform_elasticity, regression_elasticity
from ermas_envs.oracles.taxes.equilibrium import Equilibrium, equilibrium
from ermas_envs.oracles.taxes.formula import FixedPoint, saez_fixed_point, saez_schedule
from ermas_envs.oracles.taxes.pairs import expected_welfare
from ermas_envs.oracles.taxes.population import Population, TaxedPopulation
from ermas_envs.oracles.taxes.response import pure, regrets
from ermas_envs.oracles.taxes.schedules import BestSchedule, best_schedule, mean_welfare, worst_welfare
from ermas_envs.oracles.taxes.weights import Support, supporting_weights
from ermas_envs.oracles.taxes.welfare import WELFARE, Outcome, atkinson, outcome
from ermas_envs.oracles.taxes.worst_case import WorstCase, worst_case

__all__ = [
    "WELFARE",
    "AgentsUnder",
    "BestSchedule",
    "Equilibrium",
    "FixedPoint",
    "Outcome",
    "Population",
    "ScheduleCertificate",
    "Support",
    "TaxedPopulation",
    "WorstCase",
    "atkinson",
    "best_schedule",
    "certify_schedule",
    "equilibrium",
    "expected_welfare",
    "mean_welfare",
    "outcome",
    "pure",
    "reform_elasticity",
    "regression_elasticity",
    "regrets",
    "saez_fixed_point",
    "saez_schedule",
    "supporting_weights",
    "worst_case",
    "worst_welfare",
]
