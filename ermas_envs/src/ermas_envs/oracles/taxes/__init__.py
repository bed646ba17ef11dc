"""Exact oracles of the one-step economy: best responses, equilibria, worst cases, schedules, certificates. No torch."""

from ermas_envs.oracles.taxes.certificate import AgentsUnder, ScheduleCertificate, certify_schedule
from ermas_envs.oracles.taxes.equilibrium import Equilibrium, equilibrium
from ermas_envs.oracles.taxes.pairs import expected_welfare
from ermas_envs.oracles.taxes.population import Population, TaxedPopulation
from ermas_envs.oracles.taxes.response import pure, regrets
from ermas_envs.oracles.taxes.schedules import BestSchedule, best_schedule, mean_welfare, worst_welfare
from ermas_envs.oracles.taxes.worst_case import WorstCase, worst_case

__all__ = [
    "AgentsUnder",
    "BestSchedule",
    "Equilibrium",
    "Population",
    "ScheduleCertificate",
    "TaxedPopulation",
    "WorstCase",
    "best_schedule",
    "certify_schedule",
    "equilibrium",
    "expected_welfare",
    "mean_welfare",
    "pure",
    "regrets",
    "worst_case",
    "worst_welfare",
]
