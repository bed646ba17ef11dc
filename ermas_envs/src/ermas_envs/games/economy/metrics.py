"""Metrics of an episode (SPEC section 16), for all replicas at once, under the original's names.

Roles are named as everywhere in this package (`agent_0`, `planner`) instead of `0` and `p`, and brackets by their
number instead of their cutoff, whose names may collide. A mean of nothing is NaN.
"""

from collections.abc import Mapping

import numpy as np

from ermas_envs.base.arrays import PLANNER, Array, FloatArray, agent_id
from ermas_envs.games.economy.settings import Build, ContinuousDoubleAuction, EconomySettings
from ermas_envs.games.economy.state import (
    ASK,
    BID,
    RESOURCES,
    STONE,
    WOOD,
)
from ermas_envs.games.economy.step import EconomyState, Rules
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.metrics import ratio, tax_metrics
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.welfare import (
    coin_eq_times_productivity,
    equality,
    inverse_income_weighted_coin,
    inverse_income_weighted_utility,
    productivity,
)
from ermas_envs.kernels.compiled import call, compiled


def episode_metrics(settings: EconomySettings, rules: Rules, state: EconomyState) -> dict[str, FloatArray]:
    """Everything known about the episode so far, per name (R,) float64."""
    agents, progress = state.agents, state.progress
    endowment = agents.inventory + agents.escrow
    coins = np.ascontiguousarray(endowment[:, :, COIN])
    welfare = np.empty((len(coins), len(WELFARE)))
    call(_welfare, coins, progress.utility, np.empty(coins.shape[1]), welfare, waits=len(coins) > 1)
    found: dict[str, FloatArray] = {name: welfare[:, column] for column, name in enumerate(WELFARE)}
    for index in range(settings.num_agents):
        agent = agent_id(index)
        for name, resource in (("Coin", COIN), ("Stone", STONE), ("Wood", WOOD)):
            found[f"endow/{agent}/{name}"] = endowment[:, index, resource]
        found[f"endogenous/{agent}/Labor"] = agents.labor[:, index].copy()
        found[f"util/{agent}"] = progress.utility[:, index].copy()
    found[f"util/{PLANNER}"] = progress.planner_objective.copy()
    found["labor/weighted_cost"] = rules.objectives.energy_cost * progress.energy_weight
    found["labor/warmup_integrator"] = progress.positive_steps.astype(np.float64)
    if settings.component(Build) is not None:
        found |= _build_metrics(settings, state.tallies.builds)
    if settings.component(ContinuousDoubleAuction) is not None:
        found |= _trade_metrics(settings, state.tallies.trades)
    taxes = settings.component(PeriodicBracketTax)
    if taxes is not None:
        found |= tax_metrics(rules.tax, state.tax_tallies, state.saez.elasticity, coins, taxes.disable_taxes)
    return found


WELFARE = (
    "social/productivity",
    "social/equality",
    "social_welfare/coin_eq_times_productivity",
    "social_welfare/inv_income_weighted_coin_endow",
    "social_welfare/inv_income_weighted_utility",
)


@compiled
def _welfare(coins: FloatArray, utilities: FloatArray, scratch: FloatArray, out: FloatArray) -> None:
    """Write `WELFARE` of every replica: coins and utilities (R, n), out (R, 5)."""
    for replica in range(len(coins)):
        own, result = coins[replica], out[replica]
        result[0] = productivity(own)
        result[1] = equality(own, scratch)
        result[2] = coin_eq_times_productivity(own, 1.0, scratch)
        result[3] = inverse_income_weighted_coin(own)
        result[4] = inverse_income_weighted_utility(own, utilities[replica])


def _build_metrics(settings: EconomySettings, builds: Array) -> Mapping[str, FloatArray]:
    found = {f"Build/{agent_id(i)}/n_builds": builds[:, i].astype(np.float64) for i in range(settings.num_agents)}
    return {**found, "Build/total_builds": builds.sum(axis=1).astype(np.float64)}


def _trade_metrics(settings: EconomySettings, trades: FloatArray) -> Mapping[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    for index in range(settings.num_agents):
        for commodity, name in enumerate(RESOURCES):
            for side, verb in ((ASK, "Sell"), (BID, "Buy")):
                number, total = trades[:, commodity, side, index].T
                prefix = f"Trade/{agent_id(index)}/{verb}{name}"
                found[f"{prefix}/price"] = ratio(total, number)
                found[f"{prefix}/n_sales"] = number.copy()
    return {**found, "Trade/n_trades": trades[:, :, ASK, :, 0].sum(axis=(1, 2))}
