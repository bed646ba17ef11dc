"""The perturbation `RandomRiskAversion`: every episode draws a risk aversion, rewards are at it, and agents see it."""

from typing import Any

import numpy as np
import pytest

from ermas_envs import batched_env, economy_v0, one_step_economy_v0
from ermas_envs.faces.parallel import EngineParallelEnv
from ermas_envs.faces.perturbed import PerturbedParallelEnv
from ermas_envs.perturbations import Bounded, RandomRiskAversion, RiskAversion, SumOf, perturbation_registry
from ermas_envs.testing import check_perturbation
from ermas_envs.testing.actions import BatchActionSource

ETAS = (0.1, 0.23, 0.9)
GAME: dict[str, Any] = {
    "num_agents": 3,
    "agent_reward_type": "isoelastic_coin_minus_labor",
    "labor_cost": 0.3,
    "observations": "compact",
}
REPLICAS, STEPS = 6, 10


def play(**arguments: Any) -> tuple[Any, Any, Any]:
    """(steps, agents, replicas) rewards, payoffs, and the last number that agents see before each step."""
    batch = one_step_economy_v0.batched_env(REPLICAS, **{**GAME, **arguments})
    source = BatchActionSource(batch, list(range(REPLICAS)))
    seen: Any = batch.reset(7)
    rewards, payoffs, last = [], [], []
    for _ in range(STEPS):
        last.append([seen.observations[agent][:, -1] for agent in batch.agents])
        seen = batch.step(source.draw(seen))
        rewards.append([seen.rewards[agent] for agent in batch.agents])
        payoffs.append([seen.payoffs[agent] for agent in batch.agents])
    return np.array(rewards), np.array(payoffs), np.array(last)


def test_rewards_are_those_of_the_risk_aversion_that_agents_see() -> None:
    rewards, payoffs, shown = play(perturbation=RandomRiskAversion(ETAS))
    drawn = np.round(shown.astype(np.float64) / 10.0, 6)
    assert set(drawn.ravel()) == set(ETAS)
    assert (drawn == drawn[:, :1]).all()  # the same for all agents
    assert (drawn[0::2] == drawn[1::2]).all()  # and for both steps of an episode
    for eta in ETAS:
        expected, unperturbed, _ = play(perturbation=RiskAversion(eta))
        np.testing.assert_array_equal(payoffs, unperturbed)
        np.testing.assert_allclose(rewards[drawn == eta], expected[drawn == eta], rtol=1e-9, atol=1e-9)


def test_one_value_is_that_risk_aversion() -> None:
    rewards, _, shown = play(perturbation=RandomRiskAversion([0.31]))
    np.testing.assert_array_equal(rewards, play(perturbation=RiskAversion(0.31))[0])
    np.testing.assert_allclose(shown, 3.1, rtol=1e-6)


@pytest.mark.parametrize("kind", ["compact", "original"])
def test_agents_see_it_and_the_planner_does_not(kind: str) -> None:
    arguments = {**GAME, "observations": kind}
    plain = one_step_economy_v0.batched_env(2, **arguments)
    drawn = one_step_economy_v0.batched_env(2, **arguments, perturbation=RandomRiskAversion([0.4]))
    assert drawn.observation_spaces["planner"] == plain.observation_spaces["planner"]
    before, after = plain.reset(3).observations, drawn.reset(3).observations
    for agent in drawn.agents:
        seen: Any = after[agent]
        if kind == "compact":
            assert drawn.observation_spaces[agent].shape == (seen.shape[1],)
            np.testing.assert_array_equal(seen[:, :-1], before[agent])
            np.testing.assert_allclose(seen[:, -1], 4.0)
        else:
            assert set(seen) == set(before[agent]) | {"perturbation_draw"}
            np.testing.assert_allclose(seen["perturbation_draw"], [[4.0]] * 2)
            assert drawn.observation_spaces[agent].contains({name: part[0] for name, part in seen.items()})


def test_values_are_equally_likely() -> None:
    """5 standard deviations: a false alarm once in a million runs with other seeds."""
    batch = one_step_economy_v0.batched_env(30_000, **GAME, perturbation=RandomRiskAversion(ETAS))
    shown: Any = batch.reset(1).observations["agent_0"]
    counts = [(np.abs(shown[:, -1] - 10.0 * eta) < 1e-5).sum() for eta in ETAS]
    assert np.abs(np.array(counts) - 10_000).max() < 5 * np.sqrt(30_000 * 2 / 9)


def test_replicas_with_one_seed_draw_the_same() -> None:
    batch = one_step_economy_v0.batched_env(60, **GAME, perturbation=RandomRiskAversion(ETAS))
    shown: Any = batch.reset(np.tile(np.arange(30), 2)).observations["agent_0"]
    np.testing.assert_array_equal(shown[:30], shown[30:])
    assert len(np.unique(shown[:, -1])) == 3


def test_the_end_of_an_episode_shows_its_own_draw() -> None:
    batch = one_step_economy_v0.batched_env(40, **GAME, perturbation=RandomRiskAversion(ETAS))
    source = BatchActionSource(batch, list(range(40)))
    first: Any = batch.reset(5)
    second: Any = batch.step(source.draw(first))
    third: Any = batch.step(source.draw(second))
    before, final, after = (
        o["agent_1"][:, -1] for o in (first.observations, third.final_observations, third.observations)
    )
    np.testing.assert_array_equal(final, before)
    assert (after != before).any()


@pytest.mark.parametrize("game", ["one step", "economy"])
def test_it_keeps_the_protocol(game: str) -> None:
    small = {"num_agents": 2, "horizon": 6, "layout": ["WSW.", "..S."], "observations": "compact"}
    make = one_step_economy_v0.batched_env if game == "one step" else economy_v0.batched_env
    arguments = GAME if game == "one step" else {**small, "fixed_four_skill_and_loc": False}
    check_perturbation(
        lambda: perturbation_registry.make("random_risk_aversion", etas=list(ETAS)),
        lambda num_envs, perturbation: make(num_envs, **arguments, perturbation=perturbation),
    )


def test_it_stands_alone() -> None:
    drawn = RandomRiskAversion(ETAS)
    message = "RandomRiskAversion is drawn for every episode and seen by agents"
    with pytest.raises(ValueError, match=message):
        Bounded(drawn, 0.1)
    with pytest.raises(ValueError, match=message):
        SumOf([RiskAversion(0.2), drawn])
    env = one_step_economy_v0.parallel_env(**GAME)
    assert isinstance(env, EngineParallelEnv)
    with pytest.raises(ValueError, match=message):
        PerturbedParallelEnv(env, drawn)


@pytest.mark.parametrize("bad", [[-0.1], [0.2, float("nan")], [31.0], ["0.5"], [True]], ids=repr)
def test_it_refuses_what_is_no_risk_aversion(bad: Any) -> None:
    with pytest.raises(ValueError, match="etas must be a finite number >= 0 and <= 30, got"):
        RandomRiskAversion(bad)


def test_it_needs_a_value_and_agents_with_risk_aversion() -> None:
    with pytest.raises(ValueError, match="etas must name at least one risk aversion"):
        RandomRiskAversion([])
    with pytest.raises(ValueError, match="this game's agents have no risk aversion that could change"):
        batched_env("bimatrix_v0", 1, perturbation=RandomRiskAversion(ETAS))


class _ShowsNothing(RandomRiskAversion):
    def shown(self) -> Any:
        return super().shown()[:, 0]


def test_what_is_shown_must_be_rows() -> None:
    with pytest.raises(ValueError, match=r"must be float32 of shape \(2, k\), k >= 1"):
        one_step_economy_v0.batched_env(2, **GAME, perturbation=_ShowsNothing(ETAS))
