"""Utilities and welfare metrics (SPEC §10): closed forms, properties, parity with the simulator's recorded numbers.

Recorded numbers lie beside the repository, in shared/economy/goldens; tests of them are skipped where they are absent.
"""

import math
from typing import Any

import numba
import numpy as np
import pytest
from helpers.goldens import golden
from hypothesis import given
from hypothesis import strategies as st
from numba.core.runtime import _nrt_python, rtsys

from ermas_envs.games.taxation import welfare

RELATIVE = 1e-9
SIZES = (2, 4, 29, 30, 31, 100)


def gini(coins: np.ndarray) -> float:
    return welfare.gini(coins, np.empty_like(coins))


def coins_of(minimum: float) -> st.SearchStrategy[np.ndarray]:
    return st.lists(st.floats(minimum, 1e4), min_size=1, max_size=60).map(np.array)


COINS = coins_of(0.0)


def test_golden_isoelastic_utility() -> None:
    for case in golden("u1_pure_functions")["isoelastic"]:
        utility = welfare.isoelastic_utility(case["coin"], case["labor"], case["eta"], case["coef"])
        assert utility == pytest.approx(case["util"], rel=RELATIVE, abs=0.0)


def test_golden_coin_minus_labor_cost() -> None:
    for case in golden("u1_pure_functions")["coin_minus_labor_cost"]:
        utility = welfare.coin_minus_labor_cost(case["coin"], case["labor"], case["coef"], case["exponent"])
        assert utility == pytest.approx(case["util"], rel=RELATIVE, abs=0.0)


def test_golden_social_metrics() -> None:
    for case in golden("u1_pure_functions")["social"]:
        coins, utilities = np.array(case["coin"]), np.array(case["util"])
        scratch = np.empty_like(coins)
        pairs = [
            (welfare.productivity(coins), case["productivity"]),
            (welfare.inverse_income_weighted_coin(coins), case["swf_inv_coin"]),
            (welfare.inverse_income_weighted_utility(coins, utilities), case["swf_inv_util"]),
        ]
        # 1 − gini cancels to nothing where one agent owns all or all own the same: there digits are of the order 1e-15.
        near = [(welfare.gini(coins, scratch), case["gini"]), (welfare.equality(coins, scratch), case["equality"])]
        for weight, metric in case["swf_eq_prod"].items():
            value = welfare.coin_eq_times_productivity(coins, float(weight), scratch)
            near.append((value / max(1.0, coins.mean()), metric / max(1.0, coins.mean())))
        assert [value for value, _ in pairs] == pytest.approx(
            [recorded for _, recorded in pairs], rel=RELATIVE, abs=0.0
        )
        assert [value for value, _ in near] == pytest.approx(
            [recorded for _, recorded in near], rel=RELATIVE, abs=1e-14
        )


@pytest.mark.parametrize("eta", [0.0, 0.23, 0.5, 0.9, 2.0])
def test_isoelastic_utility_is_the_power_formula(eta: float) -> None:
    expected = (20.0 ** (1.0 - eta) - 1.0) / (1.0 - eta) - 0.21 * 7.0
    assert welfare.isoelastic_utility(20.0, 7.0, eta, 0.21) == pytest.approx(expected, rel=1e-13)


@given(st.floats(1e-6, 1e6), st.sampled_from([-1.0, 1.0]), st.floats(1e-15, 1e-4))
def test_isoelastic_utility_is_continuous_at_log_utility(coin: float, side: float, distance: float) -> None:
    log_utility = welfare.isoelastic_utility(coin, 3.0, 1.0, 0.5)
    assert log_utility == pytest.approx(math.log(coin) - 1.5, rel=1e-12, abs=1e-12)
    near = welfare.isoelastic_utility(coin, 3.0, 1.0 + side * distance, 0.5)
    assert abs(near - log_utility) <= distance * math.log(coin) ** 2 + 1e-12  # the remainder's bound


def test_utility_without_coin() -> None:
    assert welfare.isoelastic_utility(0.0, 10.0, 0.23, 0.5) == pytest.approx(-1.0 / 0.77 - 5.0, rel=1e-15)
    assert welfare.isoelastic_utility(0.0, 0.0, 1.0, 0.5) == math.log(welfare.COIN_FLOOR)
    assert welfare.isoelastic_utility(-1e-12, 0.0, 1.0, 0.5) == math.log(welfare.COIN_FLOOR)
    assert welfare.isoelastic_utility(-1e-12, 0.0, 0.23, 0.5) == -1.0 / 0.77
    assert math.isfinite(welfare.isoelastic_utility(0.0, 0.0, 3.0, 0.5))


@given(st.floats(0.0, 1e4), st.floats(0.0, 1e4), st.floats(0.0, 3.0))
def test_utility_rises_with_coin(first: float, second: float, eta: float) -> None:
    low, high = (welfare.isoelastic_utility(coin, 0.0, eta, 1.0) for coin in sorted((first, second)))
    assert low <= high + 1e-12 * abs(high)


def test_labor_cost() -> None:
    assert welfare.coin_minus_labor_cost(100.0, 4.0, 0.5, 3.5) == 100.0 - 0.5 * 128.0
    assert welfare.coin_minus_labor_cost(100.0, 0.0, 0.5, 3.5) == 100.0


@given(COINS)
def test_gini_lies_in_the_unit_interval_and_leaves_coins_alone(coins: np.ndarray) -> None:
    before = coins.copy()
    assert -1e-12 <= gini(coins) <= 1.0 + 1e-12
    assert welfare.equality(coins, np.empty_like(coins)) == 1.0 - gini(coins)
    order = np.arange(len(coins))[::-1].astype(np.int32)
    assert welfare.equality_in_order(coins, order, np.empty_like(coins)) == 1.0 - gini(coins)
    np.testing.assert_array_equal(coins, before)


@given(coins_of(0.1), st.floats(0.1, 10.0))
def test_gini_is_scale_invariant(coins: np.ndarray, scale: float) -> None:
    assert gini(coins * scale) == pytest.approx(gini(coins), abs=1e-7)  # up to the guard of 1e-10 coin


@given(COINS, st.randoms(use_true_random=False))
def test_gini_does_not_depend_on_the_order(coins: np.ndarray, random: Any) -> None:
    shuffled = coins.tolist()
    random.shuffle(shuffled)
    assert gini(np.array(shuffled)) == pytest.approx(gini(coins), abs=1e-12)


@given(st.integers(1, 60), st.floats(1.0, 1e4))
def test_equal_coins_are_equal(count: int, coin: float) -> None:
    assert welfare.equality(np.full(count, coin), np.empty(count)) == pytest.approx(1.0, abs=1e-9)


@given(coins_of(1.0).filter(lambda coins: np.ptp(coins) > 1.0), st.floats(0.0, 0.5))
def test_a_transfer_from_the_richest_to_the_poorest_lowers_gini(coins: np.ndarray, share: float) -> None:
    after = coins.copy()
    transfer = share * np.ptp(coins)
    after[np.argmax(coins)] -= transfer
    after[np.argmin(coins)] += transfer
    assert gini(after) <= gini(coins) + 1e-12


@pytest.mark.parametrize("count", SIZES)
def test_extremes_of_gini(count: int) -> None:
    one_owner = np.zeros(count)
    one_owner[count // 2] = 50.0
    small = count < welfare.LARGE_POPULATION
    assert gini(one_owner) == pytest.approx(1.0 if small else (count - 1) / (count + 1), abs=1e-10)
    assert gini(np.zeros(count)) == (0.0 if small else 1.0)


def test_gini_of_one_agent() -> None:
    assert gini(np.array([3.0])) == 0.0


@pytest.mark.parametrize("count", SIZES)
def test_gini_agrees_with_pairwise_differences(count: int) -> None:
    coins = np.random.default_rng(count).pareto(2.0, count)
    differences = np.abs(coins[:, None] - coins).sum() / (2.0 * count * coins.sum())
    divisor = count - 1 if count < welfare.LARGE_POPULATION else count + 1
    assert gini(coins) == pytest.approx(differences * count / divisor, rel=1e-9)


@given(COINS, st.floats(0.0, 1.0))
def test_coin_eq_times_productivity_mixes_equality_and_the_mean(coins: np.ndarray, weight: float) -> None:
    scratch = np.empty_like(coins)
    expected = coins.mean() * (1.0 - weight * gini(coins))
    metric = welfare.coin_eq_times_productivity(coins, weight, scratch)
    assert metric == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert welfare.productivity(coins) == pytest.approx(coins.sum(), rel=1e-12)


@given(COINS)
def test_inverse_income_weights_are_an_average_that_favours_the_poor(coins: np.ndarray) -> None:
    metric = welfare.inverse_income_weighted_coin(coins)
    assert coins.min() * (1 - 1e-12) <= metric <= coins.mean() * (1 + 1e-12)
    assert welfare.inverse_income_weighted_utility(coins, np.full(len(coins), -2.5)) == pytest.approx(-2.5, rel=1e-12)


def test_inverse_income_weighted_utility() -> None:
    utilities = np.array([5.0, -1.0, 2.0])
    metric = welfare.inverse_income_weighted_utility(np.array([0.2, 4.0, -7.0]), utilities)
    assert metric == pytest.approx((5.0 - 1.0 / 4.0 + 2.0) / 2.25, rel=1e-14)


@numba.njit
def many_metrics(times: int, coins: np.ndarray, scratch: np.ndarray) -> None:
    for _ in range(times):
        welfare.coin_eq_times_productivity(coins, 0.5, scratch)
        welfare.inverse_income_weighted_coin(coins)


def test_metrics_allocate_nothing() -> None:
    _nrt_python.memsys_enable_stats()
    coins = np.random.default_rng(0).random(100)
    many_metrics(1, coins, coins.copy())
    allocations = []
    for times in (1, 50):
        before = rtsys.get_allocation_stats().alloc
        many_metrics(times, coins, coins.copy())
        allocations.append(rtsys.get_allocation_stats().alloc - before)
    assert allocations[0] == allocations[1]  # what passing the arguments takes
