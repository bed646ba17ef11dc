"""Certificates: exact facts about given agents and a given planner."""

import json

import numpy as np
import pytest

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.oracles import TabularGame, certify, equilibrium_policies, evaluate, exact_regret, worst_equilibrium
from ermas_envs.planners import ConstantPlanner


def own_game() -> TabularGame:
    game = bimatrix_v0.batched_env(1, agents_observe="own", planner=ConstantPlanner(0)).tabular_game()
    assert game is not None
    return game


def test_of_an_exact_equilibrium() -> None:
    game = own_game()
    found = certify(game, equilibrium_policies(game))
    assert found.certified_epsilon == pytest.approx(0.0, abs=1e-12)
    assert found.planner_payoff == pytest.approx(59 / 60)
    assert found.worst_planner_payoff == pytest.approx(59 / 60, abs=1e-6)


def test_of_the_worst_equilibrium_reaches_its_own_bound() -> None:
    game = own_game()
    found = certify(game, worst_equilibrium(game, 0.1).policies)
    assert found.certified_epsilon == found.epsilon == pytest.approx(0.1, abs=1e-6)
    assert found.planner_payoff == pytest.approx(found.worst_planner_payoff, abs=1e-6)


def test_of_random_agents_holds_the_oracles_values() -> None:
    game = own_game()
    generator = np.random.default_rng(0)
    policies = {a: generator.dirichlet(np.ones(3), (20, 16)) for a in game.roles[:-1]}
    found = certify(game, policies, epsilon=0.2)
    assert found.values == evaluate(game, policies)
    assert found.regrets == exact_regret(game, policies)
    assert found.certified_epsilon == max(found.regrets.values())
    assert found.epsilon == 0.2
    assert found.worst_planner_payoff == pytest.approx(0.173, abs=6e-4)
    assert json.loads(json.dumps(found.as_dict()))["worst_reason"] is None


def test_says_why_the_worst_equilibrium_is_not_known() -> None:
    game = augmented_bimatrix_v0.batched_env(1, planner=ConstantPlanner(4)).tabular_game()
    assert game is not None
    found = certify(game, {a: np.full((20, 16, 3), 1 / 3) for a in game.roles[:-1]})
    assert found.worst_planner_payoff is None
    assert found.worst_reason is not None
    assert "not exact" in found.worst_reason


def test_bad_input_is_named() -> None:
    game = own_game()
    with pytest.raises(ValueError, match="agent_1"):
        certify(game, {"agent_0": np.full((20, 16, 3), 1 / 3)})
    with pytest.raises(ValueError, match="epsilon"):
        certify(game, equilibrium_policies(game), epsilon=-1.0)
