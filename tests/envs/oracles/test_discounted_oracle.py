"""Discounted oracles against closed forms, long finite horizons and brute force over stationary deviations."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_envs import bimatrix_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles import (
    TabularGame,
    best_response_value,
    discounted_best_response_value,
    discounted_regret,
    discounted_values,
    evaluate,
    exact_regret,
)
from ermas_envs.planners import ConstantPlanner

ROLES = ("agent_0", "agent_1", "planner")


def random_game(seed: int, states: int = 3, horizon: int = 2) -> TabularGame:
    generator = np.random.default_rng(seed)
    shape = (states, 2, 2, 2)
    return TabularGame(
        roles=ROLES,
        horizon=horizon,
        start=generator.dirichlet(np.ones(states)),
        next_states=generator.integers(states, size=shape),
        rewards={role: generator.normal(size=shape) for role in ROLES},
        planner_outcome=np.zeros(shape),
        observations={},
        action_masks={},
    )


def random_policies(seed: int, states: int = 3) -> dict[str, FloatArray]:
    generator = np.random.default_rng(seed + 1)
    return {role: generator.dirichlet(np.ones(2), states) for role in ROLES}


def over_time(policies: dict[str, FloatArray], horizon: int) -> dict[str, FloatArray]:
    return {role: np.repeat(table[None], horizon, axis=0) for role, table in policies.items()}


def test_constant_rewards_are_their_own_value() -> None:
    game = random_game(0)
    flat = replace(game, rewards={role: np.full((3, 2, 2, 2), 0.7) for role in ROLES})
    assert discounted_values(flat, random_policies(0), 0.9) == pytest.approx(dict.fromkeys(ROLES, 0.7))
    assert evaluate(flat, over_time(random_policies(0), 2), discount=0.5) == pytest.approx(dict.fromkeys(ROLES, 0.7))


def test_two_steps_by_hand() -> None:
    """Weights 1 and γ, divided by 1 + γ."""
    game = random_game(1)
    policies = over_time(random_policies(1), 2)
    one_step = evaluate(replace(game, horizon=1), {r: t[:1] for r, t in policies.items()})
    two_steps, gamma = evaluate(game, policies, discount=0.6), 0.6
    second = {r: 2 * v - one_step[r] for r, v in evaluate(game, policies).items()}
    assert two_steps == pytest.approx({r: (one_step[r] + gamma * second[r]) / (1 + gamma) for r in ROLES})


@given(seed=st.integers(0, 10**6), discount=st.floats(0.1, 0.8))
@settings(max_examples=25)
def test_infinite_horizon_is_the_limit_of_long_finite_ones(seed: int, discount: float) -> None:
    game, policies = random_game(seed, horizon=120), random_policies(seed)
    finite = over_time(policies, 120)
    assert discounted_values(game, policies, discount) == pytest.approx(evaluate(game, finite, discount), abs=1e-8)
    assert discounted_best_response_value(game, policies, "agent_1", discount) == pytest.approx(
        best_response_value(game, finite, "agent_1", discount), abs=1e-8
    )
    assert discounted_regret(game, policies, discount) == pytest.approx(exact_regret(game, finite, discount), abs=1e-8)


@given(seed=st.integers(0, 10**6), discount=st.floats(0.0, 0.95))
@settings(max_examples=25)
def test_best_response_is_the_best_stationary_deterministic_policy(seed: int, discount: float) -> None:
    game, policies = random_game(seed), random_policies(seed)
    best = max(
        discounted_values(game, {**policies, "agent_0": np.eye(2)[list(choice)]}, discount)["agent_0"]
        for choice in product(range(2), repeat=3)
    )
    assert discounted_best_response_value(game, policies, "agent_0", discount) == pytest.approx(best, abs=1e-9)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("payoff", [0.7, 36.1, 1e5 / 3])
@pytest.mark.parametrize("discount", [0.9, 0.9999])
def test_policy_iteration_ends_where_every_action_is_as_good(payoff: float, discount: float) -> None:
    """Rounding grows with the values, up to 3e8 here, and must not keep it going."""
    for seed in range(10):
        game = random_game(seed, states=16)
        flat = replace(game, rewards={role: np.full((16, 2, 2, 2), payoff) for role in ROLES})
        found = discounted_best_response_value(flat, random_policies(seed, states=16), "agent_0", discount)
        assert found == pytest.approx(payoff, rel=1e-9)


def test_fixed_planner_of_an_environment_takes_part() -> None:
    game = bimatrix_v0.batched_env(1, planner=ConstantPlanner(0)).tabular_game()
    assert game is not None
    climb = np.tile([0.0, 0.0, 1.0], (16, 1))
    values = discounted_values(game, {"agent_0": climb, "agent_1": climb}, 0.99)
    # Level 3 from a uniform start: r_p is 1 but for the first two steps.
    means = [np.mean([min(level + t, 3) / 3 for level in range(4)]) for t in (1, 2)]
    assert values["planner"] == pytest.approx(0.01 * (means[0] + 0.99 * means[1]) + 0.99**2, abs=1e-12)
    assert max(discounted_regret(game, {"agent_0": climb, "agent_1": climb}, 0.99).values()) < 1e-12


def test_bad_input_is_named() -> None:
    game, policies = random_game(0), random_policies(0)
    for discount, message in ((1.0, "discount must be < 1"), (-0.1, "discount"), (np.nan, "discount")):
        with pytest.raises(ValueError, match=message):
            discounted_values(game, policies, discount)
    for discount in (0.0, 1.5):
        with pytest.raises(ValueError, match="discount"):
            evaluate(game, over_time(policies, 2), discount)
    with pytest.raises(ValueError, match=r"policies\['agent_0'\] must have two axes"):
        discounted_values(game, over_time(policies, 2), 0.5)
    with pytest.raises(ValueError, match="no policy for role 'planner'"):
        discounted_values(game, {r: policies[r] for r in ROLES[:2]}, 0.5)
    changing = np.eye(2)[np.array([[0, 0, 0], [1, 1, 1]])]
    with pytest.raises(ValueError, match="not stationary"):
        discounted_values(replace(game, fixed_policies={"planner": changing}), policies, 0.5)


def test_a_batch_of_joint_policies_is_evaluated_as_one_by_one() -> None:
    game = random_game(3)
    singles = [over_time(random_policies(seed), 2) for seed in range(4)]
    batch = {role: np.stack([single[role] for single in singles]) for role in ROLES}
    for function in (evaluate, exact_regret):
        found = function(game, batch)
        for k, single in enumerate(singles):
            assert {role: value[k] for role, value in found.items()} == function(game, single)
