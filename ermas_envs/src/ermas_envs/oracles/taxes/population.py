"""Who lives in the one-step economy, as numbers: wages, utilities and the planner's objective (SPEC section 17)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_sequence
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.games.one_step.rules import one_step_rules
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.one_step.step import HOURS
from ermas_envs.games.taxation.tax_schedule import check_bracket_rates, tax_due
from ermas_envs.games.taxation.welfare import (
    LARGE_POPULATION,
    coin_eq_times_productivity,
    inverse_income_weighted_utility,
    isoelastic_utility,
    utilities_of_coin,
)

CHOICES = HOURS + 1
"""Numbers of hours among which an agent chooses: 0 … 100."""


@dataclass(frozen=True)
class Population:
    """n agents who choose their hours once, under taxes that are shared out equally.

    Utilities are those at the end of the episode less those at its start, divided by the steps of the episode: payoff
    per step, as everywhere.
    """

    settings: OneStepSettings
    """The game; a tax period is a whole episode of two steps."""
    wages: FloatArray
    """(n,) coin per hour."""
    cutoffs: FloatArray
    """(B,) lower ends of the tax brackets, coin."""
    etas: FloatArray
    """(n,) risk aversion of each agent; isoelastic utility only."""

    @classmethod
    def of(cls, settings: OneStepSettings) -> "Population":
        """Those of a game.

        Raises:
            ValueError: a game without taxes, or whose episode is not one period of two steps, or whose masks allow work
                in both of them.
        """
        taxes = settings.taxes
        if taxes is None or taxes.disable_taxes or taxes.period != 2 or settings.horizon != 2:
            raise ValueError("the oracles know games with taxes, one period of two steps per episode.")
        if not settings.labor.mask_first_step:
            raise ValueError("the oracles know agents who choose their hours once: mask_first_step must be True.")
        rules = one_step_rules(settings, None)
        return cls(settings, np.asarray(rules.skills), np.asarray(rules.tax.cutoffs), np.array(settings.etas()))

    @property
    def size(self) -> int:
        """Number of agents, n."""
        return len(self.wages)

    def consumption(self, agent: int, coin: FloatArray) -> FloatArray:
        """Utility of coin, any shape, per episode, less that of no coin."""
        if self.settings.agent_reward_type != "isoelastic_coin_minus_labor":
            return np.asarray(coin, dtype=np.float64)
        eta = float(self.etas[agent])
        flat = np.ravel(np.asarray(coin, dtype=np.float64))
        utility = np.empty_like(flat)
        utilities_of_coin(flat, eta, utility)
        return np.asarray(utility.reshape(np.shape(coin)) - isoelastic_utility(0.0, 0.0, eta, 0.0))

    def labor_costs(self) -> FloatArray:
        """(101,) what hours cost, utility per episode."""
        hours = np.arange(CHOICES, dtype=np.float64)
        if self.settings.agent_reward_type == "isoelastic_coin_minus_labor":
            return self.settings.labor_cost * hours
        return np.asarray(self.settings.labor_cost * hours**self.settings.labor_exponent)

    def under(self, rates: Sequence[float] | FloatArray) -> "TaxedPopulation":
        """The same people under a schedule.

        Args:
            rates: (B,) in [0, 1].
        """
        checked = check_bracket_rates("rates", check_sequence("rates", rates, "(0.1, 0.2)"), len(self.cutoffs))
        return TaxedPopulation(self, np.asarray(checked, dtype=np.float64))


class TaxedPopulation:
    """A population under a schedule, as tables over agents and hours.

    Args:
        population: the people.
        rates: (B,) marginal rates.

    Attributes:
        incomes: (n, 101) before taxes, coin.
        taxes: (n, 101) what is due, coin.
        kept: (n, 101) income after taxes, without what is shared out.
    """

    def __init__(self, population: Population, rates: FloatArray) -> None:
        self.population, self.rates = population, rates
        self.incomes: FloatArray = population.wages[:, None] * np.arange(CHOICES)
        due = [tax_due(income, population.cutoffs, rates) for income in self.incomes.ravel()]
        self.taxes: FloatArray = np.array(due).reshape(self.incomes.shape)
        self.kept: FloatArray = self.incomes - self.taxes
        self._costs = population.labor_costs()

    @property
    def size(self) -> int:
        """Number of agents, n."""
        return self.population.size

    def utilities(self, agent: int, lump: float | FloatArray, hours: slice = slice(None)) -> FloatArray:
        """(…, 101) payoff per step of an agent for each number of hours.

        Args:
            agent: which.
            lump: (…) what it gets of the *others'* taxes, coin; of its own it gets 1/n.
            hours: of these numbers of hours only.
        """
        own = (self.kept[agent] + self.taxes[agent] / self.size)[hours]
        coin = own + np.asarray(lump, dtype=np.float64)[..., None]
        return (self.population.consumption(agent, coin) - self._costs[hours]) / self.population.settings.horizon

    def coins(self, hours: IntArray) -> FloatArray:
        """(n,) coin of everybody at the end, for pure choices (n,)."""
        everybody = np.arange(self.size)
        return np.asarray(self.kept[everybody, hours] + self.taxes[everybody, hours].sum() / self.size)

    def welfare(self, hours: IntArray) -> float:
        """The planner's objective at the end of an episode, for pure choices (n,): equality times mean coin, or
        utilities weighted by inverse incomes."""
        settings, coins = self.population.settings, self.coins(hours)
        if settings.planner_reward_type == "coin_eq_times_productivity":
            weight = 1.0 - settings.mixing_weight_gini_vs_coin
            return float(coin_eq_times_productivity(coins, weight, np.empty_like(coins)))
        consumption = [float(self.population.consumption(k, coin[None])[0]) for k, coin in enumerate(coins)]
        start = [self._start(agent) for agent in range(self.size)]
        utilities = np.array(consumption) + np.array(start) - self._costs[hours]
        return float(inverse_income_weighted_utility(self.incomes[np.arange(self.size), hours], utilities))

    def _start(self, agent: int) -> float:
        """Utility of no coin and no labor."""
        if self.population.settings.agent_reward_type != "isoelastic_coin_minus_labor":
            return 0.0
        return float(isoelastic_utility(0.0, 0.0, float(self.population.etas[agent]), 0.0))


def pair_weights(size: int) -> tuple[float, float]:
    """Weights (of pairs i < j, of single agents) with which equality times mean coin is a sum of smaller coins:
    eq · mean = Σ_{i<j} w min(C_i, C_j) + Σ_i v C_i (SPEC section 10; another normalisation from 30 agents on)."""
    if size >= LARGE_POPULATION:
        return 2.0 / (size * (size + 1)), 2.0 / (size * (size + 1))
    return 2.0 / (size * (size - 1)), 0.0
