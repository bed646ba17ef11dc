"""Figure 5 in the full economy: what is trained and tested, Saez's elasticity, ranks, and the whole in miniature."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from ermas_algos.evaluation.economy_episodes import WELFARE
from ermas_algos.experiments.backends import backend_of
from ermas_algos.experiments.jobs import Finished, Scale, check_keys
from ermas_algos.experiments.sweep import PLANNER_FILE
from ermas_algos.learners.protocol import Spaces
from ermas_algos.number_cells import numbers_of, numbers_text
from ermas_algos.plots.tax_methods import STYLES, draw_gains
from ermas_algos.studies import figure_5_economy as study
from ermas_algos.studies import figure_5_economy_jobs as jobs
from ermas_algos.studies.economy_sizes import SIZES, VILLAGE, Size
from ermas_algos.studies.figure_5_economy_cross_play import CROSS_PLAY, CrossPlay, cross_plays
from ermas_algos.studies.figure_5_economy_picture import means_by_rank
from ermas_algos.studies.figure_5_economy_saez import SaezFormula, elasticity
from ermas_algos.studies.figure_5_jobs import ORACLE
from ermas_algos.studies.figure_5_tables import (
    amortised_rows,
    claim_rows,
    economy_rows,
    means_over_sets,
    rank_rows,
    summary_rows,
)
from ermas_algos.studies.reproduction import reproduce
from ermas_envs import EnvironmentSpec


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_every_training_and_test_is_another_job(size: Size) -> None:
    found = study.trainings(size, Scale(3), [], Path())
    check_keys(job.key for job in found)
    seeds = [job.seed for job in found if isinstance(job, jobs.Training)]
    assert seeds == sorted(seeds)  # the first seeds are whole before the last ones begin
    assert not set(size.tests) & set(size.validation)
    assert size.home in size.tests


@pytest.mark.parametrize("size", [*SIZES, VILLAGE.quick()], ids=lambda size: f"{size.name}-{size.iterations}")
def test_rates_may_grow_when_agents_have_learned_alone(size: Size) -> None:
    """People who are taxed, or get a share of others' taxes, before they can work, never learn what they could earn."""
    training, fresh = size.training("ERMAS", {}, size.home, 0), size.fresh_first_phase(1000)
    for run in (training, fresh):
        taxes = run.environment.arguments["components"]["PeriodicBracketTax"]
        assert taxes["tax_annealing_schedule"][0] == size.alone
        assert taxes == size.test_arguments(0.11)["components"]["PeriodicBracketTax"]
    assert training.config.planner_warmup == size.alone
    assert fresh.config.planner_warmup == fresh.iterations == size.fresh_alone > size.alone


def test_a_first_phase_is_the_beginning_of_its_training() -> None:
    """Learning rate and entropy would jump where the training goes on, if they had fallen for the time of a test."""
    first, training = VILLAGE.first_phase(VILLAGE.home, 0), VILLAGE.training("MARL", {}, VILLAGE.home, 0)
    assert first.config.agent_learner == training.config.agent_learner
    fresh, test = VILLAGE.fresh_first_phase(1000), VILLAGE.fresh_agents()
    assert fresh.config.agent_learner == test.agent_learner
    assert test.agent_learner.anneal_epochs == 3 * (fresh.iterations + test.max_iterations)


def test_the_search_for_saezs_schedule_goes_half_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """With incomes that answer to the top rate; no set of agents is one of a test or a training."""
    asked: list[Any] = []

    def play(self: SaezFormula, rates: Any, agents: Any, labels: dict[str, Any]) -> Any:
        asked.append(rates)
        incomes = np.linspace(1.0, 120.0, 200) * (1.0 - 0.5 * rates[-1])
        return incomes, [{**labels, "rates": numbers_text(rates), "seed": 0}]

    monkeypatch.setattr(SaezFormula, "_play", play)
    formula = SaezFormula(VILLAGE.quick())
    rows = formula.run()[study.SAEZ]
    rounds = [numbers_of(row["rates"]) for row in rows if row["what"] == "formula"]
    assert [row["round"] for row in rows] == [None, None, 0, 1, 2, 3]
    distances = [row["distance"] for row in rows[2:]]
    for before, after, distance in zip(rounds, rounds[1:], distances, strict=False):
        assert np.abs(np.subtract(after, before)).max() == pytest.approx(distance / 2.0, abs=1e-6)
    assert distances[-1] < distances[0]
    sets = {run["settings"]["seed"] for run in SaezFormula(VILLAGE).configuration()["first"]}
    assert sets == {2000, 2001, 2002}


def test_bands_of_who_does_what_are_over_seeds_not_over_tests() -> None:
    def row(seed: int, eta: float | None, houses: float, rank: int = 0) -> dict[str, Any]:
        return {"method": "MARL", "epsilon": None, "seed": seed, "rank": rank, "houses": houses, "eta_test": eta}

    of_the_training = {name: value for name, value in row(0, None, 9.0).items() if name != "eta_test"}
    rows = [
        of_the_training,
        row(0, 0.11, 1.0),
        row(0, 0.35, 3.0),
        row(1, 0.11, 4.0),
        row(1, None, 9.0),
        row(1, 0.11, 5.0, 1),
    ]
    assert means_by_rank(rows, "houses") == {("MARL", None): {0: [2.0, 4.0], 1: [5.0]}}


def test_an_elasticity_of_known_incomes() -> None:
    assert elasticity(np.array([4.0, 12.0]), np.array([1.0, 7.0]), 0.5) == pytest.approx(1.0)
    assert elasticity(np.array([4.0]), np.array([5.0]), 0.5) == 0.0  # people who work more where they keep less
    with pytest.raises(ValueError, match="incomes before and after"):
        elasticity(np.array([4.0]), np.array([0.0]), 0.5)


def test_the_budget_of_equal_compute_is_what_trainings_count() -> None:
    """Those of ERMAS in which all four agents deviate, and of MARL, after the first phase that both share."""
    size = replace(VILLAGE.quick(), iterations=8)
    begun = jobs.FirstPhase(size, size.home, 0).run()
    for name, settings, unsynchronised in (("ERMAS", {"warmup_iterations": 3}, 4), ("MARL", {}, 0)):
        training = jobs.Training(size, begun.files[PLANNER_FILE], name, jobs.Method(name, name, settings), 0)
        (trained,) = training.run().tables[jobs.TRAINING]
        blocks = study.blocks_after_first_phase(size, training.run_settings()) - unsynchronised
        assert trained["env_steps"] - begun.tables[jobs.FIRST][0]["env_steps"] == blocks * 8 * 100
    ermas, marl = (VILLAGE.training(name, {}, VILLAGE.home, 0) for name in ("ERMAS", "MARL"))
    own, other = (study.blocks_after_first_phase(VILLAGE, run) for run in (ermas, marl))
    assert study.equal_envs(VILLAGE) * other == pytest.approx(32 * own, rel=0.005)


def row(method: str, eta: float, value: float, seed: int = 0, **further: Any) -> dict[str, Any]:
    labels = {"method": method, "epsilon": 0.01 if method == "ERMAS" else None, "seed": seed, "eta_test": eta}
    return {**labels, "fresh_welfare": value, **dict.fromkeys(WELFARE, value), **further}


CHOICE = [{"epsilon": 0.01, "chosen": True}, {"epsilon": 0.02, "chosen": False}]


def test_ranks_by_hand() -> None:
    rows = [row("MARL", 0.23, 5.0), row("MARL", 0.35, 1.0), row("ERMAS", 0.23, 4.0), row("ERMAS", 0.35, 4.0)]
    rows += [{**row("ERMAS", 0.23, 99.0), "epsilon": 0.02}, row(ORACLE, 0.23, 99.0)]
    found = rank_rows(VILLAGE, rows, CHOICE)
    places = {(r["welfare"], r["where"], r["method"]): (r["value"], r["rank"]) for r in found}
    assert places["rawls", "home", "MARL"] == (5.0, 1)
    assert places["rawls", "home", "ERMAS"] == (4.0, 2)
    assert places["rawls", "over the gap", "ERMAS"] == (4.0, 1)
    assert places["rawls", "over the gap", "MARL"] == (3.0, 2)
    assert len(found) == len(WELFARE) * 2 * 2


def test_economies_are_counted_by_the_houses_of_the_most_skilled() -> None:
    def rank(number: int, houses: float, seed: int, eta: float | None = 0.23, method: str = "MARL") -> dict[str, Any]:
        labels = {"method": method, "epsilon": None, "eta_test": eta, "fresh_seed": seed}
        return {**labels, "rank": number, "houses": houses}

    skills = [rank(3, 9.0, 0), rank(3, 1.9, 1), rank(2, 0.0, 0), rank(3, 0.0, 0, None), rank(3, 2.0, 0, 0.31)]
    at_home, elsewhere = economy_rows(VILLAGE, skills)
    assert at_home == {
        **{"method": "MARL", "epsilon": None, "eta_test": 0.23, "sets": 2, "poor": 1},
        **{"least_houses": 1.9, "most_houses": 9.0},
    }
    assert (elsewhere["eta_test"], elsewhere["poor"]) == (0.31, 0)
    assert economy_rows(VILLAGE, [rank(3, 0.0, 0, None)]) == []  # those of a training


def test_amortised_tests_stand_beside_the_others() -> None:
    tested = [row("MARL", 0.23, 5.0), row("MARL", 0.35, 1.0)]
    seen = [{**row("MARL", eta, 0.0), "eq_times_prod": 4.0} for eta in (0.23, 0.27)]
    first, second = amortised_rows(VILLAGE, seen, tested)
    labels = {"method": "MARL", "epsilon": None, "seed": 0}
    assert first == {**labels, "eta_test": 0.23, "amortised_welfare": 4.0, "fresh_welfare": 5.0}
    assert second["fresh_welfare"] is None
    assert VILLAGE.test_arguments(0.27)["perturbation"]["etas"] == [0.27]
    assert VILLAGE.test_arguments(0.27)["isoelastic_eta"] == 0.27  # so that nothing is added to the rewards


def test_a_test_is_the_mean_of_its_sets_of_agents() -> None:
    sets = [
        row("ERMAS", 0.23, value, fresh_seed=seed, fresh_converged=seed == 1000, rates=f"{seed}")
        for seed, value in ((1000, 4.0), (1001, 7.0))
    ]
    other = row("ERMAS", 0.27, 1.0, fresh_seed=1000, fresh_converged=True, rates="0")
    first, second = means_over_sets(VILLAGE, [*sets, other])
    assert first == row("ERMAS", 0.23, 5.5, fresh_converged=False, rates="1000")
    assert second == row("ERMAS", 0.27, 1.0, fresh_converged=True, rates="0")


def test_regret_to_oracles_of_several_seeds() -> None:
    rows = [row(ORACLE, eta, 10.0 + seed, seed) for eta in (0.23, 0.35) for seed in (0, 1)]
    rows += [row("MARL", eta, 8.0, seed) for eta in (0.23, 0.35) for seed in (0, 1)]
    (found,) = summary_rows(VILLAGE, rows)
    assert found["regret_to_oracle"] == pytest.approx(2.5)
    (without,) = summary_rows(VILLAGE, [r for r in rows if (r["method"], r["eta_test"]) != (ORACLE, 0.35)])
    assert "regret_to_oracle" not in without


def test_where_marls_people_do_nothing_there_is_no_gain_in_per_cent(tmp_path: Path) -> None:
    rows = [row(method, eta, value) for method in ("MARL", "ERMAS") for eta, value in ((0.23, 5.0), (0.35, 0.0))]
    first, *_ = claim_rows(VILLAGE, rows, [row("ERMAS", 0.17, 4.0)])
    assert first["gain_percent_eta_0.23"] == 0.0
    assert first["gain_percent_eta_0.35"] is None
    axes = Figure().subplots()
    draw_gains(axes, rows, [("MARL", None), ("ERMAS", 0.01)], "fresh_welfare", "eta_test", STYLES)
    assert np.isfinite([line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 1]).all()


def test_gains_are_drawn_seed_by_seed() -> None:
    """Seed 1's fresh agents are worth 10 less to both; a rule, which has one seed, is compared with MARL's mean."""
    welfare = {("MARL", 0): 25.0, ("MARL", 1): 15.0, ("ERMAS", 0): 27.0, ("ERMAS", 1): 17.0, ("Saez", 0): 22.0}
    rows = [row(method, 0.23, value, seed) for (method, seed), value in welfare.items()]
    axes = Figure().subplots()
    draw_gains(axes, rows, [("ERMAS", 0.01), ("Saez", None)], "fresh_welfare", "eta_test", STYLES)
    assert np.concatenate([line.get_ydata() for line in axes.lines[:2]]).tolist() == pytest.approx([10.0, 10.0])
    assert axes.collections[0].get_paths()[0].get_extents().height == pytest.approx(0.0, abs=1e-9)


def job(key: str, tables: Mapping[str, Any], folder: Path | None = None) -> Finished:
    """A finished job, with a checkpoint where there is a folder."""
    files = {}
    if folder is not None:
        (folder / f"{key}.{PLANNER_FILE}").write_bytes(key.encode())
        files[PLANNER_FILE] = hashlib.sha256(key.encode()).hexdigest()
    return Finished(key, {}, dict(tables), {}, 0.0, files)


def first_phases(folder: Path) -> list[Finished]:
    """Those of one seed, but for one that failed."""
    found = study.first_phases(VILLAGE, Scale(1), [], folder)
    phases = [phase for phase in found if isinstance(phase, jobs.FirstPhase) and (phase.eta, phase.seed) != (0.35, 0)]
    return [job(f"first{k}", {jobs.FIRST: [{"eta": p.eta, "seed": p.seed}]}, folder) for k, p in enumerate(phases)]


def test_trainings_begin_with_the_agents_of_their_people(tmp_path: Path) -> None:
    begun = first_phases(tmp_path)
    found = [one for one in study.trainings(VILLAGE, Scale(1), begun, tmp_path) if isinstance(one, jobs.Training)]
    assert {one.method_name for one in found} == {*study.methods(VILLAGE)} - {"MARL_eta-0.35"}  # whose agents failed
    places = {row["eta"]: f.key.encode() for f in begun for row in f.tables[jobs.FIRST] if row["seed"] == 0}
    assert all(one.first == places[one.method.eta] for one in found)
    randomised = next(one for one in found if one.method.eta is None)
    assert randomised.run_settings().environment.arguments["perturbation"]["etas"] == list(VILLAGE.tests)


def test_what_is_tested(tmp_path: Path) -> None:
    """Agents of a test are others than those of the training; oracles are tested at home only, wherever that is."""
    trained = [("MARL", None, VILLAGE.home), ("ERMAS", 0.01, VILLAGE.home), (ORACLE, None, 0.11)]
    done = [
        job(f"t{k}", {jobs.TRAINING: [dict(method=m, epsilon=e, seed=0, env_steps=9, eta_trained=eta)]}, tmp_path)
        for k, (m, e, eta) in enumerate(trained)
    ]
    formula = job("saez", {study.SAEZ: [{"rates": "0 1"}, {"rates": "0.5 0.25"}]})
    found = study.tests(VILLAGE, Scale(1), [*first_phases(tmp_path), *done, formula], tmp_path)
    etas: dict[str, list[float | None]] = {}
    sets: dict[tuple[str, float | None], set[tuple[int, bytes]]] = {}
    for one in found:
        assert isinstance(one, jobs.Test)
        if one.seed == 1000:
            etas.setdefault(one.labels["method"], []).append(one.eta)
        sets.setdefault((one.labels["method"], one.eta), set()).add((one.seed, one.first))
        if one.labels["method"] == "Saez":
            assert one.planner == {"name": "fixed_brackets", "rates": [0.5, 0.25]}
    # Every test has its sets of agents, each of a first phase of its own.
    assert all({seed for seed, _ in same} == set(range(1000, 1000 + VILLAGE.fresh_sets)) for same in sets.values())
    assert all(len({first for _, first in same}) == VILLAGE.fresh_sets for same in sets.values())
    everywhere = list(VILLAGE.tests)
    assert etas.pop(ORACLE) == [0.11]
    assert etas.pop("ERMAS") == sorted((*everywhere, *VILLAGE.validation))
    assert etas == {key: [*everywhere, None] for key in ("free market", "US federal", "Saez", "MARL")}


def test_no_two_seeds_share_a_set_of_fresh_agents(tmp_path: Path) -> None:
    """Intervals over seeds would be too narrow; and every set has a first phase."""
    scale = Scale(4, first_seed=1)
    phases = [one for one in study.first_phases(VILLAGE, scale, [], tmp_path) if isinstance(one, jobs.FirstPhase)]
    begun = {phase.seed for phase in phases if phase.eta is None}
    done = [
        job(f"f{seed}", {jobs.FIRST: [{"eta": None, "seed": seed}]}, tmp_path)
        for seed in begun
        if seed not in scale.numbers
    ]
    found = [one for one in study.tests(VILLAGE, scale, done, tmp_path) if isinstance(one, jobs.Test)]
    seeds: dict[int, set[int]] = {}
    for one in found:
        seeds.setdefault(one.labels["seed"], set()).add(one.seed)
    assert {len(same) for same in seeds.values()} == {VILLAGE.fresh_sets}
    assert len(set.union(*seeds.values())) == 4 * VILLAGE.fresh_sets


def agents_of(seed: int) -> bytes:
    """The file of fresh agents that have not learned."""
    env = EnvironmentSpec("economy_v0", QUICK.test_arguments(0.23))(1)
    spaces = Spaces(env.observation_spaces["agent_0"], env.action_spaces["agent_0"])
    content = io.BytesIO()
    np.save(content, QUICK.fresh_agents().agent_learner.make(spaces, seed).get_parameters())
    return content.getvalue()


QUICK = VILLAGE.quick()
LABELS = {"method": "free market", "epsilon": None, "seed": 0, "env_steps": 0}


def a_test(seed: int, eta: float | None = 0.23, method: str = "free market") -> jobs.Test:
    return jobs.Test(QUICK, {**LABELS, "method": method}, {"name": "free_market"}, b"", eta, seed)


def test_somebody_of_the_same_set_gains_nothing() -> None:
    """Common random numbers: the same policy in the same episode does the same."""
    one, other = agents_of(0), agents_of(1)
    first, second = CrossPlay((a_test(1000), a_test(1001)), (one, one)).run()[CROSS_PLAY]
    assert first["gain"] == second["gain"] == first["gain_standard_error"] == 0.0
    assert (first["fresh_seed"], first["visitor"], second["fresh_seed"], second["visitor"]) == (1000, 1001, 1001, 1000)
    first, _ = CrossPlay((a_test(1000), a_test(1001)), (one, other)).run()[CROSS_PLAY]
    assert first["gain"] != 0.0 < first["gain_standard_error"]
    assert first | LABELS == first


def test_sets_meet_where_two_have_left_their_agents(tmp_path: Path) -> None:
    tests = [a_test(1000), a_test(1001), a_test(1000, 0.35), a_test(1001, 0.35), a_test(1000, None), a_test(1001, None)]
    tests += [a_test(1000, method="US federal")]
    done = []
    for test in tests:
        content = f"{test.key}".encode()
        (tmp_path / f"{test.key}.{jobs.AGENTS_FILE}").write_bytes(content)
        done.append(Finished(test.key, {}, {}, {}, 0.0, {jobs.AGENTS_FILE: hashlib.sha256(content).hexdigest()}))
    done[3] = Finished(tests[3].key, {}, {}, {}, 0.0)  # of an earlier command, which keeps no files
    (found,) = cross_plays(tests, done, tmp_path)
    assert found.tests == (tests[0], tests[1])
    assert found.agents == (tests[0].key.encode(), tests[1].key.encode())


@pytest.mark.slow
def test_the_whole_in_miniature(tmp_path: Path) -> None:
    """Every stage runs, a repeated command does nothing, tables and picture are made of it."""
    outcome = reproduce("figure-5", Scale(1, quick=True), tmp_path, backend_of(1, None))
    assert not outcome.failed
    again = reproduce("figure-5", Scale(1, quick=True), tmp_path, backend_of(1, None))
    assert [job.seconds for job in again.finished] == [job.seconds for job in outcome.finished]
    with (tmp_path / "figure-5.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} == {"free market", "US federal", "Saez", "MARL", "ERMAS", "oracle"}
    assert set(WELFARE) <= set(rows[0])
    assert (tmp_path / "figure-5.png").stat().st_size > 10_000
    described = json.loads((tmp_path / "figure-5.json").read_text(encoding="utf-8"))
    assert described["settings"]["MARL"]["agent_learner"]["kind"] == "jax"
