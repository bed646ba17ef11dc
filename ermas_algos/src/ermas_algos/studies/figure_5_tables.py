"""Tables of Figure 5: choice of ε on validation η, statistics over seeds and η, and the sentences that they answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ermas_algos.evaluation.statistics import difference, interval_columns, summary
from ermas_algos.experiments.jobs import Row
from ermas_envs.base.arrays import FloatArray

TRAINING_ETA = 0.23
"""η of every training."""
ORACLE = "per-η oracle"
"""Exact best schedules that have been told η, each tested there only."""
EVALUATIONS = ("exact", "fresh")
"""By the exact equilibrium, and by fresh agents."""
_BOOTSTRAP_SEED = 0

Key = tuple[str, float | None]
"""Method and ε."""


def returns_of(rows: Sequence[Mapping[str, Any]], evaluation: str) -> dict[Key, FloatArray]:
    """Welfare (seeds, η ascending) per method.

    Methods whose welfare is not known at every η, as of a quick run without fresh agents, are left out.

    Args:
        rows: of the main table.
        evaluation: one of `EVALUATIONS`.

    Raises:
        ValueError: a method that lacks an η for one of its seeds.
    """
    found: dict[Key, dict[int, dict[float, float]]] = {}
    for row in rows:
        if row["method"] != ORACLE and row[f"{evaluation}_welfare"] is not None:
            by_seed = found.setdefault((row["method"], row["epsilon"]), {})
            by_seed.setdefault(row["seed"], {})[row["eta_test"]] = row[f"{evaluation}_welfare"]
    etas = sorted({row["eta_test"] for row in rows})
    for key, by_seed in found.items():
        for seed, values in by_seed.items():
            if sorted(values) != etas:
                raise ValueError(f"{key} lacks a test of seed {seed}: has {sorted(values)} of {etas}.")
    return {key: np.array([[v[e] for e in etas] for _, v in sorted(s.items())]) for key, s in found.items()}


def choice_rows(validated: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Per ε of ERMAS the mean welfare of fresh agents at the validation η (exact where there are none); the best is
    `chosen`."""
    measured = next((e for e in ("fresh", "exact") if returns_of(validated, e)), "exact")
    means = {
        key[1]: float(values.mean())
        for key, values in returns_of(validated, measured).items()
        if key[1] and key[0] == "ERMAS"
    }
    return [
        {"epsilon": epsilon, "evaluation": measured, "validation_welfare": mean, "chosen": mean == max(means.values())}
        for epsilon, mean in means.items()
    ]


def summary_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Statistics of every method, with 95 % intervals over seeds; regret to the per-η oracle, mean over η."""
    etas = sorted({row["eta_test"] for row in rows})
    oracle = {row["eta_test"]: row["exact_welfare"] for row in rows if row["method"] == ORACLE}
    found = []
    for evaluation in EVALUATIONS:
        returns = returns_of(rows, evaluation)
        baseline = returns.get(("MARL", None))
        for (method, epsilon), values in returns.items():
            row: Row = {"evaluation": evaluation, "method": method, "epsilon": epsilon, "seeds": len(values)}
            if baseline is not None:
                row |= interval_columns(summary(values, baseline, etas.index(TRAINING_ETA), _generator()))
            if len(oracle) == len(etas):
                row["regret_to_oracle"] = float(np.mean([oracle[eta] for eta in etas] - values.mean(axis=0)))
            found.append(row)
    return found


def claim_rows(rows: Sequence[Mapping[str, Any]], choice: Sequence[Mapping[str, Any]]) -> list[Row]:
    """ERMAS at the chosen ε against MARL, and against MARL with equal compute: differences of the mean and of the worst
    case over η, the share that is kept at the η of training, and the gain at every η, in per cent of MARL's welfare."""
    chosen = [row["epsilon"] for row in choice if row["chosen"]]
    etas, found = sorted({row["eta_test"] for row in rows}), []
    for evaluation in EVALUATIONS:
        returns = returns_of(rows, evaluation)
        own = returns.get(("ERMAS", chosen[0])) if chosen else None
        for name in ("MARL", "MARL, equal compute"):
            other = returns.get((name, None))
            if own is None or other is None:
                continue
            row: Row = {"evaluation": evaluation, "epsilon": chosen[0], "baseline": name}
            differences = {name: difference(own, other, name, _generator()) for name in ("mean", "worst case")}
            row |= interval_columns(
                {f"{name.replace(' ', '_')}_difference": found for name, found in differences.items()}
            )
            at_home = etas.index(TRAINING_ETA)
            row["share_at_home"] = float(own[:, at_home].mean() / other[:, at_home].mean())
            gains = 100.0 * (own.mean(axis=0) / other.mean(axis=0) - 1.0)
            row |= {f"gain_percent_eta_{eta:g}": float(gain) for eta, gain in zip(etas, gains, strict=True)}
            found.append(row)
    return found


def _generator() -> np.random.Generator:
    return np.random.default_rng(_BOOTSTRAP_SEED)
