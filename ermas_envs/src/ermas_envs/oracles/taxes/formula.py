"""Saez's formula for given incomes, and its fixed point with what agents do (SPEC section 12; Saez 2001).

The kernels are those of the game's planner `saez`; here they get incomes and an elasticity, and keep nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation import saez
from ermas_envs.games.taxation.tax_schedule import check_cutoffs
from ermas_envs.oracles.taxes.equilibrium import equilibrium
from ermas_envs.oracles.taxes.population import Population

MOST_ROUNDS = 100
"""Rounds of formula and responses before the search for a fixed point gives up."""


def saez_schedule(
    incomes: Sequence[float] | FloatArray,
    elasticity: float,
    cutoffs: Sequence[float] | FloatArray,
    pareto_weight_type: str = "inverse_income",
) -> FloatArray:
    """(B,) marginal rates in [0, 1] that Saez's formula gives for people with these incomes.

    Args:
        incomes: (n,) before taxes, finite, coin.
        elasticity: of income to 1 − rate, at least 0.
        cutoffs: (B,) lower ends of the brackets, ascending from 0, coin.
        pareto_weight_type: how much a person counts: inverse_income or uniform.

    Raises:
        ValueError: one of these does not hold.
    """
    earned, ends = np.array(incomes, dtype=np.float64), check_cutoffs("cutoffs", cutoffs)
    if earned.ndim != 1 or len(earned) == 0 or not np.all(np.isfinite(earned)):
        raise ValueError(f"incomes must be at least one finite number, got an array of shape {earned.shape}.")
    value = check_number("elasticity", elasticity, 0.0)
    parameters = saez.saez_parameters(pareto_weight_type=pareto_weight_type, saez_fixed_elas=value)
    work, rates = saez.work_array(parameters), np.zeros(len(ends))
    samples = np.column_stack([earned, np.zeros(len(earned))])  # rates matter to the estimate of the elasticity only
    mass, weight, top = work[saez.MASS], work[saez.WEIGHT], float(ends[-1])
    below, mean_above = saez.bin_population(samples, len(samples), top, parameters.weight_type, mass, weight)
    saez.relative_weights(mass, weight, work[saez.G])
    saez.pareto_parameters(mass, below, mean_above, top, work[saez.A])
    saez.bin_rates(work[saez.G], work[saez.A], value, work[saez.RATE])
    saez.bracket_rates(work[saez.RATE], ends, 0.0, 1.0, rates)
    return rates


@dataclass(frozen=True)
class FixedPoint:
    """Where formula and responses, in turns, end."""

    rates: FloatArray
    """(B,) the last schedule."""
    incomes: FloatArray
    """(n,) expected incomes under it, coin."""
    period: int
    """1: a fixed point; k > 1: k schedules in turns, of which `rates` is one; 0: neither was found."""


def saez_fixed_point(population: Population, elasticity: float, price_taking: bool = False) -> FixedPoint:
    """Saez's schedule for the incomes that people have under it: from no taxes, incomes and formula in turns.

    Args:
        population: the people.
        elasticity: that the formula is given, at least 0.
        price_taking: agents take the lump sum as given; see `equilibrium`.
    """
    rates, seen = np.zeros(len(population.cutoffs)), list[FloatArray]()
    for _ in range(MOST_ROUNDS):
        incomes = responses(population, rates, price_taking)
        again = next((k for k, known in enumerate(seen) if np.array_equal(known, incomes)), None)
        if again is not None:  # incomes determine the next schedule, and so all that follow
            return FixedPoint(rates, incomes, len(seen) - again)
        seen.append(incomes)
        rates = saez_schedule(incomes, elasticity, population.cutoffs)
    return FixedPoint(rates, responses(population, rates, price_taking), 0)


def responses(population: Population, rates: FloatArray, price_taking: bool = False) -> FloatArray:
    """(n,) expected incomes in the equilibrium under a schedule (B,), coin."""
    taxed = population.under(rates)
    return np.asarray((equilibrium(taxed, price_taking=price_taking).profile * taxed.incomes).sum(axis=1))
