"""Agents that practise against a planner who acts at random, a planner who waits, and steps in which nobody chooses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from ermas_algos import ERMAS, MARL, ERMASConfig, MARLConfig, Population, PopulationConfig, SB3LearnerConfig
from ermas_algos.algorithms.decisions import leaves_a_choice
from ermas_algos.algorithms.joint_rollout import joint_rollout
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.learners import ExactLearnerConfig, SB3Learner
from ermas_algos.learners.uniform import UniformPolicy
from ermas_algos.metrics_log import read_progress
from ermas_envs import EnvironmentSpec

QUICK = SB3LearnerConfig("MaskablePPO", algorithm_kwargs={"n_epochs": 1})
SMALL: dict[str, Any] = {
    "num_envs": 4,
    "agent_learner": QUICK,
    "planner_learner": QUICK,
    "policy_sharing": "group",
}
TRAINERS = {
    "MARL": (MARL, MARLConfig, {}),
    "ERMAS": (ERMAS, ERMASConfig, {"warmup_iterations": 1, "deviating_agents": 1}),
    "Population": (Population, PopulationConfig, {"multipliers": (1.0, 4.0)}),
}


def economy(num_envs: int) -> Any:
    return EnvironmentSpec("one_step_economy_v0", {"num_agents": 3, "observations": "compact"})(num_envs)


def trainer(name: str, **settings: Any) -> Any:
    kind, config, own = TRAINERS[name]
    return kind(economy, config(**{**SMALL, **own, **settings}))


def seen_by(learner: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Rollouts that a learner is given from now on."""
    rollouts: list[Any] = []
    update = learner.update
    monkeypatch.setattr(learner, "update", lambda rollout: (rollouts.append(rollout), update(rollout))[1])
    return rollouts


@pytest.mark.parametrize("name", TRAINERS)
def test_agents_practise_and_the_planner_waits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    training = trainer(name, practice_updates=2, planner_warmup=2)
    planner, agents = training.learners["planner"], seen_by(training.learners["agent_0"], monkeypatch)
    before = planner.get_parameters()
    training.learn(2)
    np.testing.assert_array_equal(planner.get_parameters(), before)
    training.learn(3)
    assert (planner.get_parameters() != before).any()
    assert len(agents) == 3 * 3  # practice twice, and the joint rollout


class Watching(Trainer[MARLConfig]):
    """A trainer of a third party: plays, and teaches nobody."""

    name, config_type = "Watching", MARLConfig

    def _iterate(self) -> Any:
        return self._outcome_metrics(self._collect({role: [learner] for role, learner in self.learners.items()}))


def test_agents_practise_under_any_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Watching(economy, MARLConfig(**SMALL, practice_updates=2))
    agents, planner = (seen_by(training.learners[role], monkeypatch) for role in ("agent_0", "planner"))
    training.learn(3)
    assert (len(agents), len(planner)) == (3 * 2, 0)
    assert training.env_steps == 3 * 3 * 2 * 4  # practice twice and a rollout, of two steps in four replicas


def test_what_the_planner_says_begins_with_its_first_update(tmp_path: Path) -> None:
    """A training that is resumed within the warm-up leaves the same table as one that goes through."""
    for name, stops in (("straight", (4,)), ("resumed", (1, 4))):
        training = trainer("MARL", planner_warmup=2)
        for stop in stops:
            training.learn(stop, tmp_path / name)
            training = MARL.resume(tmp_path / name, economy)
    straight, resumed = (read_progress(tmp_path / name / "progress.csv") for name in ("straight", "resumed"))
    losses = [row["train/planner/loss"] for row in straight]
    assert np.isnan(losses).tolist() == [True, True, False, False]
    timeless = [{k: v for k, v in row.items() if k != "steps_per_second"} for row in straight]
    again = [{k: v for k, v in row.items() if k != "steps_per_second"} for row in resumed]
    np.testing.assert_equal(timeless, again)


def test_in_practice_every_schedule_is_met() -> None:
    """64 replicas, 64 schedules, rates from no action to the largest."""
    actors = next(iter(trainer("MARL", practice_updates=1)._practice()))
    cast = {role: [actor] for role, actor in actors.items()}
    played = joint_rollout(economy(64), cast, 2, np.random.default_rng(0), 0)
    rates = played.actions["planner"][0]
    assert rates.shape == (64, 7)
    assert rates.min() == 0
    assert rates.max() == 21
    assert len(np.unique(rates, axis=0)) == 64
    assert abs(rates.mean() - 10.5) < 5 * np.sqrt((22**2 - 1) / 12 / rates.size)  # five standard errors


def test_practice_needs_sampled_learners() -> None:
    exact = ExactLearnerConfig()
    with pytest.raises(ValueError, match="practice_updates needs sampled episodes; planner_learner is exact"):
        MARLConfig(agent_learner=exact, planner_learner=exact, practice_updates=1)


@pytest.mark.parametrize("name", ["practice_updates", "planner_warmup"])
def test_numbers_below_0_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        MARLConfig(**{name: -1})


@pytest.mark.parametrize("name", TRAINERS)
def test_what_is_learned_from_are_the_steps_with_a_choice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may work in the first of the two steps: half of what was played is nothing to learn from."""
    training = trainer(name, num_envs=8)
    rollouts = seen_by(training.learners["agent_0"], monkeypatch)
    training.learn(1)
    assert [rollout.rewards.shape for rollout in rollouts] == [(1, 8 * 3)]
    assert rollouts[0].action_masks.all()
    assert rollouts[0].ended.all()


def test_what_is_forced_is_played_even_by_learners_that_know_no_masks() -> None:
    """PPO ignores masks; in the first step it works no hours nevertheless, as nobody has a choice."""
    env = economy(16)
    cast = {
        role: [SB3Learner(SB3LearnerConfig("PPO"), env.observation_spaces[role], env.action_spaces[role], 0)]
        for role in env.possible_agents
    }
    played = joint_rollout(env, cast, 2, np.random.default_rng(0), 0)
    hours = np.stack([played.actions[agent] for agent in env.agents], axis=-1)
    assert (hours[0] == 0).all()
    assert (hours[1] > 0).any()


def test_a_choice_is_more_than_one_allowed_value_of_a_component() -> None:
    masks = np.array([[True, False, True, False], [True, True, False, True]])
    assert leaves_a_choice(masks, np.zeros(2)).tolist() == [False, True]
    assert leaves_a_choice(masks[:, :2], np.zeros(())).tolist() == [False, True]


@given(st.integers(0, 2**20), st.integers(1, 5), st.integers(1, 6))
def test_a_uniform_policy_plays_what_is_allowed(seed: int, parts: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    space = spaces.MultiDiscrete([size] * parts)
    masks = generator.random((50, parts, size)) < 0.5
    masks[np.arange(50), :, generator.integers(size, size=50)] = True
    policy = UniformPolicy(space)
    chosen = policy.act(np.zeros((50, 1)), generator.random((50, policy.noise_size)), masks.reshape(50, -1))
    assert np.take_along_axis(masks, chosen[..., None], axis=2).all()


def test_a_uniform_policy_is_uniform() -> None:
    """On a grid of noise all allowed values have the same share."""
    noise = ((np.arange(600) + 0.5) / 600)[:, None]
    mask = np.tile([True, False, True, True], (600, 1))
    chosen = UniformPolicy(spaces.Discrete(4)).act(np.zeros((600, 1)), noise, mask)
    assert np.bincount(chosen, minlength=4).tolist() == [200, 0, 200, 200]
    box = UniformPolicy(spaces.Box(-1.0, 3.0, (1,), np.float32)).act(np.zeros((600, 1)), noise)
    np.testing.assert_allclose(box[:, 0], -1.0 + 4.0 * noise[:, 0], rtol=1e-6)
    coins = UniformPolicy(spaces.MultiBinary(1)).act(np.zeros((600, 1)), noise)
    assert coins.mean() == 0.5


def test_a_box_without_bounds_has_no_uniform_policy() -> None:
    with pytest.raises(ValueError, match="bounded Box only"):
        UniformPolicy(spaces.Box(-np.inf, np.inf, (2,), np.float32))
