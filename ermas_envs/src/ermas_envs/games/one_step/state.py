"""State of the one-step economy: structs of arrays over replicas, leading axis R = num_envs, n agents."""

from typing import NamedTuple

import numpy as np

from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.games.taxation.saez import SaezState
from ermas_envs.games.taxation.state import Taxes, TaxTallies, allocate_tax_tallies, allocate_taxes
from ermas_envs.kernels.allocation import allocate


class Workers(NamedTuple):
    """The agents; `taxation.holdings.Holdings`."""

    inventory: FloatArray
    """(R, n, 3): coin; the other resources, as in the economy, stay 0."""
    escrow: FloatArray
    """(R, n, 3) zeros: there is no market."""
    labor: FloatArray
    """(R, n) hours worked in the last step."""


class OneStepProgress(NamedTuple):
    """Clock and objectives."""

    timestep: Array
    """(R,) int64: steps since the reset."""
    utility: FloatArray
    """(R, n) utility after the last step."""
    consumption: FloatArray
    """(R, n) utility of coin alone."""
    labor_cost: FloatArray
    """(R, n) what labor takes from it."""
    rewards: FloatArray
    """(R, n) change of the utility in the last step."""
    planner_objective: FloatArray
    """(R,) the planner's objective after the last step."""
    planner_terms: FloatArray
    """(R, 2) its two terms: what it owes to coin, and what labor takes from that."""
    planner_reward: FloatArray
    """(R,) its change in the last step."""
    equality: FloatArray
    """(R,) equality of coin after the last step, which objective, observations and metrics have in common."""


class OneStepState(NamedTuple):
    """All replicas."""

    agents: Workers
    """The agents."""
    production: FloatArray
    """(R, n) coin earned in the episode, before taxes."""
    taxes: Taxes
    """The tax clock and schedule."""
    saez: SaezState
    """What Saez's formula knows."""
    tax_tallies: TaxTallies
    """Sums over collections."""
    progress: OneStepProgress
    """Clock and objectives."""


def allocate_one_step(replicas: int, agents: int, brackets: int, saez: SaezState) -> OneStepState:
    """Nobody has anything. What is never used takes no memory: its pages are never touched."""
    held = ((replicas, agents, 3), np.float64)
    one, by_agent = np.zeros(replicas), np.zeros((replicas, agents))
    return OneStepState(
        allocate(Workers, {"inventory": held, "escrow": held, "labor": ((replicas, agents), np.float64)}),
        np.zeros((replicas, agents)),
        allocate_taxes(replicas, agents, brackets),
        saez,
        allocate_tax_tallies(replicas, agents, brackets),
        OneStepProgress(
            timestep=np.zeros(replicas, np.int64),
            utility=by_agent,
            consumption=by_agent.copy(),
            labor_cost=by_agent.copy(),
            rewards=by_agent.copy(),
            planner_objective=one,
            equality=one.copy(),
            planner_terms=np.zeros((replicas, 2)),
            planner_reward=one.copy(),
        ),
    )
