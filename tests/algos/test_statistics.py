"""Statistics of returns: closed forms, scipy's versions, properties, coverage of the intervals, bad input."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from ermas_algos.evaluation import statistics
from ermas_algos.evaluation.statistics import (
    chosen_by_the_others,
    difference,
    interquartile_mean,
    interval_columns,
    mean,
    price_of_robustness,
    probability_of_improvement,
    summary,
    worst_case,
)

SMALL = np.array([[1.0, -1.0], [3.0, 1.0], [5.0, 0.0], [100.0, -8.0]])
"""Four seeds at two gaps."""
STATISTICS = (mean, interquartile_mean, worst_case)

tables = arrays(np.float64, (5, 3), elements=st.floats(-100, 100).map(lambda value: round(value, 3)))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 1000)


def test_by_hand() -> None:
    assert mean(SMALL, rng()).value == 101 / 8
    assert worst_case(SMALL, rng()).value == (-1 + 1 + 0 - 8) / 4
    assert interquartile_mean(SMALL, rng()).value == ((3 + 5) / 2 + (-1 + 0) / 2) / 2
    assert price_of_robustness(np.array([6.0, 8.0]), np.array([10.0]), rng()).value == pytest.approx(0.3)
    better, worse = np.array([[1.0], [2.0]]), np.array([[0.0], [1.0], [3.0]])
    assert probability_of_improvement(better, worse, rng()).value == (1.5 + 2.0) / 6


def test_probability_of_improvement_is_mann_whitneys() -> None:
    a, b = rng(1).normal(size=(9, 1)), rng(2).normal(0.5, 1, size=(7, 1))
    expected = stats.mannwhitneyu(a[:, 0], b[:, 0]).statistic / (9 * 7)
    assert probability_of_improvement(a, b, rng()).value == pytest.approx(expected)


def test_a_fractional_quarter_is_rounded_down() -> None:
    """Of ten seeds two are trimmed at either end."""
    returns = np.arange(10.0)[:, None] ** 2
    assert interquartile_mean(returns, rng()).value == pytest.approx((returns[2:8]).mean())


def test_differences_are_of_independent_samples() -> None:
    found = difference(SMALL, SMALL[:2], "worst case", rng())
    assert found.value == -2.0 - 0.0
    assert found.low < found.value < found.high
    apart = difference(np.ones((3, 2)) + rng().normal(0, 0.01, (3, 2)), np.zeros((4, 2)), "mean", rng())
    assert apart.low > 0


def test_what_pairs_have_in_common_is_in_no_interval() -> None:
    sample = rng().normal(0.0, 9.0, (5, 2))
    apart, together = (difference(sample + 1.0, sample, "worst case", rng(), paired=paired) for paired in (False, True))
    assert (together.low, together.high) == pytest.approx((1.0, 1.0))
    assert apart.high - apart.low > 5.0
    shares = [price_of_robustness(0.9 * (sample[:, 0] + 99.0), sample[:, 0] + 99.0, rng(), paired=True)]
    assert [(share.low, share.high) for share in shares] == [pytest.approx((0.1, 0.1))]
    with pytest.raises(ValueError, match="pairs need the same seeds, got 5 and 4"):
        difference(sample, sample[1:], "mean", rng(), paired=True)


def test_a_choice_by_the_other_seeds_by_hand() -> None:
    assert chosen_by_the_others(np.array([[9.0, 0.0, 0.0], [2.0, 2.0, 2.0]])).tolist() == [1, 0, 0]
    with pytest.raises(ValueError, match="two at least"):
        chosen_by_the_others(np.ones((2, 1)))


def test_the_summary_is_all_of_them() -> None:
    found = summary(SMALL, SMALL[:3], 0, rng())
    assert found["training_point"].value == SMALL[:, 0].mean()
    assert found["price_of_robustness"].value == pytest.approx(1 - 27.25 / 3)
    assert set(found) == {
        "mean",
        "iqm",
        "worst_case",
        "training_point",
        "price_of_robustness",
        "probability_of_improvement",
    }


def test_a_single_seed_has_no_interval() -> None:
    found = mean(SMALL[:1], rng())
    assert found.value == 0.0
    assert np.isnan([found.low, found.high]).all()


def test_the_same_generator_gives_the_same_interval() -> None:
    sample = rng().normal(size=(20, 2))
    assert mean(sample, rng(3)) == mean(sample, rng(3)) != mean(sample, rng(4))


@settings(max_examples=25)
@given(tables)
def test_estimates_lie_within_the_sample(returns: Any) -> None:
    for statistic in STATISTICS:
        found = statistic(returns, rng())
        low, high = returns.min() - 1e-9, returns.max() + 1e-9
        assert low <= found.low <= found.high <= high
        assert low <= found.value <= high


@settings(max_examples=25)
@given(tables, st.floats(0.1, 10), st.floats(-50, 50))
def test_estimates_follow_shift_and_scale(returns: Any, scale: float, shift: float) -> None:
    for statistic in STATISTICS:
        plain, moved = statistic(returns, rng()), statistic(scale * returns + shift, rng())
        for one, other in zip((plain.value, plain.low, plain.high), (moved.value, moved.low, moved.high), strict=True):
            assert other == pytest.approx(scale * one + shift, abs=1e-6)


@settings(max_examples=25)
@given(tables, tables)
def test_improvement_one_way_and_the_other_sum_to_one(first: Any, second: Any) -> None:
    one = probability_of_improvement(first, second, rng())
    other = probability_of_improvement(second, first, rng())
    assert 0.0 <= one.low <= one.high <= 1.0
    assert one.value + other.value == pytest.approx(1.0)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """A percentile interval of 20 normal values covers the mean in 93 % of samples (it is narrower than a t-interval).

    Of 400 samples 372 are expected to, with a standard deviation of 5.1; the bounds are 5 of these away, a false-alarm
    rate below 1e-6.
    """
    covered = 0
    for seed in range(400):
        found = mean(rng(seed).normal(size=(20, 1)), rng(seed + 1000))
        covered += found.low <= 0.0 <= found.high
    assert 346 <= covered <= 398


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones(3), "shape"),
        (np.ones((0, 2)), "shape"),
        (np.array([[np.nan]]), "no seed may be missing"),
        (np.array([[np.inf]]), "no seed may be missing"),
    ],
)
def test_bad_returns(bad: Any, message: str) -> None:
    for statistic in STATISTICS:
        with pytest.raises(ValueError, match=message):
            statistic(bad, rng())
    with pytest.raises(ValueError, match=message):
        probability_of_improvement(SMALL, bad, rng())


def test_gaps_that_do_not_fit_are_refused() -> None:
    for other in (np.ones((4, 1)), np.ones((3, 5))):
        for compare in (
            lambda a, b: difference(a, b, "mean", rng()),
            lambda a, b: probability_of_improvement(a, b, rng()),
        ):
            with pytest.raises(ValueError, match="the same gaps, got 2 and"):
                compare(SMALL, other)
    with pytest.raises(ValueError, match="training_gap must be at most 1, got 9"):
        summary(SMALL, SMALL, 9, rng())


def test_no_interval_where_a_resampled_baseline_has_nothing_to_give_up() -> None:
    for baseline in ([-1.0, 1.0, 0.1], [0.0, 0.0, 3.0]):
        found = price_of_robustness(np.ones(3), np.array(baseline), rng())
        assert math.isfinite(found.value)
        assert math.isnan(found.low)
        assert math.isnan(found.high)
    assert price_of_robustness(np.ones(3), np.array([2.0, 1.0, 3.0]), rng()).low < 0.5


def test_improvement_over_resamples_is_that_of_all_their_pairs() -> None:
    first, second = rng(1).normal(size=(6, 2)), rng(2).normal(size=(4, 2))
    found, drawn = probability_of_improvement(first, second, rng(3)), rng(3)
    ours, theirs = (part[drawn.integers(len(part), size=(1000, len(part)))] for part in (first, second))
    shares = 0.5 + 0.5 * np.sign(ours[:, :, None] - theirs[:, None]).mean(axis=(1, 2, 3))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])))


def test_bad_statistic() -> None:
    with pytest.raises(ValueError, match="Did you mean 'mean'"):
        difference(SMALL, SMALL, "meen", rng())


@pytest.mark.parametrize("baseline", [-1.0, 0.0])
def test_no_share_is_given_up_of_a_baseline_that_is_not_above_0(baseline: float) -> None:
    """A planner may be paid minus the latency, and people may do nothing at all: everything else is known there."""
    found = summary(np.ones((2, 3)), np.full((2, 3), baseline), 1, rng())
    assert math.isnan(found["price_of_robustness"].value)
    columns = interval_columns(found)
    assert columns["price_of_robustness"] is columns["price_of_robustness_high"] is None
    assert columns["mean"] == columns["probability_of_improvement"] == 1.0
