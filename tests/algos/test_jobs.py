"""Jobs of an experiment: resumed, failing, killed, damaged; tables and configuration of the reproductions."""

import csv
import json
import multiprocessing
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.jobs import Faulty, Square, Writer
from helpers.processes import ENDS_WITHIN, descendants, is_running, wait_until

from ermas_algos.experiments import backends
from ermas_algos.experiments.backends import Processes
from ermas_algos.experiments.jobs import Scale, run_jobs, run_stages
from ermas_algos.experiments.results import write_table
from ermas_algos.studies import (
    figure_2,
    figure_3,
    meta_gradient,
    mixing,
    multipliers,
    regret_estimators,
)
from ermas_algos.studies.agent_adv_search import AgentAdvSearch, agent_adv_search
from ermas_algos.studies.reproduction import experiment_registry, reproduce

EXPERIMENTS = (figure_2, figure_3, meta_gradient, mixing, multipliers, regret_estimators)


@pytest.fixture
def square(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The job class, importable in commands too."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=":")
    return Square


def ran(journal: Path) -> list[int]:
    return sorted(int(line) for line in journal.read_text().split())


def test_a_repeated_command_does_what_is_missing(square: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    jobs = [square(n, str(journal)) for n in range(3)]
    first = run_jobs(jobs[:2], tmp_path / "jobs", Processes(2))
    seen: list[tuple[int, int]] = []
    second = run_jobs(jobs, tmp_path / "jobs", Processes(2), lambda done, total: seen.append((done, total)))
    assert ran(journal) == [0, 1, 2]
    assert [done.tables["squares"][0]["square"] for done in second.finished] == [0, 1, 4]
    assert second.finished[:2] == first.finished
    assert seen == [(2, 3), (3, 3)]
    assert second.finished[0].provenance["versions"]["numpy"]


def test_a_failing_job_stops_no_other(square: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    jobs = [square(0, str(journal), fails=True), square(1, str(journal))]
    outcome = run_jobs(jobs, tmp_path / "jobs", Processes(1))
    assert outcome.failed == {"square-0": "ZeroDivisionError: no square for 0"}
    assert [done.key for done in outcome.finished] == ["square-1"]
    assert not (tmp_path / "jobs/square-0.json").exists()


def test_a_killed_worker_is_reported_and_the_repeated_command_goes_on(square: Any, tmp_path: Path) -> None:
    journal, alive = tmp_path / "journal", tmp_path / "alive"
    jobs = [square(0, str(journal)), square(1, str(journal), dies_before=str(alive))]
    with pytest.raises(RuntimeError, match="a worker was killed"):
        run_jobs(jobs, tmp_path / "jobs", Processes(1))
    alive.touch()
    assert len(run_jobs(jobs, tmp_path / "jobs", Processes(1)).finished) == 2
    assert ran(journal) == [0, 1, 1]


def sleeping_command(folder: Path) -> str:
    """Runs a job that sleeps for long; `folder`/pid names its process."""
    return (
        "from pathlib import Path\nfrom helpers.jobs import Sleeper\n"
        "from ermas_algos.experiments.jobs import run_jobs\n"
        "from ermas_algos.experiments.backends import Processes\n"
        "if __name__ == '__main__':\n"
        f"    run_jobs([Sleeper({str(folder / 'pid')!r})], Path({str(folder)!r}), Processes(1))\n"
    )


def test_workers_end_with_a_killed_command(square: Any, tmp_path: Path) -> None:
    """A job that would sleep for long in a command that is killed: no process of it is left."""
    (tmp_path / "command.py").write_text(sleeping_command(tmp_path))
    command = subprocess.Popen([sys.executable, str(tmp_path / "command.py")])
    wait_until(lambda: (tmp_path / "pid").exists())
    command.kill()
    command.wait()
    worker = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_running(worker), ENDS_WITHIN)


def test_workers_that_are_starting_end_with_a_killed_command(square: Any, tmp_path: Path) -> None:
    """They import torch for seconds before the first line of ours runs in them."""
    (tmp_path / "command.py").write_text(sleeping_command(tmp_path))
    command = subprocess.Popen([sys.executable, str(tmp_path / "command.py")])
    wait_until(lambda: len(descendants(command.pid)) >= 2)  # the first of what multiprocessing starts
    workers = descendants(command.pid)
    command.kill()
    command.wait()
    assert not (tmp_path / "pid").exists(), "killed too late for this test"
    wait_until(lambda: not any(is_running(worker) for worker in workers), ENDS_WITHIN)


def test_ctrl_c_ends_running_jobs_at_once(square: Any, tmp_path: Path) -> None:
    (tmp_path / "command.py").write_text(sleeping_command(tmp_path))
    command = subprocess.Popen([sys.executable, str(tmp_path / "command.py")], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (tmp_path / "pid").exists())
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=ENDS_WITHIN)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    wait_until(lambda: not is_running(int((tmp_path / "pid").read_text())), ENDS_WITHIN)


def test_processes_that_are_spawned_do_the_same(square: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are where none may be forked: on macOS and Windows."""
    monkeypatch.setattr(backends, "_fresh_processes", lambda: multiprocessing.get_context("spawn"))
    outcome = run_jobs([square(2, str(tmp_path / "journal"))], tmp_path / "jobs", Processes(1))
    assert outcome.finished[0].tables == {"squares": [{"number": 2, "square": 4}]}


def test_results_that_cannot_leave_their_process_stop_no_other(square: Any, tmp_path: Path) -> None:
    jobs = [Faulty("exception"), Faulty("exit"), Faulty("row"), square(2, str(tmp_path / "journal"))]
    outcome = run_jobs(jobs, tmp_path / "jobs", Processes(1))
    assert outcome.failed == {
        "exception": "TwoWordsError: no luck",
        "exit": "SystemExit: early",
        "row": "TypeError: Object of type set is not JSON serializable",
    }
    assert [done.key for done in outcome.finished] == ["square-2"]


def test_results_of_before_jobs_left_files_are_read(square: Any, tmp_path: Path) -> None:
    job = square(3, str(tmp_path / "journal"))
    first = run_jobs([job], tmp_path / "jobs", Processes(1))
    path = tmp_path / "jobs/square-3.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "files"}))
    assert run_jobs([job], tmp_path / "jobs", Processes(1)) == first
    assert ran(tmp_path / "journal") == [3]


def test_a_lost_file_is_noticed_even_if_it_was_empty(square: Any, tmp_path: Path) -> None:
    job = Writer(0, str(tmp_path / "journal"), size=0)
    run_jobs([job], tmp_path / "jobs", Processes(1))
    assert (tmp_path / "jobs/writer-0.content.bin").read_bytes() == b""
    (tmp_path / "jobs/writer-0.content.bin").unlink()
    with pytest.raises(ValueError, match=r"writer-0\.content\.bin: damaged"):
        run_jobs([job], tmp_path / "jobs", Processes(1))


def test_keys_that_two_jobs_share_are_refused_before_anything_runs(square: Any, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    twice = [square(3, str(journal)), square(4, str(journal)), square(3, str(journal), fails=True)]
    with pytest.raises(ValueError, match="jobs must have distinct keys, got 'square-3' 2 times"):
        run_jobs(twice, tmp_path / "jobs", Processes(1))
    assert not journal.exists()
    stages = [lambda finished, folder, job=job: [job] for job in twice[::2]]
    with pytest.raises(ValueError, match="got 'square-3' 2 times"):
        run_stages(stages, tmp_path / "jobs", Processes(1))


def test_a_damaged_file_and_other_settings_are_named(square: Any, tmp_path: Path) -> None:
    job = square(3, str(tmp_path / "journal"))
    run_jobs([job], tmp_path / "jobs", Processes(1))
    path = tmp_path / "jobs/square-3.json"
    whole = path.read_text()
    path.write_text(whole.replace('"number": 3', '"number": 4', 1))
    with pytest.raises(ValueError, match=r"square-3\.json: holds a result of other settings"):
        run_jobs([job], tmp_path / "jobs", Processes(1))
    path.write_text(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"square-3\.json: damaged"):
        run_jobs([job], tmp_path / "jobs", Processes(1))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"configuration": [1]}, "configuration"),
        ({"files": None}, "files"),
        ({"tables": None}, "tables"),
        ({"tables": {"squares": 3}}, "tables"),
        ({"tables": {"squares": [1]}}, "tables"),
        ({"provenance": "x"}, "provenance"),
        ({"seconds": "x"}, "seconds"),
        ({"key": 3}, "key"),
        ({"key": "square-4"}, "square-4"),
        ({"more": 3}, "more"),
    ],
    ids=str,
)
def test_what_a_finished_job_cannot_have_written_is_damaged(
    changes: dict[str, Any], named: str, square: Any, tmp_path: Path
) -> None:
    job, path = square(3, str(tmp_path / "journal")), tmp_path / "jobs/square-3.json"
    run_jobs([job], tmp_path / "jobs", Processes(1))
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ValueError, match=rf"square-3\.json: damaged \(.*{named}.*\); remove it"):
        run_jobs([job], tmp_path / "jobs", Processes(1))


def test_a_file_that_is_nested_too_deeply_is_damaged(square: Any, tmp_path: Path) -> None:
    job, path = square(3, str(tmp_path / "journal")), tmp_path / "jobs/square-3.json"
    run_jobs([job], tmp_path / "jobs", Processes(1))
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"square-3\.json: damaged \(.*nested"):
        run_jobs([job], tmp_path / "jobs", Processes(1))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("scale", [Scale(), Scale(2, quick=True)])
def test_keys_are_unique_and_configurations_are_json(experiment: Any, scale: Scale) -> None:
    jobs = experiment.jobs(scale)
    assert len({job.key for job in jobs}) == len(jobs)
    for job in jobs:
        json.dumps(job.configuration())
    assert experiment_registry.make(experiment.NAME).tables == experiment.TABLES


def test_full_experiments_have_ten_seeds_everywhere() -> None:
    """Every learned ε of Figure 2, both learners, both modes."""
    seeds: dict[Any, int] = {}
    for job in figure_2.jobs(Scale()):
        if isinstance(job, figure_2.Point):
            arm = (job.run_settings.learner, job.run_settings.agents_observe, job.multiplier, job.epsilon)
            seeds[arm] = seeds.get(arm, 0) + job.run_settings.num_seeds
    assert set(seeds.values()) == {10}
    assert {arm[3] for arm in seeds} >= {0.02, 0.05, 0.1, 0.15, 0.2, 0.25, None}


def test_figure_2_rows_have_the_documented_columns() -> None:
    run = AgentAdvSearch("exact", "own", "ERMAS", {"epsilon": 0.1}, 2, 45)
    tables = figure_2.Point(run, "learned", 0.1, 0).run()
    columns = (
        "learner agents_observe multiplier epsilon seed planner_payoff agent_0_payoff agent_1_payoff "
        "exact_regret_0 exact_regret_1 estimated_regret_0 estimated_regret_1"
    )
    assert [list(row) for row in tables["figure-2"]] == [columns.split()] * 2
    assert [row["seed"] for row in tables["figure-2"]] == [0, 1]
    history = agent_adv_search(run)
    expected = history["exact_reward/planner"][-15:].mean(axis=0)
    assert [row["planner_payoff"] for row in tables["figure-2"]] == pytest.approx(list(expected))


def test_frontier_is_the_oracles() -> None:
    rows = figure_2.Frontier().run()["figure-2-frontier"]
    found = {row["epsilon"]: row["planner_payoff"] for row in rows}
    assert found[0.05] == pytest.approx(0.648, abs=6e-4)
    assert found[0.0] == pytest.approx(59 / 60, abs=1e-6)


def test_only_the_exact_learner_has_batches() -> None:
    with pytest.raises(ValueError, match="num_seeds"):
        AgentAdvSearch("SB3 PPO", "own", num_seeds=2)
    with pytest.raises(ValueError, match="learner"):
        AgentAdvSearch("SB3", "own")
    with pytest.raises(ValueError, match="seeds"):
        Scale(0)


def test_mixing_ways_agree_where_they_must() -> None:
    """Mixed advantages are the advantages of the mixed reward: linearity."""
    from ermas_algos.algorithms.deviations import lagrangian_reward
    from ermas_algos.algorithms.exact_collection import JointPolicy
    from ermas_envs import bimatrix_v0

    game = bimatrix_v0.batched_env(1, agents_observe="own").tabular_game()
    assert game is not None
    uniform = {a: game.as_policy(m / m.sum(axis=1, keepdims=True))
               for a, m in ((a, game.decision_points(a)[1].astype(float)) for a in game.roles)}  # fmt: skip
    joint = JointPolicy(game, uniform)
    reward = lagrangian_reward(game.rewards["agent_0"], game.rewards["planner"], 2.5)
    mixed = mixing.mixed_rollout(joint, "agent_0", 2.5, "rewards").advantages
    assert mixed == pytest.approx(joint.advantages("agent_0", reward))


@pytest.mark.parametrize("multiplier", [0.5, 1.6, 2.2, 4.0])
def test_dual_function_is_the_conjugate_of_the_frontier(multiplier: float) -> None:
    """min over ε of (exact minimum at ε) + 2 λ ε, by the linear program; D(λ) by dynamic programming."""
    import numpy as np

    from ermas_envs import bimatrix_v0
    from ermas_envs.oracles import worst_equilibrium

    game = bimatrix_v0.batched_env(1, agents_observe="own").tabular_game()
    assert game is not None
    grid = np.linspace(0.0, 0.3, 121)
    lowest = min(worst_equilibrium(game, float(e)).planner_payoff + 2 * multiplier * e for e in grid)
    passive = bimatrix_v0.batched_env(1, agents_observe="own", planner=mixing.ConstantPlanner(0)).tabular_game()
    assert passive is not None
    assert mixing.dual_function(passive, multiplier) == pytest.approx(lowest, abs=2e-2)
    assert mixing.dual_function(passive, multiplier) <= lowest + 1e-6


def test_an_experiment_writes_table_picture_and_configuration(tmp_path: Path) -> None:
    outcome = reproduce("meta-gradient", Scale(1, quick=True), tmp_path, Processes(1))
    assert not outcome.failed
    with open(tmp_path / "meta-gradient.csv") as file:
        rows = list(csv.DictReader(file))
    best = {row["estimator"]: float(row["cosine"]) for row in rows
            if row["target"] == "deviation payoff" and row["point"] == "during ERMAS"}  # fmt: skip
    assert best["FOMAML"] > best["Reptile"] > best["Eq. 13 as printed"]
    assert (tmp_path / "meta-gradient.png").stat().st_size > 10_000
    description = json.loads((tmp_path / "meta-gradient.json").read_text())
    assert description["scale"] == {"seeds": 1, "quick": True, "first_seed": 0}
    assert description["provenance"][0]["versions"]["torch"]
    assert set(description["jobs"]) == {job.key for job in meta_gradient.jobs(Scale(1, quick=True))}


def test_tables_are_tidy(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", [{"a": 0.1, "b": None}, {"a": 1 / 3, "b": "x"}])
    assert (tmp_path / "t.csv").read_text() == "a,b\n0.1,\n0.3333333333333333,x\n"
