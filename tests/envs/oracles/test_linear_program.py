"""Linear programs that are checked: known optima and prices, limits far away, and solvers that lie."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from helpers.games import augmented, own_game
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles import (
    LinearProgramError,
    certify,
    equilibrium_policies,
    robust_planner,
    worst_coarse_correlated_equilibrium,
    worst_equilibrium,
)
from ermas_envs.oracles.linear_program import SLACK, Limits, LinearProgram


def shares(cost: FloatArray, *limits: Limits) -> LinearProgram:
    """min cost · x over probabilities x."""
    return LinearProgram(cost, limits, np.ones((1, cost.size)), np.ones(1))


UNITS = st.sampled_from([1e-12, 1e-6, 1.0, 1e6, 1e12])


@given(UNITS, UNITS)
def test_minimum_point_and_price_by_hand(cost: float, limit: float) -> None:
    """Cheap at a use of 2, dear at a use of 0, and 0.5 is allowed: a quarter of the cheap one."""
    uses = Limits(limit * np.array([[2.0, 0.0]]), limit * np.array([0.5]))
    found = shares(cost * np.array([1.0, 3.0]), uses).solve()
    assert found.minimum == pytest.approx(2.5 * cost, rel=1e-12)
    assert found.point == pytest.approx([0.25, 0.75], abs=1e-12)
    assert found.multipliers[0] == pytest.approx(cost / limit, rel=1e-12)


@given(st.integers(0, 10**6), st.floats(0.0, 1.0), st.integers(-40, 40))
@settings(max_examples=40)
def test_no_point_within_the_limits_is_below_the_minimum(seed: int, bound: float, exponent: int) -> None:
    generator = np.random.default_rng(seed)
    cost, uses = generator.normal(size=5), generator.random((2, 5))
    least = uses.min(axis=1) + bound * (uses.max(axis=1) - uses.min(axis=1))
    points = generator.dirichlet(np.full(5, 0.3), 3000)
    inside = points[(points @ uses.T <= least).all(axis=1)]
    limits = Limits(2.0**exponent * uses, 2.0**exponent * least)
    try:
        found = shares(cost, limits).solve()
    except LinearProgramError:  # both limits at once may be too much to ask
        assert not len(inside)
        return
    assert (inside @ cost >= found.minimum - 1e-12).all()
    assert cost @ found.point == pytest.approx(found.minimum, abs=1e-9)


@given(st.floats(-12, 12))
def test_powers_of_two_change_no_digit(exponent: float) -> None:
    unit = 2.0 ** round(exponent * 3)
    cost, uses = np.array([0.3, 1.7, 0.9]), np.array([[0.7, 0.1, 0.2]])
    plain = shares(cost, Limits(uses, np.array([0.15]))).solve()
    found = shares(unit * cost, Limits(uses / unit, np.array([0.15]) / unit)).solve()
    assert found.minimum == unit * plain.minimum
    assert found.point.tolist() == plain.point.tolist()
    assert found.multipliers[0] == unit**2 * plain.multipliers[0]


def test_with_slack_the_price_at_a_kink_is_that_of_more() -> None:
    """At a bound of 1 one may leave the dear point for 1 per use; below it there is only what costs 4 less per use."""
    cost, uses, bound = np.array([7.0, 3.0, 2.0]), np.array([[0.0, 1.0, 2.0]]), np.array([1.0])
    found = shares(cost, Limits(uses, bound, slack=SLACK)).solve()
    assert found.multipliers[0] == pytest.approx([1.0])
    assert found.minimum == pytest.approx(3.0, rel=1e-12)  # of the bound as it is


@pytest.mark.parametrize("bound", [1e-5, 1e5, 1e30, 1e300])
def test_limits_that_nothing_reaches_have_no_price(bound: float) -> None:
    found = shares(np.array([1.0, 2.0]), Limits(1e-10 * np.array([[1.0, 0.0]]), np.array([bound]))).solve()
    assert (found.minimum, found.multipliers[0].tolist()) == (1.0, [0.0])


def test_what_is_but_rounding_binds_nobody() -> None:
    """Equal up to the rounding of 1e6, or of nothing: with a limit of 0, and a cost that is none."""
    rounding = np.array([[1e-10, 0.0]])
    found = shares(np.array([1.0, 2.0]), Limits(rounding, np.zeros(1), magnitude=1e6)).solve()
    assert found.minimum == pytest.approx(1.0, abs=1e-8)
    assert shares(np.zeros(2), Limits(np.zeros((1, 2)), np.zeros(1))).solve().minimum == 0.0


def test_an_impossible_program_is_an_error() -> None:
    with pytest.raises(LinearProgramError, match="has no solution"):
        shares(np.ones(2), Limits(np.ones((1, 2)), np.array([0.5]))).solve()


def test_of_coefficients_too_far_apart_the_minimum_is_a_bound_all_the_same() -> None:
    """HiGHS drops 1e-11 of the largest: it does not see that half of the second is needed, which makes it 0.75."""
    limits = Limits(np.array([[1.0, -1e-11, 0.0]]), np.array([-5e-12]))
    found = shares(np.array([0.0, 1.0, 0.5]), limits).solve()
    assert found.minimum == pytest.approx(0.5)
    assert found.minimum <= 0.75


# --- solvers that lie ----------------------------------------------------------------------------------------------


def moved(found: Any) -> None:
    found.x = found.x[::-1].copy()


def heavy(found: Any) -> None:
    found.x = 1.0001 * found.x


def unknown(found: Any) -> None:
    found.x = np.full_like(found.x, np.nan)


def no_prices(found: Any) -> None:
    found.ineqlin.marginals = np.zeros_like(found.ineqlin.marginals)
    found.eqlin.marginals = np.zeros_like(found.eqlin.marginals)


def wrong_prices(found: Any) -> None:
    found.eqlin.marginals = found.eqlin.marginals - 0.1


def gives_up(found: Any) -> None:
    found.success, found.message = False, "out of luck"


FIRST, SECOND = np.array([[3.0, 0, 1], [5, 1, 0], [2, 2, 2]]), np.array([[3.0, 5, 1], [0, 1, 4], [1, 2, 2]])
STAKE = np.array([[6.0, 1, 3], [1, 0, 2], [4, 2, 5]])


def ask_robust_planner() -> None:
    games = [augmented(q=q, planner_observes=False) for q in (0.0, 0.4, 0.6)]
    robust_planner(games, [equilibrium_policies(game) for game in games], 0, 32.0)


ASKED: dict[str, Callable[[], Any]] = {
    "worst_equilibrium": lambda: worst_equilibrium(own_game(horizon=8), 0.05),
    "worst_correlation": lambda: worst_coarse_correlated_equilibrium(FIRST, SECOND, STAKE, 0.3),
    "robust_planner": ask_robust_planner,
}


@pytest.mark.parametrize("lie", [moved, heavy, unknown, no_prices, wrong_prices, gives_up])
@pytest.mark.parametrize("asked", ASKED)
def test_every_oracle_refuses_what_a_lying_solver_says(
    monkeypatch: pytest.MonkeyPatch, asked: str, lie: Callable[[Any], None]
) -> None:
    lied(monkeypatch, lie)
    with pytest.raises(LinearProgramError, match="out of luck" if lie is gives_up else "does not hold"):
        ASKED[asked]()


@pytest.mark.parametrize("lie", [moved, heavy, unknown, no_prices, wrong_prices, gives_up])
def test_certificates_say_that_no_bound_is_known(monkeypatch: pytest.MonkeyPatch, lie: Callable[[Any], None]) -> None:
    game = own_game(horizon=8)
    agents = {**equilibrium_policies(game), "planner": np.ones((8, 16, 1))}
    lied(monkeypatch, lie)
    found = certify(game, agents, 0.05)
    assert found.worst_planner_payoff is None
    assert found.worst_reason is not None
    assert "linear program" in found.worst_reason
    assert found.certified_epsilon == pytest.approx(0.0, abs=1e-12)  # what needs no program is there


def lied(monkeypatch: pytest.MonkeyPatch, lie: Callable[[Any], None]) -> None:
    honest = scipy.optimize.linprog

    def linprog(*given: Any, **named: Any) -> Any:
        found = honest(*given, **named)
        lie(found)
        return found

    monkeypatch.setattr(scipy.optimize, "linprog", linprog)
