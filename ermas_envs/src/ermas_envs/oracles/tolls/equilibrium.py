"""Equilibria on parallel roads: of a flow (J. G. Wardrop 1952), a convex program; of single drivers, by best response.

A flow in equilibrium minimises Σ_l ∫_0^{x_l} (v·latency_l + toll_l) (M. Beckmann, C. McGuire, C. Winsten 1956). On
parallel roads its conditions are solved directly: all roads in use cost the same, and that cost is found by bisection.
Single drivers play a potential game, also with different values of time, since cost / v = latency + toll / v (I.
Milchtaich 1996): best responses end in an equilibrium.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its submodule optimize is imported when it is first used, as it takes a third of a second

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.games.toll.latency import Latency
from ermas_envs.oracles.tolls.traffic import Traffic

Cost = Callable[[FloatArray], FloatArray]
"""Cost of a road at loads in [0, 1], not falling."""
_HALVINGS = 60
_TOLERANCE = 1e-12
"""Of loads, and of costs relative to their own size."""


def flow_equilibrium(roads: Sequence[Latency], tolls: FloatArray, value_of_time: float = 1.0) -> FloatArray:
    """(L,) loads at which no part of the flow could have it cheaper; tolls (L,)."""
    return _equalised([_with_toll(road, float(toll), value_of_time) for road, toll in zip(roads, tolls, strict=True)])


def flow_optimum(roads: Sequence[Latency]) -> FloatArray:
    """(L,) loads of the least mean latency, where all marginal latencies are equal; for convex load · latency."""
    return _equalised([_marginal(road) for road in roads])


def _with_toll(road: Latency, toll: float, value_of_time: float) -> Cost:
    return lambda load: value_of_time * road.at(load) + toll


def _marginal(road: Latency) -> Cost:
    return lambda load: road.at(load) + load * road.slope(load)


def _equalised(costs: Sequence[Cost]) -> FloatArray:
    """Loads, 1 in all, with equal costs on all roads in use, and at least these on the others."""
    ends = np.array([[float(cost(np.asarray(load))) for load in (0.0, 1.0)] for cost in costs])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    for _ in range(_HALVINGS):
        level = (low + high) / 2
        if sum(_load_below(cost, level) for cost in costs) >= 1.0:
            high = level
        else:
            low = level
    slack = max(_TOLERANCE * abs(high), 4.0 * float(np.ptp(ends)) / 2**_HALVINGS)
    fewest, most = (np.array([_load_below(cost, level) for cost in costs]) for level in (low - slack, high + slack))
    room = float((most - fewest).sum())
    # A road of constant cost takes any load at one level: whatever the others leave.
    share = (1.0 - float(fewest.sum())) / room if room > 0.0 else 0.0
    loads = fewest + np.clip(share, 0.0, 1.0) * (most - fewest)
    return np.asarray(loads / loads.sum())


def _load_below(cost: Cost, level: float) -> float:
    """The largest load at which a road costs at most `level`; 0 where it never does."""
    if float(cost(np.asarray(1.0))) <= level:
        return 1.0
    if float(cost(np.asarray(0.0))) >= level:
        return 0.0
    found: float = scipy.optimize.brentq(lambda load: float(cost(np.asarray(load))) - level, 0.0, 1.0, xtol=_TOLERANCE)
    return found


@dataclass(frozen=True)
class DriversEquilibrium:
    """Who is where when no driver gains by another road."""

    choices: IntArray
    """(n,) road of each driver."""
    counts: IntArray
    """(L,) drivers on each road."""
    mean_latency: float
    """Of all drivers, per drive."""


def best_response_equilibrium(traffic: Traffic, tolls: FloatArray) -> DriversEquilibrium:
    """A pure equilibrium, found by drivers who come one by one and then change roads as long as one gains.

    Args:
        traffic: drivers, whose values of time may differ.
        tolls: (L,).
    """
    choices = np.full(traffic.num_drivers, -1)
    counts: IntArray = np.zeros(traffic.num_roads, dtype=np.int64)
    moved = True
    while moved:
        moved = False
        for driver, value in enumerate(traffic.values_of_time):
            others = counts.copy()
            if choices[driver] >= 0:
                others[choices[driver]] -= 1
            costs = value * traffic.latencies[np.arange(len(others)), others + 1] + tolls
            best = int(costs.argmin())
            if choices[driver] < 0 or _is_less(costs[best], costs[choices[driver]]):
                choices[driver], moved = best, True
                others[best] += 1
                counts = others
    return DriversEquilibrium(choices, counts, float(traffic.mean_latencies(counts[None])[0]))


def _is_less(cost: float, other: float) -> bool:
    return cost < other - _TOLERANCE * max(abs(cost), abs(other))


def pure_equilibria(traffic: Traffic, tolls: FloatArray, tolerance: float | None = None) -> IntArray:
    """(E, L) all counts at which no driver gains more than `tolerance`, in cost, by another road; None: 1e-9 of the
    largest cost.

    Raises:
        ValueError: values of time that differ, or more counts than can be listed.
    """
    costs, counts = traffic.costs(tolls), traffic.counts()
    allowed = 1e-9 * float(np.abs(costs).max()) if tolerance is None else tolerance
    return np.asarray(counts[_gains(costs, counts) <= allowed])


def _gains(costs: FloatArray, counts: IntArray) -> FloatArray:
    """(C,) the most that any driver gains by another road."""
    size, roads = costs.shape[1] - 1, np.arange(len(costs))
    here, there = costs[roads, counts], costs[roads, np.minimum(counts + 1, size)]
    most: FloatArray = np.zeros(len(counts))
    for road in roads:
        others = np.where(roads == road, np.inf, there).min(axis=1)
        most = np.where(counts[:, road] > 0, np.maximum(most, here[:, road] - others), most)
    return most


def optimum(traffic: Traffic) -> tuple[IntArray, float]:
    """(L,) counts with the least mean latency, and that latency; ValueError where counts cannot be listed."""
    counts = traffic.counts()
    latencies = traffic.mean_latencies(counts)
    best = int(latencies.argmin())
    return counts[best], float(latencies[best])
