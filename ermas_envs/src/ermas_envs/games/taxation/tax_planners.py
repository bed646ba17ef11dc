"""Planners that set taxes by a rule instead of by actions: free market, US federal, fixed brackets, Saez (SPEC 11, 12).

They are planner objects like any other (`ermas_envs.planners`), but the engine of the economy applies their rule
itself, so that rates need not lie on the grid of a learned planner. Anywhere else they are refused. The engine is given
the rule as data, a `TaxRule`, and knows no planner; kernels are given the rule's constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import check_choice, check_magnitude, check_number
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.game.planners import planner_registry
from ermas_envs.games.taxation.ranges import LARGEST_INCOME
from ermas_envs.games.taxation.saez import WEIGHT_TYPES, SaezParameters, saez_parameters
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_schedule import (
    US_FEDERAL_2018_RATES,
    check_annealing,
    check_bracket_rates,
    discretised_rates,
)
from ermas_envs.games.taxation.taxes import FIXED, LEARNED, SAEZ, TaxParameters

__all__ = [
    "FixedBrackets",
    "FreeMarket",
    "Saez",
    "TaxPlanner",
    "USFederal",
]  # seen in `ermas_envs.planners`

NO_SAEZ = saez_parameters(buffer_size=1)
"""Constants of the formula where it is not used: room for next to nothing."""


@dataclass(frozen=True)
class TaxRule:
    """How rates are set where no actions set them."""

    setter: int
    """Code of the rule in `taxes`: FIXED, SAEZ, or that of another rule which the kernels have a branch for."""
    rates: FloatArray
    """(B,) of a fixed schedule; zeros for other rules."""
    saez: SaezParameters = NO_SAEZ
    """Constants of the formula."""
    samples: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    """(P, 2) incomes in coin and marginal rates that the formula begins with."""


class TaxPlanner:
    """A rule for tax rates. Its action is the only one that the engine leaves it: none."""

    noise_size = 0

    def __init__(self) -> None:
        self._action_space: spaces.Space[Any] | None = None

    def rates(self, cutoffs: FloatArray, spacing: str) -> FloatArray | None:
        """Rates of the brackets, (B,) float64, or None where they follow from incomes: then `rule` is overridden.

        Args:
            cutoffs: (B,) where the brackets begin, coin.
            spacing: the bracket spacing's name.
        """
        raise NotImplementedError

    def rule(self, component: PeriodicBracketTax | None) -> TaxRule:
        """The rule under the component's brackets; ValueError where there are none, or the rates do not fit them."""
        if component is None:
            raise ValueError(f"the planner {type(self).__name__} sets taxes; components have no PeriodicBracketTax.")
        cutoffs = component.cutoffs
        rates = self.rates(cutoffs, component.bracket_spacing)
        if rates is None:
            raise ValueError(f"{type(self).__name__}.rates must give one rate per bracket, or `rule` be overridden.")
        return TaxRule(FIXED, check_bracket_rates("rates of the planner", rates, len(cutoffs)))

    def bind(self, observation_space: spaces.Space[object], action_space: spaces.Space[object]) -> None:
        """ValueError unless the game leaves the planner no choice, as the economy does for these planners."""
        space: Any = action_space
        passive = isinstance(space, spaces.Discrete) and space.n == 1
        passive |= isinstance(space, spaces.MultiDiscrete) and bool((space.nvec == 1).all())
        if not passive:
            raise ValueError(f"{type(self).__name__} sets taxes by a rule; it needs an economy, not {action_space}.")
        self._action_space = space

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        """The only action, once per replica."""
        assert self._action_space is not None
        rows: Any = observations
        num_envs = len(next(iter(rows.values())) if isinstance(rows, dict) else rows)
        return np.zeros((num_envs, *(self._action_space.shape or ())), dtype=np.int64)

    def tabular(self, observations: Array, action_masks: BoolArray | None) -> FloatArray | None:
        """None: the economy has no tables."""
        return None


class FreeMarket(TaxPlanner):
    """No taxes."""

    def rule(self, component: PeriodicBracketTax | None) -> TaxRule:
        """Rates of zero; nothing where there are no brackets."""
        return TaxRule(FIXED, np.zeros(0)) if component is None else super().rule(component)

    def rates(self, cutoffs: FloatArray, spacing: str) -> FloatArray:
        """Zeros."""
        return np.zeros(len(cutoffs))


class USFederal(TaxPlanner):
    """The rates for single filers of 2018, 10 % to 37 %; they need the bracket spacing us-federal."""

    def rates(self, cutoffs: FloatArray, spacing: str) -> FloatArray:
        """Seven rates; ValueError for another spacing."""
        if spacing != "us-federal":
            raise ValueError(f"the planner us_federal needs bracket_spacing 'us-federal', got {spacing!r}.")
        return np.array(US_FEDERAL_2018_RATES)


class FixedBrackets(TaxPlanner):
    """Given rates.

    Args:
        rates: one in [0, 1] per bracket; a larger one than the component's rate_max is capped.
    """

    def __init__(self, rates: Sequence[float] | FloatArray) -> None:
        super().__init__()
        self.given = tuple(rates) if np.iterable(rates) and not isinstance(rates, str) else rates

    def rates(self, cutoffs: FloatArray, spacing: str) -> FloatArray:
        """The given ones; ValueError unless there is one per bracket, in [0, 1]."""
        return check_bracket_rates("rates of the planner fixed_brackets", self.given, len(cutoffs))


class Saez(TaxPlanner):
    """Optimal rates by Saez's formula from the incomes of earlier periods; random rates until there are 500 of them.

    They are those since the last reset with a seed. Trainers begin every rollout with one, so that there the formula
    needs `samples`, or rollouts of many episodes.

    Args:
        pareto_weight_type: how much an agent counts: inverse_income or uniform.
        fixed_elasticity: elasticity of income in the formula; None takes the estimate.
        samples: (P, 2) incomes in coin and marginal rates from elsewhere, such as other replicas, to begin with (the
            original's global buffer).
    """

    def __init__(
        self,
        pareto_weight_type: str = "inverse_income",
        fixed_elasticity: float | None = None,
        samples: Sequence[tuple[float, float]] | FloatArray = (),
    ) -> None:
        super().__init__()
        self.pareto_weight_type = check_choice("pareto_weight_type", pareto_weight_type, WEIGHT_TYPES)
        self.fixed_elasticity = (
            None if fixed_elasticity is None else check_number("fixed_elasticity", fixed_elasticity, 0.0)
        )
        pairs = np.array(samples, dtype=object)
        if pairs.shape != (0,) and (pairs.ndim != 2 or pairs.shape[1] != 2):
            raise ValueError(f"samples must be pairs (income, marginal rate), got an array of shape {pairs.shape}.")
        checked = [
            (
                check_magnitude("samples: income", income, LARGEST_INCOME),
                check_number("samples: marginal rate", rate, 0.0, 1.0),
            )
            for income, rate in pairs
        ]
        self.samples = np.array(checked, dtype=np.float64).reshape(-1, 2)

    def rates(self, cutoffs: FloatArray, spacing: str) -> None:
        """None: they follow from incomes."""
        return

    def rule(self, component: PeriodicBracketTax | None) -> TaxRule:
        """The formula, with its constants and samples."""
        if component is None:
            return super().rule(component)
        constants = saez_parameters(
            pareto_weight_type=self.pareto_weight_type,
            saez_fixed_elas=self.fixed_elasticity,
            rate_min=0.0 if component.disable_taxes else component.rate_min,
        )
        return TaxRule(SAEZ, np.zeros(len(component.cutoffs)), constants, self.samples)


def tax_rule(planner: object, component: PeriodicBracketTax | None) -> TaxRule | None:
    """The rule of a `TaxPlanner`; None for anything else, which acts."""
    return planner.rule(component) if isinstance(planner, TaxPlanner) else None


def tax_parameters(component: PeriodicBracketTax | None, rule: TaxRule | None, stale_rates: bool) -> TaxParameters:
    """Constants of taxes under a rule; None: actions set the rates."""
    if component is None:
        nothing = np.zeros(0)
        return TaxParameters(LEARNED, 1, nothing, np.zeros(1), nothing, 0.0, 0.0, -np.inf, 1.0, False)
    cutoffs = component.cutoffs
    low, high = (0.0, 0.0) if component.disable_taxes else (component.rate_min, component.rate_max)
    warmup, slope = check_annealing(component.tax_annealing_schedule)
    setter, fixed = (LEARNED, np.zeros(len(cutoffs))) if rule is None else (rule.setter, rule.rates)
    choices = np.zeros(1) if component.disable_taxes else discretised_rates(low, high, component.rate_disc)
    return TaxParameters(setter, component.period, cutoffs, choices, fixed, low, high, warmup, slope, stale_rates)


def planner_choices(component: PeriodicBracketTax | None, constants: TaxParameters) -> tuple[int, int]:
    """(brackets, rates) that the planner's actions choose; (0, 0) where they choose nothing."""
    if component is None or component.disable_taxes or constants.setter != LEARNED:
        return 0, 0
    return len(constants.cutoffs), len(constants.choices)


def saez_constants(rule: TaxRule | None) -> SaezParameters:
    """Constants of Saez's formula; where actions set the rates it is not used."""
    return NO_SAEZ if rule is None else rule.saez


planner_registry.register("free_market", FreeMarket)
planner_registry.register("us_federal", USFederal)
planner_registry.register("fixed_brackets", FixedBrackets)
planner_registry.register("saez", Saez)
