"""Best tax schedules on a grid of rates: coordinate search from many starts, with how many starts agreed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_integer, check_number
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.oracles.taxes.equilibrium import equilibrium
from ermas_envs.oracles.taxes.population import Population
from ermas_envs.oracles.taxes.welfare import expected_utilities
from ermas_envs.oracles.taxes.worst_case import search

Value = Callable[[FloatArray], float]
"""Rates (B,) → what a planner maximises."""


@dataclass(frozen=True)
class BestSchedule:
    """The best schedule that a search has found."""

    rates: FloatArray
    """(B,) marginal rates; brackets that no income reaches have 0."""
    value: float
    """What it is worth."""
    starts: int
    """Starts of the search."""
    agreed: int
    """Starts that ended within 0.1 % of the value."""
    evaluations: int
    """Schedules that were looked at."""


def equilibrium_welfare(population: Population, price_taking: bool = False) -> Value:
    """Welfare of the equilibrium under a schedule; `price_taking`: of agents who take the lump sum as given."""
    return lambda rates: equilibrium(population.under(rates), price_taking=price_taking).welfare


def weighted_utility(population: Population, weights: FloatArray) -> Value:
    """Σ w_i u_i of the expected utilities per episode in the equilibrium under a schedule, weights (n,)."""

    def value(rates: FloatArray) -> float:
        taxed = population.under(rates)
        return float(np.asarray(weights) @ expected_utilities(taxed, equilibrium(taxed).profile))

    return value


def worst_welfare(population: Population, epsilon: float) -> Value:
    """Welfare of the worst ε-equilibrium that is found under a schedule; −∞ where the equilibrium to begin with has
    more regret than ε."""

    def value(rates: FloatArray) -> float:
        taxed = population.under(rates)
        start = equilibrium(taxed)
        if start.largest_regret > epsilon:
            return -np.inf
        return search(taxed, epsilon, start.profile, starts=1).value()

    return value


def mean_welfare(populations: Sequence[Population]) -> Value:
    """Mean welfare of the equilibria of several populations, such as one for every risk aversion that may come."""
    values = [equilibrium_welfare(population) for population in populations]
    return lambda rates: float(np.mean([value(rates) for value in values]))


def best_schedule(
    population: Population, value: Value | None = None, step: float = 0.05, starts: int = 20, seed: int = 0
) -> BestSchedule:
    """The best schedule on a grid.

    From every start the rate of one bracket after another is set to its best value, until no single change helps. What
    is found is feasible; that nothing is better is not proven, and how many starts agree is the evidence.

    Args:
        population: whose incomes tell which brackets can be reached.
        value: what is maximised; None: the welfare of the equilibrium.
        step: of the grid, in (0, 1].
        starts: at least 1; the first is no taxes, the others are drawn.
        seed: of the starts.
    """
    step, starts = check_number("step", step, 1e-3, 1.0), check_integer("starts", starts, 1)
    grid = np.minimum(np.arange(0.0, 1.0 + step / 2, step), 1.0)
    reached = np.flatnonzero(population.cutoffs < population.wages.max() * 100.0)
    generator, known = np.random.default_rng(check_integer("seed", seed, 0)), dict[bytes, float]()
    worth = equilibrium_welfare(population) if value is None else value

    def valued(rates: FloatArray) -> float:
        key = rates.tobytes()
        if key not in known:
            known[key] = worth(rates)
        return known[key]

    ends = []
    for start in range(starts):
        rates = np.zeros(len(population.cutoffs))
        if start:
            rates[reached] = generator.choice(grid, len(reached))
        ends.append(_climbed(rates, valued, grid, reached, generator))
    best = max(ends, key=lambda end: end[1])
    agreed = sum(abs(end[1] - best[1]) <= 1e-3 * abs(best[1]) for end in ends)
    return BestSchedule(best[0], best[1], starts, agreed, len(known))


def _climbed(
    rates: FloatArray, valued: Value, grid: FloatArray, reached: IntArray, generator: np.random.Generator
) -> tuple[FloatArray, float]:
    """The schedule at which no change of one bracket helps."""
    here = valued(rates)
    improved = True
    while improved:
        improved = False
        for bracket in generator.permutation(reached):
            tried = []
            for rate in grid:
                other = rates.copy()
                other[bracket] = rate
                tried.append((valued(other), other))
            value, other = max(tried, key=lambda pair: pair[0])
            if value > here + 1e-9:
                here, rates, improved = value, other, True
    return rates, here
