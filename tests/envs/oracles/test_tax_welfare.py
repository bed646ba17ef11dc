"""Welfare functions, supporting weights, Saez's formula and elasticities of the tax oracles: closed forms first."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.taxation.tax_schedule import bracket_cutoffs
from ermas_envs.oracles.taxes import (
    WELFARE,
    Population,
    atkinson,
    equilibrium,
    outcome,
    pure,
    reform_elasticity,
    regression_elasticity,
    saez_fixed_point,
    saez_schedule,
    supporting_weights,
)
from ermas_envs.oracles.taxes.schedules import weighted_utility
from ermas_envs.oracles.taxes.welfare import expected_utilities

LINEAR: dict[str, Any] = {"labor_cost": 0.012, "planner_reward_type": "coin_eq_times_productivity"}
FEDERAL = [0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37]


def people(*wages: float, **changes: Any) -> Population:
    return Population.of(OneStepSettings(num_agents=len(wages), skills=tuple(wages), **{**LINEAR, **changes}))


# --- welfare functions -----------------------------------------------------------------------------------------------


def test_atkinson_of_equal_amounts_is_the_amount() -> None:
    for aversion in (0.0, 0.5, 1.0, 2.0, 50.0):
        assert atkinson([7.0, 7.0, 7.0], aversion) == pytest.approx(7.0)


def test_atkinson_by_hand() -> None:
    assert atkinson([1.0, 9.0], 0.0) == pytest.approx(5.0)  # the mean
    assert atkinson([1.0, 9.0], 0.5) == pytest.approx(4.0)  # ((1 + 3) / 2)²
    assert atkinson([1.0, 9.0], 1.0) == pytest.approx(3.0)  # the geometric mean
    assert atkinson([1.0, 9.0], 2.0) == pytest.approx(1.8)  # the harmonic mean
    assert atkinson([1e-300, 9.0], 500.0) == pytest.approx(1e-300, rel=0.01)  # nearly the minimum, without underflow


@pytest.mark.parametrize(("values", "aversion"), [([], 1.0), ([1.0, 0.0], 1.0), ([1.0], -1.0), ([[1.0]], 1.0)])
def test_atkinson_refuses(values: Any, aversion: float) -> None:
    with pytest.raises(ValueError, match=r"values|aversion"):
        atkinson(values, aversion)


def test_an_outcome_and_its_welfare_by_hand() -> None:
    taxed = people(1.0, 2.0).under([0.5] * 7)
    found = outcome(taxed, [10, 20])
    np.testing.assert_allclose(found.incomes, [10.0, 40.0])
    np.testing.assert_allclose(found.coins, [5.0 + 12.5, 20.0 + 12.5])
    np.testing.assert_allclose(found.utilities, [17.5 - 1.2, 32.5 - 4.8])
    assert found.productivity == pytest.approx(50.0)
    assert found.equality == pytest.approx(1.0 - 15.0 / 50.0)
    values = {name: function(found) for name, function in WELFARE.items()}
    assert values["eq × prod"] == pytest.approx(35.0) == pytest.approx(2 * taxed.welfare(np.array([10, 20])))
    assert values["utilitarian"] == pytest.approx(16.3 + 27.7)
    assert values["Rawls"] == pytest.approx(16.3)
    assert values["inverse income"] == pytest.approx((16.3 / 10 + 27.7 / 40) / (1 / 10 + 1 / 40))
    assert values["Atkinson 1"] == pytest.approx(math.sqrt(16.3 * 27.7))


def test_expected_utilities_are_those_of_pure_choices() -> None:
    taxed = people(1.0, 1.5, 2.0, agent_reward_type="isoelastic_coin_minus_labor").under(FEDERAL)
    np.testing.assert_allclose(expected_utilities(taxed, pure([9, 30, 50])), outcome(taxed, [9, 30, 50]).utilities)
    worth = weighted_utility(taxed.population, np.array([1.0, 0.0, 0.0]))(np.array(FEDERAL))
    assert worth == pytest.approx(expected_utilities(taxed, equilibrium(taxed).profile)[0])


# --- supporting weights ----------------------------------------------------------------------------------------------


def test_weights_of_one_outcome_against_another() -> None:
    found = supporting_weights(np.array([1.0, 4.0]), np.array([[3.0, 3.0]]))
    np.testing.assert_allclose(found.weights, [0.0, 1.0])
    assert found.margin == pytest.approx(1.0)


def test_a_lottery_that_gives_everybody_more_leaves_no_weights() -> None:
    """(1, 1) is no worse than (0, 3) and (3, 0) for everybody, and yet nobody's weights choose it."""
    found = supporting_weights(np.array([1.0, 1.0]), np.array([[0.0, 3.0], [3.0, 0.0]]))
    np.testing.assert_allclose(found.mixture, [0.5, 0.5])
    np.testing.assert_allclose(found.gains, [0.5, 0.5])
    assert found.margin == pytest.approx(-0.5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1e-6, 1.0, 1e6]))
def test_weights_and_lottery_agree(seed: int, unit: float) -> None:
    generator = np.random.default_rng(seed)
    own, others = unit * generator.normal(size=4), unit * generator.normal(size=(5, 4))
    found = supporting_weights(own, others)
    assert found.weights.sum() == pytest.approx(1.0)
    assert (found.weights >= 0.0).all()
    assert found.margin == pytest.approx((found.weights @ (own - others).T).min(), abs=1e-9 * unit)
    assert found.margin == pytest.approx(-found.gains.min(), abs=1e-6 * unit)


def test_misshapen_utilities_are_refused() -> None:
    with pytest.raises(ValueError, match="others must have shape"):
        supporting_weights(np.zeros(3), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="finite"):
        supporting_weights(np.array([0.0, np.nan]), np.zeros((1, 2)))


# --- Saez's formula and elasticities ---------------------------------------------------------------------------------


def test_equal_people_need_no_taxes() -> None:
    np.testing.assert_allclose(saez_schedule([600.0] * 9, 0.5, bracket_cutoffs())[-1], 0.0, atol=1e-6)


def test_the_top_rate_is_that_of_the_formula() -> None:
    """τ = (1 − g)/(1 − g + a e), a = z̄/(z̄ − top) of those above; uniform weights: g = 1. Bin 3 is around 17.86."""
    incomes = [20.0] * 5 + [700.0, 900.0]
    a, g = 800.0 / (800.0 - 510.3), (1 / 700 + 1 / 900) / 2 / ((5 / 17.8605 + 1 / 700 + 1 / 900) / 7)
    found = saez_schedule(incomes, 0.5, bracket_cutoffs())
    assert found[-1] == pytest.approx((1 - g) / (1 - g + a * 0.5), rel=1e-6)
    assert saez_schedule(incomes, 0.5, bracket_cutoffs(), "uniform")[-1] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("incomes", "elasticity"), [([], 0.5), ([1.0, math.inf], 0.5), ([[1.0]], 0.5), ([1.0], -0.1), ([1.0], math.nan)]
)
def test_the_formula_refuses(incomes: Any, elasticity: float) -> None:
    with pytest.raises(ValueError, match=r"incomes|elasticity"):
        saez_schedule(incomes, elasticity, bracket_cutoffs())


def test_the_fixed_point_is_one() -> None:
    population = people(1.128, 1.321, 1.65, 2.256)
    found = saez_fixed_point(population, 0.5)
    assert found.period == 1
    np.testing.assert_array_equal(saez_schedule(found.incomes, 0.5, population.cutoffs), found.rates)


def test_elasticity_of_price_takers_within_a_bracket() -> None:
    """Without kinks and without a share of one's own tax, hours are ∝ (1 − τ)^(1/(δ − 1)); whole hours blur it."""
    for exponent, cost in ((2.0, 0.008), (3.0, 0.00012)):
        population = people(1.0, 1.3, 1.6, labor_exponent=exponent, labor_cost=cost)
        found = reform_elasticity(population, np.full(7, 0.1), 0.5, price_taking=True)
        assert found == pytest.approx(1.0 / (exponent - 1.0), abs=0.04)


def test_elasticity_where_nobody_works() -> None:
    assert math.isnan(reform_elasticity(people(1.0, 2.0), np.ones(7), price_taking=True))


def test_regression_finds_the_elasticity_of_people_who_differ_in_nothing_else() -> None:
    rates = np.linspace(0.0, 0.9, 12)
    samples = np.column_stack([50.0 * (1.0 - rates) ** 0.7, rates])
    assert regression_elasticity(samples, 9.0) == pytest.approx(0.7)
    assert regression_elasticity(samples[:9], 9.0) == 9.0  # too few
