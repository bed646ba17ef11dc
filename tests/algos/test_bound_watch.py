"""A run says where its bound is not kept: regret above ε for long, λ at a limit for long."""

from typing import Any

import numpy as np
import pytest

from ermas_algos.algorithms.bound_watch import WINDOW, BoundWatch
from ermas_algos.algorithms.multipliers import MultiplierConfig


def watched(regrets: Any, multipliers: Any, scale: float = 1.0, **config: Any) -> BoundWatch:
    watch = BoundWatch({"agent_0": 0.1 * scale}, MultiplierConfig(**config))
    for regret, multiplier in zip(regrets, multipliers, strict=True):
        watch.observe({"agent_0": regret}, {"agent_0": multiplier}, {"agent_0": scale})
    return watch


def test_nothing_is_said_where_the_bound_is_kept() -> None:
    rng = np.random.default_rng(0)
    assert watched(0.1 + rng.normal(0, 0.02, 200), np.full(200, 3.0)).notices() == []


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_regret_above_epsilon_is_said_once_the_window_is_full(scale: float) -> None:
    assert watched([0.15 * scale] * (WINDOW - 1), [3.0] * (WINDOW - 1), scale).notices() == []
    (notice,) = watched([0.15 * scale] * WINDOW, [3.0] * WINDOW, scale).notices()
    assert notice == (
        f"agent_0: regret has stayed above ε = {0.1 * scale:g}, at {0.15 * scale:.3g} on average over the last "
        f"{WINDOW} iterations."
    )


def test_a_single_peak_is_not_said() -> None:
    assert watched([0.1] * WINDOW + [0.5] + [0.1] * 3, [3.0] * (WINDOW + 4)).notices() == []


@pytest.mark.parametrize(("limit", "words"), [(20.0, "its maximum 20"), (0.0, "0 (ε does not bind")])
def test_a_multiplier_at_a_limit_is_said(limit: float, words: str) -> None:
    assert watched([0.1] * WINDOW, [3.0] + [limit] * (WINDOW - 1)).notices() == []
    (notice,) = watched([0.1] * (WINDOW + 5), [3.0] * 5 + [limit] * WINDOW).notices()
    assert notice.startswith(f"agent_0: λ has stood at {words}")
    assert f"for {WINDOW} iterations" in notice


def test_going_from_one_limit_to_the_other_starts_anew() -> None:
    values = [0.0] * (WINDOW - 1) + [20.0] * (WINDOW - 1)
    watch = watched([0.1] * len(values), values)
    assert watch.notices() == []
    assert watch.metrics()["multiplier_at_limit/agent_0"] == WINDOW - 1


def test_a_frozen_multiplier_stands_where_it_was_put() -> None:
    frozen = {"initial": 0.0, "step_size": 0.0, "proportional": 0.0}
    assert watched([0.1] * WINDOW, [0.0] * WINDOW, **frozen).notices() == []


def test_the_worst_of_several_seeds_counts() -> None:
    notices = watched([np.array([0.05, 0.2])] * WINDOW, [np.array([3.0, 20.0])] * WINDOW).notices()
    assert len(notices) == 2


def test_it_goes_on_from_its_state() -> None:
    first = watched([0.2] * 30, [20.0] * 30)
    again = BoundWatch({"agent_0": 0.1}, MultiplierConfig())
    again.load_state(first.state())
    for watch in (first, again):
        for _ in range(20):
            watch.observe({"agent_0": 0.2}, {"agent_0": 20.0}, {"agent_0": 1.0})
    assert again.notices() == first.notices()
    assert len(again.notices()) == 2
    assert again.metrics() == first.metrics()


@pytest.mark.parametrize(
    "change",
    [
        {"excess": {"agent_0": [float("nan")]}},
        {"excess": {}},
        {"excess": {"agent_0": {}}},
        {"excess": {"agent_0": [0.0] * (WINDOW + 1)}},
        {"at_limit": {"agent_0": -1}},
        {"at_limit": {"agent_0": 10**20}},
        {"limit": {"agent_0": "x"}},
        {"scales": {"agent_1": 1.0}},
    ],
    ids=repr,
)
def test_a_saved_state_is_checked(change: dict[str, Any]) -> None:
    watch = BoundWatch({"agent_0": 0.1}, MultiplierConfig())
    with pytest.raises(ValueError, match="watch"):
        watch.load_state({**watch.state(), **change})
