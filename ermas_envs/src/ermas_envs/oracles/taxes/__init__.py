"""Exact oracles of the one-step economy: best responses, equilibria, worst ε-equilibria of a schedule. No torch."""

from ermas_envs.oracles.taxes.equilibrium import Equilibrium, equilibrium
from ermas_envs.oracles.taxes.population import Population, TaxedPopulation
from ermas_envs.oracles.taxes.response import pure, regrets
from ermas_envs.oracles.taxes.worst_case import WorstCase, worst_case

__all__ = ["Equilibrium", "Population", "TaxedPopulation", "WorstCase", "equilibrium", "pure", "regrets", "worst_case"]
