"""A trained learner as a planner object: its policy, in any batch, in the game that it was trained for."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from ermas_algos import LearnedPlanner, SB3Learner, SB3LearnerConfig
from ermas_envs import augmented_bimatrix_v0
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.oracles import evaluate
from ermas_envs.testing import check_planner

BOX = spaces.Box(-0.1, 0.1, (2,), np.float32)


def game(num_envs: int = 1, **arguments: Any) -> EngineBatch:
    return augmented_bimatrix_v0.batched_env(num_envs, horizon=4, **arguments)


def planner(algorithm: str = "PPO", action_space: spaces.Space[Any] | None = None) -> LearnedPlanner:
    """A planner of `game` whose policy is far from uniform."""
    env = game()
    chosen = env.action_spaces["planner"] if action_space is None else action_space
    learner = SB3Learner(SB3LearnerConfig(algorithm), env.observation_spaces["planner"], chosen, 0)
    noise = np.random.default_rng(0).normal(size=learner.get_parameters().size)
    learner.set_parameters(noise.astype(np.float32))
    return LearnedPlanner(learner)


def test_bind_accepts_its_own_game() -> None:
    env = game(planner=planner())
    assert env.possible_agents == ("agent_0", "agent_1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"planner_observes": False},
            r"trained with observation space Box.*\(9,\).* the environment has Box.*\(1,\)",
        ),
        ({"max_action": 5}, r"trained with action space Discrete\(7\), the environment has Discrete\(6\)"),
    ],
)
def test_bind_refuses_another_game_by_name_of_the_space(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        game(planner=planner(), **arguments)


@pytest.mark.parametrize("algorithm", ["PPO", "MaskablePPO"])
def test_tabular_gives_the_learners_action_probabilities(algorithm: str) -> None:
    frozen = planner(algorithm)
    seen = np.random.default_rng(1).random((20, 9)).astype(np.float32)
    masks = np.ones((20, 7), dtype=bool)
    masks[:, 3] = False
    table = frozen.tabular(seen, masks)
    assert table is not None
    assert np.array_equal(table, frozen.learner.action_probabilities(seen, masks))
    np.testing.assert_allclose(table.sum(axis=1), 1.0)
    assert (table[:, 3] == 0).all() == (algorithm == "MaskablePPO")
    assert table.std() > 0.05


def test_tabular_is_none_where_actions_are_not_discrete() -> None:
    assert planner(action_space=BOX).tabular(np.zeros((1, 9), np.float32), None) is None


def test_tabular_makes_the_game_with_the_planner_inside_exact() -> None:
    """Value of the game with the planner inside = value with it outside, given its table as a policy."""
    outside, inside = game().tabular_game(), game(planner=planner()).tabular_game()
    assert outside is not None
    assert inside is not None
    moves = {agent: np.full((4, 16, 3), 1 / 3) for agent in ("agent_0", "agent_1")}
    seen = outside.observations["planner"]
    table = planner().learner.action_probabilities(seen.reshape(-1, 9)).reshape(4, 16, 7)
    assert evaluate(inside, moves) == pytest.approx(evaluate(outside, {**moves, "planner": table}))


def test_frequencies_on_a_grid_of_noise_are_the_tabular_probabilities() -> None:
    frozen, rows = planner(), 7000
    seen = np.tile(np.random.default_rng(1).random(9).astype(np.float32), (rows, 1))
    chosen = frozen.act(seen, (np.arange(rows) + 0.5)[:, None] / rows, None)
    table = frozen.tabular(seen[:1], None)
    assert table is not None
    np.testing.assert_allclose(np.bincount(chosen, minlength=7) / rows, table[0], atol=2 / rows)


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_the_size_of_the_batch_does_not_change_a_rows_action(size: int) -> None:
    """An action flips only if its noise falls between two roundings of one probability, about 1e-7 each.

    The 512 decisions make that 5e-5 for a new machine or seed.
    """
    frozen, rng = planner(), np.random.default_rng(2)
    seen, noise = rng.random((128, 9)).astype(np.float32), rng.random((128, 1))
    whole = frozen.act(seen, noise, None)
    parts = [frozen.act(seen[k : k + size], noise[k : k + size], None) for k in range(0, 128, size)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert len(np.unique(whole)) > 3


def test_box_actions_are_clipped_to_the_box() -> None:
    frozen, rng = planner(action_space=BOX), np.random.default_rng(0)
    seen, noise = rng.random((200, 9)).astype(np.float32), rng.random((200, 2))
    raw = frozen.learner.act(seen, noise)
    assert np.abs(raw).max() > 0.1
    assert np.array_equal(frozen.act(seen, noise, None), np.clip(raw, -0.1, 0.1).astype(np.float32))


@pytest.mark.parametrize("algorithm", ["PPO", "MaskablePPO"])
def test_conforms(algorithm: str) -> None:
    """Masks that are views with negative strides among them."""

    def make_batch(num_envs: int, chosen: Any) -> EngineBatch:
        return game(num_envs, planner=chosen)

    check_planner(planner(algorithm), make_batch)
