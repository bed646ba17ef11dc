"""Best of several starts; summary of contracts: how near methods come to the robust optimum, what they gain of it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ermas_algos.evaluation.statistics import interval_columns, mean
from ermas_algos.experiments.jobs import Row

NAIVE = "exact, naive"
"""Method of the best contracts for agents who do not deviate."""
NEAR = 0.02
"""Share of the robust optimum that a contract within reach of it may miss."""
WORTHWHILE = 0.01
"""Share by which the robust optimum must be above the naive contract's worst case, for a gain to be counted."""
NEAR_MULTIPLIER = 0.2
"""Share of the exact λ by which a learned one may be off."""

_OF_STARTS = ("start", "training_payoff")
"""Columns that only the table of all starts has."""


def best_starts(rows: Sequence[Row]) -> list[Row]:
    """The first start of every seed, and as a method of its own the best one: where the planner earned most.

    The choice uses nothing but `training_payoff`, the planner's mean payoff at the training's end under its own agents,
    so that ERMAS's is made by what adversaries leave it, and MARL's by what agents without deviation do.

    Args:
        rows: of the table of all starts.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        place = (row["definition"], row["epsilon"], row["instance"], row["method"], row["seed"])
        groups.setdefault(place, []).append(row)
    first = [min(group, key=lambda row: row["start"]) for group in groups.values()]
    best = [
        max(group, key=lambda row: row["training_payoff"])
        | {"method": f"{group[0]['method']}, best of {len(group)} starts"}
        for group in groups.values()
        if len(group) > 1
    ]
    return [{name: value for name, value in row.items() if name not in _OF_STARTS} for row in (*first, *best)]


def summary_rows(rows: Sequence[Row], own_multipliers: Callable[[Row], tuple[float, float]]) -> list[Row]:
    """A row per method that learns and ε, of rows of one definition: means over the instances of means over the seeds.

    `within_2_percent`: instances whose worst case is at least 98 % of the robust optimum. `gain`: the share that is
    reached of what the robust optimum has more than the naive contract in its worst case, where that is more than 1 %
    (`worthwhile` instances), with a bootstrap 95 % interval over these instances. `multipliers_within_20_percent`: of
    all `trainings`, by λ at the robust optimum; `multipliers_within_20_percent_of_own`: by λ at the contract that was
    learned.

    Args:
        rows: of the table.
        own_multipliers: the least and the largest exact λ at the contract of a row.
    """
    found = []
    for epsilon in sorted({row["epsilon"] for row in rows}):
        here = [row for row in rows if row["epsilon"] == epsilon]
        naive = {row["instance"]: row["worst_value"] for row in here if row["method"] == NAIVE}
        learned = [row for row in here if row["seed"] is not None]
        for method in dict.fromkeys(row["method"] for row in learned):
            labels = {"epsilon": epsilon, "method": method}
            mine = [row for row in learned if row["method"] == method]
            found.append(labels | _summary(naive, mine) | _multipliers(mine, own_multipliers))
    return found


def _summary(naive: dict[int, float], rows: Sequence[Row]) -> dict[str, Any]:
    instances = sorted(naive)
    worst = np.array([np.mean([row["worst_value"] for row in rows if row["instance"] == i]) for i in instances])
    best = np.array([next(row["robust_optimum"] for row in rows if row["instance"] == i) for i in instances])
    least = np.array([naive[i] for i in instances])
    worthwhile = best > (1.0 + WORTHWHILE) * least
    found: dict[str, Any] = {
        "instances": len(instances),
        "worst_value": float(worst.mean()),
        "robust_optimum": float(best.mean()),
        "within_2_percent": int((worst >= (1.0 - NEAR) * best).sum()),
        "worthwhile": int(worthwhile.sum()),
    }
    if worthwhile.any():
        gains = (worst - least)[worthwhile] / (best - least)[worthwhile]
        found |= interval_columns({"gain": mean(gains[:, None], np.random.default_rng(0))})
        found["gain_median"] = float(np.median(gains))
    return {**found, "trainings": len(rows)}


def _multipliers(rows: Sequence[Row], own_multipliers: Callable[[Row], tuple[float, float]]) -> dict[str, Any]:
    """How many λ were learned, where there is one."""
    priced = [row for row in rows if row["multiplier"] is not None]
    if not priced:
        return {}
    return {
        "multipliers_within_20_percent": sum(
            _near(row["multiplier"], row["exact_multiplier"], row["exact_multiplier"]) for row in priced
        ),
        "multipliers_within_20_percent_of_own": sum(_near(row["multiplier"], *own_multipliers(row)) for row in priced),
    }


def _near(multiplier: float, least: float, largest: float) -> bool:
    return (1.0 - NEAR_MULTIPLIER) * least <= multiplier <= (1.0 + NEAR_MULTIPLIER) * largest
