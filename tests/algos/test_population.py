"""The population of adversaries: what its members learn, what the planner learns from, checkpoints, bad input."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ermas_algos.algorithms import Population, PopulationConfig
from ermas_algos.algorithms.config import from_json, to_json
from ermas_algos.checkpoint import CheckpointError
from ermas_algos.learners import ExactLearnerConfig
from ermas_envs import EnvironmentSpec
from ermas_envs.oracles import evaluate, worst_equilibrium

BLIND = EnvironmentSpec("augmented_bimatrix_v0", {"agents_observe": "own", "planner_observes": False})
EXACT = ExactLearnerConfig()


def exact(*multipliers: float) -> PopulationConfig:
    return PopulationConfig(agent_learner=EXACT, planner_learner=EXACT, multipliers=multipliers)


def test_members_differ_in_how_much_they_hurt_the_planner() -> None:
    """At λ = 0 agents only hurt the planner and stand at level 0; at λ = 100 they mind their own reward: level 3."""
    population = Population(BLIND, exact(0.0, 100.0)).learn(200)
    game = population.tables()
    levels = []
    for member in population.members:
        policies = {**population.policies()}
        for agent, learner in member.items():
            policies[agent] = game.as_policy(learner.action_probabilities(*game.decision_points(agent)))
        staked = {**policies, "planner": np.eye(7)[np.full((game.horizon, game.start.size), 1)]}
        levels.append((evaluate(game, staked)["planner"] + 1) / 12)  # of a·κ·r_p − a² with a = 1
    assert levels[0] < 0.02
    assert levels[1] > 0.95


def test_the_planner_plays_the_best_response_to_the_mean_of_all_members() -> None:
    """r_p is near 0 against one member and near 1 against the other: 12·a/2 − a² is largest at a = 3."""
    planner = Population(BLIND, exact(0.0, 100.0)).learn(300).policies()["planner"]
    late = planner[5:].mean(axis=(0, 1))  # the first steps, in which agents walk, have other optima
    assert int(late.argmax()) == 3
    assert late[3] > 0.9


def test_one_member_is_a_frozen_multiplier() -> None:
    """With λ above λ* of every ε the member's agents are the equilibrium's, as the worst equilibrium at ε = 0 says."""
    population = Population(BLIND, exact(100.0)).learn(200)
    game = population.tables()
    worst = worst_equilibrium(game, 0.0, population.policies()["planner"])
    assert evaluate(game, population.policies())["planner"] == pytest.approx(worst.planner_payoff, abs=0.3)


def test_sampled_play_counts_the_steps_of_all_members() -> None:
    population = Population(BLIND, PopulationConfig(num_envs=16, multipliers=(1.0, 2.0, 3.0))).learn(2)
    assert population.env_steps == 2 * 3 * 16 * 20


def test_a_checkpoint_goes_on_bit_for_bit(tmp_path: Path) -> None:
    config = PopulationConfig(num_envs=8, multipliers=(0.5, 4.0))
    whole, part = Population(BLIND, config), Population(BLIND, config)
    whole.learn(4)
    part.learn(2)
    part.save(tmp_path / "p.safetensors")
    resumed = Population.load(tmp_path / "p.safetensors", BLIND).learn(4)
    for ours, theirs in zip(whole.members, resumed.members, strict=True):
        for agent, learner in ours.items():
            np.testing.assert_array_equal(learner.get_parameters(), theirs[agent].get_parameters())
    with pytest.raises(CheckpointError, match="kind 'Population'"):
        __import__("ermas_algos").MARL.load(tmp_path / "p.safetensors", BLIND)


@pytest.mark.parametrize(("given", "message"), [((), "at least one λ"), ((-1.0,), "multipliers must be a finite")])
def test_bad_multipliers(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PopulationConfig(multipliers=given)


def test_configuration_comes_back_from_json() -> None:
    config = PopulationConfig(multipliers=(1.0, 7.0))
    assert from_json(PopulationConfig, to_json(config)) == config
