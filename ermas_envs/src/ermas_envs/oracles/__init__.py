"""Exact oracles: evaluation and regret of tabular games, closed forms of the bimatrix games. No torch."""

from ermas_envs.oracles.best_response import best_response_value, exact_regret
from ermas_envs.oracles.evaluation import evaluate
from ermas_envs.oracles.planner import PlannerOptimum, best_constant_planner, equilibrium_policies
from ermas_envs.oracles.tabular import Policies, TabularGame
from ermas_envs.oracles.worst_equilibrium import WorstEquilibrium, worst_own_equilibrium

__all__ = [
    "PlannerOptimum",
    "Policies",
    "TabularGame",
    "WorstEquilibrium",
    "best_constant_planner",
    "best_response_value",
    "equilibrium_policies",
    "evaluate",
    "exact_regret",
    "worst_own_equilibrium",
]
