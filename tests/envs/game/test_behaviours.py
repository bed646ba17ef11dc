"""Behaviours of agents: habit, masks, the ends of episodes, streams, users' own, and behaviours as data."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from ermas_envs import (
    EnvironmentSpec,
    augmented_bimatrix_v0,
    batched_env,
    bimatrix_v0,
    economy_v0,
    one_step_economy_v0,
    parallel_env,
)
from ermas_envs.base.spaces import are_allowed
from ermas_envs.behaviours import Habit, behaviour_registry
from ermas_envs.planners import ConstantPlanner
from ermas_envs.testing import check_batched_equals_single, check_behaviour

DOWN, STAY, UP = 0, 1, 2
GAMES: dict[str, dict[str, Any]] = {
    "bimatrix_v0": {"horizon": 5},
    "augmented_bimatrix_v0": {"horizon": 5, "action_noise": 0.3, "planner": ConstantPlanner(4)},
    "economy_v0": {"horizon": 12, "multi_action_mode_agents": True},
    "one_step_economy_v0": {"horizon": 6, "num_agents": 3, "observations": "compact"},
    "toll_v0": {},
    "contract_v0": {},
}


class Recorder:
    """A perturbation of nothing that remembers the actions it saw, (agents, num_envs) each."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def bind(self, game: Any, num_envs: int) -> None:
        self.agents = game.agents

    def __call__(self, transition: Any) -> dict[str, Any]:
        self.seen.append(np.array([transition.actions[agent] for agent in self.agents]))
        return {}

    def tabular(self, game: Any) -> None:
        return None


def play(intended: list[int], num_envs: int = 40, resets: tuple[int, ...] = (), **arguments: Any) -> tuple[Any, Any]:
    """Executed actions (steps, agents, num_envs) in `bimatrix_v0`, and whether masks allowed `UP`, of the same shape.

    Both agents of all replicas choose `intended`; before the steps in `resets` the batch is reset without a seed.
    """
    recorder = Recorder()
    env = bimatrix_v0.batched_env(num_envs, perturbation=recorder, planner=ConstantPlanner(0), **arguments)
    seen, allowed = env.reset(3), []
    for step, action in enumerate(intended):
        seen = env.reset() if step in resets else seen
        allowed.append([seen.action_masks[agent][:, UP] for agent in env.agents])
        seen = env.step({agent: np.full(num_envs, action) for agent in env.agents})
    return np.array(recorder.seen), np.array(allowed)


@pytest.mark.parametrize("name", list(GAMES))
def test_habit_conforms_in_every_game(name: str) -> None:
    check_behaviour(lambda: Habit(0.5), lambda n, behaviour: batched_env(name, n, behaviour=behaviour, **GAMES[name]))


def test_the_faces_have_the_same_habits() -> None:
    check_batched_equals_single(
        lambda n: augmented_bimatrix_v0.batched_env(n, behaviour=Habit(0.5), horizon=4),
        lambda: augmented_bimatrix_v0.parallel_env(behaviour=Habit(0.5), horizon=4),
    )


def test_who_always_repeats_does_what_it_began_with() -> None:
    done, _ = play([STAY, UP, DOWN, UP, DOWN], behaviour=Habit(1.0), horizon=5)
    assert (done == STAY).all()


def test_who_never_repeats_plays_the_game_as_it_is_to_the_last_bit() -> None:
    habitual = bimatrix_v0.batched_env(30, behaviour=Habit(0.0), horizon=3)
    free = bimatrix_v0.batched_env(30, horizon=3)
    assert habitual.reset(1).observations["agent_0"].tobytes() == free.reset(1).observations["agent_0"].tobytes()
    generator = np.random.default_rng(0)
    for _ in range(7):
        actions = {"agent_0": generator.integers(3, size=30), "agent_1": generator.integers(3, size=30)}
        steps = [env.step({**actions, "planner": np.zeros(30, int)}) for env in (habitual, free)]
        for role in ("agent_0", "agent_1", "planner"):
            assert steps[0].rewards[role].tobytes() == steps[1].rewards[role].tobytes()
            assert steps[0].observations[role].tobytes() == steps[1].observations[role].tobytes()


def test_repetitions_have_the_probability_given() -> None:
    """A binomial test at a false-alarm rate of 1e-4: 2 · 4000 agents that stayed, and mean to go down."""
    done, _ = play([STAY, DOWN], num_envs=4000, behaviour=Habit(0.3))
    assert stats.binomtest(int((done[1] == STAY).sum()), 8000, 0.3).pvalue > 1e-4
    assert set(np.unique(done[1])) == {DOWN, STAY}


def test_agents_repeat_each_on_its_own() -> None:
    """Independence of two agents: Fisher's exact test at a false-alarm rate of 1e-4."""
    done, _ = play([STAY, DOWN], num_envs=2000, behaviour=Habit(0.5))
    repeated = done[1] == STAY
    table = [[int(((repeated[0] == a) & (repeated[1] == b)).sum()) for b in (False, True)] for a in (False, True)]
    assert stats.fisher_exact(table).pvalue > 1e-4


def test_what_the_mask_forbids_is_not_repeated() -> None:
    """Up and up again until the top level, where the mask forbids it and agents do what they choose."""
    done, allowed = play([UP, STAY, STAY, STAY, STAY], behaviour=Habit(1.0))
    climbing = allowed[1:] & (done[:-1] == UP)
    assert ((done[1:] == UP) == climbing).all()
    assert (done[1:][~climbing] == STAY).all()
    assert climbing.any()
    assert not climbing.all()


@pytest.mark.parametrize("resets", [(), (3, 4)], ids=["auto-reset", "reset in the middle"])
def test_nothing_is_repeated_from_an_episode_before(resets: tuple[int, ...]) -> None:
    horizon = 2 if not resets else 20
    done, _ = play([STAY, DOWN, UP, DOWN, UP, DOWN], behaviour=Habit(1.0), horizon=horizon, resets=resets)
    begun = [0, 2, 4] if not resets else [0, 3, 4]
    intended = np.array([STAY, DOWN, UP, DOWN, UP, DOWN])
    assert (done[begun] == intended[begun, None, None]).all()
    assert (done[1] == STAY).all()


def test_what_hands_did_becomes_a_habit() -> None:
    """Actions are changed by action noise first: who trembles in the first step goes on with that, where it may."""
    done, _ = play([STAY, STAY], num_envs=200, behaviour=Habit(1.0), action_noise=1.0)
    assert set(np.unique(done[0])) == {DOWN, STAY, UP}
    repeated = done[1] == done[0]
    assert repeated[done[0] == STAY].all()
    assert repeated.mean() > 0.7


def test_replica_k_does_not_depend_on_the_number_of_replicas() -> None:
    few, many = (play([STAY, DOWN, UP, DOWN], num_envs=n, behaviour=Habit(0.5), action_noise=0.2)[0] for n in (7, 50))
    np.testing.assert_array_equal(few, many[..., :7])


def test_the_planner_has_no_habits() -> None:
    env = augmented_bimatrix_v0.batched_env(50, behaviour=Habit(1.0))
    env.reset(0)
    for action in (5, 0):
        step = env.step({role: np.full(50, action if role == "planner" else 1) for role in env.possible_agents})
    assert (step.payoffs["planner"] == 0.0).all()  # a = 0 earns 0


def test_hours_become_a_habit_after_the_first_step_in_which_nobody_works() -> None:
    env = one_step_economy_v0.batched_env(20, num_agents=3, behaviour=Habit(1.0), horizon=4)
    env.reset(0)
    for hours in (0, 30, 60, 90):
        step = env.step({role: np.full(20, hours) for role in env.agents} | {"planner": np.zeros((20, 7), int)})
    assert step.final_metrics is not None
    assert (step.final_metrics["endogenous/avg_agent/Labor"] == 0.0).all()


def test_games_with_habits_have_no_tables() -> None:
    assert bimatrix_v0.batched_env(1, behaviour=Habit(0.1)).tabular_game() is None


def test_a_group_is_asked_as_one_and_gets_noise_of_its_own() -> None:
    class Asked:
        noise_size = 3

        def __init__(self) -> None:
            self.calls: list[Any] = []

        def bind(self, game: Any, num_envs: int) -> None:
            assert game.agents == ("agent_0", "agent_1", "agent_2", "agent_3")

        def __call__(self, intentions: Any) -> Any:
            self.calls.append(intentions)
            return intentions.actions

    asked = Asked()
    env = economy_v0.batched_env(5, behaviour=asked, horizon=3)
    seen = env.reset(0)
    for _ in range(4):
        masks = seen.action_masks.by_group["agent"]
        seen = env.step({role: np.zeros((5, *space.shape), int) for role, space in env.action_spaces.items()})
        given = asked.calls[-1]
        assert given.agents == env.agents
        assert (given.action_masks == masks).all()
    assert [call.noise.shape for call in asked.calls] == [(5, 4, 3)] * 4
    assert len(np.unique([call.noise for call in asked.calls])) == 4 * 5 * 4 * 3
    assert [int(call.steps[0]) for call in asked.calls] == [0, 1, 2, 0]
    assert [int(call.episodes[0]) for call in asked.calls] == [0, 0, 0, 1]


# --- as data, bad input ------------------------------------------------------------------------------------------


def test_a_behaviour_as_data_is_the_behaviour() -> None:
    spec = EnvironmentSpec("bimatrix_v0", {"horizon": 4, "behaviour": {"name": "habit", "probability": 0.0}})
    changed = spec.changed("behaviour.probability", 0.5)
    same = bimatrix_v0.batched_env(20, horizon=4, behaviour=Habit(0.5))
    batches = [changed(20), same]
    for env in batches:
        env.reset(4)
    generator = np.random.default_rng(1)
    for _ in range(6):
        chosen = generator.integers(3, size=20)
        steps = [env.step({"agent_0": chosen, "agent_1": chosen, "planner": 0 * chosen}) for env in batches]
        np.testing.assert_array_equal(steps[0].rewards["agent_0"], steps[1].rewards["agent_0"])


def test_registry_makes_every_shipped_behaviour() -> None:
    assert behaviour_registry.names() == ("habit",)
    assert behaviour_registry.make("habit", probability=0.5).probability == 0.5  # type: ignore[attr-defined]


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan"), "much"])
def test_bad_probability(bad: Any) -> None:
    with pytest.raises(ValueError, match="probability must be a finite number >= 0 and <= 1"):
        Habit(bad)


@pytest.mark.parametrize("bad", ["habit", Habit, 0.5], ids=str)
def test_no_behaviour_object(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"behaviour must be an object such as registry.make gives \(habit\), got"):
        parallel_env("bimatrix_v0", behaviour=bad)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda actions: actions[:, :1], r"behaviour Own returned: actions\['agent'\] must have shape \(3, 2\)"),
        (lambda actions: actions + 7, r"behaviour Own returned: actions\['agent_0'\] must lie in Discrete\(3\)"),
        (lambda actions: None, "behaviour Own returned"),
    ],
)
def test_bad_actions_of_a_users_behaviour(returned: Any, message: str) -> None:
    class Own(Habit):
        def __call__(self, intentions: Any) -> Any:
            return returned(intentions.actions)

    env = bimatrix_v0.batched_env(3, behaviour=Own(0.5))
    env.reset(0)
    with pytest.raises(ValueError, match=message):
        env.step({role: np.zeros(3, int) for role in env.possible_agents})


# --- masks of actions --------------------------------------------------------------------------------------------


@given(st.data())
def test_allowed_actions_are_those_whose_every_part_is(data: st.DataObject) -> None:
    nvec, start = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)), data.draw(st.integers(0, 2))
    space = spaces.MultiDiscrete(nvec, start=[start] * len(nvec))
    masks = data.draw(arrays.arrays(bool, (5, 2, sum(nvec))))
    actions = np.array([[[data.draw(st.integers(0, n - 1)) for n in nvec] for _ in range(2)] for _ in range(5)])
    parts = np.split(masks, np.cumsum(nvec)[:-1], axis=-1)
    for row in np.ndindex(5, 2):
        expected = all(part[row][actions[row][k]] for k, part in enumerate(parts))
        assert are_allowed(space, masks, actions + start)[row] == expected
        first = spaces.Discrete(nvec[0], start=start)
        assert are_allowed(first, parts[0], actions[..., 0] + start)[row] == parts[0][row][actions[row][0]]
