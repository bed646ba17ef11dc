"""Planners that commit themselves: grids of actions, bandits and Gaussian processes, their trainer, and bad input."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import ParallelEnv
from scipy.integrate import quad
from scipy.stats import norm

from ermas_algos import Commitment, CommitmentConfig, SB3LearnerConfig, command_line
from ermas_algos.algorithms.config import from_json, to_json
from ermas_algos.checkpoint import CheckpointError
from ermas_algos.evaluation import load_planner
from ermas_algos.evaluation.toll_certificate import certify_toll_run
from ermas_algos.learners import bandits, gaussian_process
from ermas_algos.learners.commitment import RULES, CommitmentLearner, CommitmentSearch
from ermas_algos.learners.commitments import grid, number_of
from ermas_algos.learners.exact import ExactLearnerConfig
from ermas_algos.learners.protocol import LearnerState
from ermas_envs import EnvironmentSpec, ParallelEnvBatch
from ermas_envs.oracles.tolls import Traffic, best_tolls, robust_objective

SMALL = SB3LearnerConfig(hidden_layers=(4,))
GAME = EnvironmentSpec("augmented_bimatrix_v0", {"agents_observe": "own", "horizon": 4})


def config(rule: str = "ucb1", **settings: Any) -> CommitmentConfig:
    chosen = {"num_envs": 4, "agent_learner": SMALL, "search": CommitmentSearch(rule), **settings}
    return CommitmentConfig(**chosen)


# Grids


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (spaces.Discrete(3, start=2), [2, 3, 4]),
        (spaces.MultiDiscrete([2, 3]), [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]),
        (spaces.Box(np.float32([0, -1]), np.float32([1, 1])), [[0, -1], [0, 0], [0, 1], [0.5, -1], [0.5, 0], [0.5, 1],
                                                              [1, -1], [1, 0], [1, 1]]),
    ],
    ids=["Discrete", "MultiDiscrete", "Box"],
)  # fmt: skip
def test_all_actions_of_a_grid(space: Any, expected: Any) -> None:
    actions, places = grid(space, 3, 100, np.random.default_rng(0))
    assert actions.tolist() == expected
    assert actions.dtype == space.dtype
    assert number_of(space, 3, 100) == len(actions)
    assert places.reshape(len(actions), -1).min() == 0
    assert places.max() == 1


def test_of_a_large_grid_different_actions_are_drawn() -> None:
    space = spaces.MultiDiscrete([22] * 7)  # taxes: 22⁷ schedules
    actions, _ = grid(space, 11, 50, np.random.default_rng(0))
    assert len(np.unique(actions, axis=0)) == 50 == number_of(space, 11, 50)
    assert all(space.contains(action) for action in actions)


@pytest.mark.parametrize("space", [spaces.MultiBinary(2), spaces.Box(-np.inf, np.inf, (1,))])
def test_other_actions_have_no_grid(space: Any) -> None:
    with pytest.raises(ValueError, match="commitments need"):
        grid(space, 3, 10, np.random.default_rng(0))


# Bandits: closed forms


def test_ucb1_is_auers_index() -> None:
    found = bandits.ucb1_indices(np.array([1, 2, 0]), np.array([0.5, 0.4, 0.0]), 1.0)
    assert found.tolist() == [0.5 + np.sqrt(2 * np.log(3)), 0.2 + np.sqrt(np.log(3)), np.inf]
    half = bandits.ucb1_indices(np.array([1, 2, 0]), np.array([0.5, 0.4, 0.0]), 0.5)
    assert half[0] == 0.5 + 0.5 * np.sqrt(2 * np.log(3))


def test_the_posterior_is_that_of_one_observation_after_another() -> None:
    rewards, noise = [0.3, -0.2, 0.9], 0.4
    mean, variance = 0.1, 0.7**2
    for reward in rewards:
        gain = variance / (variance + noise**2)
        mean, variance = mean + gain * (reward - mean), (1 - gain) * variance
    means, deviations = bandits.posterior(np.array([3, 0]), np.array([sum(rewards), 0.0]), 0.1, 0.7, noise)
    assert means.tolist() == pytest.approx([mean, 0.1])
    assert deviations.tolist() == pytest.approx([variance**0.5, 0.7])


def test_thompson_samples_an_arm_as_often_as_it_is_the_best() -> None:
    """P(arm 0 is better) of two normals. Five standard errors of 4000 draws."""
    generator = np.random.default_rng(0)
    drawn = [bandits.thompson(np.array([0.2, 0.0]), np.array([0.3, 0.4]), generator) for _ in range(4000)]
    assert np.mean(np.array(drawn) == 0) == pytest.approx(norm.cdf(0.2 / 0.5), abs=5 * 0.5 / 4000**0.5)


def test_epsilon_greedy_tries_all_then_explores_with_its_share() -> None:
    generator = np.random.default_rng(0)
    assert bandits.epsilon_greedy(np.array([1, 0, 0]), np.zeros(3), 0.0, generator) == 1
    counts, sums = np.array([2, 1, 1]), np.array([0.2, 0.4, -1.0])
    drawn = [bandits.epsilon_greedy(counts, sums, 0.3, generator) for _ in range(4000)]
    shares = np.bincount(drawn, minlength=3) / 4000
    assert shares.tolist() == pytest.approx([0.1, 0.8, 0.1], abs=5 * 0.4 / 4000**0.5)


# Gaussian processes: closed forms


ARMS = np.linspace(0, 1, 6)[:, None]


def matern(distance: Any, scale: float) -> Any:
    scaled = np.sqrt(5) * np.abs(distance) / scale
    return (1 + scaled + scaled**2 / 3) * np.exp(-scaled)


def test_beliefs_after_one_arm_are_gaussian_conditioning() -> None:
    """The prior mean is the reward itself, so that all means are it; variances are those of one observation."""
    counts, sums = np.array([0, 2, 0, 0, 0, 0]), np.array([0, 0.8, 0, 0, 0, 0])
    means, deviations = gaussian_process.beliefs(ARMS, counts, sums, 0.3, length_scale=0.25)
    near = matern(ARMS[:, 0] - ARMS[1, 0], 0.25)
    assert means == pytest.approx(np.full(6, 0.4))
    assert deviations**2 == pytest.approx(1 - near**2 / (1 + 0.3**2 / 2))


def test_beliefs_after_two_arms_are_gaussian_conditioning() -> None:
    counts, sums = np.array([1, 0, 0, 3, 0, 0]), np.array([0.5, 0, 0, -0.6, 0, 0])
    means, _ = gaussian_process.beliefs(ARMS, counts, sums, 0.3, length_scale=0.25)
    seen, middle = ARMS[[0, 3], 0], -0.1 / 4
    covariance = matern(seen[:, None] - seen, 0.25) + np.diag([0.09, 0.03])
    weights = np.linalg.solve(covariance, np.array([0.5, -0.2]) - middle)
    assert means == pytest.approx(middle + matern(ARMS - seen, 0.25) @ weights)


def test_without_noise_the_posterior_mean_is_what_was_observed() -> None:
    rewards = np.sin(5 * ARMS[:, 0])
    counts = np.array([1, 0, 1, 1, 0, 1])
    for length_scale in (0.25, None):
        means, deviations = gaussian_process.beliefs(ARMS, counts, rewards * counts, 1e-4, length_scale)
        assert means[counts > 0] == pytest.approx(rewards[counts > 0], abs=1e-3)
        assert deviations[counts > 0].max() < 1e-3 < deviations[counts == 0].min()


def test_upper_bounds_are_srinivas() -> None:
    found = gaussian_process.upper_bounds(np.array([0.1, 0.0]), np.array([0.0, 0.5]), 4)
    assert found.tolist() == pytest.approx([0.1, 0.5 * np.sqrt(2 * np.log(2 * 25 * np.pi**2 / 0.6))])


def test_expected_improvement_is_the_integral() -> None:
    found = gaussian_process.expected_improvement(np.array([0.2, 0.7, 0.7]), np.array([0.5, 0.0, 0.3]), 0.4)

    def integral(mean: float, deviation: float) -> float:
        return quad(lambda value: (value - 0.4) * norm.pdf(value, mean, deviation), 0.4, 9.0)[0]

    assert found.tolist() == pytest.approx([integral(0.2, 0.5), 0.3, integral(0.7, 0.3)])


# Learning


class Hill(ParallelEnv):
    """Two steps, in which the planner earns 1 − (a − 3)²/9 for its action a, and the agent nothing."""

    metadata = {"name": "hill_v0"}  # noqa: RUF012

    def __init__(self) -> None:
        self.possible_agents = ["agent_0", "planner"]
        self.agents: list[str] = []
        self.steps = 0

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(0.0, 1.0, (1,), np.float32)

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(7 if agent == "planner" else 2)

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        self.agents, self.steps = list(self.possible_agents), 0
        return self.seen(), {agent: {} for agent in self.agents}

    def step(self, actions: Any) -> Any:
        self.steps += 1
        rewards = {"agent_0": 0.0, "planner": 1 - (int(actions["planner"]) - 3) ** 2 / 9}
        ended = dict.fromkeys(self.agents, self.steps == 2)
        infos: dict[str, Any] = {agent: {} for agent in self.agents}
        self.agents = [] if self.steps == 2 else self.agents
        return self.seen(), rewards, ended, dict.fromkeys(ended, False), infos

    def seen(self) -> Any:
        return {agent: np.zeros(1, np.float32) for agent in self.possible_agents}


def hill(num_envs: int) -> Any:
    return ParallelEnvBatch(Hill, num_envs, planner_payoff_scale=1.0, agent_payoff_scale=1.0)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_finds_the_top_of_a_hill(rule: str) -> None:
    settings = config(rule, num_envs=2, rollout_steps=2, search=CommitmentSearch(rule, noise=0.3, width=0.5))
    trainer = Commitment(hill, settings).learn(30)
    planner: Any = trainer.learners["planner"]
    assert planner.arms[planner.best] == 3
    assert planner.counts.sum() == 30
    assert planner.sums[3] / planner.counts[3] == pytest.approx(1.0)
    assert trainer.frozen_planner().act(np.zeros((2, 1)), np.zeros((2, 1)), None).tolist() == [3, 3]


def test_gaussian_processes_need_fewer_trials_than_there_are_arms() -> None:
    """A smooth function of two numbers, 441 arms, 40 trials: within 1 % of the range of the best."""
    for rule in ("gp_ucb", "expected_improvement"):
        space = spaces.Box(0.0, 1.0, (2,), np.float32)
        learner = CommitmentLearner(CommitmentSearch(rule, levels=21, most_arms=441, noise=0.01), space, space, 0)
        worth = 1 - ((learner.arms - [0.35, 0.6]) ** 2).sum(axis=1)
        for _ in range(40):
            rollout = as_rollout(worth[learner.trying])
            learner.update(rollout)
        assert worth[learner.best] > worth.max() - 0.01


def as_rollout(reward: float) -> Any:
    from ermas_algos.learners.protocol import Rollout

    nothing = np.zeros((1, 1))
    return Rollout(nothing, nothing, None, np.full((1, 1), reward), nothing > 0, None, None, nothing)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["ucb1", "thompson", "gp_ucb"])
def test_tolls_without_gap_are_the_best_ones(rule: str) -> None:
    """Pigou's roads, five tolls: the oracle's best is .75 for drivers in equilibrium, and so is the search's."""
    arguments = {"num_drivers": 20, "drives": 5, "tolled": [1], "toll_levels": 5}
    drivers = SB3LearnerConfig(hidden_layers=(16,), learning_rate=1e-2, gamma=0.0, gae_lambda=0.0)
    settings = config(
        rule, num_envs=16, agent_learner=drivers, policy_sharing="group", practice_updates=1, planner_warmup=40,
        search=CommitmentSearch(rule, width=0.2),
    )  # fmt: skip
    trainer = Commitment(EnvironmentSpec("toll_v0", arguments), settings).learn(120)
    traffic = Traffic.of(trainer.env.engine.settings)  # type: ignore[attr-defined]
    best = best_tolls(robust_objective(traffic, 0.0), 2, [1])
    assert best.tolls[1] == pytest.approx(0.75, abs=0.05)
    assert certify_toll_run(trainer).certificate.tolls[1] == 0.75


# The trainer


@pytest.mark.parametrize("rule", RULES)
def test_same_seed_same_bits_and_a_checkpoint_goes_on(rule: str, tmp_path: Path) -> None:
    whole, part = Commitment(GAME, config(rule)).learn(5), Commitment(GAME, config(rule)).learn(3)
    part.save(tmp_path / "c.safetensors")
    resumed = Commitment.load(tmp_path / "c.safetensors", GAME).learn(5)
    assert resumed.config == whole.config
    for role, learner in whole.learners.items():
        np.testing.assert_array_equal(learner.get_parameters(), resumed.learners[role].get_parameters())
    mine, theirs = whole.learners["planner"].state().facts, resumed.learners["planner"].state().facts
    assert mine == theirs


def test_an_arm_is_tried_in_every_replica_and_counted_once() -> None:
    trainer = Commitment(GAME, config(extra_agent_updates=2)).learn(7)  # UCB1 tries every stake once
    planner: Any = trainer.learners["planner"]
    assert planner.counts.tolist() == [1] * 7
    assert trainer.env_steps == 7 * 3 * 4 * 4
    assert planner.sums[0] == 0.0  # a stake of 0 earns 0 whatever happens


def test_nothing_is_counted_before_the_planners_warmup_is_over() -> None:
    planner: Any = Commitment(GAME, config(planner_warmup=3)).learn(3).learners["planner"]
    assert planner.counts.sum() == 0
    assert planner.arms[planner.best] == 0


def test_a_checkpoint_gives_its_planner(tmp_path: Path) -> None:
    trainer = Commitment(GAME, config()).learn(8, tmp_path)
    planner: Any = trainer.learners["planner"]
    loaded = load_planner(tmp_path / "checkpoint.safetensors")
    env = GAME(3, planner=loaded)
    seen = np.zeros((3, 9), np.float32)
    assert loaded.act(seen, np.zeros((3, 1)), None).tolist() == [planner.arms[planner.best]] * 3
    assert env.tabular_game() is not None


def test_with_a_planner_object_only_agents_learn() -> None:
    ruled = EnvironmentSpec(GAME.name, {**GAME.arguments, "planner": {"name": "constant", "action": 4}})
    assert set(Commitment(ruled, config()).learn(1).learners) == {"agent_0", "agent_1"}


def test_it_is_trained_by_its_name_and_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ermas(*arguments: str) -> Any:
        with pytest.raises(SystemExit) as stopped:
            command_line.main(list(arguments))
        return stopped.value.code

    game = (
        "--environment",
        "contract_v0",
        "--preset",
        "none",
        "--arguments",
        "payments",
        "grid",
        "payment_levels",
        "2",
    )
    settings = ("--settings", "num_envs", "4", "search.rule", "thompson", "search.most_arms", "16")
    given = ("train", "--algorithm", "Commitment", *game, *settings, "--iterations", "3", "--out", str(tmp_path))
    assert ermas(*given) == 0
    capsys.readouterr()
    assert ermas("explain", str(tmp_path), "--episodes", "4", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["rules"]) == 1
    assert told["agreement"] == 1.0


# Settings and states


def test_configuration_comes_back_from_json() -> None:
    given = config("gp_ucb", extra_agent_updates=2, search=CommitmentSearch("gp_ucb", levels=5))
    assert from_json(CommitmentConfig, to_json(given)) == given


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rule": "ucb"}, "rule: unknown name 'ucb'. Did you mean 'ucb1'"),
        ({"levels": 1}, "levels must be an integer >= 2"),
        ({"most_arms": 0}, "most_arms must be an integer >= 1"),
        ({"epsilon": 1.5}, "epsilon must be a finite number >= 0 and <= 1"),
        ({"width": 0}, "width must be > 0"),
        ({"noise": 0}, "noise must be > 0"),
        ({"prior_deviation": -1}, "prior_deviation must be a finite number >= 0"),
    ],
)
def test_bad_settings(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CommitmentSearch(**settings)


def test_exact_learners_are_refused() -> None:
    exact = ExactLearnerConfig()
    with pytest.raises(ValueError, match="search needs sampled episodes"):
        CommitmentConfig(agent_learner=exact, planner_learner=exact)


def state(learner: CommitmentLearner, **changes: Any) -> LearnerState:
    given = learner.state()
    facts = {**given.facts, **{name: value for name, value in changes.items() if name in given.facts}}
    tensors = {**given.tensors, **{name: value for name, value in changes.items() if name not in facts}}
    return LearnerState(tensors, facts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trying": 7}, "trying must be an integer in"),
        ({"counts": np.full(7, -1)}, "counts must be at least 0"),
        ({"counts": np.zeros(6, np.int64)}, "counts must be an array of int64 of shape"),
        ({"sums": np.full(7, np.nan)}, "sums must hold finite numbers"),
        ({"sums": np.ones(7)}, "sums 0 where they are 0"),
        ({"generator": {}}, "generator must be a table"),
        ({"more": np.zeros(1)}, "tensors must be a table"),
    ],
)
def test_states_of_another_form_are_refused(changes: Any, message: str) -> None:
    space = spaces.Discrete(7)
    learner = CommitmentLearner(CommitmentSearch(), space, space, 0)
    with pytest.raises(ValueError, match=message):
        learner.load_state(state(learner, **changes))


def test_a_checkpoint_of_another_search_is_refused(tmp_path: Path) -> None:
    Commitment(GAME, config()).learn(1).save(tmp_path / "c.safetensors")
    with pytest.raises(CheckpointError):
        Commitment.load(tmp_path / "c.safetensors", EnvironmentSpec(GAME.name, {**GAME.arguments, "max_action": 5}))
