"""Action noise: how often and to what an action is changed, streams, what hooks see, bad input."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from ermas_envs import augmented_bimatrix_v0, batched_env, bimatrix_v0
from ermas_envs.planners import ConstantPlanner


class Recorder:
    """A perturbation of nothing that remembers the actions it saw."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def bind(self, game: Any, num_envs: int) -> None:
        self.agents = game.agents

    def __call__(self, transition: Any) -> dict[str, Any]:
        self.seen.append({agent: transition.actions[agent].copy() for agent in self.agents})
        return {}

    def tabular(self, game: Any) -> None:
        return None


def executed(num_envs: int, noise: float, steps: int = 5, seed: int = 1) -> Any:
    """Executed actions (steps, agents, num_envs) and masks of agents that always intend to stay, action 1."""
    recorder = Recorder()
    env = bimatrix_v0.batched_env(num_envs, planner=ConstantPlanner(0), perturbation=recorder, action_noise=noise)
    seen, masks = env.reset(seed), []
    for _ in range(steps):
        masks.append([seen.action_masks[agent] for agent in env.agents])
        seen = env.step({agent: np.ones(num_envs, dtype=np.int64) for agent in env.agents})
    return np.array([[step[agent] for agent in env.agents] for step in recorder.seen]), np.array(masks)


def test_an_action_slips_with_the_probability_given_to_all_allowed_actions_alike() -> None:
    """χ² tests at a false-alarm rate of 1e-4 each, of the 10 000 first actions, by the number of allowed actions."""
    actions, masks = executed(10_000, 0.3, steps=1)
    for agent in (0, 1):
        for allowed in ([True, True, True], [True, True, False], [False, True, True]):
            rows = (masks[0, agent] == allowed).all(axis=1)
            counts = np.bincount(actions[0, agent][rows], minlength=3)
            share = 0.3 / np.sum(allowed)
            expected = np.where(allowed, share, 0.0) + np.array([0.0, 0.7, 0.0])
            assert counts[~np.array(allowed)].sum() == 0
            kept = np.array(allowed)
            assert stats.chisquare(counts[kept], expected[kept] * counts.sum()).pvalue > 1e-4


def test_no_noise_changes_no_action_and_full_noise_ignores_the_intention() -> None:
    assert (executed(100, 0.0)[0] == 1).all()
    actions, _ = executed(3000, 1.0)
    assert 0.2 < (actions == 1).mean() < 0.5


def test_replica_k_does_not_depend_on_the_number_of_replicas() -> None:
    np.testing.assert_array_equal(executed(7, 0.5)[0], executed(50, 0.5)[0][..., :7])


def test_noise_has_a_stream_of_its_own() -> None:
    """Start cells are the same with and without it."""
    plain, noisy = (bimatrix_v0.batched_env(20, action_noise=noise) for noise in (0.0, 0.5))
    for role, values in plain.reset(3).observations.items():
        np.testing.assert_array_equal(values, noisy.reset(3).observations[role])


def test_the_planner_does_not_tremble() -> None:
    env = augmented_bimatrix_v0.batched_env(50, action_noise=1.0)
    env.reset(0)
    step = env.step({role: np.full(50, 0 if role == "planner" else 1) for role in env.possible_agents})
    assert (step.payoffs["planner"] == 0.0).all()  # a = 0 earns 0


def test_games_with_noise_have_no_tables() -> None:
    assert bimatrix_v0.batched_env(1, action_noise=0.1).tabular_game() is None
    assert bimatrix_v0.batched_env(1).tabular_game() is not None


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan"), "much"])
def test_bad_noise(bad: Any) -> None:
    with pytest.raises(ValueError, match="action_noise must be a finite number >= 0 and <= 1"):
        batched_env("bimatrix_v0", 1, action_noise=bad)
