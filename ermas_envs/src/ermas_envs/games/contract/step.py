"""Kernels of `contract_v0`: what agents see of a signed contract, and how work under it ends, replica by replica."""

import numpy as np
from numpy.typing import NDArray

from ermas_envs.base.arrays import FloatArray, IntArray, UIntArray
from ermas_envs.kernels.compiled import compiled
from ermas_envs.kernels.random_draws import uniform

Float32Array = NDArray[np.float32]


@compiled
def see_contracts(
    replicas: IntArray,
    payments: FloatArray,
    unit: np.float32,
    chances: Float32Array,
    costs: Float32Array,
    value: Float32Array,
    seen: Float32Array,
) -> None:
    """Write what agents see of payments (R, N, O) into `seen` (R, N, 1 + O + 2 n), but for the time that is left.

    Args:
        replicas: (K,) which.
        payments: in all replicas.
        unit: 1 / what amounts are divided by.
        chances: (N, n, O) of outcomes, by action.
        costs: (N, n) of actions, divided.
        value: (N, n) what the principal expects of actions before it pays, divided.
        seen: of all replicas.
    """
    agents, actions, outcomes = chances.shape
    for replica in replicas:
        for agent in range(agents):
            row, paid = seen[replica, agent], payments[replica, agent]
            for outcome in range(outcomes):
                row[1 + outcome] = np.float32(paid[outcome]) * unit
            for action in range(actions):
                expected = row[1] * chances[agent, action, 0]
                for outcome in range(1, outcomes):
                    expected += row[1 + outcome] * chances[agent, action, outcome]
                row[1 + outcomes + action] = expected - costs[agent, action]
                row[1 + outcomes + actions + action] = value[agent, action] - expected


@compiled
def work(
    replicas: IntArray,
    streams: UIntArray,
    payments: FloatArray,
    thresholds: FloatArray,
    costs: FloatArray,
    rewards: FloatArray,
    chosen: IntArray,
    came: IntArray,
    gained: FloatArray,
    kept: FloatArray,
) -> None:
    """Draw the outcomes (R, N) `came` of actions (R, N) `chosen`; payoffs of agents, and what the principal keeps.

    Args:
        replicas: (K,) which.
        streams: (R, 2) of random numbers; one draw for every agent, in their order.
        payments: (R, N, O).
        thresholds: (N, n, O − 1) cumulated chances of outcomes, by action.
        costs: (N, n) of actions.
        rewards: (N, O) of outcomes, for the principal.
        chosen: read.
        came: written.
        gained: (R, N) payments less costs, written.
        kept: (R, N) rewards less payments, written.
    """
    for replica in replicas:
        for agent in range(len(costs)):
            action, drawn, outcome = chosen[replica, agent], uniform(streams, replica), 0
            for threshold in thresholds[agent, action]:
                outcome += threshold <= drawn
            paid = payments[replica, agent, outcome]
            came[replica, agent] = outcome
            gained[replica, agent] = paid - costs[agent, action]
            kept[replica, agent] = rewards[agent, outcome] - paid
