"""What an economy under a schedule comes to, and welfare functions of it (Rawls 1971; Atkinson 1970; SPEC 10)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.games.taxation.welfare import equality, inverse_income_weighted_utility
from ermas_envs.oracles.taxes.population import TaxedPopulation
from ermas_envs.oracles.taxes.response import Profile, action_values, lump_distributions


@dataclass(frozen=True)
class Outcome:
    """What everybody has at the end of an episode, for pure choices."""

    hours: IntArray
    """(n,) worked."""
    incomes: FloatArray
    """(n,) before taxes, coin."""
    coins: FloatArray
    """(n,) after taxes and what is shared out, coin."""
    utilities: FloatArray
    """(n,) per episode, less that of no coin and no work."""

    @property
    def equality(self) -> float:
        """1 − Gini index of the coins, in [0, 1]."""
        return float(equality(self.coins, np.empty_like(self.coins)))

    @property
    def productivity(self) -> float:
        """Sum of the coins."""
        return float(self.coins.sum())


def outcome(taxed: TaxedPopulation, hours: Sequence[int] | IntArray) -> Outcome:
    """What hours (n,) come to."""
    chosen, everybody = np.asarray(hours, dtype=np.int64), np.arange(taxed.size)
    coins, people = taxed.coins(chosen), taxed.population
    consumption = np.array([float(people.consumption(k, coin[None])[0]) for k, coin in enumerate(coins)])
    return Outcome(chosen, taxed.incomes[everybody, chosen], coins, consumption - people.labor_costs()[chosen])


def expected_utilities(taxed: TaxedPopulation, profile: Profile) -> FloatArray:
    """(n,) expected utility of everybody, as in `Outcome.utilities`, for pure or mixed choices (n, 101)."""
    lumps = lump_distributions(taxed, profile)
    values = [profile[agent] @ action_values(taxed, agent, lump) for agent, lump in enumerate(lumps)]
    return np.array(values) * taxed.population.settings.horizon


def atkinson(values: Sequence[float] | FloatArray, aversion: float) -> float:
    """The same amount for everybody that is worth as much: (mean v^(1−a))^(1/(1−a)), for a = 1 e^(mean ln v).

    Args:
        values: (n,) positive.
        aversion: a ≥ 0 to inequality; 0 gives the mean, large ones approach the minimum.

    Raises:
        ValueError: one of these does not hold.
    """
    held, a = np.array(values, dtype=np.float64), check_number("aversion", aversion, 0.0)
    if held.ndim != 1 or len(held) == 0 or not np.all(held > 0.0):
        raise ValueError("values must be at least one positive number.")
    logs = np.log(held)
    if a == 1.0:
        return float(np.exp(logs.mean()))
    largest = ((1.0 - a) * logs).max()  # taken out, so that powers neither overflow nor vanish
    return float(np.exp((np.log(np.exp((1.0 - a) * logs - largest).mean()) + largest) / (1.0 - a)))


def _atkinson(aversion: float, of: Outcome) -> float:
    return atkinson(of.utilities, aversion)


WELFARE: Mapping[str, Callable[[Outcome], float]] = {
    "eq × prod": lambda of: of.equality * of.productivity,
    "utilitarian": lambda of: float(of.utilities.sum()),
    "Rawls": lambda of: float(of.utilities.min()),
    "Atkinson 0.5": partial(_atkinson, 0.5),
    "Atkinson 1": partial(_atkinson, 1.0),
    "Atkinson 2": partial(_atkinson, 2.0),
    "inverse income": lambda of: float(inverse_income_weighted_utility(of.incomes, of.utilities)),
}
"""Welfare functions by name. All but the first, in coin, are of utilities; the Atkinson ones need positive ones."""
