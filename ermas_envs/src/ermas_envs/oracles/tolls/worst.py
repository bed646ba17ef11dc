"""The worst ε-coarse-correlated equilibrium of the drivers, as a linear program over how many are on each road.

Drivers are anonymous: averaged over all permutations of the drivers, an equilibrium stays one and its mean latency
stays the same. So a distribution over counts k is enough, and nobody may gain more than ε by driving on road m always:

    E[Σ_l (k_l/n) c_l(k_l)] − E[Σ_{l≠m} (k_l/n) c_m(k_m + 1) + (k_m/n) c_m(k_m)] ≤ ε  for every road m.

Every ε-equilibrium is an ε-coarse-correlated one (H. Moulin, J.-P. Vial 1978): its mean latency is at most this.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.oracles.linear_program import Limits, LinearProgram
from ermas_envs.oracles.tolls.traffic import Traffic, checked_values


@dataclass(frozen=True)
class WorstTraffic:
    """The largest mean latency, and how it comes about."""

    mean_latency: float
    """Largest mean latency over all ε-coarse-correlated equilibria, per drive; none is above it."""
    counts: IntArray
    """(K, L) drivers on each road, of what happens with a positive probability."""
    probabilities: FloatArray
    """(K,) of these."""
    multipliers: FloatArray
    """(L,) how much the mean latency rises per unit of ε, by the road that drivers could take instead, ≥ 0."""


def worst_traffic(traffic: Traffic, tolls: FloatArray, epsilon: float) -> WorstTraffic:
    """The worst ε-coarse-correlated equilibrium under tolls (L,).

    Args:
        traffic: drivers with one value of time.
        tolls: (L,).
        epsilon: ε ≥ 0, cost per drive.

    Raises:
        ValueError: ε < 0, values of time that differ, or more counts than can be listed.
        LinearProgramError: the solver's answer does not hold.
    """
    bound, counts = check_number("epsilon", epsilon, 0.0), traffic.counts()
    latencies, costs = traffic.mean_latencies(counts), traffic.costs(tolls)
    top = float(latencies.max())
    solution = LinearProgram(
        cost=top - latencies,
        limits=[Limits(gains(costs, counts).T, np.full(len(costs), bound), float(np.abs(costs).max()))],
        sums=np.ones((1, len(counts))),
        totals=np.ones(1),
        magnitude=top,
    ).solve()
    played = np.flatnonzero(solution.point > 1e-9)
    chances = solution.point[played]
    return WorstTraffic(top - solution.minimum, counts[played], chances / chances.sum(), solution.multipliers[0])


def gains(costs: FloatArray, counts: IntArray) -> FloatArray:
    """(C, L) what a driver, any of them with the same chance, gains at counts (C, L) by taking road m instead of
    theirs.

    Args:
        costs: (L, n + 1) of each road with 0 … n drivers on it.
        counts: of n drivers.
    """
    size, roads = costs.shape[1] - 1, np.arange(len(costs))
    shares, here = counts / size, costs[roads, counts]
    there = costs[roads, np.minimum(counts + 1, size)]
    paid = (shares * here).sum(axis=1, keepdims=True)
    return np.asarray(paid - ((1.0 - shares) * there + shares * here))


def worst_over_values(traffic: Traffic, tolls: FloatArray, values: Sequence[float], epsilon: float = 0.0) -> float:
    """Largest mean latency if all drivers have the same value of time, one of `values`, and a regret of at most ε in
    the costs that they have then; errors as those of `worst_traffic`."""
    known = checked_values(values)
    return max(worst_traffic(traffic.with_value_of_time(v), tolls, epsilon).mean_latency for v in known)


def value_gap(tolls: FloatArray, value: float) -> float:
    """ε for which a driver with value of time v > 0 is an ε-optimal driver of value 1: |1 − 1/v| · (largest − smallest
    toll).

    Such a driver minimises latency + toll/v, which differs from latency + toll by (1 − 1/v) · toll, so that two roads
    change places only if they are closer than that.
    """
    worth = check_number("value", value, 0.0)
    if worth == 0.0:
        raise ValueError("value must be > 0: a driver to whom time is worth nothing is as far away as the latencies.")
    return abs(1.0 - 1.0 / worth) * float(np.ptp(tolls))
