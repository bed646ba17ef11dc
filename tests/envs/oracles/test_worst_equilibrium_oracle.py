"""The linear program of the worst ε-equilibrium, against the design's table, dynamic programming and its own dual."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.games import ACTIONS, HORIZON, ROLES, SIZES, augmented, own_game, separable_game
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs, tragedy_of_commons
from ermas_envs.oracles import TabularGame, evaluate, exact_regret, worst_equilibrium
from ermas_envs.perturbations import PlannerAdversity
from ermas_envs.planners import ConstantPlanner

MEASURED = {0: 0.983, 0.005: 0.949, 0.01: 0.914, 0.02: 0.845, 0.05: 0.648, 0.1: 0.451, 0.15: 0.288, 0.2: 0.173,
            0.25: 0.058, 0.3: 0.017}  # fmt: skip


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


def test_scale_of_the_payoffs_does_not_matter() -> None:
    """Rounding of sums grows with the payoffs, 1e8 here; the game separates all the same."""
    small = tragedy_of_commons()
    large = BimatrixPayoffs(1e8 * small.agent_0, 1e8 * small.agent_1, 1e8 * small.planner)
    found, expected = worst_equilibrium(own_game(payoffs=large), 1e7), worst_equilibrium(own_game(), 0.1)
    assert found.planner_payoff == pytest.approx(1e8 * expected.planner_payoff, rel=1e-7)
    assert found.multipliers == pytest.approx(expected.multipliers)


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


# --- separable games of any shape --------------------------------------------------------------------------------


def local_policies(game: TabularGame, agent: str, tables: np.ndarray) -> np.ndarray:
    """Policies (…, H, local states, actions) of an agent as tables over all states."""
    own = (game.observations[agent][0, :, 0] / 7).astype(int)
    return tables[..., own, :]


@given(seed=st.integers(0, 10**6), epsilons=st.tuples(st.floats(0.0, 0.8), st.floats(0.0, 0.8)))
@example(seed=14679, epsilons=(0.0, 0.0))
@settings(max_examples=20)
def test_separable_games_policies_reach_the_minimum_and_no_others_are_worse(
    seed: int, epsilons: tuple[float, float]
) -> None:
    game, planner = separable_game(seed)
    found = worst_equilibrium(game, epsilons, planner)
    excess = [regret - e for regret, e in zip(exact_regret(game, found.policies).values(), epsilons, strict=True)]
    assert max(excess) <= 1e-6
    # By duality regret above ε, of which the solver may use some, is worth λ per unit, and near ε = 0 λ may be 1e3.
    used = sum(price * max(more, 0.0) for price, more in zip(found.multipliers, excess, strict=True))
    assert evaluate(game, found.policies)["planner"] == pytest.approx(found.planner_payoff, abs=1e-6 + used)
    # 300 pairs of random policies, half of them mixed with the best ones, so that many are within the bound.
    generator = np.random.default_rng(seed)
    best, policies = worst_equilibrium(game, 0.0, planner).policies, {"planner": np.repeat(planner[None], 300, axis=0)}
    for agent, size, actions in zip(ROLES[:2], SIZES, ACTIONS, strict=True):
        wild = local_policies(game, agent, generator.dirichlet(np.full(actions, 0.3), (300, HORIZON, size)))
        share = np.minimum(1.0, generator.uniform(0, 2, (300, 1, 1, 1)))
        policies[agent] = share * wild + (1 - share) * best[agent]
    regrets = exact_regret(game, policies)
    inside = np.all([regrets[agent] <= epsilon for agent, epsilon in zip(ROLES[:2], epsilons, strict=True)], axis=0)
    assert np.all(evaluate(game, policies)["planner"][inside] >= found.planner_payoff - 1e-7)


@pytest.mark.parametrize("epsilon", [0.0, 0.05, 0.2])
def test_two_levels_and_one_step_by_a_grid_of_all_policies(epsilon: float) -> None:
    """agent_0's 231² policies in steps of 1/20, against an agent_1 that must play its only best response."""
    first, second = np.array([0.0, 0.3]), np.array([0.0, 1.0])
    payoffs = BimatrixPayoffs(*(own[:, None] - 0.2 * second[None, :] for own in (first,)), second * np.ones((2, 1)),
                              second[:, None] + second[None, :])  # fmt: skip
    game = own_game(payoffs=payoffs, horizon=1)
    found = worst_equilibrium(game, [epsilon, 0.0])
    simplex = np.array([(a, b, 20 - a - b) for a in range(21) for b in range(21 - a)]) / 20
    pairs = np.array(list(itertools.product(simplex, simplex)))[:, None]  # (K, H = 1, levels, actions)
    policies = {
        "agent_0": pairs[:, :, np.arange(4) // 2],
        **{role: np.repeat(found.policies[role][None], len(pairs), axis=0) for role in ROLES[1:]},
    }
    inside = exact_regret(game, policies)["agent_0"] <= epsilon + 1e-9
    grid_minimum = evaluate(game, policies)["planner"][inside].min()
    assert found.planner_payoff <= grid_minimum + 1e-7
    assert found.planner_payoff == pytest.approx(grid_minimum, abs=1e-6 if epsilon == 0 else 0.03)


def test_a_multiplier_has_a_price_only_where_the_bound_holds_the_agent() -> None:
    """Complementary slackness: λ_i (regret_i − ε_i) = 0."""
    game = own_game()
    for epsilon, binds in (([0.1, 5.0], [True, False]), ([5.0, 0.02], [False, True])):
        found = worst_equilibrium(game, epsilon)
        regrets = exact_regret(game, found.policies)
        for k, agent in enumerate(ROLES[:2]):
            if binds[k]:
                assert found.multipliers[k] > 0.1
                assert regrets[agent] == pytest.approx(epsilon[k], abs=1e-6)
            else:
                assert found.multipliers[k] == 0.0
                assert regrets[agent] < epsilon[k] - 1.0


@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("role", ROLES)
def test_a_small_interaction_is_refused_whatever_is_added_to_the_payoffs(role: str, offset: float) -> None:
    game = own_game(horizon=3)
    interaction = np.zeros_like(game.rewards[role])
    interaction[0, 0, 0] = 1e-4
    constant = game.with_added_rewards({role: np.full(interaction.shape, offset)})
    assert worst_equilibrium(constant, 0.1).multipliers == pytest.approx(worst_equilibrium(game, 0.1).multipliers)
    with pytest.raises(ValueError, match="reward"):
        worst_equilibrium(constant.with_added_rewards({role: interaction}), 0.1)


def test_moves_and_sight_that_do_not_separate_are_refused() -> None:
    game = own_game(horizon=3)
    pushed = game.next_states.copy()
    pushed[5, 1, 2] = game.next_states[5, 2, 2]  # agent_0 is carried along when agent_1 climbs
    with pytest.raises(ValueError, match="where agent 0 goes depends on more"):
        worst_equilibrium(replace(game, next_states=pushed), 0.1)
    level, cell = np.arange(16) // 4, np.arange(16)
    for later in (cell, 0 * level, cell % 4):  # after the first step it tells apart more, less, and something else
        seen = np.stack([level, later, later])[..., None]
        changing = replace(game, observations={**game.observations, "agent_0": seen})
        with pytest.raises(ValueError, match="changes during the episode"):
            worst_equilibrium(changing, 0.1)


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
        (augmented(), np.ones((20, 16, 7)), "planner_policy must hold probabilities"),
        (augmented(), np.tile([1.5, 0, 0, 0, 0, 0, -0.5], (20, 16, 1)), "planner_policy must hold probabilities"),
    ]
    for game, policy, message in cases:
        with pytest.raises(ValueError, match=message):
            worst_equilibrium(game, 0.1, policy)


@pytest.mark.parametrize("epsilon", [np.float64(0.1), np.array(0.1), (0.1, 0.1), np.array([0.1, 0.1])])
def test_epsilon_may_be_a_number_or_a_sequence_of_any_kind(epsilon: Any) -> None:
    assert worst_equilibrium(own_game(), epsilon).planner_payoff == worst_equilibrium(own_game(), 0.1).planner_payoff
    assert worst_equilibrium(own_game(), np.float32(0.5)) is not None


@pytest.mark.parametrize("epsilon", [-0.1, np.nan, [0.1], True, "big"])
def test_bad_epsilon_is_named(epsilon: Any) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        worst_equilibrium(own_game(), epsilon)
