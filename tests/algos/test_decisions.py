"""A planner that decides in some steps only: its rollout has its decisions, with what they earned."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_algos.algorithms.decisions import Decisions, decision_rollout, idle_actions
from ermas_algos.learners.protocol import Rollout
from ermas_algos.metrics_log import read_progress
from ermas_envs.base.arrays import Array, BoolArray


def rollout_of(
    acts: Array, rewards: Array, ended: Array, next_acts: Any = None, cut: Array | None = None
) -> Rollout | None:
    """The decisions of a game that shows its time and row: observations 10·row + step, actions their negatives."""
    acts, ended = np.asarray(acts, np.bool_), np.asarray(ended, np.bool_)
    steps, rows = acts.shape
    chosen = np.flatnonzero(acts.any(axis=1))
    seen = (10.0 * np.arange(rows) + np.arange(steps + 1)[:, None])[..., None]
    following = np.ones(rows, np.bool_) if next_acts is None else np.asarray(next_acts, np.bool_)
    return decision_rollout(
        Decisions(chosen, acts[chosen], following),
        observations=seen[[*chosen, steps]],
        actions=-seen[chosen],
        action_masks=np.ones((len(chosen), rows, 2), np.bool_),
        rewards=np.asarray(rewards, float),
        ended=ended,
        cut=cut,
        final_observations=None if cut is None else 1000.0 + seen[:-1],
    )


def by_hand(
    acts: BoolArray, rewards: Array, ended: BoolArray, next_acts: BoolArray, row: int
) -> list[tuple[int, float, bool]]:
    """(step, sum of rewards, whether the episode ended) of each whole decision of a row, one step after the other."""
    found: list[tuple[int, float, bool]] = []
    open_step, total = None, 0.0
    for step in range(len(acts)):
        if acts[step, row]:
            if open_step is not None:
                found.append((open_step, total, False))
            open_step, total = step, 0.0
        if open_step is not None:
            total += rewards[step, row]
        if ended[step, row]:
            if open_step is not None:
                found.append((open_step, total, True))
            open_step = None
    if open_step is not None and next_acts[row]:
        found.append((open_step, total, False))
    return found


@st.composite
def plays(draw: st.DrawFn) -> tuple[BoolArray, Array, BoolArray, BoolArray]:
    steps, rows = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    bits = st.lists(st.booleans(), min_size=steps * rows, max_size=steps * rows)
    acts = np.array(draw(bits)).reshape(steps, rows)
    if draw(st.booleans()):
        acts = np.broadcast_to(acts[:, :1], acts.shape).copy()
    ended = np.array(draw(bits)).reshape(steps, rows) & np.array(draw(bits)).reshape(steps, rows)
    rewards = np.array(draw(st.lists(st.integers(-9, 9), min_size=steps * rows, max_size=steps * rows)), float)
    following = np.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    return acts, rewards.reshape(steps, rows), ended, following


@settings(max_examples=300, deadline=None)
@given(plays())
def test_decisions_are_those_found_one_step_after_the_other(
    play: tuple[BoolArray, Array, BoolArray, BoolArray],
) -> None:
    acts, rewards, ended, following = play
    rows = acts.shape[1]
    expected = [by_hand(acts, rewards, ended, following, row) for row in range(rows)]
    found = rollout_of(acts, rewards, ended, following)
    if not any(expected):
        assert found is None
        return
    assert found is not None
    steps = found.rewards.shape[0]
    if found.rewards.shape[1] == rows and all(len(decisions) == steps for decisions in expected):
        for row, decisions in enumerate(expected):
            assert found.observations[:, row, 0].tolist() == [10.0 * row + step for step, _, _ in decisions]
            assert found.rewards[:, row].tolist() == [total for _, total, _ in decisions]
            assert found.ended[:, row].tolist() == [over for _, _, over in decisions]
    else:  # ragged: one row
        everything = [(row, *decision) for row, decisions in enumerate(expected) for decision in decisions]
        assert found.observations[:, 0, 0].tolist() == [10.0 * row + step for row, step, _, _ in everything]
        assert found.rewards[:, 0].tolist() == [total for _, _, total, _ in everything]
        assert found.bootstrapped is not None
        last = [row != after[0] for (row, *_), after in zip(everything, [*everything[1:], (-1,)], strict=True)]
        over = [bool(decision[3]) for decision in everything]
        assert found.ended[:, 0].tolist() == [a or b for a, b in zip(last, over, strict=True)]
        assert found.bootstrapped[:, 0].tolist() == [a and not b for a, b in zip(last, over, strict=True)]
    assert np.array_equal(found.actions, -found.observations)
    assert found.action_masks is not None
    assert found.action_masks.shape == (*found.rewards.shape, 2)


def test_every_third_step_with_whole_episodes() -> None:
    acts = np.zeros((6, 2))
    acts[[0, 3]] = 1
    ended = np.zeros((6, 2))
    ended[5] = 1
    found = rollout_of(acts, np.arange(12.0).reshape(6, 2), ended)
    assert found is not None
    assert found.rewards.tolist() == [[0 + 2 + 4, 1 + 3 + 5], [6 + 8 + 10, 7 + 9 + 11]]
    assert found.ended.tolist() == [[False, False], [True, True]]
    assert found.observations[..., 0].tolist() == [[0, 10], [3, 13]]
    assert found.bootstrapped is None


def test_what_comes_before_an_episodes_first_decision_belongs_to_none() -> None:
    acts, ended = [[0], [1], [0], [0], [1], [0]], [[0], [0], [1], [0], [0], [0]]
    found = rollout_of(acts, [[1], [2], [4], [8], [16], [32]], ended)
    assert found is not None
    assert found.rewards.tolist() == [[6], [48]]
    assert found.ended.tolist() == [[True], [False]]


def test_an_unfinished_decision_is_what_the_one_before_is_bootstrapped_from() -> None:
    found = rollout_of([[1], [0], [1], [0]], [[1], [2], [4], [8]], np.zeros((4, 1)), next_acts=[False])
    assert found is not None
    assert found.rewards.tolist() == [[3]]
    assert found.last_observations.tolist() == [[2.0]]
    whole = rollout_of([[1], [0], [1], [0]], [[1], [2], [4], [8]], np.zeros((4, 1)), next_acts=[True])
    assert whole is not None
    assert whole.rewards.tolist() == [[3], [12]]
    assert whole.last_observations.tolist() == [[4.0]]


def test_a_time_limit_within_a_period_is_bootstrapped_from_what_was_seen_there() -> None:
    ended = np.array([[0], [1], [0], [0]])
    found = rollout_of([[1], [0], [1], [0]], np.ones((4, 1)), ended, cut=ended.astype(bool))
    assert found is not None
    assert found.ended.tolist() == [[True], [False]]
    assert found.bootstrapped is not None
    assert found.bootstrapped.tolist() == [[True], [False]]
    assert found.bootstrap_observations is not None
    assert found.bootstrap_observations[0].tolist() == [[1001.0]]


def test_no_decision_is_no_rollout() -> None:
    assert rollout_of(np.zeros((3, 2)), np.ones((3, 2)), np.zeros((3, 2))) is None
    assert rollout_of([[1]], [[1]], [[0]], next_acts=[False]) is None


@pytest.mark.parametrize(
    ("space", "masks", "expected"),
    [
        (spaces.Discrete(3, start=2), [[0, 1, 1], [1, 0, 0]], [3, 2]),
        (spaces.MultiDiscrete([2, 3]), [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]], [[1, 0], [0, 2]]),
        (spaces.Box(1.0, 2.0, (2,)), None, [[1, 1], [1, 1]]),
        (spaces.Discrete(3, start=-1), None, [-1, -1]),
        (spaces.MultiDiscrete([2, 3], start=[4, 5]), None, [[4, 5], [4, 5]]),
    ],
    ids=str,
)
def test_idle_actions_are_what_masks_leave(space: Any, masks: Any, expected: Any) -> None:
    found = idle_actions(space, None if masks is None else np.array(masks, np.bool_), 2)
    assert found.tolist() == expected
    assert all(space.contains(action) for action in found.astype(space.dtype))


def test_a_training_goes_on_where_the_planner_has_nothing_to_decide(tmp_path: Any) -> None:
    """Its columns are those of the first row; a planner that does not learn in an iteration has NaN there."""
    from helpers.crowd import crowd

    from ermas_algos import MARL, MARLConfig

    make = crowd(2)

    def now_and_then(num_envs: int) -> Any:
        env = make(num_envs)
        env.engine.planner_acts = lambda: np.full(num_envs, env.engine.time == 0 and len(told) != 1)
        return env

    told: list[Any] = []
    trainer = MARL(now_and_then, MARLConfig(num_envs=4))
    trainer.learn(3, tmp_path, progress=lambda _, metrics: told.append(metrics))
    rows = read_progress(tmp_path / "progress.csv")
    column = "train/planner/loss"
    assert [np.isnan(row[column]) for row in rows] == [False, True, False]
    assert column not in told[1]
