"""The study of tolls: its jobs, what a short training leaves, and that rules are what the oracles say."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ermas_algos.experiments.jobs import Scale
from ermas_algos.studies import tolls as study
from ermas_envs.oracles.tolls import per_drive


def test_jobs_are_rules_and_every_method() -> None:
    jobs = study.jobs(Scale(3, quick=False))
    trained = [job for job in jobs if isinstance(job, study.Trained)]
    assert len(trained) == 3 * (4 * (len(study.EPSILONS) + 1) + 2 + len(study.EPSILONS) + len(study.SEARCHES))
    assert len({job.key for job in jobs}) == len(jobs)


@pytest.mark.parametrize("method", study.SEARCHES)
def test_searches_have_the_same_drivers_and_tolls_as_marl(method: str) -> None:
    ours, marl = (study.Trained(20, name, None, 0, 240, 40).run_settings() for name in (method, "MARL"))
    assert ours.algorithm == "Commitment"
    assert ours.config.search.rule == study.SEARCHES[method]
    assert ours.config.agent_learner == marl.config.agent_learner
    assert (ours.environment, ours.config.num_envs) == (marl.environment, marl.config.num_envs)


@pytest.mark.parametrize("number", study.NUMBERS)
@pytest.mark.parametrize("method", [study.OWN, study.OTHERS, study.WHOLE])
def test_epsilon_is_per_drive_and_multipliers_count_one_driver(method: str, number: int) -> None:
    run = study.Trained(number, method, 0.1, 0, 400, 50).run_settings()
    assert run.config.regret_of_others == (method != study.OWN)
    assert (run.config.planner_objective == "lagrangian") == (method == study.WHOLE)
    assert per_drive(study.toll_settings(number), run.config.epsilon) == pytest.approx(0.1)
    assert run.config.multiplier.initial * number == pytest.approx(4.0)
    assert run.config.num_envs * number >= study.DRIVERS_IN_ALL * 0.9
    kinds = {run.config.agent_learner.kind, run.config.planner_learner.kind, run.config.deviation_learner.kind}
    assert kinds == {"jax"}


def test_rules_are_what_the_oracles_say(tmp_path: Path) -> None:
    found = study.Rules(20).run()
    rows = {(row["method"], row["gap"], row["epsilon"]): row for row in found[study.NAME]}
    assert rows["no toll", "epsilon", 0.1]["worst_latency"] == pytest.approx(1.0)
    assert rows["exact, naive", "epsilon", 0.2]["worst_latency"] == pytest.approx(1.0, abs=1e-3)
    assert rows["exact, robust", "epsilon", 0.1]["worst_latency"] == pytest.approx(0.745, abs=5e-4)
    assert rows["exact, robust", "value of time", None]["worst_latency"] < 0.792
    for row in found[study.NAME]:
        assert row["worst_latency"] >= row["robust_optimum"] - 1e-9
    study.plot(tmp_path / "figure.png", found)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("number", study.NUMBERS)
def test_no_epsilon_leads_to_a_toll_for_an_unknown_value_of_time(number: int) -> None:
    """Robust tolls lie above the cliff at .5; from ε = .25 on, all tolls are alike. docs/tolls.md says so."""

    def unknown(toll: float) -> float:
        return study.worst(number, study.VALUE_GAP, None, np.array([0.0, toll]))

    assert unknown(0.45) < 0.82
    for epsilon in (0.0, 0.05, 0.1, 0.2):
        assert unknown(study.optimum(number, study.EPSILON_GAP, epsilon).tolls[1]) == pytest.approx(1.0, abs=1e-3)
    tolls = np.linspace(0.0, 1.0, 21)
    worst = [study.worst(number, study.EPSILON_GAP, 0.25, np.array([0.0, toll])) for toll in tolls]
    assert worst == pytest.approx([1.0] * 21, abs=1e-3)


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_a_short_training_leaves_its_rows() -> None:
    found = study.Trained(20, study.WHOLE, 0.1, 0, 4, 2).run()
    assert [row["iteration"] for row in found[study.TRAINING]] == [2, 4]
    assert [(row["gap"], row["epsilon"]) for row in found[study.NAME]] == [("epsilon", 0.1), ("value of time", 0.1)]
    assert found[study.NAME][0]["tolls"] == found[study.TRAINING][-1]["tolls"]
