"""Utilities, the planner's objective and rewards, and the warm-up of the energy cost (SPEC section 10)."""

import math
from typing import NamedTuple

from ermas_envs.arrays import FloatArray
from ermas_envs.economy.compiled import compiled, internal
from ermas_envs.economy.endowment import coin_endowments
from ermas_envs.economy.state import Agents, Progress
from ermas_envs.economy.welfare import (
    coin_eq_times_productivity,
    inverse_income_weighted_coin,
    inverse_income_weighted_utility,
    isoelastic_utility,
)

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


class ObjectiveScratch(NamedTuple):
    """Work space; the leading axis has a row per thread (`threads.ReplicaThreads.slots`)."""

    coins: FloatArray
    """(threads, n)."""
    sorted: FloatArray
    """(threads, n)."""


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
    """Write utilities and the planner's objective of the current state into `progress`."""
    weight = energy_weight(parameters, progress, replica)
    progress.energy_weight[replica] = weight
    coins, utilities = scratch.coins[slot], progress.utility[replica]
    labor_weight = weight * parameters.energy_cost
    coin_endowments(agents, replica, coins)
    for agent in range(len(coins)):
        if coins[agent] != progress.valued_coin[replica, agent]:  # a power takes as long as the rest of the step
            progress.valued_coin[replica, agent] = coins[agent]
            progress.consumption[replica, agent] = isoelastic_utility(coins[agent], 0.0, parameters.eta[agent], 0.0)
        utilities[agent] = progress.consumption[replica, agent] - labor_weight * agents.labor[replica, agent]
    if parameters.planner_objective == PRODUCTIVITY:
        objective = coin_eq_times_productivity(coins, parameters.equality_weight, scratch.sorted[slot])
    elif parameters.planner_objective == WEIGHTED_COIN:
        objective = inverse_income_weighted_coin(coins)
    else:
        objective = inverse_income_weighted_utility(coins, utilities)
    progress.planner_objective[replica] = objective


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
    num_agents = progress.rewards.shape[1]
    for agent in range(num_agents):
        progress.rewards[replica, agent] = -progress.utility[replica, agent]
    progress.planner_reward[replica] = -progress.planner_objective[replica]
    update_objectives(parameters, agents, progress, scratch, slot, replica)
    total = 0.0
    for agent in range(num_agents):
        progress.rewards[replica, agent] += progress.utility[replica, agent]
        total += progress.rewards[replica, agent]
    progress.planner_reward[replica] += progress.planner_objective[replica]
    if total > 0.0:
        progress.positive_steps[replica] += 1
