"""From the settings of taxes, and the rule that sets rates, to the constants that kernels take."""

import numpy as np

from ermas_envs.games.taxation.saez import SaezParameters
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import NO_SAEZ, TaxRule
from ermas_envs.games.taxation.tax_schedule import check_annealing, discretised_rates
from ermas_envs.games.taxation.taxes import FIXED, LEARNED, SAEZ, TaxParameters


def tax_parameters(component: PeriodicBracketTax | None, rule: TaxRule | None, stale_rates: bool) -> TaxParameters:
    """Constants of taxes under a rule; None: actions set the rates."""
    if component is None:
        nothing = np.zeros(0)
        return TaxParameters(LEARNED, 1, nothing, np.zeros(1), nothing, 0.0, 0.0, -np.inf, 1.0, False)
    cutoffs = component.cutoffs
    low, high = (0.0, 0.0) if component.disable_taxes else (component.rate_min, component.rate_max)
    warmup, slope = check_annealing(component.tax_annealing_schedule)
    setter, fixed = LEARNED, None
    if rule is not None:
        setter, fixed = FIXED if rule.rates is not None else SAEZ, rule.rates
    fixed = np.zeros(len(cutoffs)) if fixed is None else fixed
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
