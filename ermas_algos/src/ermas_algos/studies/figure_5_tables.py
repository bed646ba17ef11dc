"""Tables of Figure 5: choice of ε on validation values, statistics over seeds and the gap, differences to MARL."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ermas_algos.evaluation.economy_episodes import WELFARE
from ermas_algos.evaluation.statistics import (
    Estimate,
    chosen_by_the_others,
    difference,
    interval_columns,
    price_of_robustness,
    summary,
)
from ermas_algos.experiments.jobs import Row
from ermas_algos.studies.figure_5_jobs import ORACLE, SAEZ
from ermas_envs.base.arrays import FloatArray

EVALUATIONS = ("exact", "fresh")
"""By the exact equilibrium, and by fresh agents."""
RANDOMISED = "MARL, domain randomisation"
"""Name of the method in the tables."""
HELD_OUT = "ERMAS, ε chosen by the other seeds"
"""Name in the tables: a seed's own validation has no part in the choice of its ε."""
COMPARED = (
    *((name, other) for name in ("ERMAS", HELD_OUT) for other in ("MARL", "MARL, equal compute", RANDOMISED, SAEZ)),
    (RANDOMISED, "MARL"),
    ("MARL", SAEZ),
)
"""A method, and the one that it is compared with."""
POOR_BELOW = 2.0
"""Houses of the most skilled, per episode, below which an economy is a poor one: they hardly build, few sell."""
_DIFFERENCES = ("mean", "worst case")
_BOOTSTRAP_SEED = 0

Key = tuple[str, float | None]
"""Method and ε."""


class Gap(Protocol):
    """What the tables are over: a fact about people that has one value in training and others in tests."""

    @property
    def symbol(self) -> str:
        """Of the fact, in the names of columns."""

    @property
    def column(self) -> str:
        """Of the main table: the fact's value in a test."""

    @property
    def home(self) -> float:
        """Its value in training."""


def means_over_sets(gap: Gap, sets: Sequence[Row]) -> list[Row]:
    """One row per planner and test of rows per set of fresh agents (`fresh_seed`): numbers are means over the sets,
    `fresh_converged` is true of all or none, what is left is the first set's.

    Raises:
        ValueError: two rows of one set; a method has trainings of different lengths, some from an earlier command
            perhaps.
    """
    _check_same_trainings(sets)
    tests: dict[tuple[Any, ...], list[Row]] = {}
    for row in sets:
        tests.setdefault(tuple(row[name] for name in ("method", "epsilon", "seed", gap.column)), []).append(row)
    found = []
    for same in tests.values():
        measured = [name for name, value in same[0].items() if isinstance(value, float)]
        means: Row = {name: float(np.mean([row[name] for row in same])) for name in measured}
        means["fresh_converged"] = all(row["fresh_converged"] for row in same)
        if len({row["fresh_seed"] for row in same}) < len(same):
            raise ValueError(f"{same[0]['method']}: two results of fresh agents {same[0]['fresh_seed']}.")
        kept = {name: value for name, value in same[0].items() if name != "fresh_seed"}
        found.append({**kept, **means})
    return found


def _check_same_trainings(rows: Sequence[Mapping[str, Any]]) -> None:
    """ValueError where results of different settings, from an earlier command perhaps, stand under one name."""
    steps: dict[Key, int] = {}
    for row in rows:
        key, own = (row["method"], row["epsilon"]), row.get("env_steps", 0)
        if row["method"] != ORACLE and steps.setdefault(key, own) != own:
            raise ValueError(f"{key} has trainings of {steps[key]} and of {own} environment steps: of other settings.")


def returns_of(gap: Gap, rows: Sequence[Mapping[str, Any]], evaluation: str) -> dict[Key, FloatArray]:
    """Welfare (seeds, values of the gap's fact, ascending) per method.

    Methods whose welfare is not known, as of a quick run without fresh agents, or in an economy without exact
    equilibria, are left out.

    Args:
        gap: that they are of.
        rows: of the main table.
        evaluation: one of `EVALUATIONS`.

    Raises:
        ValueError: a method that lacks a value for one of its seeds, or has two; methods of several seeds that are not
            the same.
    """
    found: dict[Key, dict[int, dict[float, float]]] = {}
    for row in rows:
        if row["method"] != ORACLE and row.get(f"{evaluation}_welfare") is not None:
            by_seed = found.setdefault((row["method"], row["epsilon"]), {})
            tests = by_seed.setdefault(row["seed"], {})
            if row[gap.column] in tests:
                raise ValueError(f"{row['method']}: two results of seed {row['seed']} at {row[gap.column]:g}.")
            tests[row[gap.column]] = row[f"{evaluation}_welfare"]
    places = sorted({row[gap.column] for row in rows})
    for key, by_seed in found.items():
        for seed, values in by_seed.items():
            if sorted(values) != places:
                raise ValueError(f"{key} lacks a test of seed {seed}: has {sorted(values)} of {places}.")
    if len(several := {tuple(sorted(by_seed)) for by_seed in found.values() if len(by_seed) > 1}) > 1:
        raise ValueError(f"methods must have the same seeds, got {sorted(several)}.")
    return {key: np.array([[v[p] for p in places] for _, v in sorted(s.items())]) for key, s in found.items()}


def choice_rows(gap: Gap, validated: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Per ε of ERMAS the mean welfare of fresh agents at the validation values (exact where there are none); the best
    is `chosen`."""
    measured, values = _validated(gap, validated)
    means = {epsilon: float(own.mean()) for epsilon, own in values.items()}
    return [
        {"epsilon": epsilon, "evaluation": measured, "validation_welfare": mean, "chosen": mean == max(means.values())}
        for epsilon, mean in means.items()
    ]


def _validated(gap: Gap, rows: Sequence[Mapping[str, Any]]) -> tuple[str, dict[float, FloatArray]]:
    """What was measured, and per ε of ERMAS its welfare (seeds, validation values)."""
    measured = next((e for e in ("fresh", "exact") if returns_of(gap, rows, e)), "exact")
    found = {key[1]: values for key, values in returns_of(gap, rows, measured).items() if key[0] == "ERMAS"}
    return measured, {epsilon: values for epsilon, values in found.items() if epsilon}


def summary_rows(gap: Gap, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Statistics of every method, with 95 % intervals over seeds (in pairs with MARL); regret to the oracle, mean over
    the gap."""
    places = sorted({row[gap.column] for row in rows})
    told = [row for row in rows if row["method"] == ORACLE]
    found = []
    for evaluation in EVALUATIONS:
        returns = returns_of(gap, rows, evaluation)
        best = "exact" if any(row.get("exact_welfare") is not None for row in told) else evaluation
        oracle = {p: _mean([row.get(f"{best}_welfare") for row in told if row[gap.column] == p]) for p in places}
        baseline = returns.get(("MARL", None))
        for (method, epsilon), values in returns.items():
            row: Row = {"evaluation": evaluation, "method": method, "epsilon": epsilon, "seeds": len(values)}
            if baseline is not None:
                paired = len(values) == len(baseline)
                row |= interval_columns(summary(values, baseline, places.index(gap.home), _generator(), paired))
            if not np.isnan(list(oracle.values())).any():
                row["regret_to_oracle"] = float(np.mean([oracle[place] for place in places] - values.mean(axis=0)))
            found.append(row)
    return found


def claim_rows(gap: Gap, rows: Sequence[Row], validated: Sequence[Row]) -> list[Row]:
    """Methods against others (`COMPARED`), ERMAS at the chosen ε: differences of the mean and the worst case over the
    gap, the share of the other's welfare where the gap is 0, and the gain at every value, in per cent of the other's
    welfare; 95 % intervals over seeds, in pairs, since a seed's fresh agents are the same for all methods. A schedule
    that needs no training is taken as known."""
    chosen = {"ERMAS": next((row["epsilon"] for row in choice_rows(gap, validated) if row["chosen"]), None)}
    places, found = sorted({row[gap.column] for row in rows}), []
    for evaluation in EVALUATIONS:
        returns = returns_of(gap, rows, evaluation)
        held_out = _held_out(returns, _validated(gap, validated)[1])
        if held_out is not None:
            returns[HELD_OUT, None] = held_out
        for name, other in COMPARED:
            own, baseline = returns.get((name, chosen.get(name))), returns.get((other, None))
            if own is None or baseline is None:
                continue
            labels = {"evaluation": evaluation, "method": name, "epsilon": chosen.get(name), "baseline": other}
            known = np.repeat(baseline, len(own), axis=0) if len(baseline) == 1 else baseline
            found.append({**labels, **interval_columns(_compared(gap, places, own, known))})
    return found


def _held_out(returns: Mapping[Key, FloatArray], validated: Mapping[float, FloatArray]) -> FloatArray | None:
    """ERMAS's welfare (seeds, values), each seed's at the ε that the others choose; None without several seeds."""
    epsilons = [epsilon for epsilon in validated if ("ERMAS", epsilon) in returns]
    if not epsilons or len(validated[epsilons[0]]) < 2:
        return None
    chosen = chosen_by_the_others(np.array([validated[epsilon].mean(axis=1) for epsilon in epsilons]))
    return np.array([returns["ERMAS", epsilons[k]][seed] for seed, k in enumerate(chosen)])


def rank_rows(gap: Gap, rows: Sequence[Mapping[str, Any]], choice: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Per welfare function of the same episodes the methods' means over seeds, where the gap is 0 (`home`) and over the
    gap, and their ranks, 1 the best; ERMAS at the chosen ε."""
    epsilon = next((row["epsilon"] for row in choice if row["chosen"]), None)
    mine = [row for row in rows if row["method"] != ORACLE and row["epsilon"] in (None, epsilon)]
    places = sorted({row[gap.column] for row in rows})
    found = []
    for welfare in WELFARE:
        for where, wanted in (("home", [gap.home]), ("over the gap", places)):
            values: dict[str, list[float]] = {}
            for row in mine:
                if row[gap.column] in wanted:
                    values.setdefault(row["method"], []).append(row[welfare])
            means = {method: float(np.mean(found)) for method, found in values.items()}
            for method, mean in means.items():
                rank = 1 + sum(other > mean for other in means.values())
                labels = {"method": method, "epsilon": epsilon if method == "ERMAS" else None}
                found.append({"welfare": welfare, "where": where, **labels, "value": mean, "rank": rank})
    return found


def economy_rows(gap: Gap, skills: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Per method and value of the gap's fact: sets of fresh agents, how many are `poor` (`POOR_BELOW`), least and
    most houses of the most skilled in any set.

    Args:
        gap: that they are of.
        skills: rows per rank of skill; those of tests count.
    """
    tested = [row for row in skills if row.get(gap.column) is not None]
    most_skilled = max((row["rank"] for row in tested), default=0)
    houses: dict[tuple[Any, ...], list[float]] = {}
    for row in tested:
        if row["rank"] == most_skilled:
            houses.setdefault((row["method"], row["epsilon"], row[gap.column]), []).append(row["houses"])
    names = ("method", "epsilon", gap.column)
    return [
        {
            **dict(zip(names, key, strict=True)),
            "sets": len(built),
            "poor": sum(number < POOR_BELOW for number in built),
            "least_houses": min(built),
            "most_houses": max(built),
        }
        for key, built in houses.items()
    ]


def amortised_rows(gap: Gap, amortised: Sequence[Mapping[str, Any]], tested: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Welfare of agents who see the gap's fact beside that of agents who were trained for its value, test by test."""
    names = ("method", "epsilon", "seed", gap.column)
    known = {tuple(row[name] for name in names): row["fresh_welfare"] for row in tested}
    found = []
    for row in amortised:
        key = tuple(row[name] for name in names)
        values = {"amortised_welfare": row["eq_times_prod"], "fresh_welfare": known.get(key)}
        found.append({**dict(zip(names, key, strict=True)), **values})
    return found


def _compared(gap: Gap, places: Sequence[float], own: FloatArray, baseline: FloatArray) -> dict[str, Estimate]:
    """The estimates of one row, by column."""
    found = {
        f"{name.replace(' ', '_')}_difference": difference(own, baseline, name, _generator(), paired=True)
        for name in _DIFFERENCES
    }
    ratios = [_ratio(own[:, k], baseline[:, k]) for k in range(len(places))]
    found["share_at_home"] = ratios[places.index(gap.home)]
    for place, ratio in zip(places, ratios, strict=True):
        gains = (100.0 * (value - 1.0) for value in (ratio.value, ratio.low, ratio.high))
        found[f"gain_percent_{gap.symbol}_{place:g}"] = Estimate(*gains)
    return found


def _ratio(own: FloatArray, baseline: FloatArray) -> Estimate:
    """Of the means of (seeds,)."""
    price = price_of_robustness(own, baseline, _generator(), paired=True)
    return Estimate(1.0 - price.value, 1.0 - price.high, 1.0 - price.low)


def _mean(values: Sequence[float | None]) -> float:
    """NaN of nothing, and where something is not known."""
    return float(np.mean(np.array(values, dtype=np.float64))) if values else float("nan")


def _generator() -> np.random.Generator:
    return np.random.default_rng(_BOOTSTRAP_SEED)
