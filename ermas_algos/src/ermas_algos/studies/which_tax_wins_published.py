"""The public study of taxes (saez-vs-ai-economist, 2026) as data: its economy, its schedules, and its numbers."""

from typing import NamedTuple

from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.taxation.tax_schedule import US_FEDERAL_2018_RATES
from ermas_envs.oracles.taxes import Population

AGENTS = 4
WAGES = (1.128, 1.321, 1.65, 2.256)
"""Coin per hour."""
LABOR_COST, LABOR_EXPONENT = 0.012, 2.0


class Published(NamedTuple):
    """A row of the study's table."""

    rates: tuple[float, ...]
    """Of the seven US-federal brackets."""
    equality: float
    """1 − Gini index of coin."""
    productivity: float
    """Sum of coin."""
    welfare: float
    """Equality times the sum of coin."""


FREE_MARKET, US_FEDERAL, SAEZ, PUBLISHED_BEST = "free market", "US federal 2018", "Saez, e = 0.5", "published best"
SCHEDULES = {
    FREE_MARKET: Published((0.0,) * 7, 0.6173, 451.6, 278.8),
    US_FEDERAL: Published(US_FEDERAL_2018_RATES, 0.7144, 344.5, 246.1),
    SAEZ: Published((0.01, 0.038, 0.091, 0.063, 0.03, 0.51, 1.0), 0.6280, 423.2, 265.8),
    PUBLISHED_BEST: Published((0.766, 0.08, 0.007, 0.435, 0.052, 0.001, 0.538), 0.6986, 421.9, 294.8),
}
"""The four schedules that the study compares."""

FORMULA_PEOPLE, FORMULA_MEAN = 4000, 150.0
"""Incomes that the formula is given, and their mean in coin."""
LOG_NORMAL, PARETO = "log-normal", "Pareto"
FORMULA_RATES = {
    LOG_NORMAL: (0.649, 0.719, 0.545, 0.480, 0.427, 0.382, 0.260),
    PARETO: (0.010, 0.037, 0.212, 0.443, 0.500, 0.550, 0.551),
}
"""Saez's rates at elasticity 0.5, by distribution of incomes."""
FORMULA_ELASTICITIES = {
    0.2: (0.675, 0.467),
    0.4: (0.540, 0.305),
    0.6: (0.457, 0.226),
    0.8: (0.400, 0.180),
    1.0: (0.357, 0.149),
    1.5: (0.286, 0.105),
}
"""Mean of the seven rates, and top rate, by elasticity; log-normal incomes."""


def population(agents: int = AGENTS) -> Population:
    """The study's four agents; another number has the game's wages for so many, and the same cost of labor."""
    settings = OneStepSettings(
        num_agents=agents,
        labor_cost=LABOR_COST,
        labor_exponent=LABOR_EXPONENT,
        planner_reward_type="coin_eq_times_productivity",
        skills=WAGES if agents == AGENTS else None,
    )
    return Population.of(settings)
