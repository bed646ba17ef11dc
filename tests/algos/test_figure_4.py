"""Figure 4's sweep and tables: methods, budgets, the choice of ε, statistics, references, pictures."""

import json
from pathlib import Path
from typing import Any

import pytest

from ermas_algos.experiments.jobs import Scale
from ermas_algos.studies import figure_4
from ermas_algos.studies.figure_4_tables import (
    HELD_OUT,
    ORACLE,
    choice_rows,
    claim_rows,
    frontier_rows,
    optimum_rows,
    returns_of,
    summary_rows,
)
from ermas_envs.oracles import stationary_planner_optimum

PANEL = ("tragedy_of_commons", False)


def rows(gaps: Any, seeds: int = 4) -> list[dict[str, Any]]:
    """Returns that are easy to check: MARL told q earns 10 − 20·|gap − q|, ERMAS 8 − 100·ε·(1 − gap)."""
    found = []
    for gap in gaps:
        for seed in range(seeds):
            methods = {("MARL", None, q): 10 - 20 * abs(gap - q) for q in figure_4.TEST_GAPS}
            methods |= {("ERMAS", eps, None): 8 - 100 * eps * (1 - gap) for eps in (0.02, 0.05)}
            found += [
                {
                    "payoffs": PANEL[0],
                    "planner_observes": PANEL[1],
                    "method": method,
                    "epsilon": epsilon,
                    "parameter": parameter,
                    "seed": seed,
                    "q_test": gap,
                    "planner_return": value + 0.01 * seed,
                }
                for (method, epsilon, parameter), value in methods.items()
            ]
    return found


TESTED = rows(figure_4.TEST_GAPS)


def test_full_scale_is_all_methods_both_modes_both_payoffs_and_ten_seeds() -> None:
    for payoffs in figure_4.EXPERIMENTS.values():
        sweep = figure_4.sweep(Scale(), payoffs)
        assert sweep.seeds == tuple(range(10))
        assert {task.labels["planner_observes"] for task in sweep.tasks.values()} == {False, True}
        assert set(sweep.gaps) == {*figure_4.TEST_GAPS, *figure_4.VALIDATION_GAPS}
        families = {method.labels["method"] for method in sweep.methods.values()}
        assert families == {
            "MARL",
            "MARL + extra agent updates",
            "DR, tables",
            "DR, scalar (paper)",
            "RR, crra",
            "RR, exponential",
            "RR, cvar",
            "action noise",
            "quantal response",
            "population of λ",
            "frozen λ",
            "λ = 0",
            "ERMAS",
        }
        assert len({job.key for job in sweep.trainings()}) == len(sweep.trainings())


def test_validation_gaps_are_no_test_gaps() -> None:
    assert not set(figure_4.VALIDATION_GAPS) & set(figure_4.TEST_GAPS)


def test_the_oracle_is_marl_trained_at_each_gap() -> None:
    oracle = returns_of(TESTED, PANEL, figure_4.TEST_GAPS)[ORACLE, None, None]
    assert oracle[0].tolist() == [10.0] * 7


def test_a_missing_seed_is_an_error_and_never_averaged_over() -> None:
    with pytest.raises(ValueError, match="27 returns of 4 seeds at 7 gaps"):
        returns_of(TESTED[1:], PANEL, figure_4.TEST_GAPS)


def test_epsilon_is_the_one_with_the_best_worst_case_on_validation_gaps() -> None:
    choice = choice_rows(rows(figure_4.VALIDATION_GAPS), figure_4.VALIDATION_GAPS)
    assert {row["epsilon"]: row["chosen"] for row in choice} == {0.02: True, 0.05: False}
    assert choice[0]["worst_case"] == pytest.approx(8 - 2 * 0.75 + 0.015)


def test_summary_by_hand() -> None:
    (marl,) = [
        row for row in summary_rows(TESTED, figure_4.TEST_GAPS) if (row["method"], row["parameter"]) == ("MARL", 0.0)
    ]
    assert marl["seeds"] == 4
    assert marl["training_point"] == pytest.approx(10.015)
    assert marl["worst_case"] == pytest.approx(-2 + 0.015)
    assert marl["mean"] == pytest.approx(4.015)
    assert marl["price_of_robustness"] == 0.0
    assert marl["probability_of_improvement"] == 0.5


def test_claims_compare_with_marl_told_marl_and_the_chosen_epsilon() -> None:
    validated = rows(figure_4.VALIDATION_GAPS)
    claims = claim_rows(TESTED, validated, figure_4.TEST_GAPS, figure_4.VALIDATION_GAPS)
    found = {(r["method"], r["epsilon"], r["parameter"], r["against"]): r for r in claims}
    ermas = found["ERMAS", 0.02, None, "MARL, Q = 0"]
    assert ermas["worst_case"] == pytest.approx(6 - (-2))
    assert (ermas["worst_case_low"], ermas["worst_case_high"]) == pytest.approx((8.0, 8.0))  # seeds are alike for both
    assert found[(*HELD_OUT, "MARL, Q = 0")]["worst_case"] == ermas["worst_case"]
    assert ("ERMAS", 0.02, None, "ERMAS, chosen ε") not in found
    assert found["ERMAS", 0.05, None, "ERMAS, chosen ε"]["training_point"] == pytest.approx(-3)


def test_the_reference_is_the_closed_form_up_to_the_first_steps() -> None:
    from ermas_envs.games.bimatrix.payoffs import as_payoffs

    for row in optimum_rows(TESTED):
        closed = stationary_planner_optimum(as_payoffs(row["payoffs"]), row["q_test"])
        assert row["action"] == closed.action
        assert row["planner_return"] == pytest.approx(closed.planner_return, abs=1.3)


def test_pictures_of_the_tables(tmp_path: Path) -> None:
    choice = choice_rows(rows(figure_4.VALIDATION_GAPS), figure_4.VALIDATION_GAPS)
    tables = {
        "figure-4": TESTED,
        "figure-4-choice": choice,
        "figure-4-summary": summary_rows(TESTED, figure_4.TEST_GAPS),
        "figure-4-optimum": optimum_rows(TESTED),
        "figure-4-frontier": frontier_rows(TESTED, figure_4.TEST_GAPS),
    }
    figure_4.plot("figure-4", tmp_path / "figure-4.png", tables)
    assert (tmp_path / "figure-4.png").stat().st_size > 10_000
    assert (tmp_path / "figure-4-frontier.png").stat().st_size > 10_000


def test_the_description_is_json() -> None:
    for payoffs in figure_4.EXPERIMENTS.values():
        json.dumps(figure_4.describe(payoffs, Scale(2, quick=True), []))
