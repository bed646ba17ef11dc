"""The planner hook: constant planners, planners that use their own randomness, and what the faces show of them."""

import numpy as np
import pytest
from gymnasium import spaces

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.arrays import Array, BoolArray, FloatArray
from ermas_envs.oracles import evaluate
from ermas_envs.planners import ConstantPlanner, planner_registry
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
