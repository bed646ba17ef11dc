"""The game in cents is the game in euros: scales, what learners are given, and training in several units."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import ParallelEnv

from ermas_algos import ERMAS, MARL, ERMASConfig, ExactLearnerConfig, MARLConfig, SB3LearnerConfig
from ermas_algos.algorithms.payoff_scales import PayoffScales
from ermas_algos.evaluation.fresh_agents import FreshAgentsConfig, train_fresh_agents
from ermas_envs import BatchedEnv, ParallelEnvBatch, augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs, payoffs_registry
from ermas_envs.oracles import payoff_scale
from ermas_envs.planners import ConstantPlanner

EXACT = ExactLearnerConfig()
AGENTS = ("agent_0", "agent_1")


def in_units(agents: float, planner: float, make: Callable[..., BatchedEnv] = bimatrix_v0.batched_env) -> Any:
    """The bimatrix game in other units of the agents' and the planner's payoffs; agents see their own level."""
    base = payoffs_registry.make("tragedy_of_commons")
    tables = (agents * np.asarray(base.agent_0), agents * np.asarray(base.agent_1), planner * np.asarray(base.planner))
    return partial(make, payoffs=BimatrixPayoffs(*tables), agents_observe="own")


def trained(agents: float, planner: float, iterations: int, **settings: Any) -> dict[str, Any]:
    """Metrics of the last iteration of ERMAS at ε = 0.1 of the agents' unit."""
    last: dict[str, Any] = {}
    config = ERMASConfig(epsilon=0.1 * agents, **settings)
    ERMAS(in_units(agents, planner), config).learn(iterations, progress=lambda _, metrics: last.update(metrics))
    return last


UNITS = [1e-6, 1e-3, 1.0, 1e3, 1e6]
GRID = [(agents, planner) for agents in UNITS for planner in UNITS if (agents, planner) != (1.0, 1.0)]


@pytest.mark.parametrize(
    ("table", "scale"),
    [
        ([0.0, 1.0], 1.0),
        ([-36.0, 0.0, 36.0], 36.0),
        ([1e6, 1e6 + 1.0], 1.0),  # a constant changes no incentive
        ([-3.0, -1.0], 2.0),
        ([5.0, 5.0], 5.0),
        ([0.0, 0.0], 1.0),
        ([1e-9, 3e-9], 2e-9),
    ],
)
def test_scale_of_a_table(table: list[float], scale: float) -> None:
    assert payoff_scale(np.array(table)) == pytest.approx(scale, rel=1e-6)
    assert payoff_scale(7.0 * np.array(table)) == pytest.approx(7.0 * scale if any(table) else 1.0, rel=1e-6)


def test_the_games_state_their_scales() -> None:
    game = in_units(1e-6, 1e6)(1)
    assert game.agent_payoff_scales == pytest.approx(dict.fromkeys(AGENTS, 1e-6))
    assert game.planner_payoff_scale == pytest.approx(1e6)
    usual = bimatrix_v0.batched_env(1)
    assert usual.agent_payoff_scales == dict.fromkeys(AGENTS, 1.0)
    assert augmented_bimatrix_v0.batched_env(1).planner_payoff_scale == 36.0


@pytest.mark.parametrize(("agents", "planner"), [(1e-6, 1e6), (1e6, 1.0), (1.0, 1e-6)])
def test_exact_training_is_the_same_in_other_units(agents: float, planner: float) -> None:
    """Not only at the end: the numbers of an iteration differ by rounding only."""
    settings = {"agent_learner": EXACT, "planner_learner": EXACT, "warmup_iterations": 3}
    usual, other = trained(1.0, 1.0, 25, **settings), trained(agents, planner, 25, **settings)
    for agent in AGENTS:
        for name in ("exact_regret", "estimated_regret"):
            assert other[f"{name}/{agent}"] / agents == pytest.approx(usual[f"{name}/{agent}"], rel=1e-7)
        assert other[f"multiplier/{agent}"] == pytest.approx(usual[f"multiplier/{agent}"], rel=1e-7)
    assert other["exact_reward/planner"] / planner == pytest.approx(usual["exact_reward/planner"], rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(("agents", "planner"), GRID)
def test_the_bound_is_the_same_in_every_unit(agents: float, planner: float) -> None:
    """Within 2 % of ε and .005 of planner payoff, which is 0.4506 by `worst_equilibrium`."""
    found = trained(agents, planner, 300, agent_learner=EXACT, planner_learner=EXACT)
    for agent in AGENTS:
        assert found[f"exact_regret/{agent}"] / (0.1 * agents) == pytest.approx(1.0, abs=0.02)
    assert found["exact_reward/planner"] / planner == pytest.approx(0.4506, abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize(("agents", "planner"), [(1.0, 1.0), (1e-6, 1e-6), (1e6, 1e6), (1e-3, 1e3)])
def test_the_bound_is_the_same_in_every_unit_for_sampled_learners(agents: float, planner: float) -> None:
    """Mean of the last third of 300 iterations, as in Figure 2, whose runs are within .08 of ε and .03 of 0.4506."""
    rows: list[dict[str, Any]] = []
    config = ERMASConfig(epsilon=0.1 * agents)
    ERMAS(in_units(agents, planner), config).learn(300, progress=lambda _, metrics: rows.append(dict(metrics)))
    last = rows[200:]
    for agent in AGENTS:
        regret = np.mean([row[f"exact_regret/{agent}"] for row in last]) / (0.1 * agents)
        assert regret == pytest.approx(1.0, abs=0.25)
    assert np.mean([row["exact_reward/planner"] for row in last]) / planner == pytest.approx(0.4506, abs=0.07)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_sampled_learners_are_given_the_same_rewards(unit: float) -> None:
    """One iteration: the same play, so that the updates may differ by rounding only."""
    learner = SB3LearnerConfig(algorithm_kwargs={"n_epochs": 1})
    settings: dict[str, Any] = {"agent_learner": learner, "planner_learner": learner, "num_envs": 4, "seed": 3}
    usual, other = (MARL(in_units(u, u), MARLConfig(**settings)).learn(1) for u in (1.0, unit))
    for role in usual.learners:
        expected, found = usual.learners[role].get_parameters(), other.learners[role].get_parameters()
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_fresh_agents_converge_by_the_same_criterion_in_every_unit() -> None:
    """An absolute tolerance would call the game in thousandths converged at once."""
    config = FreshAgentsConfig(agent_learner=EXACT, window=4, tolerance=1e-4, max_iterations=40)
    found = [
        train_fresh_agents(
            partial(in_units(unit, unit, augmented_bimatrix_v0.batched_env), planner=ConstantPlanner(2)), config, 0
        ).iterations
        for unit in (1.0, 1e-6, 1e6)
    ]
    assert found == [found[0]] * 3
    assert found[0] > 8


class Wages(ParallelEnv):  # type: ignore[misc]
    """Five steps of noisy wages in a currency that the environment does not tell."""

    metadata = {"name": "wages_v0"}  # noqa: RUF012

    def __init__(self, unit: float) -> None:
        self.unit = unit
        self.possible_agents, self.agents = ["agent_0", "planner"], []
        self.generator = np.random.default_rng()

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(0.0, 1.0, (1,), np.float32)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(3)

    def _seen(self) -> dict[str, Any]:
        return {agent: np.array([self.steps / 5], np.float32) for agent in self.possible_agents}

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.generator = np.random.default_rng(seed)
        self.agents, self.steps = list(self.possible_agents), 0
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        self.steps += 1
        wage = self.unit * (int(actions["agent_0"]) + self.generator.random())
        rewards = {"agent_0": wage - 0.1 * self.unit * int(actions["planner"]), "planner": -3.0 * wage}
        over, infos = dict.fromkeys(self.agents, self.steps == 5), {agent: {} for agent in self.agents}
        self.agents = [] if self.steps == 5 else self.agents
        return self._seen(), rewards, dict.fromkeys(over, False), over, infos


def foreign(unit: float) -> ERMAS:
    config = ERMASConfig(num_envs=4, rollout_steps=10, warmup_iterations=3, epsilon=0.05 * unit)
    return ERMAS(lambda n: ParallelEnvBatch(lambda: Wages(unit), n), config)


def test_unknown_scales_are_estimated_during_warm_up_and_then_stand_still() -> None:
    seen: list[dict[str, Any]] = []
    foreign(1.0).learn(6, progress=lambda _, metrics: seen.append(dict(metrics)))
    scales = [row["payoff_scale/agent_0"] for row in seen]
    assert len(set(scales[:3])) == 3
    assert len(set(scales[2:])) == 1
    assert 2.0 < scales[-1] < 5.0  # wages spread over about three units
    assert 2.0 < seen[-1]["payoff_scale/planner"] / 3.0 < 5.0


def test_estimates_follow_the_unit() -> None:
    usual, other = (foreign(unit).learn(1).scales.values for unit in (1.0, 1e-6))
    assert {role: 1e6 * value for role, value in other.items()} == pytest.approx(usual)


def test_estimates_are_saved_and_resumed(tmp_path: Path) -> None:
    whole = foreign(1e-3).learn(5)
    foreign(1e-3).learn(2, tmp_path)
    resumed = ERMAS.resume(tmp_path, lambda n: ParallelEnvBatch(lambda: Wages(1e-3), n)).learn(5)
    assert resumed.scales.state() == whole.scales.state()
    for role, learner in whole.learners.items():
        assert np.array_equal(learner.get_parameters(), resumed.learners[role].get_parameters())


def test_scales_that_agents_bring_along_stand_still(tmp_path: Path) -> None:
    """Whatever the algorithm that goes on, however long it would estimate itself, and when it is resumed."""
    first = foreign(1.0).learn(2)
    for then in (
        foreign(1.0),
        MARL(lambda n: ParallelEnvBatch(lambda: Wages(1.0), n), MARLConfig(num_envs=4, rollout_steps=10)),
    ):
        then.take_agents_of(first).learn(3, tmp_path / then.name)
        assert then.scales.values == first.scales.values
    resumed = ERMAS.resume(tmp_path / "ERMAS", lambda n: ParallelEnvBatch(lambda: Wages(1.0), n)).learn(4)
    assert resumed.iteration == 4
    assert resumed.scales.values == first.scales.values


@pytest.mark.parametrize(("waits", "follows"), [(0, 40), (60, 60)])
def test_scales_are_estimated_while_the_planner_waits(waits: int, follows: int) -> None:
    """What beginners earn alone would be too small a unit."""
    config = MARLConfig(num_envs=2, rollout_steps=5, planner_warmup=waits)
    seen: list[float] = []
    marl = MARL(lambda n: ParallelEnvBatch(lambda: Wages(1.0), n), config)
    marl.learn(follows + 3, progress=lambda _, metrics: seen.append(metrics["payoff_scale/agent_0"]))
    assert seen[follows - 2] != seen[follows - 1] == seen[-1]


def test_payoffs_that_are_all_equal_have_no_scale_yet() -> None:
    class Constant:
        payoffs = {"agent_0": np.full((2, 3), 0.1)}  # noqa: RUF012

        def mean(self, per_step: Any, block: int) -> float:
            return float(np.mean(per_step))

    scales, play = PayoffScales({}, ["agent_0"], 1), Constant()
    for iteration in range(5):
        scales.observe(play, iteration)  # type: ignore[arg-type]
    assert scales.values == {"agent_0": 1.0}
    play.payoffs = {"agent_0": np.array([[0.0, 4.0]])}
    scales.observe(play, 7)  # type: ignore[arg-type]
    assert scales.values["agent_0"] > 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"values": {"agent_0": -1.0}},
        {"values": {"agent_0": float("nan")}},
        {"values": {"agent_0": 2}},
        {"values": {"agent_1": 1.0}},
        {"moments": {"agent_0": [1.0, float("inf"), 0.0]}},
        {"moments": {"agent_0": [1.0]}},
        {"moments": {}},
    ],
    ids=repr,
)
def test_saved_scales_are_checked(change: dict[str, Any]) -> None:
    scales = PayoffScales({}, ["agent_0"], 1)
    with pytest.raises(ValueError, match="scale"):
        scales.load_state({**scales.state(), **change})
