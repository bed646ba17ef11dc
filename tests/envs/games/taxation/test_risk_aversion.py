"""The perturbation `RiskAversion`: agents get the rewards that they would get with another risk aversion."""

from typing import Any

import numpy as np
import pytest

from ermas_envs import batched_env, economy_v0, one_step_economy_v0
from ermas_envs.perturbations import Bounded, RiskAversion, SumOf, perturbation_registry
from ermas_envs.testing.actions import BatchActionSource

SMALL: dict[str, Any] = {
    "num_agents": 3,
    "horizon": 12,
    "layout": ["WSW.", "..S.", "SW.."],
    "components": [
        {"Build": {"payment": 7.5}},
        {"ContinuousDoubleAuction": {"max_bid_ask": 3, "order_duration": 4}},
        "Gather",
        {"PeriodicBracketTax": {"period": 4}},
    ],
    "fixed_four_skill_and_loc": False,
    "wood": {"regen_weight": 0.5},
    "stone": {"regen_weight": 0.5},
    "starting_agent_coin": 2.0,
    "observations": "compact",
}


def play(steps: int = 26, **arguments: Any) -> tuple[Any, Any]:
    """(steps, agents, replicas) rewards and payoffs."""
    batch = economy_v0.batched_env(4, **{**SMALL, **arguments})
    source = BatchActionSource(batch, list(range(4)))
    seen: Any = batch.reset(7)
    rewards, payoffs = [], []
    for _ in range(steps):
        seen = batch.step(source.draw(seen))
        rewards.append([seen.rewards[agent] for agent in batch.agents])
        payoffs.append([seen.payoffs[agent] for agent in batch.agents])
    return np.array(rewards), np.array(payoffs)


@pytest.mark.parametrize("eta", [0.23, [0.0, 0.5, 1.0]], ids=["one", "of each"])
@pytest.mark.parametrize("other", [0.0, 0.23, 0.5, 1.0, 1.7, [0.1, 0.9, 1.0], np.array([1.0, 0.0, 0.3])], ids=repr)
def test_rewards_are_payoffs_of_the_other_risk_aversion(eta: Any, other: Any) -> None:
    rewards, payoffs = play(isoelastic_eta=eta, perturbation=RiskAversion(other))
    _, expected = play(isoelastic_eta=other)
    np.testing.assert_allclose(rewards, expected, rtol=1e-9, atol=1e-9)
    _, unperturbed = play(isoelastic_eta=eta)
    np.testing.assert_array_equal(payoffs, unperturbed)


def test_it_counts_where_somebody_has_no_coin() -> None:
    rewards, _ = play(starting_agent_coin=1.0, perturbation=RiskAversion(1.0))
    _, expected = play(starting_agent_coin=1.0, isoelastic_eta=1.0)
    assert np.isfinite(rewards).all()
    np.testing.assert_allclose(rewards, expected, rtol=1e-9, atol=1e-9)
    assert (np.abs(rewards) > 20).any()  # between ln 1 and ln 1e-10


@pytest.mark.parametrize("other", [0.0, 0.9, 1.0, 2.5, 3.0, 30.0])
@pytest.mark.parametrize("eta", [0.0, 0.23, 1.0])
def test_it_is_the_other_risk_aversion_from_no_coin_on(eta: float, other: float) -> None:
    rewards, _ = play(starting_agent_coin=0.0, isoelastic_eta=eta, perturbation=RiskAversion(other))
    _, expected = play(starting_agent_coin=0.0, isoelastic_eta=other)
    np.testing.assert_allclose(rewards, expected, rtol=1e-9, atol=1e-9)
    assert ((expected < 0) & (expected > -30)).any()  # labor is in it


def test_log_utility_is_the_limit() -> None:
    """Where everybody has coin; without any, utility for η < 1 tends to −infinity, and for η = 1 has a floor."""
    _, log = play(isoelastic_eta=1.0, starting_agent_coin=50.0)
    for near in (1 - 1e-7, 1 + 1e-7):
        np.testing.assert_allclose(play(isoelastic_eta=near, starting_agent_coin=50.0)[1], log, rtol=1e-5, atol=1e-5)


def test_very_large_risk_aversion_is_finite() -> None:
    rewards, payoffs = play(isoelastic_eta=30.0, starting_agent_coin=0.0, perturbation=RiskAversion(29.0))
    assert np.isfinite(rewards).all()
    assert np.isfinite(payoffs).all()


def test_no_change_adds_nothing() -> None:
    rewards, payoffs = play(perturbation=RiskAversion([0.23] * 3))
    np.testing.assert_array_equal(rewards, payoffs)


def test_it_goes_into_other_perturbations() -> None:
    made = perturbation_registry.make("risk_aversion", eta=0.9)
    rewards, _ = play(perturbation=SumOf([made, Bounded(RiskAversion(0.1), 0.0)]))
    _, expected = play(isoelastic_eta=0.9)
    np.testing.assert_allclose(rewards, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf"), 31.0, "0.5", True, None, [0.5, "1"]], ids=repr)
def test_it_refuses_what_is_no_risk_aversion(bad: Any) -> None:
    with pytest.raises(ValueError, match="eta must be a finite number >= 0 and <= 30, got"):
        RiskAversion(bad)


@pytest.mark.parametrize("eta", [[0.1, 0.2], [0.1] * 4, [], np.zeros(2)], ids=repr)
def test_it_needs_one_for_all_or_for_each(eta: Any) -> None:
    with pytest.raises(ValueError, match=rf"eta must be a number or 3 numbers, got {len(eta)}"):
        economy_v0.batched_env(1, **SMALL, perturbation=RiskAversion(eta))


def test_games_without_coin_refuse_it() -> None:
    message = "risk_aversion: this game's agents have no risk aversion that could change"
    with pytest.raises(ValueError, match=message):
        batched_env("bimatrix_v0", 1, perturbation=RiskAversion(0.5))
    with pytest.raises(ValueError, match=message):
        one_step_economy_v0.batched_env(1, num_agents=2, perturbation=RiskAversion(0.5))
