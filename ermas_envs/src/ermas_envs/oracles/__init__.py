"""Exact oracles: evaluation and regret of tabular games, equilibria, closed forms of the bimatrix games. No torch."""

from ermas_envs.game.tabular import Policies, TabularGame, payoff_scale
from ermas_envs.oracles.best_response import best_response_value, exact_regret
from ermas_envs.oracles.certificate import Certificate, certify
from ermas_envs.oracles.discounted import discounted_best_response_value, discounted_regret, discounted_values
from ermas_envs.oracles.evaluation import evaluate
from ermas_envs.oracles.linear_program import LinearProgramError
from ermas_envs.oracles.planner import (
    PlannerOptimum,
    best_constant_planner,
    equilibrium_policies,
    stationary_planner_optimum,
)
from ermas_envs.oracles.planner_free import agents_ignore_planner
from ermas_envs.oracles.robust_planner import RobustOptimum, robust_planner
from ermas_envs.oracles.stage_game import WorstCorrelation, nash_equilibria, worst_coarse_correlated_equilibrium
from ermas_envs.oracles.worst_equilibrium import WorstEquilibrium, worst_equilibrium

__all__ = [
    "Certificate",
    "LinearProgramError",
    "PlannerOptimum",
    "Policies",
    "RobustOptimum",
    "TabularGame",
    "WorstCorrelation",
    "WorstEquilibrium",
    "agents_ignore_planner",
    "best_constant_planner",
    "best_response_value",
    "certify",
    "discounted_best_response_value",
    "discounted_regret",
    "discounted_values",
    "equilibrium_policies",
    "evaluate",
    "exact_regret",
    "nash_equilibria",
    "payoff_scale",
    "robust_planner",
    "stationary_planner_optimum",
    "worst_coarse_correlated_equilibrium",
    "worst_equilibrium",
]
