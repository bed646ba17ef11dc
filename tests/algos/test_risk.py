"""Risk-averse planners: closed forms of the utilities, the estimator's sum, and what such a planner prefers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ermas_algos import MARL, MARLConfig
from ermas_algos.algorithms import RiskConfig
from ermas_algos.algorithms.config import from_json, to_json
from ermas_algos.algorithms.risk import risk_averse_rewards, utility
from ermas_algos.learners import ExactLearnerConfig
from ermas_envs import EnvironmentSpec

payoffs = arrays(np.float64, (8, 6), elements=st.floats(-1.0, 1.0))
every_utility = st.sampled_from([("crra", 0.0), ("crra", 1.0), ("crra", 4.0), ("exponential", 3.0), ("cvar", 0.25)])


def test_closed_forms() -> None:
    values = np.array([-1.0, 0.0, 1.0])
    np.testing.assert_allclose(utility(values, RiskConfig("crra", 1.0, shift=2.0)), np.log([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(utility(values, RiskConfig("crra", 2.0, shift=2.0)), 1 - 1 / np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(utility(values, RiskConfig("exponential", 2.0)), (1 - np.exp(-2 * values)) / 2)
    np.testing.assert_allclose(utility(np.arange(5.0), RiskConfig("cvar", 0.25)), [-4.0, 0.0, 0.0, 0.0, 0.0])


def test_the_mean_of_the_cvar_utility_above_its_quantile_is_the_mean_of_the_worst_share() -> None:
    """Rockafellar and Uryasev's formula: ν + E[min(g − ν, 0)]/share."""
    values = np.random.default_rng(0).normal(size=1001)
    quantile = np.quantile(values, 0.1)
    found = quantile + utility(values, RiskConfig("cvar", 0.1)).mean()
    assert found == pytest.approx(np.sort(values)[:101].mean(), abs=0.01)


def test_entropic_utilities_are_the_gradient_of_the_certainty_equivalent() -> None:
    """m = −log Σ p e^(−αg)/α changes by −e^(−αg)/(αZ) with the probability of g, which is U(g) − 1/α."""
    values, aversion, step = np.array([-0.3, 0.1, 0.8, 0.9]), 3.0, 1e-6
    found = utility(values, RiskConfig("entropic", aversion)) - 1 / aversion

    def equivalent(weights: Any) -> float:
        return float(-np.log(weights @ np.exp(-aversion * values)) / aversion)

    even = np.full(4, 0.25)
    wanted = [(equivalent(even + step * one) - equivalent(even - step * one)) / (2 * step) for one in np.eye(4)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert utility(values * 400, RiskConfig("entropic", aversion)).max() == pytest.approx(1 / aversion)  # no overflow


def test_entropic_rewards_are_those_utilities() -> None:
    rewards = np.random.default_rng(0).normal(size=(3, 50))
    shared = risk_averse_rewards(rewards, 3, RiskConfig("entropic", 2.0)).mean(axis=0)
    np.testing.assert_allclose(shared, utility(rewards.mean(axis=0), RiskConfig("entropic", 2.0)), atol=1e-12)
    np.testing.assert_allclose(shared.mean(), 0.0, atol=1e-12)
    almost = risk_averse_rewards(rewards, 3, RiskConfig("entropic", 1e-6))
    np.testing.assert_allclose(almost, rewards - rewards.mean(), atol=1e-5)


@given(payoffs, every_utility)
def test_an_episodes_steps_share_its_utility(rewards: Any, chosen: tuple[str, float]) -> None:
    """Two episodes of four steps in each of six replicas: the mean over an episode is U(g) − U(c)."""
    config = RiskConfig(*chosen)
    means = rewards.reshape(2, 4, 6).mean(axis=1)
    reference = np.quantile(means, config.aversion) if config.utility == "cvar" else means.mean()
    expected = utility(np.append(means.ravel(), reference), config)
    shared = risk_averse_rewards(rewards, 4, config).reshape(2, 4, 6).mean(axis=1)
    np.testing.assert_allclose(shared.ravel(), expected[:-1] - expected[-1], atol=1e-6)


@given(payoffs)
def test_no_aversion_changes_nothing_but_a_constant(rewards: Any) -> None:
    shared = risk_averse_rewards(rewards, 4, RiskConfig("crra", 0.0))
    np.testing.assert_allclose(shared, rewards - rewards.mean(), atol=1e-6)


def test_cvar_counts_the_worst_share_of_episodes_only() -> None:
    rewards = np.tile(np.arange(10.0), (3, 1))
    shared = risk_averse_rewards(rewards, 3, RiskConfig("cvar", 0.2))
    assert np.flatnonzero(shared.any(axis=0)).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("crr", 1.0), r"utility: unknown name 'crr'. Did you mean 'crra'\?"),
        (("cvar", 0.0), "aversion must be > 0"),
        (("cvar", 1.5), "aversion must be a finite number >= 0 and <= 1"),
        (("exponential", 0.0), "aversion must be > 0"),
        (("entropic", 0.0), "aversion must be > 0"),
        (("crra", -1.0), "aversion must be a finite number >= 0"),
    ],
)
def test_bad_configuration(arguments: tuple[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RiskConfig(*arguments)


def test_a_shift_that_leaves_payoffs_negative_is_named() -> None:
    with pytest.raises(ValueError, match="shift must make every payoff positive: the smallest is -3"):
        utility(np.array([-3.0, 1.0]), RiskConfig("crra", 1.0))


def test_exact_planners_and_endless_games_are_refused() -> None:
    exact = ExactLearnerConfig()
    with pytest.raises(ValueError, match="planner_risk needs sampled episodes"):
        MARLConfig(agent_learner=exact, planner_learner=exact, planner_risk=RiskConfig("cvar", 0.1))


def test_configuration_comes_back_from_json() -> None:
    config = MARLConfig(planner_risk=RiskConfig("exponential", 2.0))
    assert from_json(MARLConfig, to_json(config)) == config


@pytest.mark.slow
def test_a_risk_averse_planner_stakes_less_on_the_same_agents() -> None:
    """Agents that play at random make r_p vary from episode to episode; then a higher stake is a higher risk.

    The agents never learn (a step size of 1e-12). The best stake in expectation is 3 (r_p is 1/2 in the mean); the
    worst tenth of episodes is worth most with a stake of 1. With seeds 0 to 3 the stakes differ by 2.0 to 2.2.
    """
    arguments = {"agents_observe": "own", "planner_observes": False, "horizon": 4}
    still = {"agent_learner": {"learning_rate": 1e-12}, "num_envs": 256}
    stakes = []
    for risk in (None, {"utility": "cvar", "aversion": 0.1}):
        config = from_json(MARLConfig, {**still, "planner_risk": risk})
        planner = MARL(EnvironmentSpec("augmented_bimatrix_v0", arguments), config).learn(120).policies()["planner"]
        stakes.append(float(planner.mean(axis=(0, 1)) @ np.arange(7)))
    assert stakes[1] < stakes[0] - 1.5
