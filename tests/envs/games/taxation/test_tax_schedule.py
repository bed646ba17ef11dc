"""Tax brackets (SPEC §11): closed forms, properties of the tax, and parity with the simulator's recorded numbers.

Recorded numbers lie beside the repository, in shared/economy/goldens; tests of them are skipped where they are absent.
"""

from typing import Any

import numpy as np
import pytest
from helpers.goldens import golden
from hypothesis import given
from hypothesis import strategies as st

from ermas_envs.games.taxation import tax_schedule as tax

RELATIVE = 1e-9
TAX_GOLDENS = (
    "c1_tax_us_federal",
    "c3_tax_us_federal_annealed_3ep",
    "c4_tax_log_brackets_disabled",
    "d1_planner_rates",
    "d3_planner_single_action_mode",
    "f1_paper_phase2_1000",
)
LINEAR = np.array([0.0, 25.0, 50.0, 75.0, 100.0])
RISING = np.array([0.0, 0.1, 0.2, 0.5, 1.0])


def cutoffs_of(options: dict[str, Any]) -> np.ndarray:
    return tax.bracket_cutoffs(
        options.get("bracket_spacing", "us-federal"),
        options.get("n_brackets", 5),
        options.get("top_bracket_cutoff", 100.0),
        options.get("usd_scaling", 1000.0),
    )


@st.composite
def schedules(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    sizes = draw(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8))
    cutoffs = np.concatenate(([0.0], np.cumsum(sizes)))
    rates = draw(st.lists(st.floats(0.0, 1.0), min_size=len(cutoffs), max_size=len(cutoffs)))
    return cutoffs, np.array(rates)


INCOMES = st.floats(-1e3, 1e5)


def test_golden_schedules_due_marginal_rates_and_brackets() -> None:
    for schedule in golden("u1_pure_functions")["tax_schedules"]:
        cutoffs, rates = np.array(schedule["cutoffs"]), np.array(schedule["rates"])
        # The original's powers are NumPy's, whose last bit depends on the processor that recorded them.
        np.testing.assert_array_max_ulp(cutoffs_of(schedule["kwargs"]), cutoffs, maxulp=1)
        for case in schedule["cases"]:
            income = case["income"]
            assert tax.tax_due(income, cutoffs, rates) == pytest.approx(case["due"], rel=RELATIVE, abs=0.0)
            assert tax.marginal_rate(income, cutoffs, rates) == case["marginal"]
            assert cutoffs[tax.bracket_of(income, cutoffs)] == case["bin_cutoff"]


def test_golden_rates_of_named_schedules() -> None:
    for schedule in golden("u1_pure_functions")["tax_schedules"]:
        options = schedule["kwargs"]
        rates = options.get("fixed_bracket_rates", tax.US_FEDERAL_2018_RATES)
        checked = tax.check_bracket_rates("fixed_bracket_rates", rates, len(schedule["cutoffs"]))
        np.testing.assert_array_equal(np.minimum(checked, options.get("rate_max", 1.0)), schedule["rates"])


def test_golden_annealing_limits_and_masks() -> None:
    for case in golden("u1_pure_functions")["annealing"]:
        schedule = [case["warmup"], case["slope"]]
        limit = tax.annealed_maximum(case["completions"], schedule, max(case["values"]))
        assert limit == case["limit"]
        np.testing.assert_array_equal(np.array(case["values"]) <= limit, np.array(case["mask"]) == 1.0)


@pytest.mark.parametrize("name", TAX_GOLDENS)
def test_golden_cutoffs_and_rates_of_recorded_environments(name: str) -> None:
    config = golden(name)["config"]
    options = next(c["PeriodicBracketTax"] for c in config["kwargs"]["components"] if "PeriodicBracketTax" in c)
    effective = config["PeriodicBracketTax"]
    np.testing.assert_array_equal(cutoffs_of(options), effective["bracket_cutoffs"])
    if effective["disc_rates"] is not None:
        rates = tax.discretised_rates(effective["rate_min"], effective["rate_max"], effective["rate_disc"])
        np.testing.assert_array_equal(rates, effective["disc_rates"])


def test_us_federal_brackets_are_dollars_over_the_scaling() -> None:
    np.testing.assert_allclose(tax.bracket_cutoffs(), [0, 9.7, 39.475, 84.2, 160.725, 204.1, 510.3], rtol=1e-15)


def test_linear_and_log_brackets() -> None:
    np.testing.assert_array_equal(tax.bracket_cutoffs("linear", 5, 100), LINEAR)
    np.testing.assert_allclose(tax.bracket_cutoffs("log", 6, 100), [0, 6.25, 12.5, 25, 50, 100], rtol=1e-14)
    np.testing.assert_allclose(tax.bracket_cutoffs("log", 2, 100), [0, 100], rtol=1e-14)
    # To the last bit, on every machine.
    expected = ["0x1.9000000000001p+2", "0x1.9000000000001p+3", "0x1.8fffffffffffep+4", "0x1.8fffffffffffep+5"]
    assert [float(cutoff).hex() for cutoff in tax.bracket_cutoffs("log", 6, 100)[1:5]] == expected


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"spacing": "us_federal"}, "bracket_spacing.*Did you mean 'us-federal'"),
        ({"spacing": "linear", "n_brackets": 1}, "n_brackets must be an integer >= 2"),
        ({"spacing": "log", "n_brackets": 2.5}, "n_brackets"),
        ({"spacing": "log", "n_brackets": 2000}, "n_brackets and top_bracket_cutoff must give"),
        ({"spacing": "linear", "top_bracket_cutoff": 0}, "top_bracket_cutoff must be > 0"),
        ({"spacing": "linear", "top_bracket_cutoff": -3}, "top_bracket_cutoff"),
        ({"spacing": "linear", "top_bracket_cutoff": float("inf")}, "top_bracket_cutoff"),
        ({"usd_scaling": 0}, "usd_scaling must be > 0"),
        ({"usd_scaling": -1000}, "usd_scaling"),
        ({"usd_scaling": 1e-320}, "usd_scaling must give at least 2 finite"),
    ],
)
def test_bad_brackets(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        tax.bracket_cutoffs(**options)


@pytest.mark.parametrize("cutoffs", [[0.0], [0.0, 2.0, 1.0], [0.0, 1.0, 1.0], [1.0, 2.0], [0.0, np.nan], [[0.0, 1.0]]])
def test_bad_cutoffs(cutoffs: list[Any]) -> None:
    with pytest.raises(ValueError, match="cutoffs must give"):
        tax.check_cutoffs("cutoffs", cutoffs)


def test_discretised_rates_keep_the_rounding_of_arange() -> None:
    rates = tax.discretised_rates()
    assert len(rates) == 21
    assert rates[3] == 0.15000000000000002
    assert rates[-1] == 1.0
    np.testing.assert_array_equal(tax.discretised_rates(0.0, 0.0), [0.0])
    np.testing.assert_array_equal(tax.discretised_rates(0.25, 0.8, 0.5), [0.25, 0.75])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ((-0.1, 1.0, 0.05), "rate_min"),
        ((0.5, 0.4, 0.05), "rate_min must be <= rate_max"),
        ((0.0, 1.5, 0.05), "rate_max"),
        ((0.0, 1.0, 0.0), "rate_disc must be > 0"),
        ((0.0, 1.0, 1e-12), "rate_disc must leave at most"),
    ],
)
def test_bad_rate_ranges(options: tuple[float, float, float], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        tax.discretised_rates(*options)


@pytest.mark.parametrize(
    ("rates", "match"),
    [
        ([0.1, 0.2], "fixed_bracket_rates must hold one rate per bracket, that is 3, got 2"),
        ([0.1, 0.2, 1.1], r"fixed_bracket_rates\[2\]"),
        ([0.1, "0.2", 0.3], r"fixed_bracket_rates\[1\]"),
        (0.3, "fixed_bracket_rates must be a list of 3 rates"),
        ("abc", "fixed_bracket_rates must be a list"),
    ],
)
def test_bad_bracket_rates(rates: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        tax.check_bracket_rates("fixed_bracket_rates", rates, 3)


@pytest.mark.parametrize("schedule", [[1.0], "ab", 3.0, [np.nan, 1.0], [0.0, "x"]])
def test_bad_annealing(schedule: Any) -> None:
    with pytest.raises(ValueError, match="tax_annealing_schedule"):
        tax.annealed_maximum(0, schedule, 1.0)


@given(st.integers(0, 10_000), st.floats(-1e3, 1e3), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_annealed_maximum_rises_to_the_maximum(completions: int, warmup: float, slope: float, rate_max: float) -> None:
    now, later = (
        tax.annealed_maximum(episode, [warmup, slope], rate_max) for episode in (completions, completions + 1)
    )
    assert 0.0 <= now <= later <= rate_max
    assert tax.annealed_maximum(completions, None, rate_max) == rate_max


def test_annealing_of_the_paper() -> None:
    caps = [tax.annealed_maximum(completions, [-100, 0.001], 1.0) for completions in (0, 1, 450, 900, 5000)]
    np.testing.assert_allclose(caps, [0.1, 0.101, 0.55, 1.0, 1.0], rtol=1e-12)


@pytest.mark.parametrize(
    ("income", "due", "marginal", "bracket"),
    [(-5.0, 0.0, 0.0, 0), (0.0, 0.0, 0.0, 0), (25.0, 0.0, 0.1, 1), (60.0, 4.5, 0.2, 2), (110.0, 30.0, 1.0, 4)],
)
def test_closed_forms_of_tax(income: float, due: float, marginal: float, bracket: int) -> None:
    assert tax.tax_due(income, LINEAR, RISING) == pytest.approx(due, rel=1e-14, abs=0.0)
    assert tax.marginal_rate(income, LINEAR, RISING) == marginal
    assert tax.bracket_of(income, LINEAR) == bracket


def test_an_income_of_zero_has_the_first_rate_and_a_negative_one_none() -> None:
    rates = np.full(5, 0.3)
    assert [tax.marginal_rate(income, LINEAR, rates) for income in (-1e-12, 0.0)] == [0.0, 0.3]


@given(schedules(), INCOMES, INCOMES)
def test_tax_is_monotone_continuous_and_leaves_some_income(
    schedule: tuple[np.ndarray, np.ndarray], first: float, second: float
) -> None:
    low, high = sorted((first, second))
    due_low, due_high = tax.tax_due(low, *schedule), tax.tax_due(high, *schedule)
    rounding = 1e-12 * max(1.0, abs(high))
    assert 0.0 <= due_low <= due_high
    assert due_high - due_low <= high - low + rounding  # rates are at most 1: Lipschitz, hence continuous
    assert due_high <= max(high, 0.0) + rounding


@given(schedules(), st.floats(0.0, 1e4), st.floats(0.0, 1.0))
def test_within_a_bracket_the_tax_rises_at_the_marginal_rate(
    schedule: tuple[np.ndarray, np.ndarray], income: float, share: float
) -> None:
    cutoffs, rates = schedule
    bracket = tax.bracket_of(income, cutoffs)
    upper = cutoffs[bracket + 1] if bracket + 1 < len(cutoffs) else 2.0 * income + 1.0
    assert cutoffs[bracket] <= income < upper
    other = income + share * (upper - income)
    rise = tax.tax_due(other, cutoffs, rates) - tax.tax_due(income, cutoffs, rates)
    assert rise == pytest.approx(tax.marginal_rate(income, cutoffs, rates) * (other - income), abs=1e-11 * (1 + other))
