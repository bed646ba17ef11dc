"""State of taxes: structs of arrays over replicas, leading axis R = num_envs, n agents, B brackets."""

from typing import NamedTuple

import numpy as np

from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray
from ermas_envs.kernels.allocation import allocate


class Taxes(NamedTuple):
    """The tax clock, schedule and last collection."""

    position: Array
    """(R,) int32: position in the period, 1 at its start."""
    rates: FloatArray
    """(R, B) rates in force."""
    shown_rates: FloatArray
    """(R, B) rates in observations, as of the period's start."""
    rate_index: Array
    """(R, B) int32: indices that a learned planner has set."""
    rate_cap: FloatArray
    """(R,) largest rate now (annealing)."""
    choice_limit: FloatArray
    """(R,) largest rate that a learned planner may choose in this episode."""
    base_coin: FloatArray
    """(R, n) coin endowment from which the period's income counts."""
    last_income: FloatArray
    """(R, n) at the last collection."""
    sorted_income: FloatArray
    """(R, n) incomes at the last collection, ascending."""
    order: Array
    """(R, n) int32: the agents in ascending order of what was sorted last, where the next sort begins."""
    last_marginal_rate: FloatArray
    """(R, n) at the last collection."""
    last_paid: FloatArray
    """(R, n) at the last collection."""
    last_lump_sum: FloatArray
    """(R,) to every agent at the last collection."""
    collected: BoolArray
    """(R,) whether the last step collected."""


class TaxTallies(NamedTuple):
    """Sums over the collections of an episode, for the metrics (SPEC 16)."""

    schedule: FloatArray
    """(R, B) Σ of rates over collections."""
    occupancy: FloatArray
    """(R, B) incomes in each bracket over collections."""
    paid: FloatArray
    """(R, n) taxes in the episode."""
    income: FloatArray
    """(R, n) Σ of positive incomes."""
    effective: FloatArray
    """(R,) Σ of effective rates over collections and agents."""
    collections: Array
    """(R,) int32."""


def allocate_taxes(replicas: int, agents: int, brackets: int) -> Taxes:
    """No rates, no incomes."""
    by_bracket, by_agent = ((replicas, brackets), np.float64), ((replicas, agents), np.float64)
    taxes: Taxes = allocate(
        Taxes,
        {
            "position": ((replicas,), np.int32),
            "rates": by_bracket,
            "shown_rates": by_bracket,
            "rate_index": ((replicas, brackets), np.int32),
            "rate_cap": ((replicas,), np.float64),
            "choice_limit": ((replicas,), np.float64),
            **dict.fromkeys(("base_coin", "last_income", "sorted_income", "last_marginal_rate", "last_paid"), by_agent),
            "order": ((replicas, agents), np.int32),
            "last_lump_sum": ((replicas,), np.float64),
            "collected": ((replicas,), np.bool_),
        },
    )
    taxes.order[:] = np.arange(agents)
    return taxes


def forget_taxes(taxes: Taxes, replicas: IntArray, rate_cap: float) -> None:
    """Leave nothing of earlier episodes in these replicas; `rate_cap` is the largest rate of the first episode."""
    taxes.rates[replicas] = 0.0
    taxes.rate_cap[replicas] = rate_cap


def allocate_tax_tallies(replicas: int, agents: int, brackets: int) -> TaxTallies:
    """Nothing counted."""
    by_bracket, by_agent = ((replicas, brackets), np.float64), ((replicas, agents), np.float64)
    tallies: TaxTallies = allocate(
        TaxTallies,
        {
            "schedule": by_bracket,
            "occupancy": by_bracket,
            "paid": by_agent,
            "income": by_agent,
            "effective": ((replicas,), np.float64),
            "collections": ((replicas,), np.int32),
        },
    )
    return tallies
