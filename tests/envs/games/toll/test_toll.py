"""The toll game: conformance, one drive by hand, properties of all drives, hooks, pictures, refused input."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_envs import EnvironmentSpec, batched_env, toll_v0
from ermas_envs.games.toll.latency import Polynomial
from ermas_envs.games.toll.settings import TollSettings
from ermas_envs.perturbations import ValueOfTime
from ermas_envs.planners import ConstantPlanner, FunctionPlanner
from ermas_envs.testing import check_environment, check_perturbation, check_planner
from ermas_envs.testing.actions import BatchActionSource

GRID: dict[str, Any] = {
    "roads": "three_roads",
    "num_drivers": 5,
    "drives": 3,
    "periods": 2,
    "tolled": [0, 2],
    "toll_levels": 5,
    "value_of_time": [0.5, 1.0, 1.0, 2.0, 2.0],
    "drivers_see_loads": True,
}


def play(steps: int = 12, num_envs: int = 4, **arguments: Any) -> list[Any]:
    """Results of random steps."""
    batch = batched_env("toll_v0", num_envs, **arguments)
    source = BatchActionSource(batch, list(range(num_envs)))
    seen: Any = batch.reset(7)
    results = []
    for _ in range(steps):
        seen = batch.step(source.draw(seen))
        results.append(seen)
    return results


@pytest.mark.parametrize("arguments", [{"num_drivers": 3}, GRID], ids=["box", "grid"])
def test_it_passes_every_check(arguments: dict[str, Any]) -> None:
    faces: dict[str, Any] = {
        "batched_env": partial(toll_v0.batched_env, **arguments),
        "parallel_env": partial(toll_v0.parallel_env, **arguments),
    }
    check_environment(SimpleNamespace(**faces))


def test_a_drive_by_hand() -> None:
    """Four drivers on a road of latency 1 and one of 4x²; two values of time; a toll of .3 on the second."""
    roads = [Polynomial([1.0]), Polynomial([0.0, 0.0, 4.0])]
    env = toll_v0.batched_env(1, roads=roads, num_drivers=4, drives=2, value_of_time=[1.0, 1.0, 1.0, 2.0])
    seen = env.reset(0)
    assert seen.planner_acts is not None
    assert seen.planner_acts.tolist() == [True]
    assert seen.action_masks["agent_3"].tolist() == [[True, False]]
    idle = {agent: np.array([0]) for agent in env.agents}
    announced = env.step({**idle, "planner": np.array([[0.0, 0.3]], np.float32)})
    assert all(announced.payoffs[role].tolist() == [0.0] for role in (*env.agents, "planner"))
    np.testing.assert_allclose(announced.observations["agent_3"], [[1 / 3, 0.0, 0.3, 1.0]], rtol=1e-6)
    np.testing.assert_allclose(announced.observations["agent_0"], [[1 / 3, 0.0, 0.3, 0.5]], rtol=1e-6)
    choices = {agent: np.array([road]) for agent, road in zip(env.agents, (0, 1, 1, 1), strict=True)}
    driven = env.step({**choices, "planner": np.array([[1.0, 1.0]], np.float32)})  # too late to be heard
    latency = 4 * 0.75**2
    expected = [-1.0, -latency - 0.3, -latency - 0.3, -2 * latency - 0.3]
    np.testing.assert_allclose([driven.payoffs[agent][0] for agent in env.agents], expected, rtol=1e-6)
    np.testing.assert_allclose(driven.payoffs["planner"], [-(1.0 + 3 * latency) / 4])
    np.testing.assert_allclose(
        driven.observations["planner"], [[2 / 3, 0, 0.3, 0.25, 0.75, (1 + 3 * latency) / 16]], rtol=1e-6
    )
    last = env.step({**choices, "planner": np.zeros((1, 2), np.float32)})
    assert last.truncated.tolist() == [True]
    assert last.final_metrics is not None
    np.testing.assert_allclose(last.final_metrics["mean_latency"], [(1 + 3 * latency) / 4])
    np.testing.assert_allclose(last.final_metrics["toll_revenue"], [0.3 * 0.75], rtol=1e-6)
    np.testing.assert_allclose(last.final_metrics["load/1"], [0.75])
    np.testing.assert_allclose(last.final_metrics["toll/1"], [0.3], rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 7), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**31))
def test_payoffs_follow_from_who_is_where(drivers: int, drives: int, periods: int, seed: int) -> None:
    """The rules in plain Python, over whole episodes of random play."""
    env = toll_v0.batched_env(2, roads="three_roads", num_drivers=drivers, drives=drives, periods=periods)
    roads, generator = TollSettings(roads="three_roads").network, np.random.default_rng(seed)
    env.reset(seed)
    for step in range(env.horizon):
        choices = generator.integers(3, size=(2, drivers))
        chosen = generator.random((2, 3)).astype(np.float32)
        result = env.step({**{a: choices[:, k] for k, a in enumerate(env.agents)}, "planner": chosen})
        if step % (1 + drives) == 0:
            tolls = chosen
        for replica in range(2):
            latency = [float(road.at(np.array((choices[replica] == k).mean()))) for k, road in enumerate(roads)]
            driving = step % (1 + drives) > 0
            for k, agent in enumerate(env.agents):
                road = choices[replica, k]
                cost = (latency[road] + tolls[replica, road]) if driving else 0.0
                assert result.payoffs[agent][replica] == pytest.approx(-cost, abs=1e-6)
            mean = np.mean([latency[road] for road in choices[replica]]) if driving else 0.0
            assert result.payoffs["planner"][replica] == pytest.approx(-mean)


def test_the_grid_has_the_tolls_between_nothing_and_the_largest() -> None:
    env = toll_v0.batched_env(1, tolled=[1], toll_levels=5, max_toll=2.0, num_drivers=1, drives=1)
    seen = env.reset(0)
    assert seen.action_masks["planner"].tolist() == [[True] * 5]
    after = env.step({"agent_0": np.array([0]), "planner": np.array([[3]])})
    assert after.action_masks["planner"].tolist() == [[True, False, False, False, False]]
    result = env.step({"agent_0": np.array([1]), "planner": np.array([[0]])})
    assert result.payoffs["agent_0"].tolist() == [-1.0 - 1.5]  # one driver is all of the load


@pytest.mark.parametrize("value", [0.5, 2.0, [0.5, 1.0, 3.0]], ids=repr)
def test_the_gap_makes_rewards_those_of_the_other_value_of_time(value: Any) -> None:
    other = play(num_drivers=3, value_of_time=value)
    gap = play(num_drivers=3, perturbation=ValueOfTime(value))
    home = play(num_drivers=3)
    for changed, expected, unchanged in zip(gap, other, home, strict=True):
        for agent in ("agent_0", "agent_1", "agent_2"):
            np.testing.assert_allclose(changed.rewards[agent], expected.payoffs[agent], atol=1e-12)
            np.testing.assert_array_equal(changed.payoffs[agent], unchanged.payoffs[agent])


def test_hooks_pass_their_checks() -> None:
    check_perturbation(
        partial(ValueOfTime, 0.5),
        lambda num_envs, perturbation: batched_env("toll_v0", num_envs, perturbation=perturbation),
    )
    make = partial(toll_v0.batched_env, **{**GRID, "drives": 1})

    def more_where_it_is_full(observation: Any) -> list[int]:
        return [int(4 * observation[4]), int(4 * observation[6])]

    check_planner(FunctionPlanner(more_where_it_is_full), lambda num_envs, planner: make(num_envs, planner=planner))


def test_hooks_and_roads_as_data() -> None:
    roads = [{"kind": "bpr", "free_flow": 1.0, "capacity": 0.5}, {"kind": "table", "values": [0.5, 1.0, 3.0]}]
    spec = EnvironmentSpec(
        "toll_v0",
        {
            "roads": roads,
            "planner": {"name": "constant", "action": [0.0, 0.5]},
            "perturbation": {"name": "value_of_time", "value": 0.5},
            "action_noise": 0.1,
        },
    )
    env = spec(3)
    env.reset(0)
    env.step({agent: np.zeros(3, np.int64) for agent in env.possible_agents})
    result = env.step({agent: np.zeros(3, np.int64) for agent in env.possible_agents})
    assert "planner" not in env.possible_agents
    assert (result.rewards["agent_0"] > result.payoffs["agent_0"]).all()


def test_a_gap_without_a_value_of_time_is_refused() -> None:
    with pytest.raises(ValueError, match="value_of_time: this game's agents have no value of time"):
        batched_env("bimatrix_v0", 2, perturbation=ValueOfTime(0.5))
    with pytest.raises(ValueError, match="value must be a number or 20 numbers, got 2"):
        batched_env("toll_v0", 2, perturbation=ValueOfTime([0.5, 1.0]))


def test_pictures_and_text() -> None:
    env = toll_v0.batched_env(1, num_drivers=10, drives=2, planner=ConstantPlanner(np.array([0.0, 0.6], np.float32)))
    env.reset(0)
    env.step({agent: np.array([0]) for agent in env.agents})
    env.step({agent: np.array([int(k < 7)]) for k, agent in enumerate(env.agents)})
    written, image = env.render(), env.render(mode="rgb_array")
    assert isinstance(written, str)
    assert written.splitlines()[2].split() == ["0", "3", "1.000", "0.000"]
    assert written.splitlines()[3].split() == ["1", "7", "0.240", "0.600"]
    assert isinstance(image, np.ndarray)
    assert image.dtype == np.uint8
    blue, orange = ((image == colour).all(axis=-1).sum(axis=1) for colour in ((40, 120, 235), (225, 120, 45)))
    assert blue[90] > blue[130] > 0  # the first road is slower …
    assert orange[90] == 0 < orange[130]  # … and has no toll


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_drivers": 0}, "num_drivers must be an integer >= 1"),
        ({"drives": 0}, "drives must be an integer >= 1"),
        ({"periods": 500_000, "drives": 5}, "periods · \\(1 \\+ drives\\) must be at most 1000000"),
        ({"tolled": []}, "tolled must name at least one road"),
        ({"tolled": [1, 1]}, "each once"),
        ({"tolled": [2]}, "tolled must be at most 1"),
        ({"max_toll": 0.0}, "max_toll must be > 0"),
        ({"toll_levels": 1}, "toll_levels must be an integer >= 2"),
        ({"value_of_time": [1.0]}, "value_of_time must be a number or 20 numbers, got 1"),
        ({"value_of_time": -1.0}, "value_of_time must be a finite number >= 0"),
        ({"drivers_see_loads": 1}, "drivers_see_loads must be True or False"),
    ],
)
def test_refused_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        batched_env("toll_v0", 2, **arguments)
