"""Checks of arguments: what they accept is kept as plain Python numbers, and what they refuse is named."""

from typing import Any

import numpy as np
import pytest

from ermas_envs import augmented_bimatrix_v0, economy_v0, one_step_economy_v0
from ermas_envs.base.arguments import (
    check_choice,
    check_integer,
    check_number,
    check_positive,
    check_probabilities,
    shown,
)


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize("given", [np.uint8(60), np.int8(60), np.int64(60), np.array(60, np.uint16), 60], ids=repr)
def test_integers_become_python_integers(given: Any) -> None:
    value = check_integer("count", given, 1, 250)
    assert type(value) is int
    assert value == 60


@pytest.mark.parametrize("given", [np.float32(0.5), np.float16(0.5), np.float64(0.5), np.array(0.5), 0.5], ids=repr)
def test_numbers_become_python_floats(given: Any) -> None:
    assert type(check_number("share", given, 0.0, 1.0)) is float
    assert type(check_positive("share", given)) is float


@pytest.mark.parametrize("given", [10**400, -(10**400), 10**5000, 2**63], ids=["1e400", "-1e400", "1e5000", "2**63"])
def test_integers_beyond_the_machine_are_refused_by_name(given: int) -> None:
    with pytest.raises(ValueError, match=r"^count must be (at most 9223372036854775807|an integer >= 0), got "):
        check_integer("count", given, 0)
    if given != 2**63:
        with pytest.raises(ValueError, match=r"^size must be a finite number, got an integer of \d+ bits"):
            check_number("size", given)


def test_messages_show_any_value() -> None:
    with pytest.raises(ValueError, match=r"^size must be a finite number, got an object of type Unprintable"):
        check_number("size", Unprintable())
    with pytest.raises(ValueError, match=r"^kind: unknown name an integer of 16610 bits\. Known: a, b"):
        check_choice("kind", 10**5000, ("a", "b"))
    assert len(shown("x" * 10_000)) < 250


@pytest.mark.parametrize(
    "make",
    [
        lambda: augmented_bimatrix_v0.parallel_env(q=10**400),
        lambda: augmented_bimatrix_v0.parallel_env(horizon=10**20),
        lambda: economy_v0.parallel_env(wood={"regen_halfwidth": 10**20}),
        lambda: economy_v0.parallel_env(starting_agent_coin=10**400),
        lambda: economy_v0.parallel_env(isoelastic_eta=10**400),
        lambda: one_step_economy_v0.parallel_env(num_agents=10**20),
        lambda: one_step_economy_v0.parallel_env(labor_cost=-(10**400)),
        lambda: augmented_bimatrix_v0.batched_env(2).reset(seed=0, first_episode=10**20),
    ],
)
def test_environments_name_the_argument_that_is_too_large(make: Any) -> None:
    names = "q|horizon|regen_halfwidth|starting_agent_coin|isoelastic_eta|num_agents|labor_cost|first_episode"
    with pytest.raises(ValueError, match=f"^({names}) must be "):
        make()


@pytest.mark.parametrize(
    "make", [economy_v0.batched_env, one_step_economy_v0.batched_env, augmented_bimatrix_v0.batched_env]
)
def test_replicas_that_do_not_fit_are_named(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^num_envs must be at most 16777216, got 2147483648"):
        make(2**31)

    def with_little_memory(shape: Any, *arguments: Any, **named: Any) -> Any:
        if np.prod(shape) >= 100_003:
            raise MemoryError("Unable to allocate")
        return zeros(shape, *arguments, **named)

    zeros = np.zeros
    monkeypatch.setattr(np, "zeros", with_little_memory)
    with pytest.raises(MemoryError, match=r"^num_envs: no memory for 100003 replicas .* \(Unable to allocate\)"):
        make(100_003, **({} if make is augmented_bimatrix_v0.batched_env else {"observations": "compact"}))


def test_too_many_stakes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^max_action must be at most 10000, got 1000000"):
        augmented_bimatrix_v0.batched_env(1, max_action=10**6)


@pytest.mark.parametrize(
    "given", [[[0.5, 0.6]], [[1.5, -0.5]], [[np.nan, 1.0]], [[0.5], [0.5]], "x", None, [["a", "b"]]]
)
def test_probabilities_have_a_shape_and_sum_to_one(given: Any) -> None:
    np.testing.assert_array_equal(check_probabilities("mixture", [[0.25, 0.75]], (1, 2)), [[0.25, 0.75]])
    with pytest.raises(ValueError, match=r"^mixture must be probabilities"):
        check_probabilities("mixture", given, (1, 2))
