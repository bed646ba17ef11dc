"""Exact oracles against brute force on small games, Monte-Carlo play, closed forms and the design's numbers."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles import (
    Policies,
    TabularGame,
    best_constant_planner,
    best_response_value,
    equilibrium_policies,
    evaluate,
    exact_regret,
)

ROLES = ("agent_0", "agent_1", "planner")
AGENTS = ROLES[:2]
LEVEL_GAIN = np.array([0.0, 0.12, 0.19, 0.23])


# --- brute force -------------------------------------------------------------------------------------------------


def enumerated_value(game: TabularGame, policies: Policies, role: str) -> float:
    """Reward per step of `role`: sum over every start and every sequence of joint actions, in plain Python."""
    joint_actions = list(product(*(range(policies[r].shape[2]) for r in game.roles)))

    def value_from(state: int, step: int) -> float:
        if step == game.horizon:
            return 0.0
        total = 0.0
        for joint in joint_actions:
            chance = 1.0
            for r, action in zip(game.roles, joint, strict=True):
                chance *= policies[r][step, state, action]
            if chance > 0:
                place = (state, *joint)
                after = value_from(int(game.next_states[place]), step + 1)
                total += chance * (game.rewards[role][place] + after)
        return total

    return sum(p * value_from(s, 0) for s, p in enumerate(game.start)) / game.horizon


def deterministic_policies(game: TabularGame, role: str) -> list[FloatArray]:
    """Every map from (step, state) to an action of `role`, as probability tables."""
    actions = game.next_states.shape[game.axis(role)]
    cells = game.horizon * game.start.size
    return [
        np.eye(actions)[list(choice)].reshape(game.horizon, -1, actions)
        for choice in product(range(actions), repeat=cells)
    ]


def random_game(seed: int, states: int, actions: tuple[int, int, int], horizon: int) -> TabularGame:
    generator = np.random.default_rng(seed)
    shape = (states, *actions)
    return TabularGame(
        roles=ROLES,
        horizon=horizon,
        start=generator.dirichlet(np.ones(states)),
        next_states=generator.integers(states, size=shape),
        rewards={role: generator.normal(size=shape) for role in ROLES},
        planner_outcome=generator.normal(size=shape),
        observations={},
        action_masks={},
    )


def random_policies(game: TabularGame, seed: int) -> dict[str, FloatArray]:
    generator = np.random.default_rng(seed)
    return {
        role: generator.dirichlet(np.ones(game.next_states.shape[game.axis(role)]), (game.horizon, game.start.size))
        for role in game.roles
    }


seeds = st.integers(0, 2**32 - 1)
small_games = st.builds(
    random_game,
    seeds,
    st.integers(1, 3),
    st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 2)),
    st.just(2),
)


@settings(max_examples=40)
@given(game=small_games, seed=seeds)
def test_value_is_the_sum_over_all_trajectories(game: TabularGame, seed: int) -> None:
    policies = random_policies(game, seed)
    values = evaluate(game, policies)
    for role in ROLES:
        assert values[role] == pytest.approx(enumerated_value(game, policies, role), abs=1e-12)


@settings(max_examples=25)
@given(seed=seeds, role=st.sampled_from(ROLES), horizon=st.sampled_from([1, 2, 3]))
def test_best_response_is_the_best_of_all_deterministic_deviations(seed: int, role: str, horizon: int) -> None:
    game = random_game(seed, 2, (2, 2, 2), horizon)
    policies = random_policies(game, seed + 1)
    deviations = deterministic_policies(game, role)
    assert len(deviations) == 2 ** (2 * horizon)
    best = max(enumerated_value(game, {**policies, role: deviation}, role) for deviation in deviations)
    assert best_response_value(game, policies, role) == pytest.approx(best, abs=1e-12)
    if role != "planner":
        regret = exact_regret(game, policies)[role]
        assert regret == pytest.approx(best - enumerated_value(game, policies, role), abs=1e-12)


@settings(max_examples=3)
@given(seed=seeds)
def test_regret_in_two_by_two_bimatrix_games_by_enumerating_deviations(seed: int) -> None:
    """All 3^8 deviations of agent_0 over two steps, played against a random opponent from each start cell."""
    generator = np.random.default_rng(seed)
    payoffs = bimatrix_v0.BimatrixPayoffs(*generator.uniform(-1, 1, (3, 2, 2)))
    game = bimatrix_v0.batched_env(1, payoffs=payoffs, horizon=2).tabular_game()
    policies = random_policies(game, seed)
    # (deviations, steps, states): plays them all at once, forwards, as a distribution over states.
    deviations = np.array(list(product(range(3), repeat=8))).reshape(-1, 2, 4)
    at = np.broadcast_to(game.start, (len(deviations), 4))
    earned = np.zeros(len(deviations))
    for step in range(2):
        after = np.zeros_like(at)
        for state, other in product(range(4), range(3)):
            own = deviations[:, step, state]
            chance = at[:, state] * policies["agent_1"][step, state, other]
            earned += chance * game.rewards["agent_0"][state, own, other, 0]
            np.add.at(after, (np.arange(len(own)), game.next_states[state, own, other, 0]), chance)
        at = after
    regret = earned.max() / 2 - enumerated_value(game, policies, "agent_0")
    assert exact_regret(game, policies)["agent_0"] == pytest.approx(regret, abs=1e-12)


def test_oracles_ignore_what_cannot_be_reached() -> None:
    game = random_game(0, 3, (2, 2, 1), 2)
    game = replace(game, start=np.array([1.0, 0.0, 0.0]), next_states=np.zeros_like(game.next_states))
    wild = {role: table.copy() for role, table in game.rewards.items()}
    for table in wild.values():
        table[1:] = 1e6
    policies = random_policies(game, 1)
    assert evaluate(replace(game, rewards=wild), policies) == evaluate(game, policies)
    assert exact_regret(replace(game, rewards=wild), policies) == exact_regret(game, policies)


@pytest.mark.parametrize("payoffs", ["tragedy_of_commons", "strategically_robust_2022"])
def test_values_agree_with_play(payoffs: str) -> None:
    """20 000 episodes of random policies, five standard errors: false-alarm rate below 1e-5 for three roles."""
    num_envs, horizon = 20_000, 6
    env = augmented_bimatrix_v0.batched_env(num_envs, q=0.4, payoffs=payoffs, horizon=horizon)
    game = env.tabular_game()
    policies = random_policies(game, 5)
    generator = np.random.default_rng(0)
    env.reset(0)
    returns = {role: np.zeros(num_envs) for role in ROLES}
    for step in range(horizon):
        states = env.engine.states()
        actions = {}
        for role in ROLES:
            cumulated = policies[role][step, states].cumsum(axis=1)
            drawn = (generator.random((num_envs, 1)) > cumulated).sum(axis=1)
            actions[role] = np.minimum(drawn, cumulated.shape[1] - 1)
        result = env.step(actions)
        for role in ROLES:
            returns[role] += result.rewards[role] / horizon
    for role, value in evaluate(game, policies).items():
        assert abs(returns[role].mean() - value) < 5 * returns[role].std() / np.sqrt(num_envs)


@pytest.mark.parametrize("payoffs", ["tragedy_of_commons", "strategically_robust_2022"])
def test_tables_are_what_the_engine_does(payoffs: str) -> None:
    env = augmented_bimatrix_v0.batched_env(200, q=0.4, payoffs=payoffs, horizon=6)
    game = env.tabular_game()
    generator = np.random.default_rng(0)
    seen = env.reset(0)
    assert game.start.sum() == pytest.approx(1.0)
    assert (game.start[env.engine.states()] > 0).all()
    for step in range(6):
        states = env.engine.states()
        for role in ROLES:
            assert np.array_equal(seen.observations[role], game.observations[role][step, states])
            assert np.array_equal(seen.action_masks[role], game.action_masks[role][states])
        actions = {role: generator.integers(env.action_spaces[role].n, size=200) for role in ROLES}
        place = (states, *(actions[role] for role in ROLES))
        seen = env.step(actions)
        for role in ROLES:
            assert seen.rewards[role] == pytest.approx(game.rewards[role][place], abs=1e-12)
        if step < 5:
            assert np.array_equal(env.engine.states(), game.next_states[place])


# --- closed forms ------------------------------------------------------------------------------------------------


def constant_policies(game: TabularGame, actions: dict[str, int]) -> dict[str, FloatArray]:
    shape = (game.horizon, game.start.size)
    return {
        role: np.broadcast_to(
            np.eye(game.next_states.shape[game.axis(role)])[action], (*shape, game.next_states.shape[game.axis(role)])
        )
        for role, action in actions.items()
    }


@pytest.mark.parametrize("horizon", [1, 2, 3, 20, 500])
def test_regret_of_cooperation_is_its_closed_form(horizon: int) -> None:
    """Agents that walk to level 0 and stay: the deviation climbs instead, one level per step."""
    game = bimatrix_v0.batched_env(1, horizon=horizon).tabular_game()
    down = constant_policies(game, {"agent_0": 0, "agent_1": 0, "planner": 0})
    steps = np.arange(1, horizon + 1)
    gained = np.mean(
        [
            (LEVEL_GAIN[np.minimum(start + steps, 3)] - LEVEL_GAIN[np.maximum(start - steps, 0)]).mean() / 0.83
            for start in range(4)
        ]
    )
    for agent, regret in exact_regret(game, down).items():
        assert regret == pytest.approx(gained, abs=1e-12), agent
    if horizon == 500:
        assert gained == pytest.approx(0.23 / 0.83, abs=2e-3)  # the design's .277 of long games
        values = evaluate(game, down)
        assert values["agent_0"] == pytest.approx(0.723, abs=3e-3)
        assert values["planner"] == pytest.approx(0.0, abs=3e-3)


@pytest.mark.parametrize("q", [0.0, 0.4, 0.7, 1.0])
def test_equilibrium_has_no_regret(q: float) -> None:
    game = augmented_bimatrix_v0.batched_env(1, q=q).tabular_game()
    policies = equilibrium_policies(game) | constant_policies(game, {"planner": 3})
    regrets = exact_regret(game, policies)
    assert set(regrets) == set(AGENTS)
    assert max(regrets.values()) == pytest.approx(0.0, abs=1e-12)


def walked_rp(level: int, horizon: int) -> float:
    """Mean r_p when both agents walk from uniform start levels to `level` and stay there."""
    steps = np.arange(1, horizon + 1)
    levels = [
        np.where(start < level, np.minimum(start + steps, level), np.maximum(start - steps, level))
        for start in range(4)
    ]
    return 2 * float(np.mean(levels)) / 6


@pytest.mark.parametrize(
    ("q", "level", "action", "value"),
    [(0.0, 3, 6, 34.8), (0.4, 2, 4, 15.8), (0.7, 1, 2, 4.1), (1.0, 0, 0, 0.0)],
)
def test_best_constant_planner_of_the_design(q: float, level: int, action: int, value: float) -> None:
    game = augmented_bimatrix_v0.batched_env(1, q=q).tabular_game()
    optimum = best_constant_planner(game)
    assert optimum.action == action
    assert optimum.planner_return == pytest.approx(value, abs=0.05)
    expected = [12 * a * walked_rp(level, 20) - a**2 for a in range(7)]
    assert optimum.planner_returns == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("q", "level"), [(0.28, 3), (0.30, 2), (0.49, 2), (0.52, 1), (0.85, 1), (0.88, 0)])
def test_agents_settle_on_the_designs_level(q: float, level: int) -> None:
    """The thresholds .289, .506 and .867, from the agents' equilibrium in the repeated game."""
    game = augmented_bimatrix_v0.batched_env(1, q=q).tabular_game()
    agents = equilibrium_policies(game)
    own = np.arange(16) // 4
    moved = np.clip(own + agents["agent_0"][5].argmax(axis=1) - 1, 0, 3)
    assert moved.tolist() == (own + np.sign(level - own)).tolist()
    assert best_constant_planner(game).planner_returns[1] == pytest.approx(12 * walked_rp(level, 20) - 1, abs=1e-9)


@pytest.mark.parametrize(("action", "values"), [(6, [36, 12, -12, -36]), (4, [32, 16, 0, -16]), (5, [35, 15, -5, -25])])
def test_long_run_payoffs_of_planners_that_do_not_adapt(action: int, values: list[float]) -> None:
    """The lines of the paper's Figure 4: r_p settles at 1, ⅔, ⅓, 0 under Q = 0, .4, .7, 1."""
    for q, value in zip((0.0, 0.4, 0.7, 1.0), values, strict=True):
        game = augmented_bimatrix_v0.batched_env(1, q=q, horizon=500).tabular_game()
        returns = best_constant_planner(game).planner_returns
        assert returns[action] == pytest.approx(value, abs=0.15)


def test_planner_optimum_is_refused_where_the_planner_moves_the_game() -> None:
    game = augmented_bimatrix_v0.batched_env(1, payoffs="strategically_robust_2022").tabular_game()
    with pytest.raises(ValueError, match="planner's action changes next_states"):
        best_constant_planner(game)


def test_games_without_pure_equilibrium_are_refused() -> None:
    pennies = np.array([[1.0, -1.0], [-1.0, 1.0]])
    payoffs = bimatrix_v0.BimatrixPayoffs(pennies, -pennies, np.ones((2, 2)))
    with pytest.raises(ValueError, match="no pure equilibrium at step 0"):
        equilibrium_policies(bimatrix_v0.batched_env(1, payoffs=payoffs, horizon=1).tabular_game())


# --- bad policies ------------------------------------------------------------------------------------------------


def test_policies_that_do_not_fit_are_refused() -> None:
    game = random_game(0, 2, (2, 2, 1), 2)
    policies = random_policies(game, 0)
    with pytest.raises(ValueError, match="no policy for role 'planner'"):
        evaluate(game, {agent: policies[agent] for agent in AGENTS})
    with pytest.raises(ValueError, match=r"policies\['agent_1'\] must have shape \(2, 2, 2\)"):
        evaluate(game, {**policies, "agent_1": np.ones((2, 2, 1))})
    for bad in (
        policies["agent_0"] * 0.9,
        np.where(np.arange(2) == 0, 1.5, -0.5) * np.ones((2, 2, 2)),
        policies["agent_0"] * np.nan,
    ):
        with pytest.raises(ValueError, match=r"policies\['agent_0'\] must hold probabilities"):
            evaluate(game, {**policies, "agent_0": bad})
    with pytest.raises(ValueError, match="role must be one of"):
        best_response_value(game, policies, "agent_2")


@pytest.mark.parametrize("seed", range(4))
def test_regret_agrees_with_openspiel_on_the_normal_form(seed: int) -> None:
    """Two steps: every deterministic policy is an action of a matrix game, and NashConv is the sum of regrets."""
    pyspiel = pytest.importorskip("pyspiel")
    exploitability = pytest.importorskip("open_spiel.python.algorithms.exploitability")
    policy_module = pytest.importorskip("open_spiel.python.policy")
    game = random_game(seed, states=2, actions=(2, 2, 1), horizon=2)
    policies = random_policies(game, seed)
    pure = {agent: deterministic_policies(game, agent) for agent in AGENTS}
    payoffs = {agent: np.empty([len(pure[a]) for a in AGENTS]) for agent in AGENTS}
    for i, one in enumerate(pure["agent_0"]):
        for j, other in enumerate(pure["agent_1"]):
            values = evaluate(game, {**policies, "agent_0": one, "agent_1": other})
            for agent in AGENTS:
                payoffs[agent][i, j] = values[agent]
    matrix_game = pyspiel.create_matrix_game(payoffs["agent_0"].tolist(), payoffs["agent_1"].tolist())
    normal_form = pyspiel.convert_to_turn_based(matrix_game)
    mixture = policy_module.TabularPolicy(normal_form)
    for player, agent in enumerate(AGENTS):
        chances = [float(np.where(table > 0, policies[agent], 1.0).prod()) for table in pure[agent]]
        mixture.policy_for_key(mixture.states_per_player[player][0])[: len(chances)] = chances
    expected = sum(exact_regret(game, policies).values())
    assert exploitability.nash_conv(normal_form, mixture) == pytest.approx(expected, abs=1e-9)
