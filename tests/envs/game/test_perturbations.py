"""Reward perturbations: closed forms, the bound of Eq. 5, redraw schedules, sums."""

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.game.perturbations import keeps_the_protocol
from ermas_envs.game.transitions import GameInfo, Transition
from ermas_envs.perturbations import (
    Bounded,
    PlannerAdversity,
    RandomOffset,
    RandomTables,
    RiskAversion,
    SumOf,
    perturbation_registry,
)
from ermas_envs.testing import check_perturbation
from ermas_envs.testing.perturbations import _Observed

AGENTS = ("agent_0", "agent_1")
GAME = GameInfo(AGENTS, "planner", 16, {**dict.fromkeys(AGENTS, spaces.Discrete(3)), "planner": spaces.Discrete(1)})


def transition(num_envs: int, step: int = 0, episode: int = 0, outcome: float = 0.5, state: int = 0) -> Transition:
    generator = np.random.default_rng([step, episode])
    return Transition(
        actions={role: generator.integers(3, size=num_envs) for role in (*AGENTS, "planner")},
        payoffs={role: np.zeros(num_envs) for role in (*AGENTS, "planner")},
        planner_outcome=np.full(num_envs, outcome),
        states=np.full(num_envs, state),
        steps=np.full(num_envs, step),
        episodes=np.full(num_envs, episode),
    )


class Script:
    """Adds the values of a list, one per call, to agent_0; what an adversarial perturbation could do."""

    def __init__(self, values: list[float]) -> None:
        self.values = iter(values)

    def bind(self, game: GameInfo, num_envs: int) -> None:
        self.num_envs = num_envs

    def __call__(self, transition: Transition) -> dict[str, FloatArray]:
        return {"agent_0": np.full(self.num_envs, next(self.values))}

    def tabular(self, game) -> None:
        return None


def make_batch(num_envs: int, perturbation):
    return bimatrix_v0.batched_env(num_envs, perturbation=perturbation)


def on_every_table_entry(tables: RandomTables, episode: int) -> dict[str, FloatArray]:
    """(states, actions) values that a bound RandomTables adds in an episode."""
    grid = np.indices((16, 3)).reshape(2, -1)
    size = grid.shape[1]
    added = tables(
        Transition(
            actions={role: grid[1] for role in (*AGENTS, "planner")},
            payoffs={},
            planner_outcome=np.zeros(size),
            states=grid[0],
            steps=np.zeros(size, int),
            episodes=np.full(size, episode),
        )
    )
    return {agent: values.reshape(16, 3) for agent, values in added.items()}


def bound_tables(**arguments) -> RandomTables:
    tables = RandomTables(**arguments)
    tables.bind(GAME, 48)
    return tables


# --- conformance -------------------------------------------------------------------------------------------------

SHIPPED = {
    "adversity": (lambda: PlannerAdversity(0.7), None),
    "negative adversity": (lambda: PlannerAdversity(-0.7), 0.7),
    "tables": (lambda: RandomTables(0.3), 0.3),
    "tables, redrawn every 3": (lambda: RandomTables(0.3, redraw_every=3, seed=5), 0.3),
    "bounded": (lambda: Bounded(PlannerAdversity(2.0), 0.1), 0.1),
    "bounded tables": (lambda: Bounded(RandomTables(5.0), 0.02), 0.02),
    "bounded at zero": (lambda: Bounded(RandomTables(5.0), 0.0), 0.0),
    "sum": (lambda: SumOf([PlannerAdversity(0.5), PlannerAdversity(-0.2)]), 0.3),
    "sum with tables": (lambda: SumOf([PlannerAdversity(0.5), RandomTables(0.1)]), 0.6),
}


@pytest.mark.parametrize("case", list(SHIPPED))
def test_shipped_perturbations_conform(case: str) -> None:
    make, bound = SHIPPED[case]
    check_perturbation(make, make_batch, bound)


# --- planner adversity -------------------------------------------------------------------------------------------


@given(q=st.floats(-10, 10), outcome=st.floats(-10, 10))
def test_adversity_is_minus_q_times_the_planner_outcome(q: float, outcome: float) -> None:
    adversity = PlannerAdversity(q)
    adversity.bind(GAME, 3)
    added = adversity(transition(3, outcome=outcome))
    assert set(added) == set(AGENTS)
    for values in added.values():
        assert values.tolist() == [-q * outcome] * 3


# --- the bound ---------------------------------------------------------------------------------------------------

values = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30)


@given(values=values, epsilon=st.floats(0, 10))
def test_bounded_mean_stays_within_epsilon_after_every_step(values: list[float], epsilon: float) -> None:
    bounded = Bounded(Script(values), epsilon)
    bounded.bind(GAME, 2)
    total = 0.0
    for step in range(len(values)):
        total += bounded(transition(2, step))["agent_0"][0]
        assert abs(total) <= epsilon * (step + 1) + 1e-9


@given(values=values, epsilon=st.floats(0, 10))
def test_bounded_moves_the_running_sum_as_close_to_the_wanted_one_as_the_bound_lets_it(values, epsilon) -> None:
    bounded = Bounded(Script(values), epsilon)
    bounded.bind(GAME, 1)
    total = 0.0
    for step, value in enumerate(values):
        expected = min(max(total + value, -epsilon * (step + 1)), epsilon * (step + 1))
        given_out = bounded(transition(1, step))["agent_0"][0]
        assert given_out == pytest.approx(expected - total, abs=1e-9)
        total = expected


@given(values=st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_bounded_changes_nothing_that_is_within_the_bound_at_every_step(values: list[float]) -> None:
    bounded = Bounded(Script(values), 1.0)
    bounded.bind(GAME, 1)
    for step, value in enumerate(values):
        assert bounded(transition(1, step))["agent_0"][0] == pytest.approx(value, abs=1e-12)


def test_bound_starts_anew_with_every_episode() -> None:
    bounded = Bounded(Script([5.0] * 6), 1.0)
    bounded.bind(GAME, 1)
    for _ in range(2):
        assert [bounded(transition(1, step))["agent_0"][0] for step in range(3)] == [1.0, 1.0, 1.0]


# --- random tables -----------------------------------------------------------------------------------------------


def test_tables_are_redrawn_every_k_episodes() -> None:
    tables = bound_tables(redraw_every=3)
    by_episode = [on_every_table_entry(tables, episode)["agent_0"] for episode in range(9)]
    for episode in range(9):
        same = [np.array_equal(by_episode[episode], other) for other in by_episode]
        assert same == [other // 3 == episode // 3 for other in range(9)]


def test_tables_are_a_function_of_seed_and_draw_alone() -> None:
    straight = on_every_table_entry(bound_tables(seed=4), 7)
    wandering = bound_tables(seed=4)
    for episode in (9, 0, 3):
        on_every_table_entry(wandering, episode)
    again = on_every_table_entry(wandering, 7)
    other = on_every_table_entry(bound_tables(seed=5), 7)
    for agent in AGENTS:
        assert np.array_equal(straight[agent], again[agent])
        assert not np.array_equal(straight[agent], other[agent])


def test_tables_differ_by_agent_state_and_action_and_fill_their_range() -> None:
    """384 values, uniform in [−scale, scale]: none within 10 % of an end has probability < 1e-16."""
    tables = bound_tables(scale=2.0)
    drawn = np.stack([on_every_table_entry(tables, e)[agent] for e in range(4) for agent in AGENTS])
    assert np.unique(drawn).size == drawn.size
    assert -2.0 <= drawn.min() < -1.8
    assert 1.8 < drawn.max() <= 2.0


def test_replicas_in_the_same_episode_share_the_table_and_others_do_not() -> None:
    tables = bound_tables()
    step = transition(4, state=6)
    actions = {role: np.ones(4, int) for role in step.actions}
    mixed = Transition(actions, step.payoffs, step.planner_outcome, step.states, step.steps, np.array([0, 1, 0, 1]))
    first, second, third, fourth = tables(mixed)["agent_0"]
    assert first == third != second == fourth


def test_tables_follow_the_episodes_of_the_batch_and_first_episode() -> None:
    env = bimatrix_v0.batched_env(1, horizon=2, perturbation=RandomTables(redraw_every=2, seed=3))
    env.reset([8], 4)
    tables = bound_tables(redraw_every=2, seed=3)
    for episode in (4, 4, 5, 5, 6, 6):
        cell = env.engine.states()[0]
        result = env.step({"agent_0": [0], "agent_1": [2], "planner": [0]})
        for agent, action in (("agent_0", 0), ("agent_1", 2)):
            added = result.rewards[agent][0] - result.payoffs[agent][0]
            assert added == pytest.approx(on_every_table_entry(tables, episode)[agent][cell, action], abs=1e-12)


def test_batch_shows_perturbations_the_step_in_the_episode_and_the_episode() -> None:
    seen: list[tuple[list[int], list[int]]] = []

    class Recorder(PlannerAdversity):
        def __call__(self, transition: Transition) -> dict[str, FloatArray]:
            seen.append((transition.steps.tolist(), transition.episodes.tolist()))
            return {}

    env = bimatrix_v0.batched_env(2, horizon=3, perturbation=Recorder(0.0))
    env.reset(0, first_episode=5)
    for _ in range(5):
        env.step({role: np.zeros(2, int) for role in env.possible_agents})
    assert seen == [([step, step], [episode, episode]) for step, episode in ((0, 5), (1, 5), (2, 5), (0, 6), (1, 6))]


def test_tables_need_states_and_discrete_actions() -> None:
    with pytest.raises(ValueError, match="tabular states"):
        RandomTables().bind(GameInfo(AGENTS, "planner", None, GAME.action_spaces), 1)
    box = {**GAME.action_spaces, "agent_1": spaces.Box(0, 1)}
    with pytest.raises(ValueError, match="Discrete actions; 'agent_1' has Box"):
        RandomTables().bind(GameInfo(AGENTS, "planner", 16, box), 1)


# --- sums, tables of the whole game ------------------------------------------------------------------------------


def test_sum_adds_its_parts_agent_by_agent() -> None:
    total = SumOf([PlannerAdversity(0.5), Script([3.0]), PlannerAdversity(0.25)])
    total.bind(GAME, 2)
    added = total(transition(2, outcome=2.0))
    assert added["agent_0"].tolist() == [1.5, 1.5]
    assert added["agent_1"].tolist() == [-1.5, -1.5]


def test_sum_has_tables_only_if_every_part_has() -> None:
    game = bimatrix_v0.batched_env(1).tabular_game()
    with_both, without = SumOf([PlannerAdversity(0.5)] * 2), SumOf([PlannerAdversity(0.5), RandomTables()])
    with_both.bind(GAME, 1)
    without.bind(GAME, 1)
    assert with_both.tabular(game)["agent_0"] == pytest.approx(-game.planner_outcome)
    assert without.tabular(game) is None
    assert make_batch(1, RandomTables()).tabular_game() is None
    assert make_batch(1, Bounded(PlannerAdversity(1.0), 0.1)).tabular_game() is None


def test_augmented_game_adds_a_users_perturbation_to_its_adversity() -> None:
    both = augmented_bimatrix_v0.batched_env(1, q=0.3, perturbation=PlannerAdversity(0.4)).tabular_game()
    one = augmented_bimatrix_v0.batched_env(1, q=0.7).tabular_game()
    for role in both.roles:
        assert both.rewards[role] == pytest.approx(one.rewards[role])


def test_registry_makes_every_shipped_perturbation() -> None:
    ours = ("bounded", "planner_adversity", "random_offset", "random_risk_aversion", "random_tables", "risk_aversion")
    assert perturbation_registry.names() == (*ours, "sum")
    assert perturbation_registry.make("planner_adversity", q=0.5).q == 0.5


def test_only_our_own_are_not_looked_at() -> None:
    """Not a user's that inherits from ours, nor what passes on a user's, even where it stands in this package."""

    class Users(RandomOffset):
        pass

    ours = RandomOffset()
    for known in (ours, PlannerAdversity(0.1), RiskAversion(0.2), SumOf([ours]), Bounded(ours, 0.1)):
        assert keeps_the_protocol(known)
    for unknown in (Users(), SumOf([ours, Users()]), Bounded(Users(), 0.1), _Observed(ours, None)):
        assert not keeps_the_protocol(unknown)
