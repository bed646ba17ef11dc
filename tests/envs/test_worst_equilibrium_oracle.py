"""The linear program of the worst ε-equilibrium, against the design's table, dynamic programming and its own dual."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.bimatrix.payoffs import BimatrixPayoffs
from ermas_envs.oracles import TabularGame, evaluate, exact_regret, worst_equilibrium
from ermas_envs.perturbations import PlannerAdversity
from ermas_envs.planners import ConstantPlanner

MEASURED = {0: 0.983, 0.005: 0.949, 0.01: 0.914, 0.02: 0.845, 0.05: 0.648, 0.1: 0.451, 0.15: 0.288, 0.2: 0.173,
            0.25: 0.058, 0.3: 0.017}  # fmt: skip


def own_game(**arguments: Any) -> TabularGame:
    game = bimatrix_v0.batched_env(1, **{"agents_observe": "own", **arguments}).tabular_game()
    assert game is not None
    return game


def augmented(**arguments: Any) -> TabularGame:
    game = augmented_bimatrix_v0.batched_env(1, **{"agents_observe": "own", **arguments}).tabular_game()
    assert game is not None
    return game


@pytest.mark.parametrize("epsilon", MEASURED)
def test_minimum_agrees_with_the_design_table(epsilon: float) -> None:
    assert worst_equilibrium(own_game(), epsilon).planner_payoff == pytest.approx(MEASURED[epsilon], abs=6e-4)


@given(
    terms=hnp.arrays(np.float64, (6, 3), elements=st.floats(-1, 1, allow_nan=False, width=32)),
    epsilon=st.floats(0, 0.5),
    horizon=st.integers(1, 5),
)
@settings(max_examples=30)
def test_policies_reach_the_minimum_and_keep_the_bound(terms: np.ndarray, epsilon: float, horizon: int) -> None:
    matrices = [terms[2 * k][:, None] + terms[2 * k + 1][None, :] for k in range(3)]
    game = own_game(payoffs=BimatrixPayoffs(*matrices), horizon=horizon)
    found = worst_equilibrium(game, epsilon)
    assert evaluate(game, found.policies)["planner"] == pytest.approx(found.planner_payoff, abs=1e-6)
    assert max(exact_regret(game, found.policies).values()) <= epsilon + 1e-6


@given(seed=st.integers(0, 10**6), epsilon=st.floats(0.0, 0.4))
@settings(max_examples=30)
def test_no_policies_within_the_bound_are_worse(seed: int, epsilon: float) -> None:
    """Random policies, mixed with the agents' best ones until their regret is ε: never below the minimum."""
    game = own_game(horizon=3)
    generator = np.random.default_rng(seed)
    level = {agent: game.observations[agent][0].argmax(axis=1) for agent in game.roles[:-1]}
    best = worst_equilibrium(game, 0.0).policies
    policies = {}
    for agent, own in level.items():
        wild = generator.dirichlet(np.full(3, 0.3), (game.horizon, 4))[:, own]
        share = generator.random()
        policies[agent] = share * wild + (1 - share) * best[agent]
    regret = exact_regret(game, {**best, **policies})
    minimum = worst_equilibrium(game, [max(regret[a], 0.0) for a in game.roles[:-1]]).planner_payoff
    assert evaluate(game, {**best, **policies})["planner"] >= minimum - 1e-7


def test_minimum_falls_with_epsilon_and_zero_epsilon_is_the_equilibrium() -> None:
    values = [worst_equilibrium(own_game(), float(e)).planner_payoff for e in np.linspace(0, 0.4, 9)]
    assert values[0] == pytest.approx(59 / 60, abs=1e-6)  # level 3 from a uniform start, one step up at a time
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(values))


@pytest.mark.parametrize("epsilon", [0.01, 0.07, 0.17, 0.29])
def test_multipliers_are_the_slope_of_the_minimum(epsilon: float) -> None:
    width = 1e-4
    low, high = (worst_equilibrium(own_game(), [e, epsilon]).planner_payoff for e in (epsilon - width, epsilon + width))
    assert worst_equilibrium(own_game(), epsilon).multipliers[0] == pytest.approx((low - high) / (2 * width), abs=1e-3)


def test_agents_may_have_different_bounds() -> None:
    both, one = (worst_equilibrium(own_game(), e) for e in ([0.1, 0.1], [0.1, 0.0]))
    neither = worst_equilibrium(own_game(), 0.0)
    # The two agents' terms add up.
    assert one.planner_payoff == pytest.approx((both.planner_payoff + neither.planner_payoff) / 2, abs=1e-6)
    assert exact_regret(own_game(), one.policies)["agent_1"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("action", [0, 3, 6])
def test_constant_planner_of_the_augmented_game_is_the_passive_ones_minimum_scaled(action: int) -> None:
    game = augmented(planner=ConstantPlanner(action))
    passive = worst_equilibrium(own_game(), 0.05).planner_payoff
    expected = action * 12 * passive - action**2
    assert worst_equilibrium(game, 0.05).planner_payoff == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("q", [0.0, 0.4])
def test_blind_planner_that_changes_over_time_and_adverse_agents(q: float) -> None:
    game = augmented(q=q, planner_observes=False)
    by_step = np.random.default_rng(0).dirichlet(np.ones(7), game.horizon)
    planner = np.repeat(by_step[:, None], game.start.size, axis=1)
    found = worst_equilibrium(game, 0.1, planner)
    policies = {**found.policies, "planner": planner}
    assert evaluate(game, policies)["planner"] == pytest.approx(found.planner_payoff, abs=1e-6)
    assert max(exact_regret(game, policies).values()) <= 0.1 + 1e-6


def test_a_perturbation_that_separates_is_part_of_the_game() -> None:
    """r_i − r_p with r_p the planner's reward: worse for the planner than r_i at the same ε."""
    perturbed = own_game(perturbation=PlannerAdversity(0.5))
    assert worst_equilibrium(perturbed, 0.05).planner_payoff < worst_equilibrium(own_game(), 0.05).planner_payoff - 0.1


def test_games_that_do_not_separate_are_refused() -> None:
    planner = np.zeros((20, 208, 5))
    planner[..., 2] = 1.0
    observing = np.zeros((20, 16, 7))
    observing[:, np.arange(16), np.arange(16) % 7] = 1.0
    cases: list[tuple[TabularGame, Any, str]] = [
        (own_game(agents_observe="joint"), None, "not a combination of what each agent sees"),
        (own_game(payoffs="strategically_robust_2022"), None, "planner's reward is not a sum"),
        (augmented(payoffs="strategically_robust_2022"), planner, "not a combination of what each agent sees"),
        (augmented(), observing, "blind planner"),
        (augmented(), None, "planner_policy is needed"),
        (augmented(), planner, "planner_policy must have shape"),
    ]
    for game, policy, message in cases:
        with pytest.raises(ValueError, match=message):
            worst_equilibrium(game, 0.1, policy)


@pytest.mark.parametrize("epsilon", [-0.1, np.nan, [0.1]])
def test_bad_epsilon_is_named(epsilon: Any) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        worst_equilibrium(own_game(), epsilon)
