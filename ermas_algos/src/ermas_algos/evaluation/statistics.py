"""Statistics of planner returns over seeds and reality gaps, with bootstrap 95 % intervals; no seed is dropped.

Interquartile mean and probability of improvement as in R. Agarwal et al., "Deep Reinforcement Learning at the Edge of
the Statistical Precipice" (2021); percentile bootstrap over seeds (B. Efron and R. Tibshirani 1993). Such an interval
of a mean covers 95 % where seeds are many, of normal returns 90 % for ten seeds, 85 % for five and 75 % for three.

Two methods are compared in pairs where a seed gave both the same fresh agents or random numbers (`paired`): what they
have in common is then in no interval.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_choice, check_integer
from ermas_envs.base.arrays import Array, FloatArray, IntArray

RESAMPLES = 10_000
"""Bootstrap samples of an interval."""

Statistic = Callable[[FloatArray], FloatArray]
"""Returns (…, seeds, gaps) → the statistic, (…)."""


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval; a single seed gives an interval of NaN, because it says nothing of others."""

    value: float
    """The statistic of the sample."""
    low: float
    """2.5 % quantile of the bootstrap distribution."""
    high: float
    """97.5 % quantile."""


def mean(returns: FloatArray, rng: np.random.Generator) -> Estimate:
    """Mean over seeds and gaps of returns (seeds, gaps), payoff per step; ValueError for a bad array."""
    return _estimate(_STATISTICS["mean"], _checked(returns), rng)


def interquartile_mean(returns: FloatArray, rng: np.random.Generator) -> Estimate:
    """Mean over gaps of the interquartile mean over seeds: the mean of the middle half of the seeds at each gap.

    Gaps are not pooled, because their returns differ by more than seeds do: pooling would drop the extreme gaps.
    """
    return _estimate(_STATISTICS["iqm"], _checked(returns), rng)


def worst_case(returns: FloatArray, rng: np.random.Generator) -> Estimate:
    """Mean over seeds of the smallest return over the gaps of returns (seeds, gaps), payoff per step."""
    return _estimate(_STATISTICS["worst case"], _checked(returns), rng)


def price_of_robustness(
    returns: FloatArray, baseline: FloatArray, rng: np.random.Generator, paired: bool = False
) -> Estimate:
    """1 − mean(returns)/mean(baseline) at the training point, (seeds,) each: the share given up where there is no gap.
    NaN where the baseline's mean is not positive, of which no share can be given up; the interval is NaN where that is
    so in a bootstrap sample. `paired`: see `difference`.

    Raises:
        ValueError: a bad array.
    """
    own, other = (_checked(values[:, None]) for values in (returns, baseline))
    if other.mean() <= 0:
        return Estimate(math.nan, math.nan, math.nan)

    def price(a: FloatArray, b: FloatArray) -> FloatArray:
        most = b.mean(axis=(-2, -1))
        return np.asarray(1.0 - a.mean(axis=(-2, -1)) / np.where(most > 0.0, most, np.nan))

    return _two_samples(price, own, other, rng, paired)


def probability_of_improvement(
    returns: FloatArray, baseline: FloatArray, rng: np.random.Generator, paired: bool = False
) -> Estimate:
    """P(X > Y) + P(X = Y)/2 for X of `returns` and Y of `baseline`, (seeds, gaps) each, averaged over the gaps: of any
    two seeds; `paired` (see `difference`) is about the interval."""
    own, other = _comparable(returns, baseline)
    above = 0.5 + 0.5 * np.mean([np.sign(x[:, None] - y) for x, y in zip(own.T, other.T, strict=True)], axis=0)
    ours, theirs = _drawn_twice(own, other, rng, paired)
    # How often a resample has a seed is enough: all pairs of all resamples would not fit into memory.
    drawn = np.einsum("ra,ab,rb->r", _shares(ours), above, _shares(theirs), optimize=True)
    return _interval(float(above.mean()), drawn.clip(0.0, 1.0), min(len(own), len(other), 2))


def difference(
    returns: FloatArray, baseline: FloatArray, statistic: str, rng: np.random.Generator, paired: bool = False
) -> Estimate:
    """A statistic of `returns` minus that of `baseline`.

    Args:
        returns: (seeds, gaps), payoff per step.
        baseline: (seeds, gaps); the number of seeds may differ, unless they are paired.
        statistic: `mean`, `iqm` or `worst case`.
        rng: draws the bootstrap samples.
        paired: row k of both is of one seed, which gave both the same fresh agents or random numbers; otherwise they
            are independent samples.

    Raises:
        ValueError: a bad array; other numbers of seeds in pairs.
    """
    chosen = _STATISTICS[check_choice("statistic", statistic, _STATISTICS)]
    return _two_samples(lambda a, b: chosen(a) - chosen(b), *_comparable(returns, baseline), rng, paired)


def summary(
    returns: FloatArray, baseline: FloatArray, training_gap: int, rng: np.random.Generator, paired: bool = False
) -> dict[str, Estimate]:
    """Every statistic of one method.

    Args:
        returns: (seeds, gaps), payoff per step.
        baseline: (seeds, gaps) of the method that it is compared with.
        training_gap: column of the gap of training.
        rng: draws the bootstrap samples.
        paired: see `difference`.

    Returns:
        `mean`, `iqm`, `worst_case`, `training_point` (mean return at the gap of training), `price_of_robustness` and
        `probability_of_improvement`.
    """
    own, other = _comparable(returns, baseline)
    training_gap = check_integer("training_gap", training_gap, 0, own.shape[1] - 1)
    return {
        "mean": mean(own, rng),
        "iqm": interquartile_mean(own, rng),
        "worst_case": worst_case(own, rng),
        "training_point": mean(own[:, [training_gap]], rng),
        "price_of_robustness": price_of_robustness(own[:, training_gap], other[:, training_gap], rng, paired),
        "probability_of_improvement": probability_of_improvement(own, other, rng, paired),
    }


def chosen_by_the_others(scores: FloatArray) -> IntArray:
    """(seeds,) the candidate that is best in the mean over all other seeds, of scores (candidates, seeds): a choice
    that owes nothing to the seed which it is for. ValueError for fewer than two seeds."""
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] < 2:
        raise ValueError(
            f"a choice by other seeds needs scores (candidates, seeds) of two at least, got {array.shape}."
        )
    return np.asarray((array.sum(axis=1, keepdims=True) - array).argmax(axis=0))


def interval_columns(estimates: Mapping[str, Estimate]) -> dict[str, float | None]:
    """Estimates as columns of a table: each by its name, its interval under `<name>_low` and `<name>_high` (None where
    there is none)."""
    columns: dict[str, float | None] = {}
    for name, estimate in estimates.items():
        found = {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        columns |= {column: None if np.isnan(value) else value for column, value in found.items()}
    return columns


def _iqm(returns: FloatArray) -> FloatArray:
    """A quarter of the seeds, rounded down, is trimmed at either end."""
    from scipy import stats  # half a second, which not every command needs

    trimmed: FloatArray = stats.trim_mean(returns, 0.25, axis=returns.ndim - 2)
    return np.asarray(trimmed.mean(axis=-1))


_STATISTICS: Mapping[str, Statistic] = {
    "mean": lambda returns: np.asarray(returns.mean(axis=(-2, -1))),
    "iqm": _iqm,
    "worst case": lambda returns: np.asarray(returns.min(axis=-1).mean(axis=-1)),
}


def _checked(returns: Array) -> FloatArray:
    array = np.asarray(returns, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"returns must have the shape (seeds, gaps) with at least one of each, got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError("returns must be finite: no seed may be missing.")
    return array


def _comparable(returns: Array, baseline: Array) -> tuple[FloatArray, FloatArray]:
    own, other = _checked(returns), _checked(baseline)
    if own.shape[1] != other.shape[1]:
        raise ValueError(f"returns and baseline must have the same gaps, got {own.shape[1]} and {other.shape[1]}.")
    return own, other


def _drawn_seeds(seeds: int, rng: np.random.Generator) -> IntArray:
    """(RESAMPLES, seeds) numbers of seeds, drawn with replacement."""
    return rng.integers(seeds, size=(RESAMPLES, seeds))


def _shares(drawn: IntArray) -> FloatArray:
    """(RESAMPLES, seeds) share of a resample that each seed makes."""
    seeds = drawn.shape[1]
    places = drawn + seeds * np.arange(len(drawn))[:, None]
    return np.asarray(np.bincount(places.ravel(), minlength=drawn.size).reshape(drawn.shape) / seeds)


def _drawn_twice(
    returns: FloatArray, baseline: FloatArray, rng: np.random.Generator, paired: bool
) -> tuple[IntArray, IntArray]:
    """(RESAMPLES, seeds) seeds of either sample."""
    if not paired:
        return _drawn_seeds(len(returns), rng), _drawn_seeds(len(baseline), rng)
    if len(returns) != len(baseline):
        raise ValueError(f"pairs need the same seeds, got {len(returns)} and {len(baseline)}.")
    drawn = _drawn_seeds(len(returns), rng)
    return drawn, drawn


def _estimate(statistic: Statistic, returns: FloatArray, rng: np.random.Generator) -> Estimate:
    drawn = statistic(returns[_drawn_seeds(len(returns), rng)])
    return _interval(float(statistic(returns)), drawn, min(len(returns), 2))


def _two_samples(
    statistic: Callable[[FloatArray, FloatArray], FloatArray],
    returns: FloatArray,
    baseline: FloatArray,
    rng: np.random.Generator,
    paired: bool,
) -> Estimate:
    ours, theirs = _drawn_twice(returns, baseline, rng, paired)
    drawn = statistic(returns[ours], baseline[theirs])
    return _interval(float(statistic(returns, baseline)), drawn, min(len(returns), len(baseline), 2))


def _interval(value: float, drawn: FloatArray, seeds: int) -> Estimate:
    low, high = np.quantile(drawn, [0.025, 0.975]) if seeds > 1 else (np.nan, np.nan)
    return Estimate(value, float(low), float(high))
