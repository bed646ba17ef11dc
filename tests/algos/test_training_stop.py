"""Killed trainings of the economy resume bit for bit; NaN, and λ at its maximum, stop one by the quantity's name."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.optional import needs_jax

from ermas_algos import ERMAS, ERMASConfig, ExactLearnerConfig, Run, TrainingStopped, command_line
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.checkpoint import read_checkpoint
from ermas_algos.learners.jax_ppo import Adam
from ermas_envs import EnvironmentSpec

KILLED_IN = 4
"""The outer iteration in which a training is killed, after agents and deviations have learned; checkpoints are of even
ones."""
KILLS = f"""
import os, sys
from ermas_algos import command_line
from ermas_algos.algorithms.trainer import Trainer
usual = Trainer._update_planner

def kill_later(self, *arguments):
    found = usual(self, *arguments)
    if self.iteration == {KILLED_IN - 1}:
        os.kill(os.getpid(), 9)
    return found

Trainer._update_planner = kill_later
command_line.main(sys.argv[1:])
"""
KINDS = [pytest.param("jax", marks=pytest.mark.slow), "sb3"]
"""JAX compiles for seconds."""
LEARNERS: dict[str, dict[str, Any]] = {
    "jax": {"hidden_layers": [6], "minibatch_size": 64, "n_epochs": 1},
    "sb3": {
        "algorithm": "MaskablePPO",
        "hidden_layers": [6],
        "minibatch_size": 64,
        "algorithm_kwargs": {"n_epochs": 1},
    },
}
"""Of small trainings."""


def options(kind: str) -> list[str]:
    learner = json.dumps({"kind": kind, **LEARNERS[kind]})
    return [
        *("train", "--environment", "economy_v0", "--arguments", "horizon", "20", "--iterations", "5", "--settings"),
        *("num_envs", "2", "policy_sharing", "group", "warmup_iterations", "1", "deviating_agents", "2"),
        *("agent_learner", learner, "planner_learner", learner),
        *("--checkpoint-every", "2", "--out"),
    ]


def ermas(*arguments: str) -> int:
    """Exit status of a command."""
    with pytest.raises(SystemExit) as ended:
        command_line.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jax", "sb3"])
def test_a_killed_training_of_the_economy_resumes_bit_for_bit(kind: str, tmp_path: Path) -> None:
    needs_jax()
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    given = options(kind)
    process = subprocess.run([sys.executable, "-c", KILLS, *given, f"{killed}"], capture_output=True, check=False)
    assert process.returncode == -9, process.stderr.decode()
    checkpoint = killed / "checkpoint.safetensors"
    assert read_checkpoint(checkpoint, "ERMAS").metadata["iteration"] == KILLED_IN - 2
    assert ermas(*given, f"{killed}") == 0
    assert ermas(*given, f"{straight}") == 0
    resumed, whole = (read_checkpoint(run / checkpoint.name, "ERMAS") for run in (killed, straight))
    assert resumed.metadata == whole.metadata
    assert resumed.tensors.keys() == whole.tensors.keys()
    assert all(torch.equal(tensor, whole.tensors[name]) for name, tensor in resumed.tensors.items())
    rows = [(run / "progress.csv").read_text().splitlines() for run in (killed, straight)]
    assert [len(lines) for lines in rows] == [6, 6]
    speed = rows[0][0].split(",").index("steps_per_second")
    for mine, other in zip(*rows, strict=True):
        cells = [line.split(",") for line in (mine, other)]
        assert cells[0][:speed] + cells[0][speed + 1 :] == cells[1][:speed] + cells[1][speed + 1 :]


# What is not finite

GAME = EnvironmentSpec("augmented_bimatrix_v0", {"horizon": 4})


def training(kind: str = "sb3", algorithm: str = "ERMAS") -> Any:
    learner = {"kind": kind, "gamma": 0.9}
    further = {"warmup_iterations": 1} if algorithm == "ERMAS" else {}
    settings = {"num_envs": 4, "agent_learner": learner, "planner_learner": learner, **further}
    given = {"environment": GAME.name, "arguments": GAME.arguments, "algorithm": algorithm, "settings": settings}
    return Run.from_options({**given, "iterations": 9}).trainer()


def stopped(trainer: Any, folder: Path, change: Callable[[Any], None]) -> str:
    """What a training says that is stopped in iteration 4, before which something has been changed; the last checkpoint
    is of iteration 2, and stays."""
    trainer.learn(2, folder)
    before = (folder / "checkpoint.safetensors").read_bytes()
    with pytest.raises(TrainingStopped) as told:
        trainer.learn(9, folder, checkpoint_every=100, progress=lambda done, _: change(trainer) if done == 3 else None)
    assert (folder / "checkpoint.safetensors").read_bytes() == before
    resumed = type(trainer).resume(folder, GAME)
    assert resumed.iteration == 2
    resumed.learn(3)
    message = str(told.value)
    assert message.startswith("stopped in outer iteration 4: ")
    assert message.endswith(f"; {folder / 'checkpoint.safetensors'} is kept as it was.")
    return message


def lose(label: str) -> Callable[[Any], None]:
    """A learner's next update gives a loss that is no number, and finite parameters."""

    def change(trainer: Any) -> None:
        learner = trainer._all_learners()[label]
        usual = learner.update
        learner.update = lambda rollout: {**usual(rollout), "policy_gradient_loss": float("nan")}

    return change


def forget(label: str) -> Callable[[Any], None]:
    """A learner's parameters are no numbers."""

    def change(trainer: Any) -> None:
        learner = trainer._all_learners()[label]
        learner.set_parameters(np.full_like(learner.get_parameters(), np.nan))

    return change


@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        (lose("planner"), "planner: policy_gradient_loss is nan;"),
        (lose("deviation/agent_1"), "deviation/agent_1: policy_gradient_loss is nan;"),
        (forget("agent_0"), "agent_0: the policy's outputs are not numbers: parameters"),
        (forget("planner"), "planner: the policy's outputs are not numbers: parameters"),
    ],
    ids=["a planner's loss", "a deviation's loss", "an agent's parameters", "the planner's parameters"],
)
def test_what_is_not_a_number_stops_the_training_by_its_name(change: Any, quantity: str, tmp_path: Path) -> None:
    assert quantity in stopped(training(), tmp_path, change)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_learner_that_diverges_is_named(kind: str, tmp_path: Path) -> None:
    needs_jax()

    def explode(trainer: Any) -> None:
        trainer.scales.values["planner"] = 1e-37

    found = stopped(training(kind, "MARL"), tmp_path, explode)
    assert "planner: the update left parameters that are not finite; " in found
    assert "loss is " in found


def test_payoffs_that_are_no_numbers_stop_it_by_their_name(tmp_path: Path) -> None:
    def without_payoffs(trainer: Any) -> None:
        env = trainer._collector.env(3)
        usual = env.step

        def step(actions: Any) -> Any:
            result = usual(actions)
            payoffs = result.payoffs["planner"].copy()  # rewards may be the same array
            payoffs[1] = np.nan
            by_role = {role: payoffs if role == "planner" else result.payoffs[role] for role in result.payoffs}
            return dataclasses.replace(result, payoffs=result.payoffs.roles.stacked(by_role))

        env.step = step

    found = stopped(training(), tmp_path, without_payoffs)
    assert "payoff of 'planner' in step 1 of a rollout (replica 1) must be finite, got nan" in found


@pytest.mark.parametrize("kind", KINDS)
def test_what_could_not_be_gone_on_from_is_not_written(kind: str, tmp_path: Path) -> None:
    """Moments of the optimiser that are infinite: the parameters still are numbers."""
    needs_jax()

    def overflow(trainer: Any) -> None:
        learner = trainer.learners["agent_0"]
        if kind == "jax":
            learner._adam = Adam(learner._adam.mean, np.full_like(learner._adam.square, np.inf), learner._adam.steps)
        else:
            for moments in learner.policy.optimizer.state.values():
                moments["exp_avg_sq"].fill_(np.inf)

    trainer = training(kind, "MARL").learn(2, tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    overflow(trainer)
    with pytest.raises(
        TrainingStopped, match=r"iteration 3: agent_0: .*exp_avg_sq must hold finite numbers; .* is kept"
    ):
        trainer.learn(3, tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_without_a_checkpoint_it_says_so(tmp_path: Path) -> None:
    trainer = training(algorithm="MARL")
    lose("agent_0")(trainer)
    with pytest.raises(TrainingStopped, match=r"^stopped in outer iteration 1: agent_0: .* is nan; there was no check"):
        trainer.learn(3, tmp_path)
    with pytest.raises(TrainingStopped, match=r"is nan\.$"):
        trainer.learn(3)


# λ at its maximum


def with_a_low_maximum(stop_at_maximum: int | None) -> ERMAS:
    """Regret stays above ε = 0, so that λ stands at a maximum that is too small from the first iteration on."""
    exact = ExactLearnerConfig()
    multiplier = MultiplierConfig(0.1, maximum=0.1, stop_at_maximum=stop_at_maximum)
    config = ERMASConfig(
        agent_learner=exact, planner_learner=exact, epsilon=0.0, warmup_iterations=1, multiplier=multiplier
    )
    return ERMAS(EnvironmentSpec("bimatrix_v0", {"agents_observe": "own", "horizon": 4}), config)


def test_a_multiplier_that_stands_at_its_maximum_stops_the_training(tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped) as told:
        with_a_low_maximum(5).learn(30, tmp_path, checkpoint_every=4)
    message = str(told.value)
    assert message.startswith("stopped in outer iteration 6: agent_0: λ has stood at its maximum 0.1")
    assert "for 5 iterations; " in message
    assert read_checkpoint(tmp_path / "checkpoint.safetensors", "ERMAS").metadata["iteration"] == 4
    assert with_a_low_maximum(None).learn(30).iteration == 30


def test_the_command_ends_with_a_line_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exact = '{"kind": "exact"}'
    given = ["--environment", "bimatrix_v0", "--arguments", "agents_observe", "own", "horizon", "4", "--settings"]
    given += ["agent_learner", exact, "planner_learner", exact, "epsilon", "0", "warmup_iterations", "1"]
    given += ["multiplier", '{"initial": 0.1, "maximum": 0.1, "stop_at_maximum": 3}', "--iterations", "9"]
    assert ermas("train", *given, "--checkpoint-every", "2", "--out", f"{tmp_path / 'run'}") == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith("ermas train: stopped in outer iteration 4: agent_0: λ has stood at its maximum 0.1")
    assert said[0].endswith("is kept as it was.")


@pytest.mark.parametrize(("given", "message"), [(0, "stop_at_maximum must be"), (1.5, "stop_at_maximum must be")])
def test_bad_settings_are_named(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiplierConfig(stop_at_maximum=given)


def test_lambda_0_is_no_reason_to_stop() -> None:
    """ε above all regret: λ falls to 0 and stays there."""
    exact = ExactLearnerConfig()
    multiplier = MultiplierConfig(0.1, maximum=0.5, stop_at_maximum=2)
    config = ERMASConfig(
        agent_learner=exact, planner_learner=exact, epsilon=5.0, warmup_iterations=1, multiplier=multiplier
    )
    trainer = ERMAS(EnvironmentSpec("bimatrix_v0", {"agents_observe": "own", "horizon": 4}), config).learn(8)
    assert trainer._watch.metrics()["multiplier_at_limit/agent_0"] > 2
