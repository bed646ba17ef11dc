"""Exact oracles of the toll game: equilibria, regret, worst cases, best tolls, rules, certificates. No torch."""

from ermas_envs.oracles.tolls.baselines import (
    bounded_coefficients,
    bounded_tolls,
    externalities,
    externality_rule,
    marginal_cost_tolls,
)
from ermas_envs.oracles.tolls.certificate import DriversUnder, TollCertificate, certify_tolls, drivers_under
from ermas_envs.oracles.tolls.equilibrium import (
    DriversEquilibrium,
    best_response_equilibrium,
    flow_equilibrium,
    flow_optimum,
    optimum,
    pure_equilibria,
)
from ermas_envs.oracles.tolls.regret import expected_latencies, expected_mean_latency, regrets
from ermas_envs.oracles.tolls.search import BestTolls, best_tolls, robust_objective, unknown_value_objective
from ermas_envs.oracles.tolls.traffic import Traffic, per_drive, per_step
from ermas_envs.oracles.tolls.worst import WorstTraffic, value_gap, worst_over_values, worst_traffic

__all__ = [
    "BestTolls",
    "DriversEquilibrium",
    "DriversUnder",
    "TollCertificate",
    "Traffic",
    "WorstTraffic",
    "best_response_equilibrium",
    "best_tolls",
    "bounded_coefficients",
    "bounded_tolls",
    "certify_tolls",
    "drivers_under",
    "expected_latencies",
    "expected_mean_latency",
    "externalities",
    "externality_rule",
    "flow_equilibrium",
    "flow_optimum",
    "marginal_cost_tolls",
    "optimum",
    "per_drive",
    "per_step",
    "pure_equilibria",
    "regrets",
    "robust_objective",
    "unknown_value_objective",
    "value_gap",
    "worst_over_values",
    "worst_traffic",
]
