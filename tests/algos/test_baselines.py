"""Baselines that are settings of MARL: extra agent updates, quantal response, domain randomisation, action noise."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from ermas_algos import MARL, MARLConfig, SB3LearnerConfig
from ermas_algos.algorithms import RiskConfig
from ermas_algos.algorithms.config import AGENT_PPO, from_json, to_json
from ermas_algos.experiments.sweep import Task, run_of
from ermas_algos.learners import ExactLearnerConfig
from ermas_algos.studies.figure_4 import ITERATIONS, ermas_env_steps, methods
from ermas_envs import EnvironmentSpec
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.bimatrix.payoffs import as_payoffs

CONSTANT = {"name": "constant", "action": 2}


def game(**arguments: Any) -> EnvironmentSpec:
    return EnvironmentSpec("augmented_bimatrix_v0", {"agents_observe": "own", "planner": CONSTANT, **arguments})


# Extra agent updates


def test_extra_updates_are_further_updates_of_the_agents() -> None:
    """Beside a planner that does not learn, two extra updates per iteration make five iterations fifteen."""
    exact = {"agent_learner": ExactLearnerConfig(), "planner_learner": ExactLearnerConfig()}
    few = MARL(game(), MARLConfig(**exact, extra_agent_updates=2)).learn(5)
    many = MARL(game(), MARLConfig(**exact)).learn(15)
    for agent in few.env.agents:
        np.testing.assert_array_equal(few.learners[agent].get_parameters(), many.learners[agent].get_parameters())


def test_extra_updates_cost_environment_steps_of_their_own() -> None:
    assert MARL(game(), MARLConfig(num_envs=8, extra_agent_updates=3)).learn(2).env_steps == 2 * 4 * 8 * 20


def test_a_negative_number_of_extra_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="extra_agent_updates must be an integer >= 0"):
        MARLConfig(extra_agent_updates=-1)


# Quantal response: entropy-regularised agents


def test_quantal_response_is_the_logit_equilibrium() -> None:
    """R. McKelvey and T. Palfrey, "Quantal response equilibria for normal form games" (1995), in closed form.

    In an episode of one step an agent's payoff is its own level's f(q)/0.83 plus what it cannot change, so that it
    plays softmax(f(new level)/(0.83·τ)). PPO samples; seeds 0 to 4 are off by 0.04 or less.
    """
    temperature = 0.1
    kwargs = {"n_epochs": 4, "ent_coef": temperature, "clip_range": 0.3, "normalize_advantage": False}
    learner = dataclasses.replace(AGENT_PPO, algorithm_kwargs=kwargs)
    marl = MARL(game(horizon=1), MARLConfig(num_envs=2048, agent_learner=learner)).learn(200)
    own = as_payoffs("tragedy_of_commons").agent_0[:, 0]
    wanted = np.array([softmax(own[np.clip(level + np.array([-1, 0, 1]), 0, 3)] / temperature) for level in range(4)])
    found = marl.policies()["agent_0"][0].reshape(4, 4, 3)[:, 0]
    np.testing.assert_allclose(found, wanted, atol=0.06)


def risk_averse_quantal_response(payoffs: FloatArray, temperature: float, aversion: float) -> FloatArray:
    """π(a | s) in the one-step game with payoffs (s, a, other's a), which both agents see alike, from any s with equal
    probability: it maximises −log(mean of e^(−αr))/α + τ·entropy, so that it is ∝ exp(−M(s, a)/(ατZ)), M the mean of
    e^(−αr) over what the other does, Z that of M over everything."""
    policy = np.full(payoffs.shape[:2], 1 / 3)
    for _ in range(500):
        paid = np.exp(-aversion * payoffs)
        own = (paid * policy.reshape(4, 4, 3).transpose(1, 0, 2).reshape(16, 1, 3)).sum(
            axis=2
        )  # the other's is mirrored
        weights = softmax(-own / (aversion * temperature * (policy * own).sum(axis=1).mean()), axis=1)
        policy = 0.5 * policy + 0.5 * weights
    return policy


@pytest.mark.slow
def test_risk_averse_quantal_response_is_its_fixed_point() -> None:
    """E. Mazumdar et al., arXiv:2406.14156, with entropic risk of an episode's payoff; PPO samples."""
    temperature, aversion = 0.1, 4.0
    kwargs = {"n_epochs": 4, "ent_coef": temperature, "clip_range": 0.3, "normalize_advantage": False}
    learner = dataclasses.replace(AGENT_PPO, hidden_layers=(32,), algorithm_kwargs=kwargs)
    averse = MARLConfig(num_envs=2048, agent_learner=learner, agent_risk=RiskConfig("entropic", aversion))
    marl = MARL(game(horizon=1, agents_observe="joint"), averse).learn(200)
    payoffs = marl.tables().rewards["agent_0"][..., 0] / marl.scales.values["agent_0"]
    found, wanted = marl.policies()["agent_0"][0], risk_averse_quantal_response(payoffs, temperature, aversion)
    np.testing.assert_allclose(found, wanted, atol=0.08)
    neutral = risk_averse_quantal_response(payoffs, temperature, 1e-4)
    assert np.abs(wanted - neutral).max() > 0.15  # the test could not tell otherwise


def test_agents_averse_to_risk_go_on_bit_for_bit_and_differ(tmp_path: Path) -> None:
    spec = EnvironmentSpec("augmented_bimatrix_v0", {"horizon": 4})
    averse = MARLConfig(num_envs=4, agent_risk=RiskConfig("entropic", 4.0), practice_updates=1)
    whole, part = MARL(spec, averse).learn(4), MARL(spec, averse).learn(2)
    part.save(tmp_path / "m.safetensors")
    resumed = MARL.load(tmp_path / "m.safetensors", spec).learn(4)
    neutral = MARL(spec, dataclasses.replace(averse, agent_risk=None)).learn(4)
    for role, learner in whole.learners.items():
        np.testing.assert_array_equal(learner.get_parameters(), resumed.learners[role].get_parameters())
    assert not np.array_equal(whole.learners["agent_0"].get_parameters(), neutral.learners["agent_0"].get_parameters())


def test_exact_learners_know_no_risk() -> None:
    exact = ExactLearnerConfig()
    with pytest.raises(ValueError, match="agent_risk needs sampled episodes"):
        MARLConfig(agent_learner=exact, planner_learner=exact, agent_risk=RiskConfig("entropic", 1.0))


# Domain randomisation


def randomised(perturbation: Mapping[str, Any] | None) -> MARL:
    arguments = {} if perturbation is None else {"perturbation": perturbation}
    return MARL(game(**arguments), MARLConfig(num_envs=64, agent_learner=FAST)).learn(80)


FAST = SB3LearnerConfig(learning_rate=0.02, algorithm_kwargs={"n_epochs": 4, "ent_coef": 0.01, "clip_range": 0.3})


def earned(marl: MARL) -> tuple[float, float]:
    """Added reward of agent_0, and mean level of both agents' payoffs, per step, of the trained agents."""
    metrics = marl._timed_iteration()
    return metrics["reward/agent_0"] - metrics["payoff/agent_0"], metrics["payoff/planner"]


def test_agents_adapt_to_a_random_table_and_so_move() -> None:
    """A table that stays is learnt: agents that ignore it get 0 from it in expectation. Seed 3; seeds 0 to 4 of the
    table give 0.56 to 0.75."""
    added, _ = earned(randomised({"name": "random_tables", "redraw_every": 10**6, "seed": 3}))
    assert added > 0.4


def test_a_random_number_moves_nobody() -> None:
    """The paper's domain randomisation: the outcome is that of no randomisation, up to sampling.

    The planner earns a·κ·r_p − a² with a = 2; 0.6 is 0.025 of r_p."""
    _, moved = earned(randomised({"name": "random_offset", "redraw_every": 10, "seed": 3}))
    _, still = earned(randomised(None))
    assert moved == pytest.approx(still, abs=0.6)


# The methods of Figure 4


def test_all_methods_have_the_same_budget_of_environment_steps() -> None:
    """Within 0.3 % of ERMAS's, computed from the settings; `test_trainer` counts the steps of a real run."""
    budget = ermas_env_steps(ITERATIONS)
    for name, method in methods(ITERATIONS).items():
        config: Any = run_of(Task("augmented_bimatrix_v0"), method, 0, ITERATIONS).config
        rollouts = ITERATIONS * 20 * config.num_envs
        if method.algorithm == "ERMAS":
            steps = 20 * config.num_envs * (40 + (ITERATIONS - 40) * (2 * config.deviation_updates + 1))
        elif method.algorithm == "Population":
            steps = rollouts * len(config.multipliers)
        else:
            steps = rollouts * (1 + config.extra_agent_updates)
        assert steps == pytest.approx(budget, rel=0.003), name


def test_every_method_says_who_it_is() -> None:
    labels = [tuple(method.labels.values()) for method in methods(ITERATIONS).values()]
    assert len(set(labels)) == len(labels)


# Configurations


def test_nested_tables_change_what_they_name_only() -> None:
    config = from_json(MARLConfig, {"agent_learner": {"learning_rate": 0.5}})
    assert config.agent_learner == dataclasses.replace(AGENT_PPO, learning_rate=0.5)
    assert from_json(MARLConfig, to_json(config)) == config


def test_a_missing_field_is_named() -> None:
    from ermas_algos.experiments.sweep import Sweep

    with pytest.raises(ValueError, match="Sweep: needs tasks, methods, seeds, gaps"):
        from_json(Sweep, {})
