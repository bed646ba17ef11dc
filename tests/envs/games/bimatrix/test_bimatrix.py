"""The bimatrix games: payoffs against closed forms, rules against a plain-Python reference, observations, masks."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ermas_envs import BatchObservation, BatchStep, augmented_bimatrix_v0, bimatrix_v0, parallel_env
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs, as_payoffs

AGENTS = ("agent_0", "agent_1")
LEVEL_GAIN = (0.0, 0.12, 0.19, 0.23)


@dataclass
class PlainGame:
    """One replica, written from the rules in `bimatrix_v0` without tables."""

    payoffs: BimatrixPayoffs
    horizon: int
    rows: int
    columns: int
    planner_level: int = 0
    steps: int = 0

    def move(self, up_0: int, up_1: int) -> tuple[float, float, float]:
        last = self.payoffs.levels - 1
        self.rows = min(max(self.rows + up_0 - 1, 0), last)
        self.columns = min(max(self.columns + up_1 - 1, 0), last)
        self.steps += 1
        cell = self.rows, self.columns
        return tuple(float(m[cell]) for m in (self.payoffs.agent_0, self.payoffs.agent_1, self.payoffs.planner))

    def time_left(self) -> float:
        return (self.horizon - self.steps) / self.horizon

    def agent_sight(self, agent: int, observe: str) -> np.ndarray:
        own, other = (self.rows, self.columns) if agent == 0 else (self.columns, self.rows)
        seen = one_hot(own, self.payoffs.levels)
        if observe == "joint":
            seen += one_hot(other, self.payoffs.levels)
        return np.array([*seen, self.time_left()], dtype=np.float32)

    def mask(self, agent: int) -> list[bool]:
        own = self.rows if agent == 0 else self.columns
        return [own > 0, True, own < self.payoffs.levels - 1]


def one_hot(index: int, size: int) -> list[float]:
    return [float(k == index) for k in range(size)]


def started(env: EngineBatch, seen: BatchObservation, replica: int, horizon: int) -> PlainGame:
    """The plain game at the start that the planner sees."""
    payoffs = BimatrixPayoffs(
        *(env.engine.rules.agent_payoffs.reshape(2, levels(env), levels(env))),
        env.engine.rules.planner_outcome.reshape(levels(env), levels(env)),
    )
    sight = seen.observations["planner"][replica]
    return PlainGame(
        payoffs, horizon, int(sight[: levels(env)].argmax()), int(sight[levels(env) : 2 * levels(env)].argmax())
    )


def levels(env: EngineBatch) -> int:
    return int(env.engine.rules.levels)


def random_actions(env: EngineBatch, generator: np.random.Generator) -> dict[str, np.ndarray]:
    return {agent: generator.integers(space.n, size=env.num_envs) for agent, space in env.action_spaces.items()}


# --- payoffs -----------------------------------------------------------------------------------------------------


def test_tragedy_of_commons_is_its_closed_form() -> None:
    payoffs = as_payoffs("tragedy_of_commons")
    for i in range(4):
        for j in range(4):
            assert payoffs.agent_0[i, j] == pytest.approx((0.6 + LEVEL_GAIN[i] - 0.2 * j) / 0.83, abs=1e-15)
            assert payoffs.agent_1[i, j] == pytest.approx((0.6 + LEVEL_GAIN[j] - 0.2 * i) / 0.83, abs=1e-15)
            assert payoffs.planner[i, j] == pytest.approx((i + j) / 6, abs=1e-15)


def test_tragedy_of_commons_has_the_designs_numbers() -> None:
    payoffs = as_payoffs("tragedy_of_commons")
    for matrix in (payoffs.agent_0, payoffs.agent_1):
        assert matrix[3, 3] == pytest.approx(0.277, abs=5e-4)
        assert matrix[0, 0] == pytest.approx(0.723, abs=5e-4)
        assert matrix.min() == pytest.approx(0.0, abs=1e-12)
        assert matrix.max() == pytest.approx(1.0)
    assert payoffs.planner[3, 3] == 1.0
    assert payoffs.planner[0, 0] == 0.0


def test_released_matrices_are_the_first_48_draws_of_the_legacy_generator() -> None:
    payoffs = as_payoffs("strategically_robust_2022")
    assert payoffs.planner[0] == pytest.approx([0.5488135, 0.71518937, 0.60276338, 0.54488318], abs=1e-8)
    assert payoffs.agent_0[0] == pytest.approx([0.0202184, 0.83261985, 0.77815675, 0.87001215], abs=1e-8)
    assert payoffs.agent_1[0, 0] == pytest.approx(0.45615033, abs=1e-8)
    assert payoffs.planner_rule == "shift_level"


def pure_equilibria(payoffs: BimatrixPayoffs) -> list[tuple[int, int]]:
    n = payoffs.levels
    return [
        (i, j)
        for i in range(n)
        for j in range(n)
        if all(payoffs.agent_0[i, j] >= payoffs.agent_0[k, j] for k in range(n))
        and all(payoffs.agent_1[i, j] >= payoffs.agent_1[i, k] for k in range(n))
    ]


def test_only_equilibrium_of_tragedy_of_commons_is_the_top_level() -> None:
    payoffs = as_payoffs("tragedy_of_commons")
    assert pure_equilibria(payoffs) == [(3, 3)]
    # The top level is strictly dominant, so there is no mixed equilibrium either.
    assert (payoffs.agent_0[3] > payoffs.agent_0[:3]).all()
    assert (payoffs.agent_1[:, 3:] > payoffs.agent_1[:, :3]).all()


@pytest.mark.parametrize(("q", "best"), [(0.0, 3), (0.28, 3), (0.30, 2), (0.50, 2), (0.51, 1), (0.86, 1), (0.88, 0)])
def test_best_level_under_adversity(q: float, best: int) -> None:
    payoffs = as_payoffs("tragedy_of_commons")
    adverse = BimatrixPayoffs(
        payoffs.agent_0 - q * payoffs.planner, payoffs.agent_1 - q * payoffs.planner, payoffs.planner
    )
    assert pure_equilibria(adverse) == [(best, best)]


# --- rules -------------------------------------------------------------------------------------------------------

sizes = st.integers(2, 5)


@st.composite
def user_payoffs(draw: st.DrawFn) -> BimatrixPayoffs:
    n = draw(sizes)
    entry = st.floats(-10, 10, allow_nan=False)
    matrix = st.lists(st.lists(entry, min_size=n, max_size=n), min_size=n, max_size=n)
    return BimatrixPayoffs(draw(matrix), draw(matrix), draw(matrix))


def check_against_plain_game(env: EngineBatch, observe: str, horizon: int, planner_payoff, seed: int) -> None:
    """Two episodes of random play; `planner_payoff(game, action, r_p)` gives what the planner must earn."""
    generator = np.random.default_rng(seed)
    seen = env.reset(seed)
    games = [started(env, seen, k, horizon) for k in range(env.num_envs)]
    for step in range(2 * horizon):
        check_sight(seen.observations, seen.action_masks, games, observe)
        actions = random_actions(env, generator)
        result = env.step(actions)
        for k, game in enumerate(games):
            r_0, r_1, r_p = game.move(*(int(actions[agent][k]) for agent in AGENTS))
            assert result.payoffs["agent_0"][k] == r_0
            assert result.payoffs["agent_1"][k] == r_1
            earned = planner_payoff(game, int(actions["planner"][k]), r_p)
            assert result.payoffs["planner"][k] == pytest.approx(earned, abs=1e-12)
        check_end(result, games, observe, (step + 1) % horizon == 0)
        seen = result
        if result.truncated.any():
            games = [started(env, seen, k, horizon) for k in range(env.num_envs)]


def check_sight(observations, masks, games: list[PlainGame], observe: str) -> None:
    for k, game in enumerate(games):
        for agent, name in enumerate(AGENTS):
            assert observations[name][k].tolist() == game.agent_sight(agent, observe).tolist()
            if masks is not None:
                assert masks[name][k].tolist() == game.mask(agent)


def check_end(result: BatchStep, games: list[PlainGame], observe: str, over: bool) -> None:
    assert not result.terminated.any()
    assert (result.truncated == over).all()
    assert (result.final_observations is not None) == over
    if result.final_observations is not None:
        assert all(game.time_left() == 0 for game in games)
        check_sight(result.final_observations, None, games, observe)


@settings(max_examples=40)
@given(payoffs=user_payoffs(), observe=st.sampled_from(["joint", "own"]), seed=st.integers(0, 1000))
def test_bimatrix_follows_the_rules_for_payoffs_of_any_size(payoffs, observe: str, seed: int) -> None:
    env = bimatrix_v0.batched_env(3, payoffs=payoffs, horizon=4, agents_observe=observe)
    assert env.observation_spaces["agent_0"].shape == (payoffs.levels * (2 if observe == "joint" else 1) + 1,)
    check_against_plain_game(env, observe, 4, lambda game, action, r_p: r_p, seed)


@settings(max_examples=40)
@given(payoffs=user_payoffs(), gain=st.floats(-20, 20), most=st.integers(1, 8), seed=st.integers(0, 1000))
def test_amplifying_planner_earns_a_kappa_rp_minus_a_squared(payoffs, gain: float, most: int, seed: int) -> None:
    env = augmented_bimatrix_v0.batched_env(3, payoffs=payoffs, horizon=3, planner_gain=gain, max_action=most)
    assert env.action_spaces["planner"].n == most + 1
    check_against_plain_game(env, "joint", 3, lambda game, a, r_p: a * gain * r_p - a**2, seed)


def released_planner_payoff(game: PlainGame, action: int, r_p: float) -> float:
    game.planner_level = min(max(game.planner_level + action - 2, 0), 12)
    return r_p * (3 * game.planner_level / 12 + 1) - (game.planner_level / 12) ** 2


@pytest.mark.parametrize("seed", range(3))
def test_released_planner_moves_its_level_and_earns_by_it(seed: int) -> None:
    env = augmented_bimatrix_v0.batched_env(8, payoffs="strategically_robust_2022", horizon=25)
    check_against_plain_game(env, "joint", 25, released_planner_payoff, seed)


def test_released_planner_sees_its_level_and_is_masked_at_its_ends() -> None:
    env = augmented_bimatrix_v0.batched_env(1, payoffs="strategically_robust_2022", horizon=40)
    seen = env.reset(0)
    level = 0
    for action in [4] * 7 + [3] + [0] * 7 + [1]:
        assert seen.observations["planner"][0, 8:21].tolist() == one_hot(level, 13)
        allowed = [0 <= level + move <= 12 for move in (-2, -1, 0, 1, 2)]
        assert seen.action_masks["planner"][0].tolist() == allowed
        seen = env.step({"agent_0": [1], "agent_1": [1], "planner": [action]})
        level = min(max(level + action - 2, 0), 12)


@pytest.mark.parametrize("q", [0.0, 0.3, -1.5])
def test_adversity_lowers_the_agents_rewards_by_q_times_rp(q: float) -> None:
    env = augmented_bimatrix_v0.batched_env(16, q=q, payoffs="tragedy_of_commons")
    seen = env.reset(4)
    games = [started(env, seen, k, 20) for k in range(16)]
    generator = np.random.default_rng(0)
    for _ in range(20):
        actions = random_actions(env, generator)
        result = env.step(actions)
        for k, game in enumerate(games):
            *agents, r_p = game.move(*(int(actions[agent][k]) for agent in AGENTS))
            for agent, payoff in zip(AGENTS, agents, strict=True):
                assert result.payoffs[agent][k] == payoff
                assert result.rewards[agent][k] == pytest.approx(payoff - q * r_p, abs=1e-15)
        assert np.array_equal(result.rewards["planner"], result.payoffs["planner"])


# --- observations, start, horizon --------------------------------------------------------------------------------


def test_planner_that_does_not_observe_sees_the_time_alone() -> None:
    for module in (bimatrix_v0, augmented_bimatrix_v0):
        env = module.batched_env(2, horizon=4, planner_observes=False)
        seen = env.reset(0)
        for left in (1.0, 0.75, 0.5, 0.25):
            assert seen.observations["planner"].tolist() == [[left], [left]]
            seen = env.step(random_actions(env, np.random.default_rng(0)))


def test_start_cells_are_uniform() -> None:
    """Chi-square over the 16 cells; false-alarm rate 1e-6, were the seed drawn anew."""
    seen = bimatrix_v0.batched_env(32_000).reset(0).observations["planner"]
    cells = seen[:, :4].argmax(axis=1) * 4 + seen[:, 4:8].argmax(axis=1)
    assert stats.chisquare(np.bincount(cells, minlength=16)).pvalue > 1e-6


@pytest.mark.parametrize("horizon", [1, 2, 20])
def test_horizon_truncates_and_the_parallel_face_says_so(horizon: int) -> None:
    env = parallel_env("bimatrix_v0", horizon=horizon)
    env.reset(seed=0)
    for step in range(horizon):
        assert env.agents == ["agent_0", "agent_1", "planner"]
        _, _, terminated, truncated, _ = env.step(dict.fromkeys(env.agents, 0))
        assert set(terminated.values()) == {False}
        assert set(truncated.values()) == {step == horizon - 1}
    assert env.agents == []


def test_parallel_face_reports_payoffs_before_perturbation() -> None:
    env = parallel_env("augmented_bimatrix_v0", q=0.5)
    env.reset(seed=0)
    _, rewards, _, _, infos = env.step({"agent_0": 2, "agent_1": 2, "planner": 1})
    r_p = (infos["planner"]["planner_payoff"] + 1) / 12
    for agent in AGENTS:
        assert rewards[agent] == pytest.approx(infos[agent]["payoff"] - 0.5 * r_p)
        assert infos[agent]["planner_payoff"] == rewards["planner"]


def test_planner_payoff_scales() -> None:
    assert bimatrix_v0.batched_env(1).planner_payoff_scale == 1.0
    assert augmented_bimatrix_v0.batched_env(1).planner_payoff_scale == 36.0
    released = augmented_bimatrix_v0.batched_env(1, payoffs="strategically_robust_2022")
    most = as_payoffs("strategically_robust_2022").planner.max()
    assert released.planner_payoff_scale == pytest.approx(4 * most - 1)


def test_auto_reset_goes_on_with_each_replicas_own_stream() -> None:
    """Replica k's second episode starts where the second reset of its stream says, whatever the others do."""
    env, again = bimatrix_v0.batched_env(5, horizon=2), bimatrix_v0.batched_env(5, horizon=2)
    stay = {agent: np.zeros(5, dtype=int) for agent in env.possible_agents}
    env.reset(9)
    env.step(stay)
    auto = env.step(stay)
    again.reset(9)
    by_hand = again.reset()
    for agent in env.possible_agents:
        assert np.array_equal(auto.observations[agent], by_hand.observations[agent])
