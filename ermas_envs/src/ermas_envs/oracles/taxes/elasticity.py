"""Elasticity of income to what a tax leaves, 1 − rate, as responses reveal it: by a reform; by regression (SPEC 12.1).

Saez's formula asks by how many per cent incomes fall where 1 − rate falls by one per cent. A reform answers that with
the same people under two schedules. A regression over people compares those of high and of low rates, who differ in
their wages, too.
"""

import math

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.saez import estimate_elasticity
from ermas_envs.games.taxation.tax_schedule import marginal_rate
from ermas_envs.oracles.taxes.formula import responses
from ermas_envs.oracles.taxes.population import Population


def reform_elasticity(population: Population, rates: FloatArray, cut: float = 0.1, price_taking: bool = False) -> float:
    """ln(Z / Z′) / −ln(1 − cut), where Z and Z′ are the sums of all incomes before and after a reform.

    The reform takes the share `cut` of 1 − rate in every bracket, which is possible under any schedule. People choose
    whole hours, and stay at the kinks of a schedule: a small cut shows steps, a large one another schedule.

    Args:
        population: the people; in equilibrium before and after.
        rates: (B,) marginal rates.
        cut: in (0, 1).
        price_taking: see `equilibrium`.

    Returns:
        NaN where nobody has an income, before or after.
    """
    share = check_number("cut", cut, 1e-6, 1.0 - 1e-6)
    before = responses(population, rates, price_taking).sum()
    after = responses(population, 1.0 - (1.0 - np.asarray(rates)) * (1.0 - share), price_taking).sum()
    return math.log(before / after) / -math.log1p(-share) if before > 0.0 and after > 0.0 else math.nan


def samples_of(population: Population, rates: FloatArray, incomes: FloatArray) -> FloatArray:
    """(n, 2) income in coin and marginal rate of everybody, as the game's planner `saez` collects them."""
    return np.array([(income, marginal_rate(income, population.cutoffs, rates)) for income in incomes])


def regression_elasticity(samples: FloatArray, otherwise: float) -> float:
    """Slope, at least 0, of ln income over ln(1 − rate): the estimate of the game's planner without its smoothing.

    Args:
        samples: (N, 2) income in coin, marginal rate.
        otherwise: what to return where fewer than ten samples count, or rates hardly differ.
    """
    return float(estimate_elasticity(np.asarray(samples, dtype=np.float64), len(samples), otherwise, 0.0, 0.0)[0])
