"""The game in cents instead of euros is the same game, and so is one in which everybody gets a constant besides.

Every oracle, in agents' units, planner's units and both from 1e-12 to 1e12, and with constants up to 1e6 added.
"""

import numpy as np
import pytest
from helpers.games import ROLES, augmented, in_units, own_game, separable_game
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs, tragedy_of_commons
from ermas_envs.oracles import (
    RobustOptimum,
    TabularGame,
    agents_ignore_planner,
    best_constant_planner,
    best_response_value,
    certify,
    discounted_best_response_value,
    discounted_regret,
    equilibrium_policies,
    evaluate,
    exact_regret,
    nash_equilibria,
    robust_planner,
    stationary_planner_optimum,
    worst_coarse_correlated_equilibrium,
    worst_equilibrium,
)

GRID = [
    pytest.param({"agent": unit if who != "planner" else 1.0, "planner": unit if who != "agents" else 1.0},
                 id=f"{who}-{unit:g}")
    for who in ("agents", "planner", "both")
    for unit in (1e-12, 1e-9, 1e-8, 1e-7, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9, 1e12)
]  # fmt: skip
"""Units of the agents' payoffs and of the planner's."""
Units = dict[str, float]
EXPONENTS = st.floats(-12.0, 12.0)
CONSTANTS = st.floats(-1e6, 1e6)

FIRST = np.array([[3.0, 0, 1], [5, 1, 0], [2, 2, 2]])
SECOND = np.array([[3.0, 5, 1], [0, 1, 4], [1, 2, 2]])
STAKE = np.array([[6.0, 1, 3], [1, 0, 2], [4, 2, 5]])


def of_roles(units: Units) -> Units:
    return {role: units["planner" if role == "planner" else "agent"] for role in ROLES}


def gains(first: FloatArray, second: FloatArray, mu: FloatArray) -> tuple[float, float]:
    """What each agent gains at most by one action, whatever the other does."""
    return (
        float((first @ mu.sum(axis=0)).max() - (mu * first).sum()),
        float((mu.sum(axis=1) @ second).max() - (mu * second).sum()),
    )


# --- the worst ε-coarse-correlated equilibrium ---------------------------------------------------------------------


@pytest.mark.parametrize("units", GRID)
def test_worst_correlation_of_three_by_three_is_805_thousandths_in_every_unit(units: Units) -> None:
    agent, planner = units["agent"], units["planner"]
    found = worst_coarse_correlated_equilibrium(agent * FIRST, agent * SECOND, planner * STAKE, 0.3 * agent)
    assert found.planner_payoff / planner == pytest.approx(0.805, rel=1e-9)
    assert max(gains(FIRST, SECOND, found.distribution)) <= 0.3 * (1 + 1e-7)
    assert float((found.distribution * STAKE).sum()) == pytest.approx(0.805, rel=1e-7)


@given(
    st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.booleans(), st.sampled_from([0.0, 0.01, 0.3, 50.0]),
    EXPONENTS, EXPONENTS, CONSTANTS, CONSTANTS,
)  # fmt: skip
@settings(max_examples=60)
def test_worst_correlation_of_random_games_in_every_unit_and_with_any_constant(
    seed: int, m: int, n: int, integers: bool, epsilon: float, agent: float, planner: float, added: float, gift: float
) -> None:
    generator = np.random.default_rng(seed)
    first, second, stake = (
        generator.integers(0, 4, (3, m, n)).astype(float) if integers else generator.normal(size=(3, m, n))
    )
    expected = worst_coarse_correlated_equilibrium(first, second, stake, epsilon).planner_payoff
    a, p = 10.0**agent, 10.0**planner
    scaled = worst_coarse_correlated_equilibrium(a * first, a * second, p * stake, a * epsilon)
    assert scaled.planner_payoff / p == pytest.approx(expected, rel=1e-8, abs=1e-8)
    assert max(gains(first, second, scaled.distribution)) <= epsilon + 1e-7
    moved = worst_coarse_correlated_equilibrium(first + added, second - added, stake + gift, epsilon)
    assert moved.planner_payoff - gift == pytest.approx(expected, abs=1e-8)  # 1e6 + small differences: 1e-10 is lost


def test_subnormal_payoffs_beside_ordinary_ones() -> None:
    """The ratio of the units is infinite; a limit that does not bind has no price nevertheless."""
    tiny = np.full((1, 1), 1.1125369292536007e-308)
    found = worst_coarse_correlated_equilibrium(np.full((1, 1), 2.0), -tiny, np.full((1, 1), 3.0), 0.0)
    assert found.planner_payoff == pytest.approx(3.0)


def test_agents_may_have_units_of_their_own_at_no_regret() -> None:
    expected = worst_coarse_correlated_equilibrium(FIRST, SECOND, STAKE, 0.0).planner_payoff
    found = worst_coarse_correlated_equilibrium(1e-12 * FIRST, 1e12 * SECOND, STAKE, 0.0).planner_payoff
    assert found == pytest.approx(expected, rel=1e-9)


def test_payoffs_that_differ_by_their_rounding_are_the_same() -> None:
    """0.1 + 0.2 is not 0.3 in floats: an agent to whom everything is the same, in any unit."""
    same = np.array([[0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2]])
    for unit in (1.0, 1e-12, 1e12):
        assert worst_coarse_correlated_equilibrium(unit * same, unit * same.T, STAKE[:2, :2], 0.0).planner_payoff == (
            pytest.approx(0.0, abs=1e-9)
        )
        assert len(nash_equilibria(unit * same, unit * same)) == 4


# --- the worst ε-equilibrium ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", GRID)
def test_worst_equilibrium_of_eight_steps_is_63125_in_every_unit(units: Units) -> None:
    game = in_units(own_game(horizon=8), of_roles(units))
    found = worst_equilibrium(game, 0.05 * units["agent"])
    assert found.planner_payoff / units["planner"] == pytest.approx(0.63125, rel=1e-9)
    price = units["planner"] / units["agent"]
    plain = worst_equilibrium(own_game(horizon=8), 0.05)
    assert [m / price for m in found.multipliers] == pytest.approx(plain.multipliers, rel=1e-9)
    assert evaluate(game, found.policies)["planner"] / units["planner"] == pytest.approx(0.63125, rel=1e-6)
    assert max(exact_regret(game, found.policies).values()) <= 0.05 * (1 + 1e-6) * units["agent"]


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.05, 0.4, 50.0]), EXPONENTS, EXPONENTS, EXPONENTS, CONSTANTS)
@settings(max_examples=30)
def test_worst_equilibrium_of_random_games_in_every_unit_and_with_any_constant(
    seed: int, epsilon: float, first: float, second: float, planner: float, added: float
) -> None:
    """Each agent has its own unit, with its own ε."""
    game, policy = separable_game(seed)
    expected = worst_equilibrium(game, epsilon, policy).planner_payoff
    units = dict(zip(ROLES, (10.0**first, 10.0**second, 10.0**planner), strict=True))
    other = in_units(game, units)
    found = worst_equilibrium(other, [epsilon * units[role] for role in ROLES[:2]], policy)
    assert found.planner_payoff / units["planner"] == pytest.approx(expected, rel=1e-7, abs=1e-7)
    for agent, regret in exact_regret(other, found.policies).items():
        assert regret / units[agent] <= epsilon + 1e-6
    moved = worst_equilibrium(
        in_units(game, added=dict(zip(ROLES, (added, -added, added), strict=True))), epsilon, policy
    )
    assert moved.planner_payoff - added == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("role", ROLES)
def test_a_small_interaction_is_refused_beside_a_large_constant(role: str) -> None:
    game = own_game(horizon=3)
    interaction = np.zeros_like(game.rewards[role])
    interaction[0, 0, 0] = 1e-4
    mixed = in_units(game.with_added_rewards({role: interaction}), added={role: 1e6})
    with pytest.raises(ValueError, match="not a sum"):
        worst_equilibrium(mixed, 0.1)


@pytest.mark.parametrize("units", GRID)
def test_certificates_in_every_unit(units: Units) -> None:
    game = own_game(horizon=8)
    agents = {a: np.random.default_rng(0).dirichlet(np.ones(3), (8, 16)) for a in ROLES[:2]}
    agents["planner"] = np.ones((8, 16, 1))
    plain = certify(game, agents, 0.05)
    found = certify(in_units(game, of_roles(units)), agents, 0.05 * units["agent"])
    assert found.worst_planner_payoff is not None
    assert found.worst_planner_payoff / units["planner"] == pytest.approx(0.63125, rel=1e-9)
    assert found.certified_epsilon / units["agent"] == pytest.approx(plain.certified_epsilon, rel=1e-9)
    assert found.planner_payoff / units["planner"] == pytest.approx(plain.planner_payoff, rel=1e-9)


# --- equilibria and planners ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", GRID)
@pytest.mark.parametrize("q", [0.0, 0.4])
def test_equilibrium_and_best_constant_planner_in_every_unit(q: float, units: Units) -> None:
    game = augmented(q=q)
    other = in_units(game, of_roles(units))
    expected, found = equilibrium_policies(game), equilibrium_policies(other)
    assert all(np.array_equal(found[agent], expected[agent]) for agent in ROLES[:2])
    plain, best = best_constant_planner(game), best_constant_planner(other)
    assert best.action == plain.action
    assert best.planner_returns / units["planner"] == pytest.approx(plain.planner_returns, rel=1e-9)


@pytest.mark.parametrize("constant", [-1e6, 1e6])
def test_equilibrium_and_best_constant_planner_with_a_constant(constant: float) -> None:
    game = augmented(q=0.4)
    other = in_units(game, added=dict.fromkeys(ROLES, constant))
    expected, found = equilibrium_policies(game), equilibrium_policies(other)
    assert all(np.array_equal(found[agent], expected[agent]) for agent in ROLES[:2])
    assert best_constant_planner(other).action == best_constant_planner(game).action


def equal_returns(unit: float) -> TabularGame:
    """Agents at a uniform cell go up by one: r_p is 0.75, and 12·0.75·a − a² is 20 for a = 4 and a = 5."""
    return in_units(augmented(horizon=1), {"planner": unit})


@pytest.mark.parametrize("unit", [1e-12, 1e-3, 0.1, 1.0, 3.0, 7.0, 1e5, 1e12])
def test_of_equally_good_planner_actions_the_first_is_best_in_every_unit(unit: float) -> None:
    assert best_constant_planner(equal_returns(unit)).action == 4


@pytest.mark.parametrize("units", GRID)
@pytest.mark.parametrize("at_least", [-np.inf, 30.0])
def test_robust_planner_in_every_unit(at_least: float, units: Units) -> None:
    plain, found = (
        _robust([in_units(augmented(q=q, planner_observes=False), of_roles(u)) for q in (0.0, 0.4, 0.6)], least)
        for u, least in (({"agent": 1.0, "planner": 1.0}, at_least), (units, at_least * units["planner"]))
    )
    assert found.worst_case / units["planner"] == pytest.approx(plain.worst_case, rel=1e-7)
    assert found.returns[0] >= at_least * units["planner"] * (1 - 1e-8)


@pytest.mark.parametrize("constant", [-1e6, 1e6])
def test_robust_planner_with_a_constant(constant: float) -> None:
    games = [augmented(q=q, planner_observes=False) for q in (0.0, 0.4, 0.6)]
    plain = _robust(games, 30.0)
    found = _robust([in_units(game, added=dict.fromkeys(ROLES, constant)) for game in games], 30.0 + constant)
    assert found.worst_case - constant == pytest.approx(plain.worst_case, abs=1e-7)
    assert found.returns[0] - constant == pytest.approx(plain.returns[0], abs=1e-6)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_robust_planner_is_refused_what_nobody_earns_in_every_unit(unit: float) -> None:
    games = [in_units(augmented(planner_observes=False), {"planner": unit})]
    most = _robust(games, -np.inf).worst_case
    assert _robust(games, most).worst_case == pytest.approx(most, rel=1e-9)
    with pytest.raises(ValueError, match="at_least: no planner earns"):
        _robust(games, most * 1.000001)


def _robust(games: list[TabularGame], at_least: float) -> RobustOptimum:
    return robust_planner(games, [equilibrium_policies(game) for game in games], 0, at_least)


@pytest.mark.parametrize("unit", [1e-12, 1e-9, 1e-6, 1.0, 1e6, 1e12])
def test_closed_form_planner_in_every_unit_of_the_agents(unit: float) -> None:
    """Q prices the planner's payoff in the agents' unit."""
    base = tragedy_of_commons()
    payoffs = BimatrixPayoffs(unit * base.agent_0, unit * base.agent_1, base.planner)
    for q in (0.0, 0.288, 0.29, 0.505, 0.507, 0.866, 0.868):
        assert stationary_planner_optimum(payoffs, unit * q).action == stationary_planner_optimum(base, q).action


@pytest.mark.parametrize("unit", [1e-12, 1e-9, 1e-6, 1.0, 1e6, 1e12])
def test_closed_form_planner_in_every_unit_of_the_planner(unit: float) -> None:
    """A planner payoff in another unit is another gain κ, and another price Q."""
    base = tragedy_of_commons()
    payoffs = BimatrixPayoffs(base.agent_0, base.agent_1, unit * base.planner)
    for q in (0.0, 0.288, 0.29, 0.505, 0.507, 0.866, 0.868):
        found = stationary_planner_optimum(payoffs, q / unit, planner_gain=12.0 / unit)
        assert found.action == stationary_planner_optimum(base, q).action


@pytest.mark.parametrize("unit", [1e-12, 1e-8])
def test_closed_form_planner_is_refused_in_small_units_too(unit: float) -> None:
    """Two equilibria whose r_p differ by half the range."""
    meeting = np.eye(2)
    payoffs = BimatrixPayoffs(meeting, meeting, unit * np.diag([1.0, 2.0]))
    with pytest.raises(ValueError, match="2 pure equilibrium values"):
        stationary_planner_optimum(payoffs, 0.0)


@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_nash_equilibria_in_every_unit(unit: float) -> None:
    expected = nash_equilibria(FIRST, SECOND)
    found = nash_equilibria(unit * FIRST, unit * SECOND)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert np.concatenate(ours) == pytest.approx(np.concatenate(theirs), abs=1e-9)


# --- values and regrets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", GRID)
def test_values_and_regrets_in_every_unit(units: Units) -> None:
    game, generator = augmented(q=0.4), np.random.default_rng(1)
    policies = {
        role: generator.dirichlet(np.ones(game.next_states.shape[k + 1]), (20, 16)) for k, role in enumerate(ROLES)
    }
    stationary = {role: table[0] for role, table in policies.items()}
    by_role = of_roles(units)
    other = in_units(game, by_role)
    assert agents_ignore_planner(other) == agents_ignore_planner(game)
    pairs = [
        (evaluate(other, policies), evaluate(game, policies)),
        (exact_regret(other, policies), exact_regret(game, policies)),
        *(
            ({role: best_response_value(other, policies, role)}, {role: best_response_value(game, policies, role)})
            for role in ROLES
        ),
        (discounted_regret(other, stationary, 0.9), discounted_regret(game, stationary, 0.9)),
    ]
    for found, expected in pairs:
        for role, value in found.items():
            assert value / by_role[role] == pytest.approx(expected[role], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_discounted_values_and_regrets_beside_a_constant(seed: int) -> None:
    """Gains must not drown in the rounding of 1e6 / (1 − γ)."""
    game, generator = augmented(q=0.0), np.random.default_rng(seed)
    stationary = {role: generator.dirichlet(np.ones(game.next_states.shape[k + 1]), 16) for k, role in enumerate(ROLES)}
    moved = in_units(game, added={"agent_0": 1e6})
    gamma = 0.99999
    expected = discounted_best_response_value(game, stationary, "agent_0", gamma)
    found = discounted_best_response_value(moved, stationary, "agent_0", gamma) - 1e6
    assert found == pytest.approx(expected, abs=1e-9)
    regrets = [discounted_regret(g, stationary, gamma)["agent_0"] for g in (moved, game)]
    assert regrets[0] == pytest.approx(regrets[1], abs=1e-9)
