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
    planner_objective: FloatArray
    """(R,) the planner's objective after the last step."""
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
    one = np.zeros(replicas)
    return OneStepState(
        allocate_agents(replicas, agents),
        np.zeros((replicas, agents)),
        allocate_taxes(replicas, agents, brackets),
        saez,
        allocate_tallies(replicas, agents, brackets),
        OneStepProgress(np.zeros(replicas, np.int64), np.zeros((replicas, agents)), one, one.copy()),
    )
