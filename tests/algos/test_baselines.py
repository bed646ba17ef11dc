"""Baselines that are settings of MARL: extra agent updates, quantal response, domain randomisation, action noise."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from ermas_algos import MARL, MARLConfig, SB3LearnerConfig
from ermas_algos.algorithms.config import AGENT_PPO, from_json, to_json
from ermas_algos.experiments.sweep import Task, run_of
from ermas_algos.learners import ExactLearnerConfig
from ermas_algos.studies.figure_4 import ITERATIONS, ermas_env_steps, methods
from ermas_envs import EnvironmentSpec
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
