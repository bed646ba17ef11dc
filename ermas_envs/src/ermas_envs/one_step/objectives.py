"""Utilities, the planner's objective and rewards of the one-step economy (SPEC section 17)."""

from typing import NamedTuple

from ermas_envs.arrays import FloatArray
from ermas_envs.economy.compiled import internal
from ermas_envs.economy.endowment import coin_endowments
from ermas_envs.economy.objectives import ObjectiveScratch
from ermas_envs.economy.welfare import (
    coin_eq_times_productivity,
    inverse_income_weighted_utility,
    isoelastic_utility,
)
from ermas_envs.one_step.state import OneStepState


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
    """Write utilities and the planner's objective of the current state into `state.progress`."""
    coins, utilities = scratch.coins[slot], state.progress.utility[replica]
    coin_endowments(state.agents, replica, coins)
    for agent in range(len(coins)):
        labor = state.agents.labor[replica, agent]
        if parameters.isoelastic:
            eta, cost = parameters.eta[agent], parameters.labor_cost
            utilities[agent] = isoelastic_utility(coins[agent], labor, eta, cost)
        else:
            utilities[agent] = coins[agent] - parameters.labor_costs[int(labor)]
    if parameters.weighted_utility:
        objective = inverse_income_weighted_utility(state.production[replica], utilities)
    else:
        objective = coin_eq_times_productivity(coins, parameters.equality_weight, scratch.sorted[slot])
    state.progress.planner_objective[replica] = objective


@internal
def reward(
    parameters: OneStepObjectives,
    state: OneStepState,
    scratch: ObjectiveScratch,
    slot: int,
    replica: int,
    rewards: FloatArray,
) -> None:
    """Write changes of the objectives: of the agents into column `replica` of rewards (n, R), of the planner into
    `state.progress`."""
    utilities, progress = state.progress.utility[replica], state.progress
    for agent in range(len(utilities)):
        rewards[agent, replica] = -utilities[agent]
    progress.planner_reward[replica] = -progress.planner_objective[replica]
    update_objectives(parameters, state, scratch, slot, replica)
    for agent in range(len(utilities)):
        rewards[agent, replica] += utilities[agent]
    progress.planner_reward[replica] += progress.planner_objective[replica]
