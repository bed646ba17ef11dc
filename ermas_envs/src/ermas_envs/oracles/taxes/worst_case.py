"""Worst ε-equilibrium for a schedule: independent mixed choices with expected regret at most ε per agent.

Welfare is linear in each agent's mixture (`pairs`). Found: agent after agent takes its worst mixture, two choices from
a linear program with one constraint, against what the others do, from several starts; regret of the result is computed
exactly. Beside it a proven lower bound (`bound`).
"""

from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_integer, check_number, check_probabilities
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.oracles.taxes.bound import lower_bound
from ermas_envs.oracles.taxes.pairs import Pairs, Welfare, check_objective, worst_mixture
from ermas_envs.oracles.taxes.population import CHOICES, TaxedPopulation
from ermas_envs.oracles.taxes.response import Profile, action_values, regrets
from ermas_envs.oracles.taxes.turns import Turns

SWEEPS = 40
"""Rounds over all agents of one search at most."""


@dataclass(frozen=True)
class WorstCase:
    """The worst that agents whose regret is at most ε can do to the planner under a schedule."""

    found: float
    """Expected welfare of the worst profile that was found, at the end of an episode: the worst case is at most it."""
    bound: float
    """Proven: no profile with regret at most ε per agent has less."""
    profile: Profile
    """(n, 101) the profile found."""
    regrets: FloatArray
    """(n,) its exact regrets, payoff per step."""

    @property
    def gap(self) -> float:
        """Share of the found value that the bound leaves open."""
        return (self.found - self.bound) / abs(self.found) if self.found else 0.0


def worst_case(taxed: TaxedPopulation, epsilon: float, start: Profile, starts: int = 4, seed: int = 0) -> WorstCase:
    """The worst ε-equilibrium under a schedule, found and bounded.

    Args:
        taxed: the economy; its planner's objective must be equality times productivity.
        epsilon: ε ≥ 0, payoff per step.
        start: a profile with regret at most ε, such as an equilibrium's.
        starts: searches, the first in the order of the agents, the others in orders drawn by `seed`.
        seed: of the orders.

    Raises:
        ValueError: another objective; a start that is no profile, or whose regret exceeds ε.
    """
    worst = search(taxed, epsilon, start, starts, seed)
    found, exact = worst.value(), regrets(taxed, worst.profile)
    return WorstCase(found, lower_bound(worst.pairs, epsilon, found), worst.profile, exact)


def search(taxed: TaxedPopulation, epsilon: float, start: Profile, starts: int = 4, seed: int = 0) -> Welfare:
    """The worst profile that is found, without a bound; arguments and errors are those of `worst_case`."""
    check_objective(taxed)
    epsilon, starts = check_number("epsilon", epsilon, 0.0), check_integer("starts", starts, 1)
    start = check_probabilities("start", start, (taxed.size, CHOICES))
    begun = regrets(taxed, start)
    if begun.max() > epsilon + 1e-9:
        raise ValueError(f"start must have a regret of at most epsilon = {epsilon:g}, it has {begun.max():g}.")
    pairs, generator = Pairs(taxed), np.random.default_rng(check_integer("seed", seed, 0))
    found = [_descent(pairs, epsilon, start, np.arange(taxed.size))]
    found += [_descent(pairs, epsilon, start, generator.permutation(taxed.size)) for _ in range(starts - 1)]
    return min(found, key=lambda welfare: welfare.value())


def _descent(pairs: Pairs, epsilon: float, start: Profile, order: IntArray) -> Welfare:
    """Agents take their worst mixtures in turn until nothing changes; the best feasible profile.

    What an agent loses is measured at its turn, and is something else when the others have had theirs: its allowance is
    therefore corrected from round to round until its regret in the end is ε.
    """
    taxed, welfare, feasible = pairs.taxed, Welfare(pairs, start), Welfare(pairs, start)
    allowed = np.full(taxed.size, epsilon)
    for _ in range(SWEEPS):
        before = welfare.value()
        turns = Turns(taxed, welfare.profile, order)
        for agent in map(int, order):
            values = action_values(taxed, agent, turns.others())
            mixture = worst_mixture(welfare.coefficients(agent), values.max() - values, allowed[agent])
            welfare.change(agent, mixture)
            turns.end(agent, mixture)
        found = regrets(taxed, welfare.profile)
        if found.max() <= epsilon * (1 + 1e-9) and welfare.value() < feasible.value():
            feasible = Welfare(pairs, welfare.profile)
        mixing = welfare.profile.max(axis=1) < 1.0  # the others may have no choice that costs more and harms more
        spent = np.abs(found - epsilon)[mixing].max(initial=0.0) <= 1e-6 * epsilon
        if spent and abs(before - welfare.value()) <= 1e-9 * abs(before):
            break
        allowed = np.clip(allowed + (epsilon * (1 - 1e-7) - found), 0.0, 2.0 * epsilon)
    return feasible
