"""Saez's formula for given incomes: rates by distribution and elasticity (E1, E2), and by the number of people (E6).

E1 and E2 are given one sample of 4 000 incomes, as the public study is, and what samples come to as they grow: the
quantiles of the distribution. E6 is the distance between the two.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from ermas_algos.experiments.jobs import Row, Tables
from ermas_algos.studies.which_tax_wins_published import (
    FORMULA_ELASTICITIES,
    FORMULA_MEAN,
    FORMULA_PEOPLE,
    FORMULA_RATES,
    LOG_NORMAL,
)
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.tax_schedule import bracket_cutoffs
from ermas_envs.oracles.taxes import saez_schedule

RATES, SUMMARY, PEOPLE = "which-tax-wins-rates", "which-tax-wins-summary", "which-tax-wins-people"
SIGMA, ALPHA = 0.7, 1.5
"""Standard deviation of the log-normal incomes' logarithm; exponent of the Pareto incomes' tail."""
ELASTICITY = 0.5
COUNTS = (4, 10, 20, 40, 100, 200, 400, 1000, 2000, 4000, 40_000)
"""Numbers of people."""


def sample(distribution: str, people: int, seed: int) -> FloatArray:
    """(people,) drawn incomes, scaled to the mean of 150 coin."""
    generator = np.random.default_rng(seed)
    if distribution == LOG_NORMAL:
        incomes = generator.lognormal(0.0, SIGMA, people)
    else:
        incomes = generator.pareto(ALPHA, people) + 1.0  # NumPy's begins at 0
    return np.asarray(incomes * FORMULA_MEAN / incomes.mean())


def quantiles(distribution: str, people: int) -> FloatArray:
    """(people,) the middles of as many equal parts of the distribution with mean 150 coin."""
    places = (np.arange(people) + 0.5) / people
    if distribution == LOG_NORMAL:
        return np.asarray(FORMULA_MEAN * np.exp(SIGMA * ndtri(places) - SIGMA**2 / 2.0))
    return np.asarray(FORMULA_MEAN * (ALPHA - 1.0) / ALPHA * (1.0 - places) ** (-1.0 / ALPHA))


@dataclass(frozen=True)
class Formula:
    """E1, E2 and E6."""

    draws: int
    """Samples of every size."""
    limit_people: int
    """Quantiles that stand for infinitely many people."""

    key = "formula"

    def configuration(self) -> dict[str, Any]:
        return asdict(self) | {"sigma": SIGMA, "alpha": ALPHA, "elasticity": ELASTICITY, "counts": COUNTS}

    def run(self) -> Tables:
        """Rates per bracket; their mean and the last by elasticity; distance to the limit by number of people."""
        rates: list[Row] = []
        people: list[Row] = []
        for distribution in FORMULA_RATES:
            limit = _rates(quantiles(distribution, self.limit_people))
            rates += _bracket_rows(distribution, limit)
            people += [row for count in COUNTS for row in self._distances(distribution, count, limit)]
        return {RATES: rates, SUMMARY: _summary_rows(self.limit_people), PEOPLE: people}

    def _distances(self, distribution: str, count: int, limit: FloatArray) -> list[Row]:
        """A row per bracket."""
        found = np.array([_rates(sample(distribution, count, seed)) for seed in range(self.draws)])
        distances = np.abs(found - limit)
        return [
            {
                "distribution": distribution,
                "people": count,
                "bracket": bracket,
                "samples": self.draws,
                "distance_mean": float(mine.mean()),
                "distance_90_percent": float(np.quantile(mine, 0.9)),
            }
            for bracket, mine in enumerate(distances.T)
        ]


def _rates(incomes: FloatArray, elasticity: float = ELASTICITY) -> FloatArray:
    return saez_schedule(incomes, elasticity, bracket_cutoffs())


def _bracket_rows(distribution: str, limit: FloatArray) -> list[Row]:
    """A row per bracket: seed 0, the limit, and what was published."""
    drawn = _rates(sample(distribution, FORMULA_PEOPLE, 0))
    return [
        {
            "distribution": distribution,
            "bracket": bracket,
            "from_coin": float(start),
            "rate": float(drawn[bracket]),
            "rate_limit": float(limit[bracket]),
            "rate_published": FORMULA_RATES[distribution][bracket],
        }
        for bracket, start in enumerate(bracket_cutoffs())
    ]


def _summary_rows(limit_people: int) -> list[Row]:
    """A row per elasticity."""
    drawn, limit = sample(LOG_NORMAL, FORMULA_PEOPLE, 0), quantiles(LOG_NORMAL, limit_people)
    rows: list[Row] = []
    for elasticity, (published_mean, published_top) in FORMULA_ELASTICITIES.items():
        row: Row = {"distribution": LOG_NORMAL, "elasticity": elasticity}
        for name, incomes in (("", drawn), ("_limit", limit)):
            found = _rates(incomes, elasticity)
            row |= {f"mean_rate{name}": float(found.mean()), f"top_rate{name}": float(found[-1])}
        rows.append(row | {"mean_rate_published": published_mean, "top_rate_published": published_top})
    return rows
