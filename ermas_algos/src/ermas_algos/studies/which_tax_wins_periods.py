"""Tax on the same income over two periods, even or in one of them (E4): Jensen's inequality for tax schedules."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_algos.experiments.jobs import Row, Tables
from ermas_algos.studies.which_tax_wins_published import SCHEDULES, US_FEDERAL
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.tax_schedule import bracket_cutoffs, tax_due

PERIODS = "which-tax-wins-periods"
INCOMES = (5.0, 20.0, 60.0, 120.0, 180.0, 350.0, 600.0)
"""Mean incomes per period, one in each bracket, coin."""
FALLING = "US federal 2018, rates reversed"


@dataclass(frozen=True)
class TwoPeriods:
    """E4: under the study's schedules, and a concave one."""

    key = "periods"

    def configuration(self) -> dict[str, Any]:
        return {"incomes": INCOMES}

    def run(self) -> Tables:
        """A row per schedule and income."""
        schedules = {name: row.rates for name, row in SCHEDULES.items()}
        schedules[FALLING] = schedules[US_FEDERAL][::-1]
        return {PERIODS: [two_periods(name, np.array(rates), m) for name, rates in schedules.items() for m in INCOMES]}


def two_periods(name: str, rates: FloatArray, income: float) -> Row:
    """Tax of two periods with this income each, and of one with twice as much and one with none; coin."""
    cutoffs = bracket_cutoffs()
    even, uneven = 2.0 * tax_due(income, cutoffs, rates), tax_due(2.0 * income, cutoffs, rates)
    cheaper = "neither" if abs(even - uneven) < 1e-9 * income else "smoothing" if even < uneven else "alternating"
    return {
        "schedule": name,
        "shape": shape(rates),
        "mean_income": income,
        "tax_smoothing": float(even),
        "tax_alternating": float(uneven),
        "cheaper": cheaper,
    }


def shape(rates: FloatArray) -> str:
    """Of the tax as a function of income: `linear`, `convex` (rates rise), `concave` (they fall) or `neither`."""
    changes = np.diff(rates)
    if not changes.any():
        return "linear"
    return "convex" if (changes >= 0.0).all() else "concave" if (changes <= 0.0).all() else "neither"
