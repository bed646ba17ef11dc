"""Equality times mean coin as a sum over pairs of agents, and the worst mixture of one of them.

It is a sum of smaller coins (`population.pair_weights`), and the lump sum is common to all coins, so that with
y_i = income after taxes and G_i(t) = P(y_i > t), for agents who mix independently,

    E[eq · mean] = (mean tax) + w Σ_{i<j} ∫ G_i G_j dt + v Σ_i E[y_i] :

linear in each agent's mixture.
"""

import itertools
import math

import numpy as np

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.oracles.taxes.population import TaxedPopulation, pair_weights
from ermas_envs.oracles.taxes.response import Profile

MOST_OUTCOMES = 1024
"""Of mixed choices, that are looked at one by one."""


class Pairs:
    """Survival functions of incomes after taxes, on the grid of all their values."""

    def __init__(self, taxed: TaxedPopulation) -> None:
        self.taxed = taxed
        self.grid = np.unique(np.append(taxed.kept.ravel(), 0.0))
        self.widths = np.diff(self.grid)  # of the intervals [t_k, t_{k+1})
        self.places: IntArray = np.searchsorted(
            self.grid, taxed.kept
        )  # (n, 101) where y stands: y > t_k for k below it
        self.weight, self.single = pair_weights(taxed.size)

    def survival(self, agent: int, mixture: FloatArray) -> FloatArray:
        """(intervals,) P(y > t)."""
        masses = np.bincount(self.places[agent], mixture, len(self.grid))
        return np.asarray(np.cumsum(masses[::-1])[-2::-1])

    def integral(self, survival: FloatArray) -> FloatArray:
        """(grid,) of a survival function (intervals,), up to each point."""
        return np.append(0.0, np.cumsum(survival * self.widths))

    def linear(self, agent: int, others: FloatArray) -> FloatArray:
        """(101,) what each choice of an agent adds to welfare, where `others` is the sum of the others' survivals."""
        taxed = self.taxed
        shared = taxed.taxes[agent] / taxed.size
        both = self.integral(others)[self.places[agent]]
        return np.asarray(shared + self.weight * both + self.single * taxed.kept[agent])


def worst_mixture(coefficients: FloatArray, losses: FloatArray, epsilon: float) -> FloatArray:
    """(m,) the probabilities that minimise Σ p·coefficients with Σ p·losses ≤ ε: at most two choices.

    Args:
        coefficients: (m,) what is minimised.
        losses: (m,) ≥ 0, with a 0.
        epsilon: ε ≥ 0.
    """
    cheap = losses <= epsilon
    best = int(np.where(cheap, coefficients, np.inf).argmin())
    mixture = np.zeros(len(losses))
    mixture[best] = 1.0
    value = coefficients[best]
    dear = np.flatnonzero(~cheap & (coefficients < value))
    if len(dear):
        low, high = np.flatnonzero(cheap), dear
        share = (epsilon - losses[low])[:, None] / (losses[high][None, :] - losses[low][:, None])
        mixed = coefficients[low][:, None] * (1.0 - share) + coefficients[high][None, :] * share
        row, column = np.unravel_index(int(mixed.argmin()), mixed.shape)
        if mixed[row, column] < value:
            mixture[:] = 0.0
            mixture[low[row]] += 1.0 - share[row, column]
            mixture[high[column]] += share[row, column]
    return mixture


def expected_welfare(taxed: TaxedPopulation, profile: Profile) -> float:
    """Expected equality times mean coin of a profile; other objectives outcome by outcome, where these are few.

    Raises:
        ValueError: another objective than equality times productivity, and mixtures with more than `MOST_OUTCOMES`.
    """
    supports = [np.flatnonzero(row) for row in profile]
    outcomes = math.prod(len(support) for support in supports)
    if outcomes == 1:
        return taxed.welfare(profile.argmax(axis=1))
    if outcomes > MOST_OUTCOMES or is_sum_of_pairs(taxed):
        check_objective(taxed)
        return Welfare(Pairs(taxed), profile).value()
    everybody, expected = np.arange(taxed.size), 0.0
    for outcome in itertools.product(*supports):
        hours = np.array(outcome)
        expected += float(profile[everybody, hours].prod()) * taxed.welfare(hours)
    return expected


class Welfare:
    """Expected welfare of a profile whose agents change one after another."""

    def __init__(self, pairs: Pairs, profile: Profile) -> None:
        self.pairs, self.profile = pairs, profile.copy()
        self.survivals = np.stack([pairs.survival(agent, row) for agent, row in enumerate(profile)])
        self.total = self.survivals.sum(axis=0)

    def coefficients(self, agent: int) -> FloatArray:
        """(101,) welfare is linear in the agent's mixture; its coefficients, up to what the others add."""
        return self.pairs.linear(agent, self.total - self.survivals[agent])

    def change(self, agent: int, mixture: FloatArray) -> None:
        """Let an agent play another mixture."""
        self.profile[agent] = mixture
        survival = self.pairs.survival(agent, mixture)
        self.total = self.total - self.survivals[agent] + survival
        self.survivals[agent] = survival

    def value(self) -> float:
        """The expected welfare."""
        pairs, taxed = self.pairs, self.pairs.taxed
        both = (self.total**2 - (self.survivals**2).sum(axis=0)) / 2.0
        linear = (self.profile * (taxed.taxes / taxed.size + pairs.single * taxed.kept)).sum()
        return float(linear + pairs.weight * (both @ pairs.widths))


def is_sum_of_pairs(taxed: TaxedPopulation) -> bool:
    """Whether the planner's objective is equality times productivity."""
    settings = taxed.population.settings
    return settings.planner_reward_type == "coin_eq_times_productivity" and not settings.mixing_weight_gini_vs_coin


def check_objective(taxed: TaxedPopulation) -> None:
    """ValueError unless the planner's objective is equality times productivity."""
    if not is_sum_of_pairs(taxed):
        settings = taxed.population.settings
        weight = settings.mixing_weight_gini_vs_coin
        got = repr(settings.planner_reward_type) + (f" with a mixing weight of {weight:g}" if weight else "")
        raise ValueError(
            "mixed choices and worst cases are known for planner_reward_type 'coin_eq_times_productivity' without a "
            f"mixing weight, got {got}."
        )
