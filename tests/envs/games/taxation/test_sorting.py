"""Sorting inside kernels: by a heap, by counting, and from the order of before, against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ermas_envs.games.taxation import sorting

VALUES = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0]), max_size=60)


@given(st.lists(st.floats(-1e6, 1e6), max_size=150), st.integers(0, 10))
def test_heap_sort(values: list[float], rest: int) -> None:
    count = max(len(values) - rest, 0)
    array = np.array(values)
    sorting.heap_sort(array, count)
    np.testing.assert_array_equal(array, sorted(values[:count]) + values[count:])


@given(VALUES, st.sampled_from([1, 2, 20]))
def test_sorted_into(values: list[float], times: int) -> None:
    given_values = np.array(values * times)  # with 20 copies longer than what is sorted by counting
    out = np.empty_like(given_values)
    sorting.sorted_into(given_values, out)
    np.testing.assert_array_equal(out, np.sort(given_values))


def in_order(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Sorted values; the order is changed in place."""
    out = np.empty_like(values)
    sorting.sort_in_order(values, order, out)
    return out


@given(VALUES, st.sampled_from([1, 2, 20]), st.randoms(use_true_random=False))
def test_any_order_to_begin_with_gives_the_sorted_values(values: list[float], times: int, random: object) -> None:
    given_values = np.array(values * times)  # with 20 copies longer than what is sorted by counting
    order = np.arange(len(given_values), dtype=np.int32)
    random.shuffle(order)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(in_order(given_values, order), np.sort(given_values))
    np.testing.assert_array_equal(np.sort(order), np.arange(len(order)))
    if len(order) <= sorting.RANKED:
        np.testing.assert_array_equal(given_values[order], np.sort(given_values))


@pytest.mark.parametrize("count", [2, 9, 100, 512, 600])
@pytest.mark.parametrize("change", ["nothing", "a few", "one goes to the other end", "halves change places", "all"])
def test_an_order_goes_on_from_one_sort_to_the_next(count: int, change: str) -> None:
    generator = np.random.default_rng(count)
    values = generator.pareto(2.0, count)
    order = np.arange(count, dtype=np.int32)
    in_order(values, order)
    ranks = np.argsort(values)
    if change == "a few":
        values[ranks[: count // 3]] += 0.3 * values[ranks[count // 10]]
        values[ranks[1]] = values[ranks[0]]
    elif change == "one goes to the other end":
        values[ranks[-1]] = -1.0
    elif change == "halves change places":
        values[ranks[: count // 2]] += values.max()
    elif change == "all":
        values = generator.random(count)
    np.testing.assert_array_equal(in_order(values, order), np.sort(values))
    np.testing.assert_array_equal(np.sort(order), np.arange(count))
    np.testing.assert_array_equal(in_order(values, order), np.sort(values))
