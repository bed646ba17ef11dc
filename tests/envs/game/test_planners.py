"""The planner hook: constants, plain functions, planners with their own randomness, and what the faces show of them."""

import numpy as np
import pytest
from gymnasium import spaces

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.oracles import evaluate
from ermas_envs.planners import ConstantPlanner, FunctionPlanner, as_planner, planner_registry
from ermas_envs.testing import check_planner


class Lottery:
    """Plays each allowed action with equal probability, by its noise."""

    noise_size = 1

    def bind(self, observation_space: spaces.Space, action_space: spaces.Space) -> None:
        pass

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        order = np.argsort(~action_masks, axis=1, kind="stable")
        choice = (noise[:, 0] * action_masks.sum(axis=1)).astype(int)
        return order[np.arange(len(order)), choice]

    def tabular(self, observations: Array, action_masks: BoolArray | None) -> FloatArray:
        return action_masks / action_masks.sum(axis=1, keepdims=True)


def uniform(game, role: str) -> FloatArray:
    actions = game.next_states.shape[game.axis(role)]
    return np.full((game.horizon, game.start.size, actions), 1 / actions)


def make_batch(num_envs: int, planner):
    return augmented_bimatrix_v0.batched_env(num_envs, planner=planner, payoffs="strategically_robust_2022")


def level_stake(observation: Array) -> int:
    """The sum of the agents' levels."""
    return int(observation[:4].argmax() + observation[4:8].argmax())


def played(function, space: spaces.Space, observations: Array) -> Array:
    """What a function planner with that action space plays."""
    planner = FunctionPlanner(function)
    planner.bind(spaces.Box(-1.0, 1.0, observations.shape[1:], np.float32), space)
    return planner.act(observations, np.empty((len(observations), 0)), None)


def test_planner_inside_is_not_among_the_agents_but_its_objective_is_reported() -> None:
    env = augmented_bimatrix_v0.batched_env(64, planner=ConstantPlanner(4))
    assert env.possible_agents == ("agent_0", "agent_1")
    env.reset(0)
    result = env.step({"agent_0": np.full(64, 2), "agent_1": np.full(64, 2)})
    assert set(result.rewards) == set(result.observations) == {"agent_0", "agent_1"}
    cell = result.observations["agent_0"]
    r_p = (cell[:, :4].argmax(axis=1) + cell[:, 4:8].argmax(axis=1)) / 6
    assert result.payoffs["planner"] == pytest.approx(4 * 12 * r_p - 16)


def test_planner_inside_the_parallel_face_is_reported_in_infos() -> None:
    env = augmented_bimatrix_v0.parallel_env(planner=ConstantPlanner(4))
    env.reset(seed=0)
    seen, rewards, _, _, infos = env.step({"agent_0": 1, "agent_1": 1})
    assert set(rewards) == {"agent_0", "agent_1"}
    r_p = (seen["agent_0"][:4].argmax() + seen["agent_0"][4:8].argmax()) / 6
    for agent in rewards:
        assert infos[agent]["planner_payoff"] == pytest.approx(4 * 12 * r_p - 16)


def test_constant_planner_does_what_a_learned_one_does_that_always_plays_it() -> None:
    inside = augmented_bimatrix_v0.batched_env(8, planner=ConstantPlanner(5), q=0.4)
    outside = augmented_bimatrix_v0.batched_env(8, q=0.4)
    inside.reset(3)
    outside.reset(3)
    generator = np.random.default_rng(0)
    for _ in range(45):
        actions = {agent: generator.integers(3, size=8) for agent in ("agent_0", "agent_1")}
        a, b = inside.step(actions), outside.step({**actions, "planner": np.full(8, 5)})
        for role in ("agent_0", "agent_1", "planner"):
            assert np.array_equal(a.payoffs[role], b.payoffs[role])
        assert np.array_equal(a.rewards["agent_0"], b.rewards["agent_0"])


def test_constant_may_be_given_as_a_whole_float() -> None:
    env = augmented_bimatrix_v0.batched_env(1, planner=ConstantPlanner(2.0))
    env.reset(0)
    env.step({"agent_0": [1], "agent_1": [1]})


def test_registry_makes_the_constant_planner() -> None:
    assert int(planner_registry.make("constant", 3).action) == 3


@pytest.mark.parametrize("planner", [ConstantPlanner(3), Lottery()], ids=["constant", "lottery"])
def test_shipped_and_own_planners_conform(planner) -> None:
    check_planner(planner, make_batch)


def test_noise_of_a_replica_differs_between_replicas_and_steps_but_not_between_runs() -> None:
    def played(seed: int) -> Array:
        class Recorder(Lottery):
            def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None) -> Array:
                drawn.append(noise.copy())
                return super().act(observations, noise, action_masks)

        drawn: list[FloatArray] = []
        env = make_batch(4, Recorder())
        env.reset(seed)
        for _ in range(30):
            env.step({"agent_0": np.ones(4, int), "agent_1": np.ones(4, int)})
        return np.stack(drawn)

    first = played(1)
    assert np.unique(first).size == first.size
    assert np.array_equal(first, played(1))
    assert not np.array_equal(first, played(2))


def test_game_with_a_planner_inside_is_evaluated_with_its_probabilities() -> None:
    fixed = make_batch(1, Lottery()).tabular_game()
    open_game = make_batch(1, "learned").tabular_game()
    agents = {agent: uniform(fixed, agent) for agent in ("agent_0", "agent_1")}
    masks = open_game.action_masks["planner"]
    lottery = np.broadcast_to(masks / masks.sum(axis=1, keepdims=True), (20, *masks.shape))
    assert evaluate(fixed, agents) == pytest.approx(evaluate(open_game, {**agents, "planner": lottery}))


def test_passive_planner_has_one_constant() -> None:
    env = bimatrix_v0.batched_env(1, planner=ConstantPlanner(0))
    assert env.possible_agents == ("agent_0", "agent_1")
    with pytest.raises(ValueError, match=r"Discrete\(1\), got 1"):
        bimatrix_v0.batched_env(1, planner=ConstantPlanner(1))


@pytest.mark.parametrize(
    ("observes", "function"), [(True, level_stake), (False, lambda observation: 3)], ids=["cell", "nothing"]
)
def test_function_planner_conforms(observes: bool, function) -> None:
    check_planner(
        FunctionPlanner(function),
        lambda num_envs, planner: augmented_bimatrix_v0.batched_env(
            num_envs, planner=planner, planner_observes=observes
        ),
    )


def test_function_planner_plays_the_function_row_by_row() -> None:
    seen = np.random.default_rng(0).random((50, 9)).astype(np.float32)
    assert np.array_equal(played(level_stake, spaces.Discrete(7), seen), [level_stake(row) for row in seen])


def test_function_is_called_once_per_distinct_observation() -> None:
    calls: list[Array] = []

    def counted(observation: Array) -> int:
        calls.append(observation)
        return int(observation.sum())

    seen = np.eye(3, dtype=np.float32).repeat(100, axis=0).reshape(300, 3, 1)
    assert (played(counted, spaces.Discrete(2), seen) == 1).all()
    assert len(calls) == 3
    assert all(given.shape == (3, 1) and given.dtype == np.float32 for given in calls)


def test_function_of_a_discrete_observation_sees_a_number() -> None:
    planner = FunctionPlanner(lambda state: 4 - state)
    planner.bind(spaces.Discrete(5), spaces.Discrete(5))
    seen = np.array([0, 3, 3, 4])
    assert np.array_equal(planner.act(seen, np.empty((4, 0)), None), 4 - seen)


def test_function_cannot_write_into_the_environments_observations() -> None:
    def careless(observation: Array) -> int:
        observation[:] = 5
        return 1

    seen = np.zeros((3, 9), np.float32)
    played(careless, spaces.Discrete(7), seen)
    assert not seen.any()


def test_function_planner_acts_in_every_kind_of_space() -> None:
    seen = np.array([[0.0], [1.0]], np.float32)
    box = played(lambda observation: [0.1 * observation[0], 0.05], spaces.Box(-0.1, 0.1, (2,), np.float32), seen)
    assert box.dtype == np.float32
    assert np.array_equal(box, np.array([[0.0, 0.05], [0.1, 0.05]], np.float32))
    levels = played(lambda observation: [2, observation[0]], spaces.MultiDiscrete([3, 2]), seen)
    assert np.array_equal(levels, [[2, 0], [2, 1]])
    assert np.array_equal(played(lambda observation: 2.0, spaces.Discrete(7), seen), [2, 2])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("space", "action"),
    [
        (spaces.Discrete(7), 7),
        (spaces.Discrete(7), -1),
        (spaces.Discrete(7), 2.5),
        (spaces.Discrete(7), float("nan")),
        (spaces.Discrete(7), [2]),
        (spaces.Discrete(7), None),
        (spaces.Discrete(7), "2"),
        (spaces.Box(-0.1, 0.1, (2,), np.float32), [0.05, 0.2]),
        (spaces.Box(-0.1, 0.1, (2,), np.float32), [0.05, float("nan")]),
        (spaces.Box(0, 255, (1,), np.uint8), [-1]),
        (spaces.Box(0, 255, (1,), np.uint8), [0.5]),
    ],
)
def test_function_planner_refuses_an_action_outside_the_space(space: spaces.Space, action: object) -> None:
    with pytest.raises(ValueError, match=r"function planner must lie in (Discrete|Box)\(.*, got .* for array\(\[0\.5"):
        played(lambda observation: action, space, np.array([[0.5]], np.float32))


def test_error_of_the_function_itself_comes_through() -> None:
    def fails(observation: Array) -> int:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        played(fails, spaces.Discrete(7), np.zeros((1, 9), np.float32))


def test_function_must_be_callable() -> None:
    with pytest.raises(ValueError, match="function must be callable, got 3"):
        FunctionPlanner(3)


def test_tabular_of_a_function_planner_is_one_hot_from_the_start_of_the_space() -> None:
    planner, space = FunctionPlanner(lambda observation: 3 if observation[0] else 2), spaces.Discrete(3, start=2)
    planner.bind(spaces.Box(0.0, 1.0, (1,), np.float32), space)
    seen = np.array([[0.0], [1.0], [0.0]], np.float32)
    assert np.array_equal(planner.tabular(seen, None), [[1, 0, 0], [0, 1, 0], [1, 0, 0]])
    planner.bind(spaces.Box(0.0, 1.0, (1,), np.float32), spaces.MultiDiscrete([4]))
    assert planner.tabular(seen, None) is None


def test_game_with_a_function_inside_is_evaluated_exactly() -> None:
    """Value with the function inside = value of the open game with its one-hot table."""
    fixed = make_batch(1, FunctionPlanner(lambda observation: int(observation[:4].argmax()))).tabular_game()
    open_game = make_batch(1, "learned").tabular_game()
    agents = {agent: uniform(fixed, agent) for agent in ("agent_0", "agent_1")}
    table = np.eye(open_game.action_masks["planner"].shape[-1])[open_game.observations["planner"][..., :4].argmax(-1)]
    assert table.reshape(-1, table.shape[-1]).any(axis=0).sum() == 4
    assert evaluate(fixed, agents) == pytest.approx(evaluate(open_game, {**agents, "planner": table}))


def test_as_planner_takes_planner_objects_and_functions() -> None:
    constant = ConstantPlanner(3)
    assert as_planner(constant) is constant
    wrapped = as_planner(level_stake)
    assert isinstance(wrapped, FunctionPlanner)
    assert wrapped.function is level_stake


class ActsOnly:
    def act(self, observations: Array) -> None:
        pass

    def __call__(self, observation: Array) -> int:
        return 0


@pytest.mark.parametrize("given", [3, "constant", None, ConstantPlanner, ActsOnly()])
def test_as_planner_refuses_anything_else(given: object) -> None:
    with pytest.raises(ValueError, match="must be a planner object or a function of an observation"):
        as_planner(given)
