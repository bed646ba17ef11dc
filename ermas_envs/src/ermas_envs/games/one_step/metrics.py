"""Metrics of an episode of the one-step economy (SPEC section 16), for all replicas, under the original's names.

The planner is named as everywhere in this package, and brackets by their number. A mean of nothing is NaN.
"""

import numpy as np

from ermas_envs.base.arrays import PLANNER, FloatArray
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.one_step.state import OneStepState
from ermas_envs.games.one_step.step import OneStepRules
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.metrics import tax_metrics
from ermas_envs.games.taxation.welfare import inverse_income_weighted_utility, productivity
from ermas_envs.kernels.compiled import compiled

WELFARE = (
    "social/productivity",
    "social/equality",
    "social_welfare/coin_eq_times_productivity",
    "social_welfare/inv_income_weighted_utility",
)


def episode_metrics(settings: OneStepSettings, rules: OneStepRules, state: OneStepState) -> dict[str, FloatArray]:
    """Everything known about the episode so far, per name (R,) float64."""
    coins = state.agents.inventory[:, :, COIN] + state.agents.escrow[:, :, COIN]
    welfare = np.empty((len(coins), len(WELFARE)))
    _welfare(coins, state.production, state.progress.utility, state.progress.equality, welfare)
    found: dict[str, FloatArray] = {name: welfare[:, column] for column, name in enumerate(WELFARE)}
    found["endow/avg_agent/Coin"] = coins.mean(axis=1)
    found["endogenous/avg_agent/Labor"] = state.agents.labor.mean(axis=1)
    found["util/avg_agent"] = state.progress.utility.mean(axis=1)
    found[f"util/{PLANNER}"] = state.progress.planner_objective.copy()
    taxes = settings.taxes
    if taxes is not None:
        found |= tax_metrics(rules.tax, state.tax_tallies, state.saez, coins, taxes.disable_taxes)
    return found


@compiled
def _welfare(
    coins: FloatArray, production: FloatArray, utilities: FloatArray, equality: FloatArray, out: FloatArray
) -> None:
    """Write `WELFARE` of every replica: coins, production and utilities (R, n), equality (R,), out (R, 4)."""
    for replica in range(len(coins)):
        own, result = coins[replica], out[replica]
        result[0] = productivity(own)
        result[1] = equality[replica]
        result[2] = result[1] * (result[0] / len(own))
        result[3] = inverse_income_weighted_utility(production[replica], utilities[replica])
