"""The study of taxes: its published numbers where they must agree, closed forms, and what the committed tables show."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ermas_algos.experiments.jobs import Scale
from ermas_algos.experiments.results import read_table
from ermas_algos.studies import which_tax_wins
from ermas_algos.studies.which_tax_wins_elasticity import Turns
from ermas_algos.studies.which_tax_wins_formula import PEOPLE, RATES, SUMMARY, Formula, quantiles, sample
from ermas_algos.studies.which_tax_wins_periods import FALLING, PERIODS, TwoPeriods, shape, two_periods
from ermas_algos.studies.which_tax_wins_published import (
    FREE_MARKET,
    PUBLISHED_BEST,
    SAEZ,
    SCHEDULES,
    US_FEDERAL,
    population,
)
from ermas_algos.studies.which_tax_wins_schedules import (
    ALL,
    BEST,
    COMPARED,
    RANKS,
    RESPONSES,
    Schedules,
    outcome_under,
    rank_weights,
    welfare_rows,
)
from ermas_envs.oracles.taxes import reform_elasticity, saez_fixed_point, supporting_weights

RESULTS = Path(__file__).parents[2] / "docs/results"


def committed(name: str) -> list[dict[str, Any]]:
    return read_table(RESULTS / f"{name}.csv")


@pytest.fixture(scope="module")
def reached() -> Any:
    people = population()
    return {
        (name, responses): outcome_under(people, np.array(row.rates), price_taking)
        for name, row in SCHEDULES.items()
        for responses, price_taking in RESPONSES.items()
    }


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
def test_price_taking_agents_are_the_studys(name: str, reached: Any) -> None:
    found, published = reached[name, "price-taking"], SCHEDULES[name]
    assert found.equality * found.productivity == pytest.approx(published.welfare, abs=0.06)
    assert found.equality == pytest.approx(published.equality, abs=3e-4)
    assert found.productivity == pytest.approx(published.productivity, abs=0.06)


@pytest.mark.parametrize(
    ("name", "exact"), [(FREE_MARKET, 278.8), (US_FEDERAL, 260.7), (SAEZ, 272.0), (PUBLISHED_BEST, 294.8)]
)
def test_exact_agents(name: str, exact: float, reached: Any) -> None:
    found = reached[name, "exact"]
    assert found.equality * found.productivity == pytest.approx(exact, abs=0.06)


def test_the_best_is_better_than_the_published_best() -> None:
    found = outcome_under(population(), np.array([0.7, 0.4, 0.0, 0.6, 0.05, 0.0, 0.9]))
    assert found.equality * found.productivity >= 307.0


def test_equality_times_productivity_of_four_is_coin_weighted_by_rank(reached: Any) -> None:
    """Σ_{i<j} min(C_i, C_j) · 2/(n − 1): the coin of the richest has no weight (docs/which-tax-wins.md, E7)."""
    np.testing.assert_allclose(rank_weights(4), [1 / 2, 1 / 3, 1 / 6, 0.0])
    for found in reached.values():
        weighted = 4 * np.sort(found.coins) @ rank_weights(4)
        assert found.equality * found.productivity == pytest.approx(weighted)


# --- E1, E2, E6 ------------------------------------------------------------------------------------------------------


def test_rates_of_the_formula_are_the_published_ones() -> None:
    tables = Formula(draws=2, limit_people=1000).run()
    for row in tables[RATES]:
        assert row["rate"] == pytest.approx(row["rate_published"], abs=5.1e-4)
    for row in tables[SUMMARY]:
        assert row["mean_rate"] == pytest.approx(row["mean_rate_published"], abs=5.1e-4)
        assert row["top_rate"] == pytest.approx(row["top_rate_published"], abs=1.1e-3)


@pytest.mark.parametrize("distribution", ["log-normal", "Pareto"])
def test_samples_have_the_mean_and_grow_towards_the_quantiles(distribution: str) -> None:
    assert sample(distribution, 7, 3).mean() == pytest.approx(150.0)
    exact = quantiles(distribution, 100_000)
    assert exact.mean() == pytest.approx(150.0, rel=0.03)  # of the Pareto distribution, part of the tail is missing
    drawn = np.quantile(sample(distribution, 100_000, 0), (0.1, 0.5, 0.9))
    np.testing.assert_allclose(drawn, np.quantile(exact, (0.1, 0.5, 0.9)), rtol=0.05)


def test_two_thousand_people_settle_all_rates_but_the_lowest_of_log_normal_incomes() -> None:
    for row in committed(PEOPLE):
        if row["people"] >= 2000 and (row["distribution"], row["bracket"]) != ("log-normal", 0):
            assert row["distance_mean"] < (0.05 if row["people"] == 2000 else 0.032)


# --- E3, E4, E7, E8 --------------------------------------------------------------------------------------------------


def test_three_schedules_win_under_seven_welfare_functions(reached: Any) -> None:
    rows = [r for r in welfare_rows(reached) if r["best_of_the_four"] and r["responses"] == "exact"]
    winners = {row["welfare"]: row["schedule"] for row in rows}
    assert len(winners) == 7
    assert winners.pop("utilitarian") == FREE_MARKET
    assert winners.pop("Rawls") == US_FEDERAL
    assert set(winners.values()) == {PUBLISHED_BEST}


def test_jensen() -> None:
    rows = TwoPeriods().run()[PERIODS]
    cheaper = {
        name: {r["cheaper"] for r in rows if r["schedule"] == name} for name in (FREE_MARKET, US_FEDERAL, FALLING)
    }
    assert cheaper == {FREE_MARKET: {"neither"}, US_FEDERAL: {"smoothing"}, FALLING: {"alternating"}}
    flat = two_periods("flat", np.full(7, 0.25), 60.0)
    assert (flat["tax_smoothing"], flat["tax_alternating"], flat["shape"]) == (30.0, 30.0, "linear")
    by_hand = two_periods("two", np.array([0.0] + [0.5] * 6), 9.7)
    assert (by_hand["tax_smoothing"], by_hand["tax_alternating"]) == (0.0, pytest.approx(4.85))
    assert [shape(np.array(rates)) for rates in ([0, 1], [1, 0], [0, 1, 0])] == ["convex", "concave", "neither"]


def test_no_weights_choose_the_published_best(reached: Any) -> None:
    """A lottery over two schedules gives everybody more: a certificate that needs no search."""
    ours = outcome_under(population(), np.array([0.0, 0.0, 0.0, 0.6, 0.0, 0.05, 0.0]))
    own = reached[PUBLISHED_BEST, "exact"].utilities
    found = supporting_weights(own, np.array([ours.utilities, reached[SAEZ, "exact"].utilities]))
    assert found.margin < 0.0
    assert (found.gains > 0.0).all()


def test_a_better_schedule_joins_those_that_weights_stand_against() -> None:
    people = population()
    rates = np.array(SCHEDULES[PUBLISHED_BEST].rates)
    known, support = Schedules(1, 1).all_schedules(people, rates, [np.zeros(7)])
    assert len(known) > 1
    assert support.margin < 0.0
    assert (support.gains > 0.0).all()


def test_saezs_published_row_is_the_fixed_point_of_price_takers() -> None:
    found = saez_fixed_point(population(), 0.5, price_taking=True)
    assert found.period == 1
    np.testing.assert_allclose(found.rates, SCHEDULES[SAEZ].rates, atol=5.1e-4)


@pytest.mark.parametrize(("price_taking", "revealed"), [(True, 0.95), (False, 0.61)])
def test_a_quarter_of_the_tax_back_hides_part_of_the_elasticity(price_taking: bool, revealed: float) -> None:
    people = population()
    rates = saez_fixed_point(people, 0.5, price_taking).rates
    assert reform_elasticity(people, rates, price_taking=price_taking) == pytest.approx(revealed, abs=0.005)


def test_four_agents_reveal_one_elasticity_from_everywhere() -> None:
    ends = []
    for start in (0.25, 4.0):
        (rows,) = Turns(4, "reform", start, 10).run().values()
        assert {row["ends"] for row in rows} == {"fixed point"}
        assert all(a["revealed"] == b["elasticity"] for a, b in itertools.pairwise(rows))
        ends.append(rows[-1]["revealed"])
    assert ends[0] == ends[1] == pytest.approx(0.643, abs=0.001)


def test_rounds_that_run_out_are_told() -> None:
    (rows,) = Turns(4, "regression", 0.5, 3).run().values()
    assert len(rows) == 3
    assert rows[0]["revealed"] == 0.5  # four samples are too few


# --- the experiment --------------------------------------------------------------------------------------------------


def test_jobs_are_distinct_and_fewer_when_quick() -> None:
    keys = [job.key for job in which_tax_wins.jobs(Scale(10))]
    assert len(set(keys)) == len(keys) > len(which_tax_wins.jobs(Scale(10, quick=True)))


def test_committed_results() -> None:
    table = {(r["schedule"], r["responses"]): r["eq_times_prod"] for r in committed("which-tax-wins")}
    assert table[BEST, "exact"] >= 307.0
    assert max(table, key=lambda key: table[key]) == (BEST, "exact")
    wins = {(r["schedule"], r["against"]): r["wins"] for r in committed("which-tax-wins-weights")}
    assert wins == {(name, against): name == BEST for name in (PUBLISHED_BEST, BEST) for against in (COMPARED, ALL)} | {
        (name, RANKS): False for name in (PUBLISHED_BEST, BEST)
    }
    assert {r["bracket"] for r in committed(PEOPLE)} == set(range(7))
