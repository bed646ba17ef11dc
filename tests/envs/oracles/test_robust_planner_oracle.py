"""The most robust planner, exact: closed forms, its returns by the other oracle, dominance, errors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ermas_envs import augmented_bimatrix_v0
from ermas_envs.oracles import (
    RobustOptimum,
    TabularGame,
    best_constant_planner,
    equilibrium_policies,
    evaluate,
    robust_planner,
)

GAPS = (0.0, 0.4, 0.6)


def game(q: float, observes: bool = False, horizon: int = 20) -> TabularGame:
    found = augmented_bimatrix_v0.batched_env(
        1, q=q, agents_observe="own", planner_observes=observes, horizon=horizon
    ).tabular_game()
    assert found is not None
    return found


def solve(gaps: tuple[float, ...] = GAPS, observes: bool = False, at_least: float = -np.inf) -> RobustOptimum:
    games = [game(q, observes) for q in gaps]
    return robust_planner(games, [equilibrium_policies(g) for g in games], 0, at_least)


@pytest.mark.parametrize("observes", [False, True])
@pytest.mark.parametrize("at_least", [-np.inf, 30.0])
def test_returns_are_those_of_the_policy(observes: bool, at_least: float) -> None:
    found = solve(observes=observes, at_least=at_least)
    for q, value in zip(GAPS, found.returns, strict=True):
        exact = game(q, observes)
        policies = {**equilibrium_policies(exact), "planner": found.policy}
        assert evaluate(exact, policies)["planner"] == pytest.approx(value, abs=1e-6)
    assert found.worst_case == pytest.approx(found.returns.min(), abs=1e-6)


def test_one_game_of_one_step_by_hand() -> None:
    """Agents at a uniform cell go up by one: r_p is (2·(1 + 2 + 3 + 3)/4)/6 = 0.75, and 12·0.75·a − a² is best at 4
    and 5, which earn 20."""
    short = game(0.0, horizon=1)
    found = robust_planner([short], [equilibrium_policies(short)])
    assert found.worst_case == pytest.approx(20.0)


def test_a_blind_planner_cannot_have_85_percent_and_a_worst_case_of_2() -> None:
    """The trade-off of Figure 4's main panel: what a stake of 3 keeps in the worst case (3 in the long run, 2.4 with
    the first steps) costs more than 15 % at Q = 0."""
    most = solve((0.0,)).worst_case
    found = solve((0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), at_least=0.85 * most)
    assert found.returns[0] == pytest.approx(0.85 * most, abs=1e-6)
    assert 1.0 < found.worst_case < 1.3


def test_a_planner_that_observes_needs_no_trade_off() -> None:
    """It sees where the agents are, and adapts."""
    blind, seeing = solve(at_least=34.5), solve(observes=True, at_least=34.5)
    assert seeing.worst_case > blind.worst_case + 8


@given(st.floats(0.0, 30.0))
def test_more_at_the_training_point_never_helps_the_worst_case(at_least: float) -> None:
    assert solve(at_least=at_least).worst_case <= solve().worst_case + 1e-6


def test_no_constant_planner_is_better() -> None:
    constants = np.stack([best_constant_planner(game(q)).planner_returns for q in GAPS])
    assert solve().worst_case >= constants.min(axis=0).max() - 1e-6


def test_errors() -> None:
    with pytest.raises(ValueError, match="at_least: no planner earns 40 in game 0"):
        solve(at_least=40.0)
    paid = game(0.0).with_added_rewards({"agent_0": game(0.0).rewards["planner"]})
    with pytest.raises(ValueError, match="agents of one can tell what the planner does"):
        robust_planner([replace(paid)], [{}])
