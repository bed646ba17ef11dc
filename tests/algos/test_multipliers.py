"""Lagrange multipliers: closed forms of projected ascent and PID control, bounds, no wind-up, batches, state."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_algos.algorithms.multipliers import MultiplierConfig, Multipliers

ASCENT = MultiplierConfig(initial=1.0, step_size=2.0, proportional=0.0, derivative=0.0, maximum=3.0)
PID = MultiplierConfig(initial=2.0, step_size=0.5, proportional=3.0, derivative=4.0, maximum=5.0)

regrets = st.floats(-10.0, 10.0)
gains = st.floats(0.0, 100.0)


def multipliers(config: MultiplierConfig, epsilon: float = 0.1) -> Multipliers:
    return Multipliers(config, {"agent_0": epsilon})


def path(found: Multipliers, regret: list[Any]) -> list[Any]:
    """λ of agent_0 after each update."""
    values = []
    for value in regret:
        found.update({"agent_0": value})
        values.append(found.values["agent_0"])
    return values


def test_starts_at_lambda_0_for_every_agent() -> None:
    assert Multipliers(ASCENT, {"agent_0": 0.1, "agent_1": 0.2}).values == {"agent_0": 1.0, "agent_1": 1.0}


@given(st.lists(regrets, min_size=1, max_size=20), st.floats(0.0, 1.0))
def test_projected_ascent_is_clip_of_lambda_plus_step_times_violation(regret: list[float], epsilon: float) -> None:
    value, expected = ASCENT.initial, []
    for found in regret:
        value = min(max(value + ASCENT.step_size * (found - epsilon), 0.0), ASCENT.maximum)
        expected.append(value)
    assert path(multipliers(ASCENT, epsilon), regret) == pytest.approx(expected, abs=1e-12)


def test_projected_ascent_leaves_both_bounds_at_once() -> None:
    assert path(multipliers(ASCENT, 0.0), [100.0, -0.5, -100.0, 0.5]) == [3.0, 2.0, 0.0, 1.0]


def test_pid_closed_form() -> None:
    # v = .1, .3, .2; I = 2.05, 2.2, 2.3; rise = 0, .2, 0; λ = I + 3 v + 4 rise
    expected = [2.05 + 0.3, 2.2 + 0.9 + 0.8, 2.3 + 0.6]
    assert path(multipliers(PID, 0.1), [0.2, 0.4, 0.3]) == pytest.approx(expected)


def test_derivative_counts_increases_only_and_not_at_the_first_update() -> None:
    derivative = MultiplierConfig(initial=1.0, step_size=0.0, proportional=0.0, derivative=1.0, maximum=9.0)
    assert path(multipliers(derivative, 0.0), [1.0, 3.0, 2.0, 2.5]) == [1.0, 3.0, 1.0, 1.5]


@pytest.mark.parametrize(("violation", "bound"), [(10.0, PID.maximum), (-10.0, 0.0)])
def test_no_wind_up(violation: float, bound: float) -> None:
    """However long λ was clipped, it answers a small violation as if it had never been."""
    back = -0.1 if violation > 0 else 0.1
    found = multipliers(replace(PID, derivative=0.0), 0.0)
    assert path(found, [violation] * 1000) == [bound] * 1000
    # The integral still is λ_0 = 2: it stood still.
    assert path(found, [back]) == pytest.approx([2.0 + 0.5 * back + 3.0 * back])


@given(
    st.builds(
        MultiplierConfig,
        initial=st.floats(0.0, 5.0),
        step_size=gains,
        proportional=gains,
        derivative=gains,
        maximum=st.floats(5.0, 50.0),
    ),
    st.lists(regrets, min_size=1, max_size=30),
    st.floats(0.0, 1.0),
)
@settings(max_examples=300)
def test_lambda_and_its_integral_stay_within_the_bounds(
    config: MultiplierConfig, regret: list[float], epsilon: float
) -> None:
    found = multipliers(config, epsilon)
    for value in regret:
        found.update({"agent_0": value})
        assert 0.0 <= found.values["agent_0"] <= config.maximum
        assert 0.0 <= found.integral["agent_0"] <= config.maximum


def test_frozen_when_all_gains_are_zero() -> None:
    frozen = MultiplierConfig(initial=1.5, step_size=0.0, proportional=0.0, derivative=0.0)
    assert path(multipliers(frozen), [100.0, -100.0, 0.3]) == [1.5] * 3


def test_every_agent_has_its_own_epsilon_and_regret() -> None:
    found = Multipliers(ASCENT, {"agent_0": 0.1, "agent_1": 0.5})
    found.update({"agent_0": 0.3, "agent_1": 0.3})
    assert found.values == pytest.approx({"agent_0": 1.4, "agent_1": 0.6})


@given(st.lists(regrets, max_size=8), st.lists(regrets, min_size=1, max_size=8))
def test_state_goes_through_json_and_goes_on_exactly(before: list[float], after: list[float]) -> None:
    original, restored = multipliers(PID), multipliers(PID)
    path(original, before)
    restored.load_state(json.loads(json.dumps(original.state())), 1)
    assert restored.values == original.values
    assert path(restored, after) == path(original, after)


# One regret per seed

batches = st.tuples(regrets, regrets, regrets).map(np.array)
configs = st.sampled_from([ASCENT, PID, MultiplierConfig()])


@given(configs, st.lists(batches, min_size=1, max_size=10))
def test_seeds_of_a_batch_move_as_if_alone(config: MultiplierConfig, regret: list[Any]) -> None:
    together = path(multipliers(config), regret)
    assert {value.shape for value in together} == {(3,)}
    for k in range(3):
        assert [value[k] for value in together] == path(multipliers(config), [float(value[k]) for value in regret])


@given(configs, st.lists(batches, max_size=6), st.lists(batches, min_size=1, max_size=6))
def test_state_of_a_batch_goes_through_json_and_goes_on_exactly(
    config: MultiplierConfig, before: list[Any], after: list[Any]
) -> None:
    original, restored = multipliers(config), multipliers(config)
    path(original, before)
    restored.load_state(json.loads(json.dumps(original.state())), 3)
    np.testing.assert_array_equal(restored.values["agent_0"], original.values["agent_0"])
    np.testing.assert_array_equal(path(restored, after), path(original, after))


def test_values_are_floats_without_a_batch_and_arrays_with_one() -> None:
    alone, together = multipliers(PID), multipliers(PID)
    alone.update({"agent_0": 0.3})
    together.update({"agent_0": np.array([0.3, 0.4])})
    assert isinstance(alone.values["agent_0"], float)
    assert isinstance(together.values["agent_0"], np.ndarray)


def test_state_is_a_copy() -> None:
    original = multipliers(PID)
    path(original, [0.3])
    state, kept = original.state(), json.dumps(original.state())
    restored = multipliers(PID)
    restored.load_state(state, 1)
    path(original, [0.7])
    path(restored, [0.9])
    assert json.dumps(state) == kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": -1.0}, "initial must be a finite number >= 0"),
        ({"step_size": -0.1}, "step_size must be a finite number >= 0"),
        ({"proportional": float("nan")}, "proportional must be a finite number"),
        ({"derivative": "much"}, "derivative must be a finite number"),
        ({"initial": 4.0, "maximum": 3.0}, "maximum must be a finite number >= 4"),
        ({"maximum": float("inf")}, "maximum must be a finite number"),
    ],
)
def test_bad_settings_are_named(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiplierConfig(**arguments)


@pytest.mark.parametrize("epsilon", [-0.01, float("nan"), float("inf")])
def test_bad_epsilon_is_named(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon must be a finite number >= 0"):
        multipliers(ASCENT, epsilon)


def test_missing_agent_is_an_error() -> None:
    with pytest.raises(KeyError, match="agent_0"):
        multipliers(ASCENT).update({"agent_1": 0.0})
