"""Metrics of an episode of the one-step economy (SPEC section 16), for all replicas, under the original's names.

The planner is named as everywhere in this package, and brackets by their number. A mean of nothing is NaN.
"""

from typing import NamedTuple

import numpy as np

from ermas_envs.base.arrays import PLANNER, FloatArray
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.one_step.state import OneStepState
from ermas_envs.games.one_step.step import OneStepRules
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.metrics import tax_metrics
from ermas_envs.games.taxation.state import TaxTallies
from ermas_envs.games.taxation.welfare import inverse_income_weighted_utility, productivity
from ermas_envs.kernels.compiled import call, compiled

WELFARE = (
    "social/productivity",
    "social/equality",
    "social_welfare/coin_eq_times_productivity",
    "social_welfare/inv_income_weighted_utility",
)


class Books(NamedTuple):
    """Copies of what metrics are made of."""

    coins: FloatArray
    """(R, n)."""
    labor: FloatArray
    """(R, n)."""
    production: FloatArray
    """(R, n)."""
    utility: FloatArray
    """(R, n)."""
    equality: FloatArray
    """(R,)."""
    objective: FloatArray
    """(R,) the planner's."""
    tallies: TaxTallies
    """Of taxes."""
    elasticity: FloatArray
    """(R,) as Saez's formula estimates it."""


def books(state: OneStepState) -> Books:
    """Those of the episode so far."""
    progress = state.progress
    return Books(
        state.agents.inventory[:, :, COIN] + state.agents.escrow[:, :, COIN],
        state.agents.labor.copy(),
        state.production.copy(),
        progress.utility.copy(),
        progress.equality.copy(),
        progress.planner_objective.copy(),
        TaxTallies(*(array.copy() for array in state.tax_tallies)),
        state.saez.elasticity.copy(),
    )


def episode_metrics(settings: OneStepSettings, rules: OneStepRules, books: Books) -> dict[str, FloatArray]:
    """Everything known about the episode, per name (R,) float64."""
    welfare = np.empty((len(books.coins), len(WELFARE)))
    given = (books.coins, books.production, books.utility, books.equality, welfare)
    call(_welfare, *given, waits=len(welfare) > 1)
    found: dict[str, FloatArray] = {name: welfare[:, column] for column, name in enumerate(WELFARE)}
    found["endow/avg_agent/Coin"] = books.coins.mean(axis=1)
    found["endogenous/avg_agent/Labor"] = books.labor.mean(axis=1)
    found["util/avg_agent"] = books.utility.mean(axis=1)
    found[f"util/{PLANNER}"] = books.objective
    taxes = settings.taxes
    if taxes is not None:
        found |= tax_metrics(rules.tax, books.tallies, books.elasticity, books.coins, taxes.disable_taxes)
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
