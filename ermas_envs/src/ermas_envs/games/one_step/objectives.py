"""Utilities, the planner's objective and rewards of the one-step economy (SPEC section 17).

As in the economy (`economy.objectives`), rewards are changes of two terms, of coin and of labor, each on its own.
"""

from typing import NamedTuple

from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.one_step.state import OneStepProgress, OneStepState
from ermas_envs.games.taxation.holdings import coin_endowments
from ermas_envs.games.taxation.welfare import (
    ObjectiveScratch,
    equality_in_order,
    inverse_income_weighted_means,
    isoelastic_utility,
    productivity,
)
from ermas_envs.kernels.compiled import internal


class OneStepObjectives(NamedTuple):
    """Constants of the objectives."""

    isoelastic: bool
    """Whether utility is isoelastic in coin, instead of linear."""
    eta: FloatArray
    """(n,) relative risk aversion of each agent; isoelastic only."""
    labor_cost: float
    """Cost of an hour; isoelastic only."""
    labor_costs: FloatArray
    """(HOURS + 1,) cost of so many hours; linear only. A table, as powers would take most of a step's time."""
    weighted_utility: bool
    """Whether the planner weights utilities by inverse incomes, instead of equality times productivity."""
    equality_weight: float
    """1 − mixing_weight_gini_vs_coin."""


@internal
def update_objectives(
    parameters: OneStepObjectives, state: OneStepState, scratch: ObjectiveScratch, slot: int, replica: int
) -> None:
    """Write utilities and the planner's objective of the current state, and their changes, into `state.progress`."""
    progress = state.progress
    coins, values, costs = scratch.coins[slot], progress.consumption[replica], progress.labor_cost[replica]
    coin_endowments(state.agents, replica, coins)
    for agent in range(len(coins)):
        value, labor = coins[agent], state.agents.labor[replica, agent]
        if parameters.isoelastic:
            value = isoelastic_utility(coins[agent], 0.0, parameters.eta[agent], 0.0)
            cost = parameters.labor_cost * labor
        else:
            cost = parameters.labor_costs[int(labor)]
        progress.rewards[replica, agent] = (value - values[agent]) - (cost - costs[agent])
        values[agent], costs[agent] = value, cost
        progress.utility[replica, agent] = value - cost
    equal = equality_in_order(coins, state.taxes.order[replica], scratch.sorted[slot])
    weight = parameters.equality_weight
    progress.equality[replica] = equal
    of_coin, of_labor = 0.0, 0.0
    if parameters.weighted_utility:
        of_coin, of_labor = inverse_income_weighted_means(state.production[replica], values, costs)
    else:
        of_coin = (weight * equal + (1.0 - weight)) * (productivity(coins) / len(coins))  # coin_eq_times_productivity
    terms = progress.planner_terms[replica]
    progress.planner_reward[replica] = (of_coin - terms[0]) - (of_labor - terms[1])
    terms[0], terms[1] = of_coin, of_labor
    progress.planner_objective[replica] = of_coin - of_labor


@internal
def keep_objectives(state: OneStepState, scratch: ObjectiveScratch, slot: int, replica: int) -> None:
    """`update_objectives` where nobody's coin and labor have changed."""
    coin_endowments(state.agents, replica, scratch.coins[slot])
    state.progress.rewards[replica] = 0.0
    state.progress.planner_reward[replica] = 0.0


@internal
def begin_objectives(progress: OneStepProgress, like: int, replica: int) -> None:
    """Objectives of an episode that begins, as they are in the replica `like`: nobody has anything, there as here."""
    progress.rewards[replica] = 0.0
    progress.planner_reward[replica] = 0.0
    progress.equality[replica] = progress.equality[like]
    progress.planner_objective[replica] = progress.planner_objective[like]
    for term in range(2):
        progress.planner_terms[replica, term] = progress.planner_terms[like, term]
    for agent in range(progress.utility.shape[1]):
        progress.consumption[replica, agent] = progress.consumption[like, agent]
        progress.labor_cost[replica, agent] = progress.labor_cost[like, agent]
        progress.utility[replica, agent] = progress.utility[like, agent]
