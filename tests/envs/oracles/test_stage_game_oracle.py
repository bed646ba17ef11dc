"""Nash equilibria of the stage game against known games, nashpy, pygambit and OpenSpiel; worst ε-CCE by its bounds."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.bimatrix.payoffs import strategically_robust_2022, tragedy_of_commons
from ermas_envs.oracles import nash_equilibria, stationary_planner_optimum, worst_coarse_correlated_equilibrium

GAMES = st.tuples(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.booleans())


def random_pair(seed: int, m: int, n: int, integers: bool) -> tuple[FloatArray, FloatArray]:
    """Payoffs; small integers give degenerate games."""
    generator = np.random.default_rng(seed)
    if integers:
        return generator.integers(0, 3, (m, n)).astype(float), generator.integers(0, 3, (m, n)).astype(float)
    return generator.normal(size=(m, n)), generator.normal(size=(m, n))


def regrets(first: FloatArray, second: FloatArray, x: FloatArray, y: FloatArray) -> tuple[float, float]:
    return float((first @ y).max() - x @ first @ y), float((x @ second).max() - x @ second @ y)


def as_set(pairs: list[tuple[FloatArray, FloatArray]]) -> set[tuple[float, ...]]:
    return {tuple(np.round(np.concatenate(pair), 5) + 0.0) for pair in pairs}


def test_tragedy_of_commons_has_one_equilibrium_at_the_top() -> None:
    payoffs = tragedy_of_commons()
    assert as_set(nash_equilibria(payoffs.agent_0, payoffs.agent_1)) == {(0, 0, 0, 1, 0, 0, 0, 1)}


def test_known_games() -> None:
    chicken = np.array([[0.0, 7.0], [2.0, 6.0]])
    third = round(1 / 3, 5)
    assert as_set(nash_equilibria(chicken, chicken.T)) == {
        (1, 0, 0, 1), (0, 1, 1, 0), (third, round(2 / 3, 5), third, round(2 / 3, 5)),
    }  # fmt: skip
    pennies = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert as_set(nash_equilibria(pennies, -pennies)) == {(0.5, 0.5, 0.5, 0.5)}
    # Nothing matters: the extreme equilibria are all pairs of pure strategies.
    assert len(nash_equilibria(np.zeros((3, 2)), np.zeros((3, 2)))) == 6


@given(GAMES)
@settings(max_examples=60)
def test_every_equilibrium_has_no_regret_and_there_is_one(game: tuple[int, int, int, bool]) -> None:
    first, second = random_pair(*game)
    found = nash_equilibria(first, second)
    assert found
    assert len(as_set(found)) == len(found)
    for x, y in found:
        assert max(regrets(first, second, x, y)) < 1e-8
        assert all(p == 0 or p > 1e-9 for p in [*x, *y])  # what is not played is 0, not rounding
        assert (x.sum(), y.sum()) == pytest.approx((1, 1))


@given(GAMES, st.floats(0.1, 50.0), st.floats(-20.0, 20.0))
@settings(max_examples=20)
def test_scale_and_origin_of_payoffs_do_not_matter(
    game: tuple[int, int, int, bool], scale: float, origin: float
) -> None:
    first, second = random_pair(*game)
    assert as_set(nash_equilibria(first, second)) == as_set(nash_equilibria(scale * first + origin, second))


def pygambits_equilibria(first: FloatArray, second: FloatArray, rational: bool) -> set[tuple[float, ...]]:
    gambit = pytest.importorskip("pygambit")
    solved = gambit.nash.enummixed_solve(gambit.StrategicGame.from_arrays(first, second), rational=rational)
    labels = dict(zip("12", ([str(k + 1) for k in range(size)] for size in first.shape), strict=True))
    return as_set(
        [tuple(np.array([float(p[player][a]) for a in labels[player]]) for player in "12") for p in solved.equilibria]
    )


@pytest.mark.parametrize("seed", range(60))
def test_same_set_as_pygambit(seed: int) -> None:
    first, second = random_pair(seed, 4, 4, integers=False)
    assert as_set(nash_equilibria(first, second)) == pygambits_equilibria(first, second, rational=False)


@pytest.mark.parametrize("seed", range(60))
def test_same_extreme_equilibria_as_pygambit_in_degenerate_games(seed: int) -> None:
    """Payoffs 0, 1, 2; pygambit computes in rational numbers."""
    m, n = 2 + seed % 3, 2 + seed // 3 % 3
    first, second = random_pair(seed, m, n, integers=True)
    theirs = pygambits_equilibria(first.astype(int), second.astype(int), rational=True)
    assert as_set(nash_equilibria(first, second)) == theirs


@pytest.mark.parametrize("seed", range(30))
def test_holds_all_that_pygambit_finds_where_some_payoffs_dwarf_the_others(seed: int) -> None:
    """The equations of a vertex then have tiny determinants, although they are independent.

    Equilibria that differ by less than the tolerance, 1e-9 of the range of payoffs, are found as one.
    """
    first, second = np.random.default_rng(seed).integers(0, 10, (2, 5, 5))
    first[:, 0] -= 10_000
    second[0] -= 10_000
    ours = np.array([np.concatenate(pair) for pair in nash_equilibria(first, second)])
    for theirs in pygambits_equilibria(first, second, rational=True):
        assert np.abs(ours - theirs).max(axis=1).min() < 1e-4


@pytest.mark.parametrize("seed", range(25))
def test_holds_all_that_nashpy_finds(seed: int) -> None:
    nashpy = pytest.importorskip("nashpy")
    first, second = random_pair(seed, 4, 4, integers=False)
    theirs = list(nashpy.Game(first, second).vertex_enumeration())
    assert as_set(theirs) <= as_set(nash_equilibria(first, second))


@pytest.mark.parametrize("seed", range(10))
def test_openspiel_agrees_that_they_are_equilibria(seed: int) -> None:
    """NashConv, the sum of both regrets, of our equilibria is 0; of random strategies it is the sum of our regrets."""
    pyspiel = pytest.importorskip("pyspiel")
    exploitability = pytest.importorskip("open_spiel.python.algorithms.exploitability")
    policy_module = pytest.importorskip("open_spiel.python.policy")
    first, second = random_pair(seed, 3, 4, integers=False)
    game = pyspiel.convert_to_turn_based(pyspiel.create_matrix_game(first.tolist(), second.tolist()))
    generator = np.random.default_rng(seed)
    wild = (generator.dirichlet(np.ones(3)), generator.dirichlet(np.ones(4)))
    for x, y in [*nash_equilibria(first, second), wild]:
        policy = policy_module.TabularPolicy(game)
        for player, strategy in enumerate((x, y)):
            policy.policy_for_key(policy.states_per_player[player][0])[: len(strategy)] = strategy
        expected = sum(regrets(first, second, x, y))
        assert exploitability.nash_conv(game, policy) == pytest.approx(expected, abs=1e-8)


@given(GAMES, st.floats(0.0, 1.0))
@settings(max_examples=40)
def test_worst_correlation_keeps_its_bound_and_is_below_every_equilibrium(
    game: tuple[int, int, int, bool], epsilon: float
) -> None:
    first, second = random_pair(*game)
    stake = np.random.default_rng(game[0] + 1).normal(size=first.shape)
    found = worst_coarse_correlated_equilibrium(first, second, stake, epsilon)
    mu = found.distribution
    assert found.planner_payoff == pytest.approx(float((mu * stake).sum()))
    assert (first @ mu.sum(axis=0)).max() - (mu * first).sum() <= epsilon + 1e-6
    assert (mu.sum(axis=1) @ second).max() - (mu * second).sum() <= epsilon + 1e-6
    for x, y in nash_equilibria(first, second):
        assert found.planner_payoff <= x @ stake @ y + 1e-6
    assert worst_coarse_correlated_equilibrium(first, second, stake, 100.0).planner_payoff == pytest.approx(stake.min())


def test_worst_correlation_falls_with_epsilon_and_at_zero_holds_the_only_equilibrium() -> None:
    payoffs = tragedy_of_commons()
    values = [
        worst_coarse_correlated_equilibrium(payoffs.agent_0, payoffs.agent_1, payoffs.planner, e).planner_payoff
        for e in np.linspace(0, 0.5, 11)
    ]
    assert values[0] == pytest.approx(1.0, abs=1e-6)  # level 3 is dominant: it is the only coarse correlated one, too
    assert all(later < earlier for earlier, later in itertools.pairwise(values[:6]))
    # From ε = f(3)/0.83 = .277 on, staying at level 0 is one.
    assert values[5] > 1e-3
    assert values[6:] == pytest.approx([0.0] * 5, abs=1e-9)


def test_two_by_two_worst_correlation_by_brute_force() -> None:
    first, second = random_pair(5, 2, 2, integers=False)
    stake = np.array([[0.0, 0.7], [0.4, 1.0]])
    grid = [np.array(c) / 40 for c in np.ndindex(41, 41, 41) if sum(c) <= 40]
    best = np.inf
    for cell in grid:
        mu = np.append(cell, 1 - cell.sum()).reshape(2, 2)
        gains = (
            (first @ mu.sum(axis=0)).max() - (mu * first).sum(),
            (mu.sum(axis=1) @ second).max() - (mu * second).sum(),
        )
        if max(gains) <= 0.1:
            best = min(best, float((mu * stake).sum()))
    found = worst_coarse_correlated_equilibrium(first, second, stake, 0.1).planner_payoff
    assert found <= best + 1e-9
    assert found == pytest.approx(best, abs=0.03)  # the grid is 1/40 wide


def test_bad_matrices_are_named() -> None:
    square = np.eye(2)
    ragged: list[list[float]] = [[1.0, 2.0], [3.0]]
    wrong: list[Any] = [np.ones(3), np.ones((2, 3)), np.full((2, 2), np.nan), np.ones((0, 2)), np.eye(2) * 1j, ragged]
    for bad in [*wrong, [["a", "b"], ["c", "d"]], None]:
        with pytest.raises(ValueError, match="agent_1 must"):
            nash_equilibria(square, bad)
    with pytest.raises(ValueError, match="planner must"):
        worst_coarse_correlated_equilibrium(square, square, np.ones((3, 2)), 0.1)
    with pytest.raises(ValueError, match="epsilon"):
        worst_coarse_correlated_equilibrium(square, square, square, -0.1)


@pytest.mark.parametrize(
    ("q", "action", "value"),
    [(0.0, 6, 36), (0.288, 6, 36), (0.29, 4, 16), (0.505, 4, 16), (0.507, 2, 4), (0.866, 2, 4), (0.868, 0, 0)],
)
def test_closed_form_planner_optimum(q: float, action: int, value: float) -> None:
    """Thresholds .289, .506, .867 of the tragedy of the commons."""
    found = stationary_planner_optimum(tragedy_of_commons(), q)
    assert (found.action, found.planner_return) == (action, pytest.approx(value))


def test_closed_form_of_planners_that_do_not_adapt() -> None:
    returns = [stationary_planner_optimum(tragedy_of_commons(), q).planner_returns for q in (0.0, 0.4, 0.6)]
    assert [r[6] for r in returns] == pytest.approx([36, 12, -12])
    assert [r[5] for r in returns] == pytest.approx([35, 15, -5])
    assert [r[4] for r in returns] == pytest.approx([32, 16, 0])


def test_closed_form_is_refused_where_there_is_none() -> None:
    with pytest.raises(ValueError, match="planner_rule"):
        stationary_planner_optimum(strategically_robust_2022(), 0.1)
    payoffs = tragedy_of_commons()
    indifferent = type(payoffs)(np.zeros((4, 4)), np.zeros((4, 4)), payoffs.planner)
    with pytest.raises(ValueError, match="pure equilibrium values"):
        stationary_planner_optimum(indifferent, 0.0)
