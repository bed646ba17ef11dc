"""Utilities, the planner's objective and rewards, and the warm-up of the energy cost (SPEC section 10).

Rewards are changes of objectives that have a term of coin and a term of labor. Each term's change is taken on its own:
utilities of coin may be so large, or so far below zero, that a difference of whole objectives would lose the labor.
"""

import math
from typing import NamedTuple

from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.economy.state import Agents, Progress
from ermas_envs.games.taxation.holdings import coin_endowments
from ermas_envs.games.taxation.welfare import (
    ObjectiveScratch,
    coin_eq_times_productivity,
    inverse_income_weighted_coin,
    inverse_income_weighted_means,
    isoelastic_utility,
)
from ermas_envs.kernels.compiled import compiled, internal

PRODUCTIVITY, WEIGHTED_COIN, WEIGHTED_UTILITY = 0, 1, 2
"""Objectives of the planner, in the order of `settings.PLANNER_OBJECTIVES`."""
DECAY, AUTO = 0, 1
"""What the warm-up of the energy cost follows: episodes, or steps with a positive mean reward."""


class ObjectiveParameters(NamedTuple):
    """Constants of the objectives."""

    eta: FloatArray
    """(n,) relative risk aversion of each agent."""
    energy_cost: float
    """Utility of a unit of labor."""
    warmup_constant: float
    """Time constant of the warm-up, 0 for none."""
    warmup_method: int
    """DECAY or AUTO."""
    planner_objective: int
    """PRODUCTIVITY, WEIGHTED_COIN or WEIGHTED_UTILITY."""
    equality_weight: float
    """1 − mixing_weight_gini_vs_coin."""


@compiled
def energy_weight(parameters: ObjectiveParameters, progress: Progress, replica: int) -> float:
    """Factor of the energy cost, in [0, 1]."""
    if parameters.warmup_constant <= 0.0:
        return 1.0
    auto = parameters.warmup_method == AUTO
    elapsed = progress.positive_steps[replica] if auto else progress.completions[replica]
    return 1.0 - math.exp(-elapsed / parameters.warmup_constant)


@compiled
def update_objectives(
    parameters: ObjectiveParameters,
    agents: Agents,
    progress: Progress,
    scratch: ObjectiveScratch,
    slot: int,
    replica: int,
) -> None:
    """Write utilities and the planner's objective of the current state, and their changes, into `progress`."""
    weight = energy_weight(parameters, progress, replica)
    progress.energy_weight[replica] = weight
    coins, costs = scratch.coins[slot], progress.labor_cost[replica]
    labor_weight = weight * parameters.energy_cost
    coin_endowments(agents, replica, coins)
    for agent in range(len(coins)):
        gained = 0.0
        if coins[agent] != progress.valued_coin[replica, agent]:  # a power takes as long as the rest of the step
            value = isoelastic_utility(coins[agent], 0.0, parameters.eta[agent], 0.0)
            gained = value - progress.consumption[replica, agent]
            progress.valued_coin[replica, agent] = coins[agent]
            progress.consumption[replica, agent] = value
        cost = labor_weight * agents.labor[replica, agent]
        progress.rewards[replica, agent] = gained - (cost - costs[agent])
        costs[agent] = cost
        progress.utility[replica, agent] = progress.consumption[replica, agent] - cost
    of_coin, of_labor = _planner_terms(parameters, coins, progress, scratch.sorted[slot], replica)
    terms = progress.planner_terms[replica]
    progress.planner_reward[replica] = (of_coin - terms[0]) - (of_labor - terms[1])
    terms[0], terms[1] = of_coin, of_labor
    progress.planner_objective[replica] = of_coin - of_labor


@internal
def _planner_terms(
    parameters: ObjectiveParameters, coins: FloatArray, progress: Progress, work: FloatArray, replica: int
) -> tuple[float, float]:
    """What the planner's objective owes to coin, and what labor takes from it."""
    if parameters.planner_objective == PRODUCTIVITY:
        return coin_eq_times_productivity(coins, parameters.equality_weight, work), 0.0
    if parameters.planner_objective == WEIGHTED_COIN:
        return inverse_income_weighted_coin(coins), 0.0
    return inverse_income_weighted_means(coins, progress.consumption[replica], progress.labor_cost[replica])


@internal
def reward(
    parameters: ObjectiveParameters,
    agents: Agents,
    progress: Progress,
    scratch: ObjectiveScratch,
    slot: int,
    replica: int,
) -> None:
    """Rewards are changes of the objectives; a positive mean advances the warm-up."""
    update_objectives(parameters, agents, progress, scratch, slot, replica)
    total = 0.0
    for agent in range(progress.rewards.shape[1]):
        total += progress.rewards[replica, agent]
    if total > 0.0:
        progress.positive_steps[replica] += 1
