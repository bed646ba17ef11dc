"""Utilities of agents and welfare metrics of the planner (SPEC §10; `coin_minus_labor_cost` SPEC §17).

Coin arrays are float64 (n,), one replica's coin endowments (inventory + escrow); labor is cumulative over the episode.
All functions are kernels and allocate nothing: where values have to be sorted, `scratch` (float64, at least (n,), not
the array itself) is overwritten.
"""

import math
from typing import NamedTuple

from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.games.taxation.sorting import sort_in_order, sorted_into
from ermas_envs.kernels.compiled import compiled

# Below this coin counts as this for eta >= 1, where utility at 0 coin would be −infinity.
COIN_FLOOR = 1e-10
# Closer than this to η = 1 the power minus 1 would cancel; elsewhere the plain formula is exact at η = 0.
NEARLY_LOG = 1e-3
# The simulator's guard against division by zero in both Gini formulas, part of the golden numbers.
GINI_GUARD = 1e-10
# From this many agents on the Gini index is computed from the sorted coins (another normalisation, SPEC §10).
LARGE_POPULATION = 30


@compiled
def isoelastic_utility(coin: float, labor: float, eta: float, labor_weight: float) -> float:
    """Agent utility u = (C^(1−η) − 1)/(1−η) − λ·L, at η = 1 its limit ln C − λ·L (SPEC §10).

    For η < 1 no coin gives −1/(1−η). For η >= 1 coin is floored at `COIN_FLOOR`, so that no coin gives a finite
    utility (−23.03 for η = 1); the original simulator fails there. Coin below 0 counts as 0.

    Args:
        coin: coin endowment C.
        labor: cumulative labor L.
        eta: risk aversion η >= 0.
        labor_weight: λ, utility per unit of labor (energy_weight · energy_cost).
    """
    curvature = 1.0 - eta
    if coin <= 0.0 and curvature > 0.0:
        return -1.0 / curvature - labor_weight * labor
    held = coin if curvature > 0.0 else max(coin, COIN_FLOOR)
    if curvature == 0.0:
        consumption = math.log(held)
    elif abs(curvature) < NEARLY_LOG:
        consumption = math.expm1(curvature * math.log(held)) / curvature
    else:
        consumption = (held**curvature - 1.0) / curvature
    return consumption - labor_weight * labor


@compiled
def utilities_of_coin(coins: FloatArray, eta: float, out: FloatArray) -> None:
    """Write the isoelastic utility of every coin endowment, without labor, into `out`; 1-D both."""
    for index in range(len(coins)):
        out[index] = isoelastic_utility(coins[index], 0.0, eta, 0.0)


@compiled
def coin_minus_labor_cost(coin: float, labor: float, cost: float, exponent: float) -> float:
    """Agent utility of the one-step economy, C − c · L^δ, in coin (SPEC §17); labor L >= 0 in hours."""
    return coin - cost * math.pow(labor, exponent)


@compiled
def productivity(coins: FloatArray) -> float:
    """Σ C in coin; the planner's metric uses the mean, logs use this sum (SPEC §16)."""
    total = 0.0
    for coin in coins:
        total += coin
    return total


@compiled
def gini(coins: FloatArray, scratch: FloatArray) -> float:
    """Gini index of coins >= 0, in [0, 1] (SPEC §10).

    n < 30: Σ|Ci − Cj| / (2n ΣC + 1e-10) · n/(n−1); one owner of everything gives 1, nobody with coin 0.
    n >= 30: 1 − 2/(n+1) · Σ cumsum(sorted C) / (ΣC + 1e-10); one owner gives (n−1)/(n+1), nobody with coin 1.
    A single agent has index 0.
    """
    count = len(coins)
    if count < 2:
        return 0.0
    if count >= LARGE_POPULATION:
        sorted_into(coins, scratch)
        return _gini_of_sorted(scratch)
    total, difference = 0.0, 0.0
    for i in range(count):
        total += coins[i]
        for j in range(i):
            difference += abs(coins[i] - coins[j])
    return 2.0 * difference / (2.0 * count * total + GINI_GUARD) * count / (count - 1.0)


@compiled
def _gini_of_sorted(coins: FloatArray) -> float:
    cumulative, area = 0.0, 0.0
    for coin in coins:
        cumulative += coin
        area += cumulative
    return 1.0 - 2.0 / (len(coins) + 1.0) * area / (cumulative + GINI_GUARD)


@compiled
def equality(coins: FloatArray, scratch: FloatArray) -> float:
    """1 − gini, in [0, 1] (SPEC §10)."""
    return 1.0 - gini(coins, scratch)


@compiled
def equality_in_order(coins: FloatArray, order: Array, scratch: FloatArray) -> float:
    """`equality` to the last bit; see `sort_in_order` for the order (n,), with which large populations are faster."""
    if len(coins) < LARGE_POPULATION:
        return equality(coins, scratch)
    sort_in_order(coins, order, scratch)
    return 1.0 - _gini_of_sorted(scratch)


@compiled
def coin_eq_times_productivity(coins: FloatArray, equality_weight: float, scratch: FloatArray) -> float:
    """Planner metric [w·eq(C) + 1 − w] · mean(C) in coin, w = 1 − mixing_weight_gini_vs_coin (SPEC §10)."""
    mean = productivity(coins) / len(coins)
    return (equality_weight * equality(coins, scratch) + (1.0 - equality_weight)) * mean


@compiled
def inverse_income_weighted_utility(incomes: FloatArray, utilities: FloatArray) -> float:
    """Planner metric Σ ωi·ui with ωi ∝ 1/max(income_i, 1) and Σ ωi = 1 (SPEC §10).

    Args:
        incomes: (n,) coin, the coin endowment; in the one-step economy optionally the pre-tax production (SPEC §17).
        utilities: (n,) what is averaged.
    """
    total, weighted = 0.0, 0.0
    for i in range(len(incomes)):
        weight = 1.0 / max(incomes[i], 1.0)
        total += weight
        weighted += weight * utilities[i]
    return weighted / total


@compiled
def inverse_income_weighted_means(incomes: FloatArray, first: FloatArray, second: FloatArray) -> tuple[float, float]:
    """`inverse_income_weighted_utility` of two arrays (n,) at once: the terms of a utility that has two."""
    total, weighted_first, weighted_second = 0.0, 0.0, 0.0
    for i in range(len(incomes)):
        weight = 1.0 / max(incomes[i], 1.0)
        total += weight
        weighted_first += weight * first[i]
        weighted_second += weight * second[i]
    return weighted_first / total, weighted_second / total


@compiled
def inverse_income_weighted_coin(coins: FloatArray) -> float:
    """Planner metric Σ ωi·Ci in coin, ωi ∝ 1/max(Ci, 1) (SPEC §10, `inv_income_weighted_coin_endowments`)."""
    return inverse_income_weighted_utility(coins, coins)


class ObjectiveScratch(NamedTuple):
    """Work space; the leading axis has a row per thread (`threads.ReplicaThreads.slots`)."""

    coins: FloatArray
    """(threads, n)."""
    sorted: FloatArray
    """(threads, n)."""
