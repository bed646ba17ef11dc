"""A decision tree as a planner: what it plays, in any batch and as data, and trees that are none."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from ermas_envs import EnvironmentSpec, augmented_bimatrix_v0, toll_v0
from ermas_envs.oracles import evaluate
from ermas_envs.planners import FunctionPlanner, TreePlanner
from ermas_envs.testing import check_planner

BY_LEVEL = {
    "entry": 3,  # agent_0 at its highest level
    "at_most": 0.5,
    "then": {"entry": 8, "at_most": 0.5, "then": {"action": 1}, "otherwise": {"action": 2}},
    "otherwise": {"action": 5},
}


def by_level(observation: Any) -> int:
    if observation[3] > 0.5:
        return 5
    return 2 if observation[8] > 0.5 else 1


def make_batch(num_envs: int, planner: Any) -> Any:
    return augmented_bimatrix_v0.batched_env(num_envs, planner=planner)


def leaf(*numbers: float) -> dict[str, Any]:
    return {"action": list(numbers)}


def test_it_is_a_planner() -> None:
    check_planner(TreePlanner(BY_LEVEL), make_batch)


def test_it_plays_what_the_tree_says_exactly_too() -> None:
    """Exact payoffs are those of the same rule as a function, for agents that walk up."""
    games = [make_batch(1, planner).tabular_game() for planner in (TreePlanner(BY_LEVEL), FunctionPlanner(by_level))]
    up = np.zeros((games[0].horizon, 16, 3))
    up[..., 2] = 1.0
    values = [evaluate(game, {"agent_0": up, "agent_1": up})["planner"] for game in games]
    assert values[0] == values[1]


def test_a_number_at_the_bound_belongs_to_then_in_float64() -> None:
    """0.1 in float32 is above 0.1; 0.5 is 0.5."""
    tree = {"entry": 0, "at_most": 0.1, "then": leaf(0.0), "otherwise": leaf(1.0)}
    planner = TreePlanner(tree)
    planner.bind(spaces.Box(0.0, 1.0, (1,), np.float32), spaces.Box(0.0, 1.0, (1,), np.float32))
    seen = np.array([[0.1], [0.05]], dtype=np.float32)
    assert planner.act(seen, np.empty((2, 0)), None).ravel().tolist() == [1.0, 0.0]
    half = TreePlanner({**tree, "at_most": 0.5})
    half.bind(spaces.Box(0.0, 1.0, (1,), np.float32), spaces.Box(0.0, 1.0, (1,), np.float32))
    assert half.act(np.array([[0.5]], np.float32), np.empty((1, 0)), None).tolist() == [[0.0]]


def test_it_is_data() -> None:
    spec = EnvironmentSpec(
        toll_v0.NAME,
        {"tolled": [1], "toll_levels": 21, "planner": {"name": "tree", "tree": {"action": [13]}}},
    )
    env = spec(3)
    env.reset(0)
    env.step({agent: np.zeros(3, np.int64) for agent in env.agents})
    assert env.engine.tolls[:, 1].tolist() == pytest.approx([0.65] * 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({}, "a leaf has 'action'"),
        ("up", "a leaf has 'action'"),
        ({"action": 1, "entry": 0}, "a leaf has 'action'"),
        ({**BY_LEVEL, "entry": -1}, "tree: entry must be an integer >= 0"),
        ({**BY_LEVEL, "at_most": float("nan")}, "tree: at_most must be a finite number"),
        ({**BY_LEVEL, "entry": 9}, "tree: entry must be at most 8"),
        ({"action": 7}, r"tree: action must lie in Discrete\(7\), got 7"),
        ({"action": 1.5}, r"tree: action must lie in Discrete\(7\), got 1.5"),
        ({"action": [1, [2]]}, r"tree: action must lie in Discrete\(7\)"),
        ({"action": "1"}, r"tree: action must lie in Discrete\(7\)"),
    ],
)
def test_bad_trees(tree: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_batch(1, TreePlanner(tree))


def test_too_deep_a_tree_is_refused_before_python_gives_up() -> None:
    tree: dict[str, Any] = {"action": 0}
    for _ in range(10_000):
        tree = {"entry": 0, "at_most": 0.5, "then": tree, "otherwise": {"action": 1}}
    with pytest.raises(ValueError, match="at most 64 splits"):
        TreePlanner(tree)


def test_observations_must_be_an_array() -> None:
    with pytest.raises(ValueError, match="needs observations that are arrays of numbers"):
        TreePlanner({"action": 0}).bind(spaces.Dict({}), spaces.Discrete(2))


@pytest.mark.parametrize(
    ("space", "last"),
    [(spaces.Discrete(14), 0), (spaces.MultiDiscrete([3, 4]), 1), (spaces.MultiBinary([2, 2]), 3)],
)
def test_whole_numbers_are_entries_too(space: spaces.Space[Any], last: int) -> None:
    tree = {"entry": last, "at_most": 0.5, "then": {"action": 2}, "otherwise": {"action": 3}}
    planner = TreePlanner(tree)
    planner.bind(space, spaces.Discrete(4))
    seen = np.stack([space.sample() for _ in range(20)])
    expected = np.where(seen.reshape(20, -1)[:, last] <= 0.5, 2, 3)
    np.testing.assert_array_equal(planner.act(seen, np.empty((20, 0)), None), expected)
    with pytest.raises(ValueError, match=f"entry must be at most {last}"):
        TreePlanner({**tree, "entry": last + 1}).bind(space, spaces.Discrete(4))
