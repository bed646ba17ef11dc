"""Tolls by rule: marginal costs (A. C. Pigou 1920), the externality rule, bounded tolls for affine roads.

The externality rule: C. Maheshwari, K. Kulkarni, M. Wu, S. Sastry, "Adaptive Incentive Design with Learning Agents",
arXiv:2405.16716. Bounded tolls: P. N. Brown, J. R. Marden, "Optimal Mechanisms for Robust Coordination in Congestion
Games", IEEE Transactions on Automatic Control 63 (2018).
"""

from collections.abc import Sequence

import numpy as np

from ermas_envs.base.arguments import check_integer, check_number, check_positive
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.toll.latency import Latency, Polynomial
from ermas_envs.oracles.tolls.equilibrium import flow_equilibrium, flow_optimum


def externalities(roads: Sequence[Latency], loads: FloatArray) -> FloatArray:
    """(L,) latency that one more driver costs the others on a road, load · slope, at loads (L,)."""
    return np.array([float(load * road.slope(np.asarray(load))) for road, load in zip(roads, loads, strict=True)])


def marginal_cost_tolls(roads: Sequence[Latency]) -> FloatArray:
    """(L,) the externalities at the optimum: drivers with value of time 1 then choose it as a flow.

    Not where the optimum lies at a kink of a `Table`, which has no derivative there.
    """
    return externalities(roads, flow_optimum(roads))


def externality_rule(
    roads: Sequence[Latency], value_of_time: float = 1.0, rate: float = 0.2, rounds: int = 200
) -> FloatArray:
    """(rounds + 1, L) tolls p of a planner who sees loads alone: p ← (1 − rate) · p + rate · externality at them.

    It begins without tolls; drivers have come to an equilibrium in every round. Where it stands still, tolls are the
    externalities, whatever the value of time is: for v = 1 marginal cost tolls.

    Args:
        roads: L of them.
        value_of_time: of the drivers, ≥ 0.
        rate: in [0, 1].
        rounds: ≥ 1.
    """
    share, worth = check_number("rate", rate, 0.0, 1.0), check_number("value_of_time", value_of_time, 0.0)
    tolls = np.zeros((check_integer("rounds", rounds, 1) + 1, len(roads)))
    for number in range(len(tolls) - 1):
        loads = flow_equilibrium(roads, tolls[number], worth)
        tolls[number + 1] = (1.0 - share) * tolls[number] + share * externalities(roads, loads)
    return tolls


def bounded_coefficients(bound: float, lowest: float, highest: float) -> tuple[float, float]:
    """(κ_1, κ_2) of the tolls κ_1 · a · x + κ_2 · b for roads of latency a · x + b, with κ_1 and κ_2 at most `bound`.

    κ_1 = T, κ_2 = max(0, (T² s_L s_H − 1) / (s_L + s_H + 2 T s_L s_H)): without knowing the network, drivers who weigh
    tolls by s_L are then as far on one side of the optimum as those who weigh them by s_H are on the other.

    Args:
        bound: T > 0.
        lowest: s_L > 0, the smallest sensitivity to tolls, 1/v of the largest value of time.
        highest: s_H ≥ s_L, the largest.
    """
    size, low = check_positive("bound", bound), check_positive("lowest", lowest)
    high = check_number("highest", highest, low)
    product = low * high
    return size, max(0.0, (size**2 * product - 1.0) / (low + high + 2.0 * size * product))


def bounded_tolls(roads: Sequence[Latency], bound: float, lowest: float, highest: float) -> FloatArray:
    """(L,) the tolls of `bounded_coefficients` at the loads that drivers of sensitivity 1 have under them.

    Brown and Marden's tolls follow the load; a planner of `toll_v0` names numbers, so that they are taken where they
    settle.

    Raises:
        ValueError: a road that is no polynomial of degree at most 1, or numbers out of range.
    """
    steep, flat = bounded_coefficients(bound, lowest, highest)
    pairs = [_affine(number, road) for number, road in enumerate(roads)]
    charged = [Polynomial([(1.0 + flat) * constant, (1.0 + steep) * slope]) for constant, slope in pairs]
    loads = flow_equilibrium(charged, np.zeros(len(roads)))
    return np.array(
        [steep * slope * load + flat * constant for (constant, slope), load in zip(pairs, loads, strict=True)]
    )


def _affine(number: int, road: Latency) -> tuple[float, float]:
    if not isinstance(road, Polynomial) or any(road.coefficients[2:]):
        raise ValueError(f"roads[{number}]: bounded tolls are for affine latencies, got {road!r}.")
    constant, slope = (*road.coefficients, 0.0, 0.0)[:2]
    return constant, slope
