"""Sweeps: jobs, a repeated or extended sweep, failures, shared agents, the table's columns, bad input."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_algos.algorithms.config import from_json, to_json
from ermas_algos.commands.configuration_file import read_configuration
from ermas_algos.experiments.backends import Processes
from ermas_algos.experiments.results import read_table
from ermas_algos.experiments.sweep import Sweep, run_sweep
from ermas_algos.learners.exact import ExactLearnerConfig
from ermas_algos.plots import looks
from ermas_algos.plots.looks import looks_of
from ermas_algos.plots.sweep import plot_sweep
from ermas_envs import augmented_bimatrix_v0
from ermas_envs.planners import ConstantPlanner

TINY: dict[str, Any] = {
    "tasks": {
        "blind": {
            "environment": "augmented_bimatrix_v0",
            "arguments": {"agents_observe": "own", "planner_observes": False, "horizon": 4},
            "labels": {"payoffs": "tragedy_of_commons"},
        }
    },
    "methods": {
        "MARL": {"algorithm": "MARL", "settings": {"num_envs": 4}, "labels": {"epsilon": None}},
        "DR": {
            "algorithm": "MARL",
            "settings": {"num_envs": 4},
            "arguments": {"perturbation": {"name": "random_tables", "seed": "$seed"}},
            "labels": {"epsilon": None},
        },
        "ERMAS": {
            "algorithm": "ERMAS",
            "settings": {"num_envs": 4, "epsilon": 0.1, "warmup_iterations": 1},
            "labels": {"epsilon": 0.1},
        },
    },
    "seeds": [0, 1],
    "gaps": [0.0, 0.5],
    "iterations": 2,
    "fresh_agents": {"num_envs": 4, "window": 1, "max_iterations": 2, "measured_envs": 8},
}


def tiny(**changes: Any) -> Sweep:
    sweep: Sweep = from_json(Sweep, {**TINY, **changes})
    return sweep


def test_marl_and_ermas_look_as_in_every_picture_and_nobody_else_like_them() -> None:
    names = ["other", "ERMAS", *(f"method {k}" for k in range(30)), "MARL"]
    found = looks_of(names)
    assert list(found) == names
    assert (found["MARL"], found["ERMAS"]) == (looks.MARL, looks.ERMAS)
    others = [look for name, look in found.items() if name not in ("MARL", "ERMAS")]
    assert len(set(others)) == len(others)
    assert not {color for color, _ in others} & {looks.MARL[0], looks.ERMAS[0]}


def test_a_sweep_comes_back_from_json() -> None:
    assert from_json(Sweep, to_json(tiny())) == tiny()


def test_the_training_seed_stands_for_dollar_seed() -> None:
    (job,) = [job for job in tiny().trainings() if (job.method_name, job.seed) == ("DR", 1)]
    assert job.configuration()["arguments"]["perturbation"]["seed"] == 1
    assert job.run_settings.environment(1).name == "augmented_bimatrix_v0"


def test_a_sweep_from_start_to_table_and_what_a_repeat_and_a_new_method_run(tmp_path: Path) -> None:
    outcome = run_sweep(tiny(), tmp_path, Processes(2))
    assert not outcome.failed
    table = tmp_path / "sweep.csv"
    rows = read_table(table)
    assert {(r["task"], r["method_name"], r["seed"], r["gap"]) for r in rows} == {
        ("blind", method, seed, gap) for method in TINY["methods"] for seed in (0, 1) for gap in (0.0, 0.5)
    }
    assert len(rows) == 12
    assert all(r["shared_agents"] and r["payoffs"] == "tragedy_of_commons" for r in rows)
    assert {r["env_steps"] for r in read_table(tmp_path / "sweep-training.csv")} == {2 * 4 * 4, 6 * 4 * 4}
    assert json.loads((tmp_path / "sweep.json").read_text())["sweep"] == to_json(tiny())
    plot_sweep(tmp_path / "sweep.png", rows)
    assert (tmp_path / "sweep.png").stat().st_size > 10_000

    before, files = table.read_bytes(), {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep.jobs").iterdir()}
    assert not run_sweep(tiny(), tmp_path, Processes(1)).failed
    assert table.read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep.jobs").iterdir()} == files

    more = {**TINY["methods"], "lambda-0": {"algorithm": "Population", "settings": {"num_envs": 4}}}
    run_sweep(tiny(methods=more), tmp_path, Processes(1))
    trained = {p for p in files if "transfer" not in p.name}
    assert {path: path.stat().st_mtime_ns for path in trained} == {path: files[path] for path in trained}
    again = [{k: v for k, v in row.items()} for row in read_table(table) if row["method_name"] != "lambda-0"]
    assert [row["planner_return"] for row in again] == [row["planner_return"] for row in rows]


def test_a_failed_training_stops_no_other_and_is_named(tmp_path: Path) -> None:
    """CRRA with a shift that leaves payoffs negative fails at the first update."""
    broken = {"algorithm": "MARL", "settings": {"planner_risk": {"utility": "crra", "aversion": 1.0, "shift": -5.0}}}
    sweep = tiny(methods={"MARL": TINY["methods"]["MARL"], "broken": broken}, seeds=[0], gaps=[0.0])
    outcome = run_sweep(sweep, tmp_path, Processes(1))
    ((key, error),) = outcome.failed.items()
    assert key.startswith("training_blind_broken_seed-0_")
    assert "shift must make every payoff positive" in error
    with open(tmp_path / "sweep.csv") as file:
        assert [row["method_name"] for row in csv.DictReader(file)] == ["MARL"]


def test_a_training_whose_file_lacks_a_setting_of_today_is_not_run_again(tmp_path: Path) -> None:
    """It is the same job as long as the setting is at its default."""
    sweep = tiny(methods={"ERMAS": TINY["methods"]["ERMAS"]}, seeds=[0], gaps=[0.0])
    assert not run_sweep(sweep, tmp_path, Processes(1)).failed
    (path,) = (tmp_path / "sweep.jobs").glob("training_*.json")
    finished = json.loads(path.read_text())
    del finished["configuration"]["settings"]["multiplier"]["maximum"]
    del finished["configuration"]["settings"]["meta_step_every"]
    path.write_text(json.dumps(finished))
    assert not run_sweep(sweep, tmp_path, Processes(1)).failed
    assert json.loads(path.read_text()) == finished
    method = {"algorithm": "ERMAS", "settings": {**TINY["methods"]["ERMAS"]["settings"], "meta_step_every": 2}}
    other = tiny(methods={"ERMAS": {**TINY["methods"]["ERMAS"], **method}}, seeds=[0], gaps=[0.0])
    with pytest.raises(ValueError, match="holds a result of other settings"):
        run_sweep(other, tmp_path, Processes(1))


def test_planners_that_set_taxes_by_a_rule_are_tested_beside_those_that_learn(tmp_path: Path) -> None:
    task = {
        "environment": "one_step_economy_v0",
        "arguments": {"num_agents": 3},
        "gap_argument": "labor_cost",
        "settings": {"num_envs": 4},
    }
    methods = {
        "learned": {"algorithm": "MARL"},
        "federal": {"algorithm": "MARL", "arguments": {"planner": {"name": "us_federal"}}},
    }
    sweep = tiny(tasks={"taxes": task}, methods=methods, seeds=[0], gaps=[0.3])
    assert not run_sweep(sweep, tmp_path, Processes(1)).failed
    rows = read_table(tmp_path / "sweep.csv")
    assert [row["method_name"] for row in rows] == ["learned", "federal"]


def test_trainings_that_leave_no_planner_to_be_tested_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of seeds, and a planner that plays inside without being named by data."""
    pair = {"agent_learner": {"num_seeds": 2}, "planner_learner": {"num_seeds": 2}}
    with pytest.raises(ValueError, match=r"methods\.two: num_seeds must be 1 to be tested, got 2"):
        tiny(methods={"two": {"algorithm": "MARL", "settings": pair}})
    make = augmented_bimatrix_v0.batched_env

    def passive(num_envs: int, planner: Any = None, **arguments: Any) -> Any:
        return make(num_envs, planner=planner or ConstantPlanner(0), **arguments)

    monkeypatch.setattr(augmented_bimatrix_v0, "batched_env", passive)
    with pytest.raises(
        ValueError, match=r"methods\.MARL: its planner plays inside augmented_bimatrix_v0, and no table"
    ):
        tiny()


GAME = {"environment": "augmented_bimatrix_v0", "arguments": {"agents_observe": "own", "planner_observes": False}}


def learner(rate: float) -> dict[str, Any]:
    return {"algorithm": "MARL", "settings": {"planner_learner": {"num_seeds": 1, "learning_rate": rate},
                                              "agent_learner": {"num_seeds": 1}}}  # fmt: skip


def test_names_that_join_to_the_same_text_are_told_apart(tmp_path: Path) -> None:
    """Two identical games under names that, joined with the methods', are the same: 34.87 is the other method's."""
    easier = {**GAME, "arguments": {**GAME["arguments"], "horizon": 20}}
    sweep: Sweep = from_json(
        Sweep,
        {
            "tasks": {"game": GAME, "game_easy": easier},
            "methods": {"MARL": learner(ExactLearnerConfig().learning_rate), "easy_MARL": learner(1e-4)},
            "seeds": [0],
            "gaps": [0.0],
            "iterations": 40,
            "fresh_agents": {"agent_learner": {"num_seeds": 1}, "window": 2, "max_iterations": 4, "num_envs": 2,
                             "measured_envs": 4},
        },
    )  # fmt: skip
    assert not run_sweep(sweep, tmp_path, Processes(2)).failed
    found = {(r["task"], r["method_name"]): r["exact_planner_return"] for r in read_table(tmp_path / "sweep.csv")}
    assert found["game", "easy_MARL"] == found["game_easy", "easy_MARL"] == pytest.approx(22.372, abs=5e-4)
    assert found["game", "MARL"] == found["game_easy", "MARL"] == pytest.approx(34.872, abs=5e-4)
    trained = [(r["task"], r["method_name"]) for r in read_table(tmp_path / "sweep-training.csv")]
    assert sorted(trained) == sorted(found)
    assert not run_sweep(sweep, tmp_path, Processes(1)).failed


@given(st.lists(st.text("aA_-.", min_size=1, max_size=3), min_size=1, max_size=4, unique=True), st.data())
@settings(max_examples=20)
def test_keys_are_distinct_for_any_names_even_where_letter_case_is_not(tasks: list[str], data: st.DataObject) -> None:
    names = st.lists(st.text("aA_-.", min_size=1, max_size=3), min_size=1, max_size=4, unique=True)
    methods, marl = data.draw(names), {"algorithm": "MARL"}
    sweep = tiny(tasks=dict.fromkeys(tasks, GAME), methods={name: marl for name in methods}, gaps=[0.0])
    jobs: list[Any] = [*sweep.trainings(), *(sweep._transfer(task, seed, 0.0, {}) for task in tasks for seed in (0, 1))]
    assert len({job.key.casefold() for job in jobs}) == len(jobs) == 2 * len(tasks) * (len(methods) + 1)


def test_methods_may_have_different_labels(tmp_path: Path) -> None:
    methods = {
        "a": {**TINY["methods"]["MARL"], "labels": {}},
        "b": {**TINY["methods"]["MARL"], "labels": {"epsilon": 0.5}},
    }
    assert not run_sweep(tiny(methods=methods, seeds=[0], gaps=[0.0]), tmp_path, Processes(1)).failed
    assert [row["epsilon"] for row in read_table(tmp_path / "sweep.csv")] == [None, 0.5]


def test_agents_that_cannot_be_shared_get_a_job_for_every_planner(tmp_path: Path) -> None:
    """With action noise the game has no tables, and sharing is not known to be right."""
    task = {**TINY["tasks"]["blind"]}
    task["arguments"] = {**task["arguments"], "action_noise": 0.1}
    sweep = tiny(tasks={"noisy": task}, seeds=[0], gaps=[0.0])
    assert not run_sweep(sweep, tmp_path, Processes(1)).failed
    assert len(list((tmp_path / "sweep.jobs").glob("transfer_*.json"))) == 3
    assert not any(row["shared_agents"] for row in read_table(tmp_path / "sweep.csv"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": {}}, "methods must name at least one"),
        ({"seeds": []}, "seeds must name at least one"),
        ({"seeds": [0, 0]}, "seeds must not repeat"),
        ({"gaps": [0.1, float("nan")]}, "gaps must be a finite number"),
        ({"iterations": 0}, "iterations must be an integer >= 1"),
        ({"iteration": 3}, "Sweep field: unknown name 'iteration'. Did you mean 'iterations'"),
        ({"methods": {"a/b": {"algorithm": "MARL"}}}, "a name has letters, digits"),
        ({"methods": {"a": {"algorithm": "MRAL"}}}, "algorithm: unknown name 'MRAL'. Did you mean 'MARL'"),
        ({"methods": {"a": {"algorithm": "ERMAS", "settings": {"epsilom": 1}}}}, "Did you mean 'epsilon'"),
        ({"methods": {"a": {"settings": {}}}}, "algorithm: neither the method nor the task names one"),
        ({"tasks": {"a": {"environment": "bimatrix_v9"}}}, "Did you mean"),
        ({"methods": {"a": {"algorithm": "MARL", "labels": {"gap": 1}}}}, r"methods\.a\.labels: 'gap' is a column"),
        ({"methods": {"a": {"algorithm": "MARL", "labels": {"payoffs": 1}}}}, "'payoffs' is a label of a task, too"),
    ],
)
def test_bad_sweeps(changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_an_argument_that_the_environment_lacks_shows_at_once() -> None:
    with pytest.raises(ValueError, match="gap_argument of bimatrix_v0: unknown name 'q'"):
        tiny(tasks={"a": {"environment": "bimatrix_v0"}})


@pytest.mark.slow
def test_killing_any_process_at_any_moment_and_repeating_gives_the_same_table(tmp_path: Path) -> None:
    """Eight times the command, or one of its workers, is killed after a random while; then it runs to its end."""
    (tmp_path / "sweep.yaml").write_text(json.dumps(TINY))  # JSON is YAML
    generator = np.random.default_rng(0)
    command = [sys.executable, "-m", "ermas_algos.command_line", "sweep", str(tmp_path / "sweep.yaml"), "--out"]
    for attempt in range(8):
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([*command, str(tmp_path / "killed")], **silent)
        time.sleep(float(generator.uniform(3.0, 15.0)))
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        workers = [int(number) for number in children.read_text().split()] if process.poll() is None else []
        victim = int(generator.choice(workers)) if workers and attempt % 2 else process.pid
        if process.poll() is None:
            os.kill(victim, signal.SIGKILL)
        process.wait(60)
    subprocess.run([*command, str(tmp_path / "killed")], check=True)
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    for table in ("sweep.csv", "sweep-training.csv"):
        assert (tmp_path / "killed" / table).read_bytes() == (tmp_path / "whole" / table).read_bytes()


EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_sweeps_whose_jobs_can_be_made(path: Path) -> None:
    """In TOML a name with a dot stands in quotes; without them it is a table within a table."""
    sweep = from_json(Sweep, read_configuration(path))
    jobs = sweep.trainings()
    assert len(jobs) == len(sweep.tasks) * len(sweep.methods) * len(sweep.seeds)
    assert len({job.key for job in jobs}) == len(jobs)


def test_there_are_examples_of_sweeps() -> None:
    assert len(EXAMPLES) >= 2
