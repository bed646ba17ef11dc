"""Kernels of `contract_v0`: what agents see of a signed contract, and how work under it ends, replica by replica."""

import numpy as np
from numpy.typing import NDArray

from ermas_envs.base.arrays import FloatArray, IntArray, UIntArray
from ermas_envs.kernels.compiled import compiled, internal
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
    room: Float32Array,
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
        room: (O + 1, W) of any content: sums of W replicas are added side by side, which the processor does at once.
        seen: of all replicas.
    """
    agents, actions, outcomes = chances.shape
    width = room.shape[1]
    for agent in range(agents):
        for begin in range(0, len(replicas), width):
            some = replicas[begin : begin + width]
            for place, replica in enumerate(some):
                for outcome in range(outcomes):
                    paid = np.float32(payments[replica, agent, outcome]) * unit
                    room[outcome, place] = seen[replica, agent, 1 + outcome] = paid
            for action in range(actions):
                _expect(room, chances[agent, action])
                cost, worth = costs[agent, action], value[agent, action]
                for place, replica in enumerate(some):
                    expected = room[outcomes, place]
                    seen[replica, agent, 1 + outcomes + action] = expected - cost
                    seen[replica, agent, 1 + outcomes + actions + action] = worth - expected


@internal
def _expect(room: Float32Array, chances: Float32Array) -> None:
    """Write the sums of payments, weighed with their chances, into the last row."""
    outcomes = len(chances)
    for place in range(room.shape[1]):
        room[outcomes, place] = room[0, place] * chances[0]
    for outcome in range(1, outcomes):
        for place in range(room.shape[1]):
            room[outcomes, place] += room[outcome, place] * chances[outcome]


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
