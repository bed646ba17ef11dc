"""Exact regret of drivers who choose roads at random, independently of each other."""

import numpy as np

from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.tolls.traffic import Traffic


def expected_latencies(traffic: Traffic, profile: FloatArray) -> FloatArray:
    """(n, L) latency that each driver has to expect on each road if the others choose by their probabilities.

    How many of the others are on a road is a sum of independent choices: its distribution is that of the drivers
    before, convolved with that of the drivers after.

    Args:
        traffic: n drivers, L roads.
        profile: (n, L) probabilities.
    """
    size = traffic.num_drivers
    found = np.empty((size, traffic.num_roads))
    for road in range(traffic.num_roads):
        chances = profile[:, road]
        before, after = _partial_sums(chances), _partial_sums(chances[::-1])[::-1]
        # latency with one's own car, and a + b of the others
        together = traffic.latencies[road][1 + np.minimum(np.add.outer(np.arange(size), np.arange(size)), size - 1)]
        found[:, road] = np.einsum("na,ab,nb->n", before, together, after, optimize=True)
    return found


def _partial_sums(chances: FloatArray) -> FloatArray:
    """(n, n) row i: probabilities that 0, 1, … of the first i drivers are on a road."""
    size = len(chances)
    rows = np.zeros((size, size))
    rows[0, 0] = 1.0
    for driver in range(1, size):
        chance = chances[driver - 1]
        rows[driver] = rows[driver - 1] * (1.0 - chance)
        rows[driver, 1:] += rows[driver - 1, :-1] * chance
    return rows


def regrets(traffic: Traffic, tolls: FloatArray, profile: FloatArray) -> FloatArray:
    """(n,) what each driver would save per drive by the best road; arguments as in `expected_latencies`, tolls (L,)."""
    costs = traffic.values_of_time[:, None] * expected_latencies(traffic, profile) + tolls
    return np.asarray((profile * costs).sum(axis=1) - costs.min(axis=1))


def expected_mean_latency(traffic: Traffic, profile: FloatArray) -> float:
    """Mean latency of all drivers, per drive; arguments as in `expected_latencies`."""
    return float((profile * expected_latencies(traffic, profile)).sum() / traffic.num_drivers)
