"""Metrics of taxes over an episode (SPEC section 16), for all replicas at once, under the original's names."""

from collections.abc import Mapping

import numpy as np

from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.state import TaxTallies
from ermas_envs.games.taxation.taxes import SAEZ, TaxParameters


def tax_metrics(
    parameters: TaxParameters, tallies: TaxTallies, elasticity: FloatArray, coins: FloatArray, disabled: bool
) -> Mapping[str, FloatArray]:
    """Those of the tax component; coins (R, n) are the endowments, `elasticity` (R,) is as Saez's formula estimates it,
    `disabled` whether taxes are."""
    collections = tallies.collections.astype(np.float64)
    found: dict[str, FloatArray] = {}
    incomes = tallies.occupancy.sum(axis=1, keepdims=True)
    rates, shares = ratio(tallies.schedule, collections[:, None]), tallies.occupancy / np.maximum(incomes, 1.0)
    for bracket in range(len(parameters.cutoffs)):
        found[f"PeriodicTax/avg_bracket_rate/{bracket}"] = rates[:, bracket]
        found[f"PeriodicTax/bracket_occupancy/{bracket}"] = shares[:, bracket]
    if disabled:
        return found
    found["PeriodicTax/avg_effective_tax_rate"] = ratio(tallies.effective, collections * coins.shape[1])
    found["PeriodicTax/total_collected_taxes"] = tallies.paid.sum(axis=1)
    rows = np.arange(len(coins))
    for name, which in (("poorest", coins.argmin(axis=1)), ("richest", coins.argmax(axis=1))):
        income = np.maximum(tallies.income[rows, which], 0.001)
        found[f"PeriodicTax/avg_tax_rate/{name}"] = tallies.paid[rows, which] / income
    if parameters.setter == SAEZ:
        found["PeriodicTax/saez/estimated_elasticity"] = elasticity.copy()
    return found


def ratio(total: FloatArray, number: FloatArray) -> FloatArray:
    """Means; NaN where there is nothing."""
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
