"""MARL and ERMAS: determinism, exact resuming, the Nash equilibrium, metrics, third-party parts."""

import csv
import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from ermas_algos import ERMAS, MARL, ERMASConfig, MARLConfig, SB3LearnerConfig
from ermas_algos.algorithms.deviations import META_GRADIENTS, Deviations
from ermas_algos.algorithms.exact import tabular_policies
from ermas_algos.algorithms.multipliers import MultiplierConfig, Multipliers
from ermas_algos.algorithms.trainer import CHECKPOINT, Trainer
from ermas_algos.checkpoint import CheckpointError, read_checkpoint
from ermas_algos.learners import LearnerState, Rollout
from ermas_algos.learners.exact import ExactLearnerConfig
from ermas_algos.metrics_log import read_progress
from ermas_envs import BatchedEnv, ParallelEnvBatch, augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.oracles import evaluate, exact_regret
from ermas_envs.planners import ConstantPlanner
from ermas_envs.wrappers import FlatObservations

MINIBATCHES = SB3LearnerConfig(minibatch_size=12, algorithm_kwargs={"n_epochs": 2, "ent_coef": 0.05})
GREEDY = SB3LearnerConfig(learning_rate=0.01, algorithm_kwargs={"n_epochs": 4, "ent_coef": 0.002, "clip_range": 0.3})
FAST = SB3LearnerConfig(learning_rate=0.3)
MARL_SMALL: dict[str, Any] = {"num_envs": 8, "agent_learner": MINIBATCHES, "planner_learner": MINIBATCHES}
ERMAS_SMALL = {**MARL_SMALL, "warmup_iterations": 2}
Make = Callable[[int], Trainer[Any]]
"""Seed → trainer."""


def game(num_envs: int) -> BatchedEnv:
    return bimatrix_v0.batched_env(num_envs, horizon=4)


def marl(**settings: Any) -> Make:
    return lambda seed: MARL(game, MARLConfig(seed=seed, **{**MARL_SMALL, **settings}))


def ermas(**settings: Any) -> Make:
    return lambda seed: ERMAS(game, ERMASConfig(seed=seed, **{**ERMAS_SMALL, **settings}))


VARIANTS = {
    "MARL": marl(),
    "MARL with TRPO": marl(agent_learner=SB3LearnerConfig("TRPO")),
    "ERMAS, persistent": ermas(),
    "ERMAS, restarted": ermas(deviation="restarted"),
    "ERMAS, meta-step": ermas(meta_step_size=0.5, meta_step_every=2, deviation_updates=1),
    "ERMAS, trust region": ermas(trust_region=0.01),
    "ERMAS with MaskablePPO": ermas(agent_learner=SB3LearnerConfig("MaskablePPO")),
}
every_variant = pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS.keys())


def train(trainer: Trainer[Any], iterations: int, directory: Path | None = None) -> list[dict[str, float]]:
    """Metrics of every iteration, without the time that they took."""
    rows: list[dict[str, float]] = []
    trainer.learn(iterations, directory, progress=lambda _, metrics: rows.append(dict(metrics)))
    for row in rows:
        assert row.pop("steps_per_second") > 0
    return rows


def parameters(trainer: Trainer[Any]) -> dict[str, NDArray[np.float32]]:
    return {label: learner.get_parameters() for label, learner in trainer._all_learners().items()}


def assert_same_trainer(first: Trainer[Any], second: Trainer[Any]) -> None:
    """Bit for bit: learners (tensors and facts), multipliers, generator, counters."""
    one, two = first._learner_states(), second._learner_states()
    assert one.keys() == two.keys()
    for label, state in one.items():
        assert state.facts == two[label].facts
        assert state.tensors.keys() == two[label].tensors.keys()
        for name, tensor in state.tensors.items():
            assert torch.equal(tensor, two[label].tensors[name]), f"{label}/{name}"
    assert first._extra_state() == second._extra_state()
    assert first._collector.state() == second._collector.state()
    assert (first.iteration, first.env_steps) == (second.iteration, second.env_steps)


def cells(path: Path) -> list[dict[str, str]]:
    """The rows of progress.csv as text, without the time that they took."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["steps_per_second"]
    return rows


# Determinism


@pytest.mark.usefixtures("global_generators")
@every_variant
def test_the_same_seed_gives_bit_identical_learners_and_metrics(make: Make) -> None:
    first, second = make(3), make(3)
    metrics = train(first, 4)
    np.random.seed(99)  # noqa: NPY002
    torch.manual_seed(99)
    np.testing.assert_equal(train(second, 4), metrics)
    assert_same_trainer(first, second)


@pytest.mark.parametrize("make", [marl(), ermas()], ids=["MARL", "ERMAS"])
def test_another_seed_gives_other_learners(make: Make) -> None:
    first, second = make(3), make(4)
    for label, vector in parameters(first).items():
        assert not np.array_equal(vector, parameters(second)[label]), label
    assert train(first, 1) != train(second, 1)


def test_learners_of_one_trainer_start_differently() -> None:
    start = parameters(ermas()(0))
    assert not np.array_equal(start["agent_0"], start["agent_1"])


# What an iteration does


def test_marl_reaches_the_nash_equilibrium() -> None:
    """Everyone walks to (3, 3); the walk from a uniform start costs the planner 1/60: its payoff is 0.98333.

    0.006 lets one agent stand one level too low in 3.6 % of the steps, which costs it 0.0017 per step.
    Seeds 0 to 9 end at 0.9805 or more, with regrets of 0.0007 or less.
    """
    config = MARLConfig(num_envs=32, agent_learner=GREEDY, planner_learner=GREEDY)
    row = train(MARL(bimatrix_v0.batched_env, config), 80)[-1]
    assert row["exact_reward/planner"] == pytest.approx(1 - 1 / 60, abs=0.006)
    assert -1e-9 <= row["exact_regret/agent_0"] < 0.003
    assert -1e-9 <= row["exact_regret/agent_1"] < 0.003


def test_the_planner_learns_its_own_reward() -> None:
    """With κ = 12 and stakes a in {0, 1, 2}, a = 2 is best wherever r_p > 1/4."""

    def make(num_envs: int) -> BatchedEnv:
        return augmented_bimatrix_v0.batched_env(num_envs, max_action=2, horizon=8)

    trainer = MARL(make, MARLConfig(num_envs=32, agent_learner=GREEDY, planner_learner=GREEDY))
    train(trainer, 40)
    at_the_equilibrium = np.zeros((1, trainer.env.observation_spaces["planner"].shape[0]), np.float32)  # type: ignore[index]
    at_the_equilibrium[0, [3, 7, 8]] = 1.0, 1.0, 0.5
    assert trainer.learners["planner"].action_probabilities(at_the_equilibrium)[0, 2] > 0.9


@pytest.mark.parametrize(
    ("make", "blocks"),
    [
        (marl(), [1, 1, 1]),
        (ermas(deviation_updates=1), [1, 1, 3]),
        (ermas(deviation_updates=3), [1, 1, 2 + 2 + 3]),
        (ermas(deviation_updates=2, deviation="restarted"), [1, 1, 2 + 2 + 3]),
    ],
)
def test_env_steps_count_every_replica_deviations_included(make: Make, blocks: list[int]) -> None:
    rows = train(make(0), 3)
    assert [row["env_steps"] for row in rows] == np.cumsum([8 * 4 * count for count in blocks]).tolist()


@pytest.mark.parametrize(("mode", "expected"), [("persistent", [(2, 0), (3, 1)]), ("restarted", [(2, 0), (2, 0)])])
def test_deviations_learn_from_their_own_blocks(
    mode: str, expected: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """(Number of blocks, first deviation's block): behind the joint block where there is one."""
    found: list[tuple[int, int]] = []
    update = Deviations.update

    def spy(self: Deviations, trajectories: Any, current: Any, first_block: int, deviators: Any) -> None:
        found.append((trajectories.blocks, first_block))
        update(self, trajectories, current, first_block, deviators)

    monkeypatch.setattr(Deviations, "update", spy)
    train(ermas(deviation=mode, warmup_iterations=0, deviation_updates=2)(0), 2)
    assert found == expected * 2


def test_warm_up_leaves_lambda_alone_and_has_no_estimate() -> None:
    rows = train(ermas(warmup_iterations=3)(0), 5)
    for agent in ("agent_0", "agent_1"):
        estimates = [row[f"estimated_regret/{agent}"] for row in rows]
        assert np.isnan(estimates).tolist() == [True, True, True, False, False]
        assert [row[f"multiplier/{agent}"] for row in rows[:3]] == [MultiplierConfig().initial] * 3
        assert rows[3][f"multiplier/{agent}"] != MultiplierConfig().initial


def test_a_deviation_that_was_just_synchronised_has_no_regret() -> None:
    """Common random numbers: the first estimate, with no deviation update before it, is exactly 0."""
    rows = train(ermas(deviation_updates=1, agent_learner=FAST)(0), 4)
    assert [rows[2][f"estimated_regret/agent_{i}"] for i in (0, 1)] == [0.0, 0.0]
    assert [rows[3][f"estimated_regret/agent_{i}"] != 0.0 for i in (0, 1)] == [True, True]


def test_multipliers_follow_the_logged_regret() -> None:
    settings = MultiplierConfig(step_size=2.0, proportional=5.0)
    rows = train(ermas(warmup_iterations=0, multiplier=settings, epsilon=0.01)(0), 4)
    expected = Multipliers(settings, dict.fromkeys(("agent_0", "agent_1"), 0.01))
    for row in rows:
        expected.update({agent: row[f"estimated_regret/{agent}"] for agent in expected.values})
        assert {agent: row[f"multiplier/{agent}"] for agent in expected.values} == expected.values


def test_restarted_deviations_forget_and_persistent_ones_do_not() -> None:
    """The epochs that a deviation's learner has counted, its agent's at the last synchronisation included."""
    counts = {}
    for mode in ("persistent", "restarted"):
        trainer = ermas(deviation=mode, warmup_iterations=1, deviation_updates=2)(0)
        train(trainer, 4)
        counts[mode] = trainer._learner_states()["deviation/agent_0"].facts["n_updates"]
    # 2 epochs per update. Persistent: 1 update of the agent, 3 × 2 own. Restarted: 3 of the agent, 2 own.
    assert counts == {"persistent": 2 * (1 + 6), "restarted": 2 * (3 + 2)}


def test_the_meta_step_changes_the_agents() -> None:
    plain, corrected = ermas()(0), ermas(meta_step_size=0.5)(0)
    train(plain, 3)
    train(corrected, 3)
    assert not np.array_equal(parameters(plain)["agent_0"], parameters(corrected)["agent_0"])


@pytest.mark.parametrize("updates", [1, 2])
def test_the_meta_step_takes_the_gradient_that_is_asked_for(updates: int) -> None:
    """FOMAML is the last update's change, Reptile the mean over the updates: the same where there is one."""
    found = [ermas(meta_step_size=0.5, meta_gradient=kind, deviation_updates=updates)(0) for kind in META_GRADIENTS]
    for trainer in found:
        train(trainer, 3)
    equal = np.array_equal(*(parameters(trainer)["agent_0"] for trainer in found))
    assert equal == (updates == 1)


def test_the_meta_step_is_taken_every_kth_iteration() -> None:
    """Warm-up ends after 2 iterations; with k = 4 the first step is due in iteration 4, counted from 0."""
    plain, corrected = ermas()(0), ermas(meta_step_size=0.5, meta_step_every=4)(0)
    for iterations, same in ((4, True), (5, False)):
        train(plain, iterations)
        train(corrected, iterations)
        equal = np.array_equal(parameters(plain)["agent_0"], parameters(corrected)["agent_0"])
        assert equal == same


# Metrics

ROLES = ("agent_0", "agent_1", "planner")
MARL_NAMES = {
    *(f"{what}/{role}" for what in ("payoff", "reward", "exact_reward", "payoff_scale") for role in ROLES),
    "env_steps",
}
REGRETS = {f"exact_regret/agent_{i}" for i in (0, 1)}
ERMAS_NAMES = {
    f"{name}/agent_{i}"
    for name in ("estimated_regret", "multiplier", "excess_regret", "multiplier_at_limit")
    for i in (0, 1)
}


@pytest.mark.parametrize(
    ("make", "names"),
    [(marl(), MARL_NAMES | REGRETS), (ermas(), MARL_NAMES | REGRETS | ERMAS_NAMES)],
    ids=["MARL", "ERMAS"],
)
def test_every_iteration_logs_the_documented_names(make: Make, names: set[str], tmp_path: Path) -> None:
    train(make(0), 4, tmp_path)
    rows = read_progress(tmp_path / "progress.csv")
    assert [row["iteration"] for row in rows] == [0, 1, 2, 3]
    for row in rows:
        learners = {name for name in row if name.startswith("train/")}
        assert row.keys() - learners == names | {"iteration", "steps_per_second"}
        assert {name.split("/")[1] for name in learners} == set(ROLES)
        assert "train/agent_0/policy_gradient_loss" in learners
        estimates = {name for name in row if name.startswith(("estimated_regret/", "excess_regret/"))}
        assert np.isfinite([row[name] for name in row.keys() - estimates]).all()


def test_exact_metrics_are_those_of_the_updated_learners() -> None:
    trainer = marl()(0)
    row = train(trainer, 2)[-1]
    tables = trainer.env.tabular_game()
    assert tables is not None
    policies = tabular_policies(tables, trainer.learners)
    for agent, regret in exact_regret(tables, policies).items():
        assert row[f"exact_regret/{agent}"] == regret
    for role, value in evaluate(tables, policies).items():
        assert row[f"exact_reward/{role}"] == value


def test_progress_is_called_after_every_iteration() -> None:
    seen: list[int] = []
    trainer = marl()(0)
    trainer.learn(2, progress=lambda iteration, _: seen.append(iteration))
    trainer.learn(3, progress=lambda iteration, _: seen.append(iteration))
    assert seen == [1, 2, 3]


# Resuming


@every_variant
def test_resuming_is_bit_identical(make: Make, tmp_path: Path) -> None:
    straight = make(1)
    rows = train(straight, 6, tmp_path / "straight")
    interrupted = make(1)
    np.testing.assert_equal(train(interrupted, 3, tmp_path / "resumed"), rows[:3])
    resumed = type(interrupted).resume(tmp_path / "resumed", game)
    assert resumed is not interrupted
    assert_same_trainer(resumed, interrupted)
    np.testing.assert_equal(train(resumed, 6, tmp_path / "resumed"), rows[3:])
    assert_same_trainer(resumed, straight)
    straight_log, resumed_log = (cells(tmp_path / name / "progress.csv") for name in ("straight", "resumed"))
    assert resumed_log == straight_log


@pytest.mark.parametrize("at", [1, 2])
def test_resuming_inside_and_at_the_end_of_warm_up_is_bit_identical(at: int, tmp_path: Path) -> None:
    straight, interrupted = ermas()(1), ermas()(1)
    train(straight, 4)
    train(interrupted, at, tmp_path)
    resumed = ERMAS.resume(tmp_path, game)
    train(resumed, 4)
    assert_same_trainer(resumed, straight)


def test_learning_to_an_iteration_that_is_done_does_nothing() -> None:
    trainer = marl()(0)
    train(trainer, 2)
    before = parameters(trainer)
    assert train(trainer, 2) == []
    assert all(np.array_equal(vector, before[label]) for label, vector in parameters(trainer).items())


KILLED = """
import os, sys, torch
torch.set_num_threads(1)
from ermas_algos import ERMAS, ERMASConfig
from ermas_envs import bimatrix_v0

def kill(iteration, metrics):
    if iteration == 5:
        os.kill(os.getpid(), 9)

config = ERMASConfig(num_envs=8, warmup_iterations=2)
trainer = ERMAS(lambda n: bimatrix_v0.batched_env(n, horizon=4), config)
trainer.learn(8, sys.argv[1], checkpoint_every=2, progress=kill)
"""


def test_a_run_killed_in_the_middle_ends_where_an_undisturbed_one_ends(tmp_path: Path) -> None:
    """Killed with SIGKILL after the fifth iteration was logged; the last checkpoint is that of the fourth."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    killed = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", KILLED, str(killed)], env=environment, timeout=120)
    assert done.returncode == -9
    assert len(read_progress(killed / "progress.csv")) == 5
    resumed = ERMAS.resume(killed, game)
    assert resumed.iteration == 4
    train(resumed, 8, killed)
    undisturbed = ERMAS(game, ERMASConfig(num_envs=8, warmup_iterations=2))
    train(undisturbed, 8, tmp_path / "undisturbed")
    found, expected = (read_checkpoint(tmp_path / name / CHECKPOINT, "ERMAS") for name in ("killed", "undisturbed"))
    assert found.metadata == expected.metadata
    assert found.tensors.keys() == expected.tensors.keys()
    assert all(torch.equal(tensor, expected.tensors[name]) for name, tensor in found.tensors.items())
    assert cells(killed / "progress.csv") == cells(tmp_path / "undisturbed" / "progress.csv")


def test_checkpoints_appear_every_so_many_iterations_and_at_the_end(tmp_path: Path) -> None:
    found: dict[int, Any] = {}

    def look(iteration: int, _: Mapping[str, float]) -> None:
        path = tmp_path / CHECKPOINT
        found[iteration] = read_checkpoint(path, "MARL").metadata["iteration"] if path.exists() else None

    marl()(0).learn(5, tmp_path, checkpoint_every=2, progress=look)
    assert found == {1: None, 2: 2, 3: 2, 4: 4, 5: 5}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MARL checkpoint of `game`."""
    path = tmp_path_factory.mktemp("marl") / CHECKPOINT
    marl()(0).learn(1).save(path)
    return path


def test_a_checkpoint_of_another_algorithm_is_refused(checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match=r"kind 'MARL'; 'ERMAS' was expected"):
        ERMAS.load(checkpoint, game)


@pytest.mark.parametrize(
    ("make_env", "message"),
    [
        (
            lambda n: augmented_bimatrix_v0.batched_env(n, horizon=4),
            "trained in environment 'bimatrix_v0', make_env gives 'augmented_bimatrix_v0'",
        ),
        (
            lambda n: bimatrix_v0.batched_env(n, horizon=4, agents_observe="own"),
            r"role 'agent_0' was trained with .*\(9,\).* make_env gives .*\(5,\)",
        ),
        (
            lambda n: bimatrix_v0.batched_env(n, horizon=4, planner=ConstantPlanner(0)),
            "role 'planner' was trained with .* make_env gives None",
        ),
        (
            lambda n: bimatrix_v0.batched_env(n, horizon=5),
            "trained on rollouts of 4 steps, make_env gives 5",
        ),
    ],
    ids=["environment", "spaces", "planner inside", "horizon"],
)
def test_a_checkpoint_of_another_game_is_refused(checkpoint: Path, make_env: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        MARL.load(checkpoint, make_env)
    assert str(checkpoint) in str(caught.value)


def test_a_truncated_or_missing_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    short = tmp_path / CHECKPOINT
    with pytest.raises(CheckpointError, match="there is no such file") as caught:
        MARL.resume(tmp_path, game)
    assert str(short) in str(caught.value)
    short.write_bytes(checkpoint.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="truncated") as caught:
        MARL.resume(tmp_path, game)
    assert str(short) in str(caught.value)


# Settings and the planner inside


def test_rewards_are_logged_beside_payoffs() -> None:
    """At Q = 0.5 an agent's reward is its payoff less half of r_p; with stake a = 1 the planner earns 12·r_p − 1."""
    stake = ConstantPlanner(1)
    trainer = MARL(lambda n: augmented_bimatrix_v0.batched_env(n, q=0.5, planner=stake), MARLConfig(num_envs=8))
    row = train(trainer, 1)[-1]
    adversity = 0.5 * (row["payoff/planner"] + 1) / 12
    assert row["reward/agent_0"] == pytest.approx(row["payoff/agent_0"] - adversity)
    assert "reward/planner" not in row


def speaker_listener(num_envs: int) -> BatchedEnv:
    mpe2 = pytest.importorskip("mpe2.simple_speaker_listener_v4")
    return ParallelEnvBatch(lambda: mpe2.parallel_env(max_cycles=5), num_envs, planner="speaker_0")


def test_rollout_steps_must_be_whole_episodes() -> None:
    with pytest.raises(ValueError, match="rollout_steps must be a multiple of the horizon 4, got 6"):
        MARL(game, MARLConfig(rollout_steps=6))
    assert train(marl(rollout_steps=8)(0), 1)[0]["env_steps"] == 8 * 8


def test_rollout_steps_must_be_given_without_a_horizon() -> None:
    with pytest.raises(ValueError, match="rollout_steps must be given"):
        MARL(speaker_listener, MARLConfig(num_envs=2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_envs": 1}, "num_envs must be an integer >= 2"),
        ({"rollout_steps": 0}, "rollout_steps must be an integer >= 1"),
        ({"seed": -1}, "seed must be an integer >= 0"),
        ({"epsilon": -0.1}, "epsilon must be a finite number >= 0"),
        ({"warmup_iterations": -1}, "warmup_iterations must be an integer >= 0"),
        ({"deviation": "restart"}, "deviation: unknown name 'restart'. Did you mean 'restarted'"),
        ({"deviation_updates": 0}, "deviation_updates must be an integer >= 1"),
        ({"trust_region": 0.0}, "trust_region must be > 0"),
        ({"meta_step_size": -1.0}, "meta_step_size must be a finite number >= 0"),
        ({"meta_step_every": 0}, "meta_step_every must be an integer >= 1"),
        ({"meta_gradient": "fomal"}, "meta_gradient: unknown name 'fomal'. Did you mean 'fomaml'"),
        ({"deviation_learner": SB3LearnerConfig("A2C")}, "deviation_learner must have .* its algorithm"),
        ({"deviation_learner": SB3LearnerConfig(hidden_layers=(8,))}, "deviation_learner must have .*hidden_layers"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ERMASConfig(**settings)


@pytest.mark.parametrize("algorithm", [MARL, ERMAS])
def test_a_planner_inside_the_environment_has_no_learner(algorithm: Any) -> None:
    def make(num_envs: int) -> BatchedEnv:
        return augmented_bimatrix_v0.batched_env(num_envs, horizon=4, planner=ConstantPlanner(1))

    config = algorithm.config_type(**(MARL_SMALL if algorithm is MARL else ERMAS_SMALL))
    trainer = algorithm(make, config)
    assert set(trainer.learners) == {"agent_0", "agent_1"}
    row = train(trainer, 3)[-1]
    assert np.isfinite(row["payoff/planner"])
    assert "exact_regret/agent_0" in row
    assert not any(name.startswith("train/planner") for name in row)
    with pytest.raises(ValueError, match="'planner' is not learned here"):
        trainer.frozen_planner()


def test_the_frozen_planner_stays_as_it_was() -> None:
    def make(num_envs: int) -> BatchedEnv:
        return augmented_bimatrix_v0.batched_env(num_envs, horizon=4)

    trainer = MARL(make, MARLConfig(**MARL_SMALL))
    train(trainer, 1)
    frozen, then = trainer.frozen_planner(), trainer.learners["planner"].get_parameters()
    assert np.array_equal(frozen.learner.get_parameters(), then)
    train(trainer, 2)
    assert np.array_equal(frozen.learner.get_parameters(), then)
    assert not np.array_equal(trainer.learners["planner"].get_parameters(), then)


# Third-party learners and environments


class SoftmaxReinforce:
    """REINFORCE with a mean baseline for a policy that is softmax-linear in the observation; NumPy only."""

    noise_size = 1
    gamma, step_size = 0.9, 1.0

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], seed: int) -> None:
        assert isinstance(action_space, spaces.Discrete)
        assert observation_space.shape is not None
        self.observation_space, self.action_space = observation_space, action_space
        start = np.random.default_rng(seed).normal(scale=0.01, size=(*observation_space.shape, int(action_space.n)))
        self.weights = start.astype(np.float32)

    def act(self, observations: NDArray[Any], noise: NDArray[Any], action_masks: Any = None) -> NDArray[Any]:
        cumulative = self.action_probabilities(observations).cumsum(axis=1)
        return (cumulative[:, :-1] <= noise).sum(axis=1)

    def action_probabilities(self, observations: NDArray[Any], action_masks: Any = None) -> NDArray[np.float64]:
        scores = np.exp(observations.astype(np.float64) @ self.weights)
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))

    def update(self, rollout: Rollout) -> dict[str, float]:
        returns, following = np.zeros(rollout.rewards.shape), np.zeros(rollout.rewards.shape[1])
        for t in reversed(range(len(returns))):
            following = rollout.rewards[t] + self.gamma * following * ~rollout.ended[t]
            returns[t] = following
        advantages = (returns - returns.mean(axis=1, keepdims=True)).ravel()
        seen = rollout.observations.reshape(-1, self.weights.shape[0]).astype(np.float64)
        scores = np.eye(self.weights.shape[1])[rollout.actions.ravel()] - self.action_probabilities(seen)
        gradient = seen.T @ (advantages[:, None] * scores) / len(seen)
        self.weights = (self.weights + self.step_size * gradient).astype(np.float32)
        return {"return": float(returns[0].mean())}

    def state(self) -> LearnerState:
        return LearnerState({"weights": torch.tensor(self.weights)}, {})

    def load_state(self, state: LearnerState) -> None:
        self.weights = state.tensors["weights"].numpy().copy()

    def get_parameters(self) -> NDArray[np.float32]:
        return self.weights.ravel().copy()

    def set_parameters(self, vector: NDArray[np.float32]) -> None:
        self.weights = vector.reshape(self.weights.shape).astype(np.float32)

    def kl(self, other: Any, observations: NDArray[Any], action_masks: Any = None) -> float:
        p, q = self.action_probabilities(observations), other.action_probabilities(observations)
        return float((p * np.log(p / q)).sum(axis=1).mean())


def make_reinforce(role: str, observation_space: Any, action_space: Any, seed: int) -> SoftmaxReinforce:
    return SoftmaxReinforce(observation_space, action_space, seed)


def test_marl_with_a_third_party_learner_finds_the_equilibrium() -> None:
    trainer = MARL(game, MARLConfig(num_envs=256), make_reinforce)
    rows = train(trainer, 120)
    assert rows[0]["exact_regret/agent_0"] > 0.05
    assert rows[-1]["exact_regret/agent_0"] < 0.02
    assert rows[-1]["exact_regret/agent_1"] < 0.02
    assert "train/agent_0/return" in rows[-1]


def test_learners_get_the_lagrangian_and_the_scaled_planner_payoff() -> None:
    """Closed forms of the augmented game: planner (12·a·r_p − a²)/36, agents r_i − Q·r_p (`augmented_bimatrix_v0`)."""
    rollouts: dict[str, Rollout] = {}

    class Recording(SoftmaxReinforce):
        role: str

        def update(self, rollout: Rollout) -> dict[str, float]:
            rollouts[self.role] = rollout
            return {}

    def make(role: str, observation_space: Any, action_space: Any, seed: int) -> SoftmaxReinforce:
        learner = Recording(observation_space, action_space, seed)
        learner.role = role
        return learner

    def make_env(num_envs: int) -> BatchedEnv:
        return augmented_bimatrix_v0.batched_env(num_envs, horizon=4, q=0.25)

    frozen = MultiplierConfig(initial=3.0, step_size=0.0, proportional=0.0)
    for algorithm, multiplier in ((MARL, None), (ERMAS, 3.0)):
        extra = {} if algorithm is MARL else {"warmup_iterations": 1, "multiplier": frozen}
        train(algorithm(make_env, algorithm.config_type(num_envs=16, **extra), make), 1)
        observed = rollouts["planner"].observations
        assert observed.shape == (4, 16, 9)
        stakes = rollouts["planner"].actions.astype(np.float64)
        # The cell after each step is read off the next observation: the last step has none.
        outcome = (observed[1:, :, :4] @ np.arange(4) + observed[1:, :, 4:8] @ np.arange(4)) / 6
        planner = (12 * stakes[:-1] * outcome - stakes[:-1] ** 2) / 36
        np.testing.assert_allclose(rollouts["planner"].rewards[:-1], planner, atol=1e-6)
        own, others = (observed[1:, :, k : k + 4] for k in (0, 4))
        payoff = (0.6 + own @ np.array([0.0, 0.12, 0.19, 0.23]) - 0.2 * (others @ np.arange(4))) / 0.83
        reward = payoff - 0.25 * outcome
        expected = reward if multiplier is None else (multiplier * reward - planner) / (1 + multiplier)
        np.testing.assert_allclose(rollouts["agent_0"].rewards[:-1], expected, atol=1e-6)


def test_ermas_with_a_third_party_learner_trains_and_resumes(tmp_path: Path) -> None:
    config = ERMASConfig(num_envs=64, warmup_iterations=1, trust_region=0.05, meta_step_size=0.1)
    labels: list[str] = []

    def make(role: str, observation_space: Any, action_space: Any, seed: int) -> SoftmaxReinforce:
        labels.append(role)
        return make_reinforce(role, observation_space, action_space, seed)

    straight, interrupted = ERMAS(game, config, make), ERMAS(game, config, make_reinforce)
    assert labels == ["agent_0", "agent_1", "planner", "deviation/agent_0", "deviation/agent_1"]
    rows = train(straight, 6)
    assert np.isfinite([rows[-1][f"estimated_regret/agent_{i}"] for i in (0, 1)]).all()
    train(interrupted, 3, tmp_path)
    resumed = ERMAS.resume(tmp_path, game, make_reinforce)
    np.testing.assert_equal(train(resumed, 6), rows[3:])
    assert_same_trainer(resumed, straight)


class Rates(ParallelEnv):  # type: ignore[misc]
    """The planner sets two rates, of which only two combinations are allowed in each step, and earns their sum."""

    metadata = {"name": "rates_v0"}  # noqa: RUF012
    possible_agents = ["agent_0", "planner"]  # noqa: RUF012

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(0.0, 1.0, (2,), np.float32)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(2) if agent == "agent_0" else spaces.MultiDiscrete([3, 4])

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.count = list(self.possible_agents), 0
        return self.seen(), self.infos()

    def step(self, actions: dict[str, Any]) -> Any:
        first, second = actions["planner"]
        assert self.mask()[first], (self.mask(), first)
        assert self.mask()[3 + second], (self.mask(), second)
        self.count += 1
        seen, infos, agents = self.seen(), self.infos(), self.agents
        self.agents = [] if self.count == 4 else agents
        rewards = {"agent_0": float(actions["agent_0"]), "planner": float(first + second)}
        return seen, rewards, dict.fromkeys(agents, False), dict.fromkeys(agents, self.count == 4), infos

    def mask(self) -> NDArray[np.int8]:
        return np.array([1, 1, 0, 0, 0, 0, 1] if self.count % 2 else [0, 0, 1, 1, 1, 0, 0], dtype=np.int8)

    def seen(self) -> dict[str, NDArray[np.float32]]:
        return {agent: np.eye(2, dtype=np.float32)[self.count % 2] for agent in self.possible_agents}

    def infos(self) -> dict[str, Any]:
        return {"agent_0": {}, "planner": {"action_mask": self.mask()}}


@pytest.mark.parametrize("algorithm", [MARL, ERMAS])
def test_maskable_ppo_learns_a_multi_discrete_role_inside_its_masks(algorithm: Any) -> None:
    def rates(num_envs: int) -> BatchedEnv:
        return ParallelEnvBatch(Rates, num_envs)

    masked = SB3LearnerConfig("MaskablePPO", learning_rate=0.1)
    settings: dict[str, Any] = {"num_envs": 8, "rollout_steps": 4, "planner_learner": masked}
    if algorithm is ERMAS:
        settings |= {"trust_region": 0.05, "warmup_iterations": 2, "meta_step_size": 0.1}
    trainer = algorithm(rates, algorithm.config_type(**settings))
    start = train(trainer, 1)[0]["payoff/planner"]
    best = (3 + 4) / 2  # allowed are at most 2 + 1 and 1 + 3
    assert start < best - 0.3
    assert train(trainer, 30)[-1]["payoff/planner"] > best - 0.1
    with pytest.raises(AssertionError):  # Rates notices what a mask forbids
        algorithm(rates, algorithm.config_type(**{**settings, "planner_learner": FAST})).learn(1)


def test_a_role_that_observes_a_dict_is_refused() -> None:
    def with_dict(num_envs: int) -> BatchedEnv:
        env = bimatrix_v0.batched_env(num_envs)
        sight = spaces.Dict(all=env.observation_spaces["planner"])
        env.observation_spaces = {**env.observation_spaces, "planner": sight}
        return env

    with pytest.raises(ValueError, match=r"learners need array observations, 'planner' has Dict\('all': Box"):
        MARL(with_dict, MARLConfig())


@pytest.mark.parametrize(
    "sight",
    [spaces.Discrete(3, start=1), spaces.MultiDiscrete([2, 3], start=[0, 1]), spaces.Box(0.0, 1.0, ())],
    ids=repr,
)
def test_observations_that_networks_cannot_read_are_refused_and_flat_ones_are_learned_from(sight: Any) -> None:
    class Seen(Rates):
        def observation_space(self, agent: str) -> Any:
            return sight

        def seen(self) -> dict[str, Any]:
            return dict.fromkeys(self.possible_agents, np.asarray(sight.sample(), dtype=sight.dtype))

    config = MARLConfig(num_envs=2, rollout_steps=4)
    with pytest.raises(
        ValueError, match=r"count from 0, or have an axis, 'agent_0' has .*FlatObservations makes a vec"
    ):
        MARL(lambda num_envs: ParallelEnvBatch(Seen, num_envs), config)
    masked = dataclasses.replace(config, planner_learner=SB3LearnerConfig("MaskablePPO"))
    MARL(lambda num_envs: ParallelEnvBatch(lambda: FlatObservations(Seen()), num_envs), masked).learn(1)


def test_rollouts_in_which_no_episode_ends_are_noticed(tmp_path: Path) -> None:
    def made(rollout_steps: int) -> Any:
        settings = {**MARL_SMALL, "num_envs": 2, "rollout_steps": rollout_steps}
        return MARL(speaker_listener, MARLConfig(**settings))  # episodes of 5 steps

    short = made(4)
    assert short.notices() == []  # nothing has been played
    assert short.learn(2, tmp_path).notices() == [
        "no episode has ended within rollout_steps = 4; what comes later is never played."
    ]
    assert MARL.resume(tmp_path, speaker_listener).notices() == []
    assert made(5).learn(1).notices() == []
    ermas = ERMAS(speaker_listener, ERMASConfig(num_envs=2, rollout_steps=4, warmup_iterations=1))
    assert "no episode has ended" in ermas.learn(1).notices()[0]
    exact = MARL(game, MARLConfig(agent_learner=ExactLearnerConfig(), planner_learner=ExactLearnerConfig()))
    assert exact.learn(1).notices() == []


@pytest.mark.parametrize("algorithm", [MARL, ERMAS])
def test_a_third_party_pettingzoo_environment_trains(algorithm: Any, tmp_path: Path) -> None:
    settings = MARL_SMALL if algorithm is MARL else {**ERMAS_SMALL, "deviation_updates": 1}
    config = algorithm.config_type(**{**settings, "agent_learner": FAST, "num_envs": 4, "rollout_steps": 10})
    straight, interrupted = algorithm(speaker_listener, config), algorithm(speaker_listener, config)
    assert set(straight.learners) == {"speaker_0", "listener_0"}
    assert straight.env.agents == ("listener_0",)
    rows = train(straight, 4)
    assert {"payoff/speaker_0", "payoff/listener_0", "train/speaker_0/loss"} <= rows[-1].keys()
    assert not any(name.startswith("exact_") for name in rows[-1])
    if algorithm is ERMAS:
        # Common random numbers: the deviation has just been synchronised.
        assert rows[2]["estimated_regret/listener_0"] == 0.0
        assert rows[3]["estimated_regret/listener_0"] != 0.0
        assert rows[3]["env_steps"] == 4 * 10 * (1 + 1 + 2 + 2)
    start = parameters(interrupted)
    assert not np.array_equal(parameters(straight)["listener_0"], start["listener_0"])
    train(interrupted, 2, tmp_path)
    resumed = algorithm.resume(tmp_path, speaker_listener)
    np.testing.assert_equal(train(resumed, 4), rows[2:])
    assert_same_trainer(resumed, straight)


@pytest.mark.parametrize(
    "arguments",
    [
        {"total_iterations": 2.5},
        {"total_iterations": float("nan")},
        {"total_iterations": -1},
        {"total_iterations": True},
        {"total_iterations": "3"},
        {"total_iterations": 2, "checkpoint_every": 0},
        {"total_iterations": 2, "checkpoint_every": 1.5},
    ],
    ids=str,
)
def test_what_is_no_number_of_iterations_is_refused_before_training(arguments: Any, tmp_path: Path) -> None:
    """2.5 was never reached, and so the training had no end."""
    trainer = marl()(0)
    with pytest.raises(ValueError, match=rf"{list(arguments)[-1]} must be an integer"):
        trainer.learn(directory=tmp_path / "run", **arguments)
    assert trainer.iteration == 0
    assert not (tmp_path / "run").exists()
    assert trainer.learn(np.int64(1)).iteration == 1
