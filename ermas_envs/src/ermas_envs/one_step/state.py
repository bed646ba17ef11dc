"""State of the one-step economy: the economy's own structs of arrays as far as they apply, R replicas, n agents."""

from typing import NamedTuple

import numpy as np

from ermas_envs.arrays import Array, FloatArray
from ermas_envs.economy.saez import SaezState
from ermas_envs.economy.state import (
    Agents,
    Tallies,
    Taxes,
    allocate_agents,
    allocate_tallies,
    allocate_taxes,
)


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


class OneStepState(NamedTuple):
    """All replicas."""

    agents: Agents
    """Only coin (inventory and escrow, which stays 0) and labor are used: the economy's tax kernel needs no more."""
    production: FloatArray
    """(R, n) coin earned in the episode, before taxes."""
    taxes: Taxes
    """The tax clock and schedule."""
    saez: SaezState
    """What Saez's formula knows."""
    tallies: Tallies
    """Sums over collections."""
    progress: OneStepProgress
    """Clock and objectives."""


def allocate_one_step(replicas: int, agents: int, brackets: int, saez: SaezState) -> OneStepState:
    """Nobody has anything. What is never used takes no memory: its pages are never touched."""
    one, by_agent = np.zeros(replicas), np.zeros((replicas, agents))
    return OneStepState(
        allocate_agents(replicas, agents),
        np.zeros((replicas, agents)),
        allocate_taxes(replicas, agents, brackets),
        saez,
        allocate_tallies(replicas, agents, brackets),
        OneStepProgress(
            timestep=np.zeros(replicas, np.int64),
            utility=by_agent,
            consumption=by_agent.copy(),
            labor_cost=by_agent.copy(),
            rewards=by_agent.copy(),
            planner_objective=one,
            planner_terms=np.zeros((replicas, 2)),
            planner_reward=one.copy(),
        ),
    )
