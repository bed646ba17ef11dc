"""Figure 5 in the one-step economy: tests of schedules against the oracles, the choice of a schedule, tables."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ermas_algos.algorithms.run import Run
from ermas_algos.evaluation.fresh_agents import FreshAgents
from ermas_algos.evaluation.schedule_transfer import (
    ScheduleTest,
    evaluate_schedule,
    fresh_taxpayers,
    hours_of_fresh_agents,
)
from ermas_algos.experiments.jobs import Finished, Scale
from ermas_algos.learners import SB3Learner, SB3LearnerConfig
from ermas_algos.number_cells import numbers_of, numbers_text
from ermas_algos.studies import figure_5_jobs as jobs
from ermas_algos.studies import figure_5_one_step as study
from ermas_algos.studies.figure_5_tables import (
    HELD_OUT,
    choice_rows,
    claim_rows,
    means_over_sets,
    returns_of,
    summary_rows,
)
from ermas_algos.studies.one_step_gaps import GAPS, HUNDRED_AGENTS, LABOR, Gap
from ermas_algos.studies.one_step_gaps import RISK_AVERSION as GAP
from ermas_envs import one_step_economy_v0
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.taxation.tax_schedule import US_FEDERAL_2018_RATES
from ermas_envs.games.taxation.welfare import equality
from ermas_envs.oracles.taxes import Population, equilibrium, reform_elasticity, saez_schedule
from ermas_envs.planners import FixedBrackets

BEST = [0.0, 0.0, 0.0, 0.15, 0.5, 0.6, 0.0]
"""The best schedule on the 5 % grid at η = .23."""
FEW = {**GAP.arguments(0.23), "num_agents": 3}


def test_an_exact_test_is_the_equilibrium() -> None:
    found = evaluate_schedule(GAP.arguments(0.23), BEST, None)
    assert found.exact_welfare == pytest.approx(138.9618, abs=1e-4)
    assert found.equilibrium_regret == 0.0
    assert (found.fresh_welfare, found.fresh_regret, found.fresh_converged) == (None, None, None)
    taxed = Population.of(OneStepSettings(**GAP.arguments(0.23))).under(BEST)
    coins = taxed.coins(equilibrium(taxed).profile.argmax(axis=1))
    assert found.productivity == pytest.approx(coins.mean())
    assert found.equality == pytest.approx(equality(coins, np.empty_like(coins)))


def test_untrained_agents_have_the_regret_of_their_policies() -> None:
    env = one_step_economy_v0.batched_env(1, planner=FixedBrackets(BEST), **FEW)
    spaces = env.observation_spaces["agent_0"], env.action_spaces["agent_0"]
    learner = SB3Learner(SB3LearnerConfig("MaskablePPO"), *spaces, 0)
    profile = hours_of_fresh_agents(env, FreshAgents(dict.fromkeys(env.agents, learner), False, 0, 0))
    assert profile.shape == (3, 101)
    assert profile.sum(axis=1) == pytest.approx([1.0] * 3)
    assert profile.max() < 0.02  # near the uniform distribution


QUICK_FRESH = dataclasses.replace(fresh_taxpayers(3), num_envs=16, window=2, max_iterations=4)


def test_fresh_agents_follow_from_their_seed() -> None:
    first, again = (evaluate_schedule(FEW, BEST, QUICK_FRESH, seed=3) for _ in range(2))
    assert first == again
    assert first.fresh_regret is not None
    assert first.fresh_regret > 0.1  # four updates are few
    assert evaluate_schedule(FEW, BEST, QUICK_FRESH, seed=4).fresh_welfare != first.fresh_welfare


@pytest.mark.slow
@pytest.mark.parametrize("eta", [0.11, 0.23])
def test_fresh_agents_answer_as_in_equilibrium(eta: float) -> None:
    """Welfare within 1 %, and regret below 1 % of the smallest utility per step, 33 and more."""
    found = evaluate_schedule(GAP.arguments(eta), BEST, fresh_taxpayers(10))
    assert found.fresh_welfare == pytest.approx(found.exact_welfare, rel=0.01)
    assert found.fresh_regret is not None
    assert found.fresh_regret < 0.2


@pytest.mark.slow
def test_a_crowd_stops_below_a_cliff() -> None:
    """Fresh agents who go on to 100 hours make this schedule worth 138.7, with a regret of 2.7 per step."""
    cliff = [0.5, 0.2, 0.0, 0.0, 0.95, 0.25, 0.2]
    found = evaluate_schedule(HUNDRED_AGENTS.arguments(0.23), cliff, jobs.fresh_agents(HUNDRED_AGENTS))
    assert found.exact_welfare == pytest.approx(131.858, abs=1e-2)
    assert found.fresh_welfare == pytest.approx(found.exact_welfare, rel=0.02)
    assert found.fresh_regret is not None
    assert found.fresh_regret < 1.2


def test_the_budget_of_equal_compute_is_that_of_ermas() -> None:
    settings = {"num_envs": 4, "warmup_iterations": 3, "planner_warmup": 1}
    run = jobs.training_run(GAP, jobs.Method("ERMAS", 0.5, settings), 0, 8)
    trainer = run.trainer().learn(8)
    blocks = trainer.env_steps / (4 * 2)
    extra = run.config.practice_updates * run.config.deviating_agents  # the first practice has no deviations yet
    assert blocks == study.blocks_played(run, 8) - extra
    marl = jobs.training_run(GAP, jobs.Method("MARL", None, {"num_envs": 4, "planner_warmup": 1}), 0, 3)
    assert marl.trainer().learn(3).env_steps == 4 * 2 * study.blocks_played(marl, 3)


def test_a_training_keeps_what_is_worth_most_to_fresh_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither exact values nor the sampled ones take part in the choice."""

    def worth(arguments: Mapping[str, Any], rates: Any, fresh: Any, seed: int) -> ScheduleTest:
        assert arguments["isoelastic_eta"] == 0.23
        return ScheduleTest(1000.0 - sum(rates), 0.0, 0.0, 0.0, sum(rates), 0.0, True)

    monkeypatch.setattr(jobs, "evaluate_schedule", worth)
    method = jobs.Method("MARL", None, {"num_envs": 8, "planner_warmup": 2})
    (rows,) = jobs.Training(GAP, "MARL", method, 1, 6, 2).run().values()
    assert [row["iteration"] for row in rows] == [4, 6]
    assert [row["seed"] for row in rows] == [1, 1]
    best = max(rows, key=lambda row: row["fresh_welfare"])
    assert [row["chosen"] for row in rows] == [row["schedule"] == best["schedule"] for row in rows]
    assert all(0.0 < row["probability"] <= 1.0 for row in rows)
    assert all(row["env_steps"] == 2 * 8 * 2 * row["iteration"] for row in rows)


def test_domain_randomisation_draws_the_tests_and_is_asked_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedules are chosen by the mean over home and the values of the validation."""

    def worth(arguments: Mapping[str, Any], rates: Any, fresh: Any, seed: int) -> ScheduleTest:
        assert "perturbation" not in arguments
        eta = arguments["isoelastic_eta"]
        return ScheduleTest(100.0 * eta, 0.0, 0.0, 0.0, eta + sum(rates), 0.0, True)

    monkeypatch.setattr(jobs, "evaluate_schedule", worth)
    known = study.methods(GAP, False)["MARL_domain-randomisation"]
    assert known.etas == GAP.tests
    assert jobs.training_run(GAP, known, 0, 1).config.agent_learner.kind == "jax"
    short = dataclasses.replace(known, settings={"num_envs": 8, "planner_warmup": 1}, learner=None)
    (rows,) = jobs.Training(GAP, "short", short, 0, 2, 2).run().values()
    (row,) = rows
    expected = np.mean([0.17, 0.23, 0.29]) + sum(numbers_of(row["schedule"]))
    assert row["fresh_welfare"] == pytest.approx(expected)
    assert row["exact_welfare"] == pytest.approx(23.0)
    assert row["method"] == "MARL, domain randomisation"


def test_deviations_are_of_the_kind_of_the_agents() -> None:
    config = jobs.training_run(HUNDRED_AGENTS, study.methods(HUNDRED_AGENTS, False)["ERMAS_epsilon-0.5"], 0, 1).config
    assert config.agent_learner.kind == config.deviation_learner.kind == "jax"
    assert config.agent_learner.annealed_share < config.deviation_learner.annealed_share == 0.3


def finished(key: str, tables: Mapping[str, Any]) -> Finished:
    return Finished(key, {}, dict(tables), {}, 0.0)


def test_what_is_tested() -> None:
    """An oracle at its η only; of a training what was chosen, once, though two snapshots share it."""
    exact = {"method": jobs.ORACLE, "epsilon": None, "eta": 0.27, "schedule": "0 0"}
    snapshots = [
        {"method": "MARL", "epsilon": None, "seed": 2, "env_steps": steps, "schedule": "0 1", "chosen": steps > 1}
        for steps in (1, 2, 3)
    ]
    done = [finished("a", {jobs.SCHEDULES: [exact]}), finished("b", {jobs.TRAINING: snapshots})]
    oracle, learned = study.tests(GAP, Scale(1), done, Path())
    assert oracle.configuration()["values"] == (0.27,)
    assert learned.configuration()["labels"] == {"method": "MARL", "epsilon": None, "seed": 2, "env_steps": 2}
    assert set(GAP.tests) | set(GAP.validation) == set(learned.configuration()["values"])
    assert learned.seed == 1002  # those who have chosen the schedule have seed 2


def test_saez_is_a_fixed_point_at_the_measured_elasticity() -> None:
    (row,) = jobs.Exact(GAP, jobs.SAEZ, GAP.home).run()[jobs.SCHEDULES]
    people = Population.of(OneStepSettings(**GAP.arguments(0.23)))
    elasticity = reform_elasticity(people, np.array(US_FEDERAL_2018_RATES))
    rates = np.array(numbers_of(row["schedule"]))
    incomes = (equilibrium(people.under(rates)).profile * people.under(rates).incomes).sum(axis=1)
    np.testing.assert_allclose(saez_schedule(incomes, elasticity, people.cutoffs), rates, atol=1e-5)
    assert evaluate_schedule(GAP.arguments(0.23), rates, None).exact_welfare > 128.02  # the free market's


@pytest.mark.parametrize("gap", GAPS, ids=lambda gap: gap.name)
def test_keys_are_distinct_and_configurations_json(gap: Gap) -> None:
    found = study.trainings(gap, Scale(2), [], Path())
    assert len({job.key for job in found}) == len(found)
    assert all(json.dumps(job.configuration()) for job in found)
    test = jobs.Test(gap, {}, "0 0", (gap.home,), (), True, 1000)
    fresh = [job.configuration()["fresh_agents"] for job in (*found, test) if not isinstance(job, jobs.Exact)]
    assert all(agents["max_iterations"] for agents in fresh)  # what determines the results
    run = jobs.training_run(gap, study.methods(gap, False)["MARL"], 0, 5)
    assert Run.from_options(run.as_options()) == run
    assert run.config.policy_sharing == "group"


def rows_by(welfare: Mapping[tuple[str, float | None, int], list[float]]) -> list[dict[str, Any]]:
    return [
        {
            "method": method,
            "epsilon": epsilon,
            "seed": seed,
            "eta_test": eta,
            "exact_welfare": value,
            "fresh_welfare": value - 1.0,
        }
        for (method, epsilon, seed), values in welfare.items()
        for eta, value in zip((0.19, 0.23, 0.27), values, strict=True)
    ]


WELFARE = {
    ("MARL", None, 0): [140.0, 140.0, 100.0],
    ("MARL", None, 1): [138.0, 138.0, 110.0],
    ("ERMAS", 0.5, 0): [137.0, 137.0, 120.0],
    ("ERMAS", 0.5, 1): [135.0, 135.0, 122.0],
    ("ERMAS", 1.0, 0): [130.0, 130.0, 125.0],
    ("ERMAS", 1.0, 1): [128.0, 128.0, 125.0],
}


def test_epsilon_is_chosen_by_fresh_agents() -> None:
    rows = choice_rows(GAP, rows_by(WELFARE))
    means = {row["epsilon"]: (row["validation_welfare"], row["chosen"]) for row in rows}
    assert means == {0.5: (pytest.approx(130.0), True), 1.0: (pytest.approx(766 / 6 - 1.0), False)}
    assert {row["evaluation"] for row in rows} == {"fresh"}


def test_claims_are_differences() -> None:
    rows = rows_by(WELFARE)
    exact, held_out, fresh, _ = claim_rows(GAP, rows, rows)
    compared = [(row["evaluation"], row["method"], row["baseline"]) for row in (exact, held_out, fresh)]
    assert compared == [("exact", "ERMAS", "MARL"), ("exact", HELD_OUT, "MARL"), ("fresh", "ERMAS", "MARL")]
    assert exact["epsilon"] == 0.5
    assert exact["mean_difference"] == pytest.approx(131.0 - 766 / 6)
    assert exact["worst_case_difference"] == pytest.approx(121.0 - 105.0)
    assert exact["share_at_home"] == pytest.approx(136.0 / 139.0)
    gain = 100 * (121.0 / 105.0 - 1)
    assert exact["gain_percent_eta_0.27"] == pytest.approx(gain)
    assert exact["gain_percent_eta_0.27_low"] < gain < exact["gain_percent_eta_0.27_high"]


def test_a_schedule_that_needs_no_training_is_known() -> None:
    """The interval of what is compared with it is of the other's seeds."""
    rows = rows_by({**WELFARE, (jobs.SAEZ, None, 0): [130.0, 130.0, 115.0]})
    found = {(row["evaluation"], row["method"], row["baseline"]): row for row in claim_rows(GAP, rows, [])}
    marl = found["exact", "MARL", jobs.SAEZ]
    assert marl["gain_percent_eta_0.27"] == pytest.approx(100 * (105.0 / 115.0 - 1))
    assert marl["gain_percent_eta_0.27_low"] == pytest.approx(100 * (100.0 / 115.0 - 1))
    assert marl["gain_percent_eta_0.27_high"] == pytest.approx(100 * (110.0 / 115.0 - 1))
    assert ("exact", "ERMAS", jobs.SAEZ) not in found  # no ε was chosen


def test_regret_to_the_oracle_is_the_mean_over_eta() -> None:
    oracle = {(jobs.ORACLE, None, 0): [141.0, 141.0, 131.0]}
    rows = summary_rows(GAP, rows_by({**WELFARE, **oracle}))
    values = {(row["evaluation"], row["method"], row["epsilon"]): row["regret_to_oracle"] for row in rows}
    assert values["exact", "MARL", None] == pytest.approx((2.0 + 2.0 + 26.0) / 3)
    assert values["fresh", "ERMAS", 0.5] == pytest.approx((6.0 + 6.0 + 11.0) / 3)


def test_what_is_common_to_a_seed_is_in_no_difference() -> None:
    """Fresh agents of seed 1 are worth 30 less to both methods: the gain is known to a tenth all the same."""
    marl = {("MARL", None, seed): [100.0 - 30.0 * seed] * 3 for seed in (0, 1)}
    ermas = {("ERMAS", 0.5, seed): [105.0 + 0.1 * seed - 30.0 * seed] * 3 for seed in (0, 1)}
    first, *_ = claim_rows(GAP, rows_by(marl | ermas), rows_by(ermas))
    assert (first["mean_difference_low"], first["mean_difference_high"]) == pytest.approx((5.0, 5.1))


def test_the_choice_for_a_seed_is_made_by_the_others() -> None:
    """Seed 0's own validation is in favour of ε = 1, seed 1's of .5, and the sum of both of ε = 1."""
    chosen = {("ERMAS", 0.5, 0): 110.0, ("ERMAS", 0.5, 1): 120.0, ("ERMAS", 1.0, 0): 140.0, ("ERMAS", 1.0, 1): 100.0}
    validated = rows_by({key: [value] * 3 for key, value in chosen.items()})
    claims = claim_rows(GAP, rows_by(WELFARE), validated)
    found = {row["method"]: row["mean_difference"] for row in claims if row["evaluation"] == "exact"}
    assert found["ERMAS"] == pytest.approx((385.0 + 381.0) / 6 - 766 / 6)  # ε = 1 for both
    assert found[HELD_OUT] == pytest.approx((394.0 + 381.0) / 6 - 766 / 6)


def test_a_missing_test_is_named() -> None:
    rows = rows_by(WELFARE)[:-1]
    with pytest.raises(ValueError, match=r"lacks a test of seed 1"):
        returns_of(GAP, rows, "exact")


def test_results_of_other_settings_or_seeds_are_not_mixed() -> None:
    """As `--earlier` could bring them."""
    rows = rows_by(WELFARE)
    with pytest.raises(ValueError, match=r"two results of seed 0 at 0\.19"):
        returns_of(GAP, [*rows, rows[0]], "exact")
    sets = [{**row, "fresh_seed": 1000 + row["seed"], "fresh_converged": True} for row in rows]
    assert len(means_over_sets(GAP, sets)) == len(sets)
    with pytest.raises(ValueError, match="two results of fresh agents 1000"):
        means_over_sets(GAP, [*sets, sets[0]])
    with pytest.raises(ValueError, match="trainings of 9 and of 8 environment steps"):
        means_over_sets(GAP, [{**row, "env_steps": 9 - (row["seed"] == 1)} for row in sets])
    with pytest.raises(ValueError, match="the same seeds"):
        returns_of(GAP, [{**row, "seed": row["seed"] + (row["method"] == "MARL")} for row in rows], "exact")


def test_schedules_survive_a_table() -> None:
    assert numbers_of(numbers_text(BEST)) == BEST


@pytest.mark.parametrize("gap", GAPS, ids=lambda gap: gap.name)
def test_gaps_are_trained_at_a_test_and_chosen_elsewhere(gap: Gap) -> None:
    assert gap.home in gap.tests
    assert list(gap.tests) == sorted(gap.tests)
    assert not set(gap.validation) & set(gap.tests)
    assert gap.arguments(gap.tests[0])[gap.argument] == gap.tests[0]


def test_the_people_of_the_gaps() -> None:
    assert HUNDRED_AGENTS.people(0.23).size == 100
    assert fresh_taxpayers(10).num_envs * 10 == 1280
    assert fresh_taxpayers(100).num_envs == fresh_taxpayers(54).num_envs == 24
    elastic, stiff = (LABOR.people(value) for value in (LABOR.tests[0], LABOR.tests[-1]))
    hours = [equilibrium(people.under([0.0] * 7)).profile.argmax(axis=1).mean() for people in (elastic, stiff)]
    assert hours[0] > 1.5 * hours[1]


def test_a_test_finds_the_worst_cases() -> None:
    job = jobs.Test(GAP, {"method": "MARL", "epsilon": None, "seed": 0}, numbers_text(BEST), (0.23,), (0.5,), False, 0)
    found = job.run()
    (tested,), (worst,) = found[jobs.TESTS], found[jobs.WORST]
    assert tested["exact_welfare"] == pytest.approx(138.9618, abs=1e-4)
    assert worst["epsilon_of_agents"] == 0.5
    assert worst["worst_case_bound"] <= worst["worst_case_found"] < 115.0


def test_the_picture_is_drawn_from_tables(tmp_path: Path) -> None:
    """All panels, by two seeds of each method, and robust schedules."""
    facts = {"equality": 0.9, "productivity": 150.0, "schedule": "0 0 0 0.1 0.5 0.6 0"}
    welfare = {**WELFARE, (jobs.ROBUST, 0.5, 0): [134.0, 134.0, 132.0], (jobs.ORACLE, None, 0): [139.0, 139.0, 133.0]}
    rows = [{**row, **facts} for row in rows_by(welfare)]
    learned = [
        {"method": method, "epsilon": epsilon, "seed": seed, "iteration": 9, "trained_hours": "1 2 3"}
        | {"equilibrium_hours": "2 2 2"}
        for method, epsilon, seed in WELFARE
    ]
    worst = [
        {"method": method, "epsilon": epsilon, "epsilon_of_agents": 0.5, "worst_case_found": 110.0 + seed}
        for method, epsilon, seed in WELFARE
    ]
    by_part = {"choice": choice_rows(GAP, rows), "training": learned, "worst-cases": worst}
    tables = {name: by_part.get(name.removeprefix(f"{GAP.name}-"), []) for name in study.tables(GAP)}
    path = tmp_path / "figure.png"
    study.plot(GAP, path, {**tables, GAP.name: rows})
    assert path.read_bytes().startswith(b"\x89PNG")
