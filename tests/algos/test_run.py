"""A run as data: options both ways, presets, keys, trainers; callbacks; planners read from checkpoints."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from ermas_algos import MARL, Callback, ERMASConfig, MARLConfig, Run, load_planner
from ermas_algos.algorithms import TRAINERS
from ermas_algos.algorithms.config import AGENT_PPO
from ermas_algos.algorithms.run import data_key, merged
from ermas_algos.checkpoint import CheckpointError
from ermas_algos.experiments.sweep import Sweep
from ermas_algos.learners import ExactLearnerConfig, SB3LearnerConfig
from ermas_envs import EnvironmentSpec, bimatrix_v0
from ermas_envs.planners import ConstantPlanner

SMALL = {"num_envs": 8, "policy_sharing": {"agent_0": "both", "agent_1": "both"}}
OPTIONS: dict[str, Any] = {
    "environment": "bimatrix_v0",
    "arguments": {"horizon": 4, "perturbation": {"name": "random_tables", "scale": 0.1}},
    "algorithm": "MARL",
    "settings": {**SMALL, "agent_learner": {"kind": "sb3", "hidden_layers": [4]}},
    "iterations": 2,
}


def test_options_and_runs_are_one_thing() -> None:
    run = Run.from_options(OPTIONS)
    assert run.environment == EnvironmentSpec("bimatrix_v0", OPTIONS["arguments"])
    assert run.config == MARLConfig(
        num_envs=8, policy_sharing=SMALL["policy_sharing"], agent_learner=replace(AGENT_PPO, hidden_layers=(4,))
    )
    assert Run.from_options(run.as_options()) == run
    text = tomli_w.dumps({name: value for name, value in _without_none(run.as_options()).items()})
    assert Run.from_options(tomllib.loads(text)) == run


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    return value


def test_a_run_trains_as_the_trainer_made_by_hand() -> None:
    run = Run.from_options(OPTIONS)
    by_hand = MARL(run.environment, run.config).learn(2)
    by_run = run.trainer().learn(run.iterations)
    assert np.array_equal(by_hand.learners["agent_0"].get_parameters(), by_run.learners["agent_0"].get_parameters())


def test_keys_are_made_of_all_the_data() -> None:
    run = Run.from_options(OPTIONS)
    others = [
        {**OPTIONS, "iterations": 3},
        {**OPTIONS, "arguments": {"horizon": 5}},
        {**OPTIONS, "settings": {**SMALL, "seed": 1}},
        {**OPTIONS, "algorithm": "ERMAS"},
    ]
    keys = {run.key, *(Run.from_options(options).key for options in others)}
    assert len(keys) == 5
    assert Run.from_options(run.as_options()).key == run.key
    assert data_key("x", "a_b", "c") != data_key("x", "a", "b_c")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"environment": "bimatrix_v1"}, "environment: unknown name 'bimatrix_v1'. Did you mean 'bimatrix_v0'"),
        ({"algorithm": "MERL"}, "algorithm: unknown name 'MERL'. Did you mean 'MARL'"),
        ({"preset": "one-step"}, "preset: 'one-step' is for one_step_economy_v0, not for bimatrix_v0"),
        ({"iterations": 0}, "iterations must be"),
        ({"settings": {"epsilon": 0.1}}, "MARLConfig field: unknown name 'epsilon'"),
        (
            {"settings": {"agent_learner": {"kind": "sb4"}}},
            "agent_learner.kind: unknown name 'sb4'. Did you mean 'sb3'",
        ),
        (
            {"settings": {"agent_learner": {"kind": "exact", "gamma": 1}}},
            "ExactLearnerConfig field: unknown name 'gamma'",
        ),
        ({"settings": {"planner_learner": {"kind": "exact"}}}, "planner_learner must be played as agent_learner is"),
    ],
    ids=str,
)
def test_what_cannot_be_run_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Run.from_options({**OPTIONS, **change})


def test_a_config_of_another_trainer_is_refused() -> None:
    with pytest.raises(ValueError, match="config must be a MARLConfig, got a ERMASConfig"):
        Run(EnvironmentSpec("bimatrix_v0"), "MARL", ERMASConfig())


def test_another_kind_takes_the_place_of_a_table() -> None:
    base = {"agent_learner": {"algorithm": "MaskablePPO", "gamma": 1.0}, "seed": 1}
    assert merged(base, {"agent_learner": {"gamma": 0.5}})["agent_learner"] == {
        "algorithm": "MaskablePPO",
        "gamma": 0.5,
    }
    assert merged(base, {"agent_learner": {"kind": "exact"}}) == {"agent_learner": {"kind": "exact"}, "seed": 1}
    same = merged(base, {"agent_learner": {"kind": "sb3"}})["agent_learner"]
    assert same == {"algorithm": "MaskablePPO", "gamma": 1.0, "kind": "sb3"}


def test_the_text_of_a_training_is_a_sweeps_task() -> None:
    run = Run.from_options(OPTIONS)
    sweep = Sweep(
        tasks={"stakes": _task({**run.as_options(), "checkpoint_every": 50})},
        methods={"as-it-is": _method({}), "ermas": _method({"algorithm": "ERMAS", "settings": {"epsilon": 0.1}})},
        seeds=(0,),
        gaps=(0.1,),
        iterations=7,
    )
    first, second = (training.run_settings for training in sweep.trainings())
    assert first == run
    assert second.algorithm == "ERMAS"
    assert second.config.num_envs == 8  # the task's


def _task(options: Mapping[str, Any]) -> Any:
    from ermas_algos.experiments.sweep import Task

    return Task(**options, gap_argument="perturbation.scale")


def _method(options: Mapping[str, Any]) -> Any:
    from ermas_algos.experiments.sweep import Method

    return Method(**options)


# --- gaps inside hooks -----------------------------------------------------------------------------------------------


def test_a_dotted_name_changes_what_is_inside_a_hook() -> None:
    spec = EnvironmentSpec(
        "bimatrix_v0", {"perturbation": {"name": "bounded", "epsilon": 1, "perturbation": {"name": "x"}}}
    )
    changed = spec.changed("perturbation.perturbation.q", 0.5).changed("horizon", 3)
    assert changed.arguments == {
        "perturbation": {"name": "bounded", "epsilon": 1, "perturbation": {"name": "x", "q": 0.5}},
        "horizon": 3,
    }
    assert spec.arguments["perturbation"]["perturbation"] == {"name": "x"}
    with pytest.raises(ValueError, match=r"planner.action: 'planner' must be a table among the arguments, got None"):
        spec.changed("planner.action", 1)


# --- callbacks -------------------------------------------------------------------------------------------------------


class Told(Callback):
    """Writes down what it is told, and stops after some iterations."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.heard: list[str] = []
        self.stop_after = stop_after

    def on_start(self, trainer: Any) -> None:
        self.heard.append(f"start {trainer.iteration}")

    def on_iteration(self, trainer: Any, metrics: Mapping[str, Any]) -> bool | None:
        assert "payoff/agent_0" in metrics
        self.heard.append(f"iteration {trainer.iteration}")
        return None if self.stop_after is None else trainer.iteration < self.stop_after

    def on_checkpoint(self, trainer: Any, path: Path) -> None:
        assert path.is_file()
        self.heard.append(f"checkpoint {trainer.iteration}")

    def on_end(self, trainer: Any) -> None:
        self.heard.append(f"end {trainer.iteration}")


def test_callbacks_hear_of_everything_and_may_stop(tmp_path: Path) -> None:
    run, all_of_it, stopping = Run.from_options(OPTIONS), Told(), Told(stop_after=3)
    trainer = run.trainer().learn(5, tmp_path, checkpoint_every=2, callbacks=[all_of_it, stopping])
    assert trainer.iteration == 3
    expected = ["start 0", "iteration 1", "iteration 2", "checkpoint 2", "iteration 3", "checkpoint 3", "end 3"]
    assert all_of_it.heard == stopping.heard == expected
    resumed = MARL.resume(tmp_path, run.environment)
    assert resumed.iteration == 3
    again = Told()
    resumed.learn(3, tmp_path, callbacks=[again, Callback()])
    assert again.heard == ["start 3", "end 3"]


# --- registries ------------------------------------------------------------------------------------------------------


def test_a_trainer_of_ones_own_is_run_by_name() -> None:
    class Twice(MARL):
        """MARL under another name."""

        name = "Twice"

    TRAINERS.register("Twice", Twice)
    try:
        assert isinstance(Run.from_options({**OPTIONS, "algorithm": "Twice"}).trainer(), Twice)
    finally:
        del TRAINERS._factories["Twice"]


# --- planners from checkpoints ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("learner", [SB3LearnerConfig(), ExactLearnerConfig()], ids=["sb3", "exact"])
def test_a_planner_is_read_without_its_agents(learner: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = EnvironmentSpec("augmented_bimatrix_v0", {"horizon": 4, "agents_observe": "own"})
    trainer = MARL(spec, MARLConfig(num_envs=8, agent_learner=learner, planner_learner=learner)).learn(2)
    trainer.save(tmp_path / "saved")
    made = []
    monkeypatch.setattr(type(learner), "make", _counted(type(learner).make, made))
    planner = load_planner(tmp_path / "saved")
    assert len(made) == 1
    seen = spec(3).reset(0).observations["planner"]
    frozen = trainer.frozen_planner()
    noise = np.random.default_rng(0).random((3, planner.noise_size))
    assert np.array_equal(planner.act(seen, noise, None), frozen.act(seen, noise, None))
    assert np.array_equal(planner.tabular(seen, None), frozen.tabular(seen, None))  # type: ignore[arg-type]


def _counted(make: Any, made: list[Any]) -> Any:
    def counting(*arguments: Any, **named: Any) -> Any:
        made.append(arguments)
        return make(*arguments, **named)

    return counting


def test_checkpoints_without_one_planner_are_refused(tmp_path: Path) -> None:
    inside = MARL(lambda n: bimatrix_v0.batched_env(n, horizon=2, planner=ConstantPlanner(0)), MARLConfig(num_envs=2))
    inside.save(tmp_path / "inside")
    with pytest.raises(CheckpointError, match="does not name its environment"):
        load_planner(tmp_path / "inside")
    with pytest.raises(CheckpointError, match="the planner 'planner' was not learned"):
        load_planner(tmp_path / "inside", lambda n: bimatrix_v0.batched_env(n, horizon=2, planner=ConstantPlanner(0)))
    batch = ExactLearnerConfig(num_seeds=2)
    spec = EnvironmentSpec("bimatrix_v0", {"horizon": 2, "agents_observe": "own"})
    MARL(spec, MARLConfig(agent_learner=batch, planner_learner=batch)).save(tmp_path / "batch")
    with pytest.raises(CheckpointError, match="holds a batch of 2 seeds, not one planner"):
        load_planner(tmp_path / "batch")
