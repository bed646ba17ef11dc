"""Oracles of contracts: closed forms, brute force on small instances, the reference table, certificates."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.contract.instances import drawn_instances, reference_instances
from ermas_envs.games.contract.settings import ContractSettings
from ermas_envs.oracles.contracts import (
    ContractProblem,
    certify_contract,
    certify_contracts,
    multiplier_range,
    optimal_contract,
    robust_expected,
    robust_support,
    value_without_deviation,
    worst_expected,
    worst_support,
)
from ermas_envs.oracles.contracts.worst_response import envelope

WORK_OR_SHIRK = ContractProblem(
    np.array([[0.75, 0.25], [0.25, 0.75]]), np.array([0.0, 2.0]), np.array([0.0, 0.25]), largest_payment=2.0
)
"""Under payments (0, p): u = (p/4, 3p/4 − 1/4), W = (1/2, 5/4)."""


def small(seed: int) -> ContractProblem:
    """Three actions, two outcomes."""
    return ContractProblem.each(drawn_instances(seed, 1, num_actions=3, num_outcomes=2))[0]


def contracts_on_a_grid(problem: ContractProblem, levels: int) -> FloatArray:
    """(levels^O, O)."""
    return np.array(list(itertools.product(np.linspace(0.0, problem.largest_payment, levels), repeat=2)))


def worst_of_two(problem: ContractProblem, payments: FloatArray, epsilon: float) -> float:
    """The worst mixture of at most two actions, mixed in steps of 1/2000."""
    own = problem.utilities(payments)
    regrets, principal = own.max() - own, problem.welfare - own
    shares = np.linspace(0.0, 1.0, 2001)[:, None, None]
    regret = shares * regrets[:, None] + (1 - shares) * regrets
    return float((shares * principal[:, None] + (1 - shares) * principal)[regret <= epsilon].min())


def test_the_optimum_without_deviation_in_closed_form() -> None:
    """Work is best from p = 1/2 on, and then worth 3/4 · 3/2."""
    found = optimal_contract(WORK_OR_SHIRK)
    assert found.payments == pytest.approx([0.0, 0.5], abs=1e-7)
    assert found.value == pytest.approx(1.125)
    assert value_without_deviation(WORK_OR_SHIRK, np.array([0.0, 0.5])) == pytest.approx(1.125)
    assert value_without_deviation(WORK_OR_SHIRK, np.array([0.0, 0.49])) == pytest.approx(0.25 * 1.51)


def test_the_worst_response_in_closed_form() -> None:
    """At p the agent loses (p − 1/2)/2 by shirking, and shirks with probability ε over that."""
    found = worst_expected(WORK_OR_SHIRK, np.array([0.0, 0.9]), 0.05)
    assert found.mixture == pytest.approx([0.25, 0.75])
    assert found.value == pytest.approx(0.75 * 0.75 * 1.1 + 0.25 * 0.25 * 1.1)
    assert found.multiplier == pytest.approx(0.5 * 1.1 / 0.2)
    assert multiplier_range(WORK_OR_SHIRK, np.array([0.0, 0.9]), 0.05) == pytest.approx([2.75, 2.75], rel=1e-3)
    assert worst_support(WORK_OR_SHIRK, np.array([0.0, 0.9]), 0.19) == (pytest.approx(0.75 * 1.1), 1)
    assert worst_support(WORK_OR_SHIRK, np.array([0.0, 0.9]), 0.21) == (pytest.approx(0.25 * 1.1), 0)


def test_robust_contracts_in_closed_form() -> None:
    """`expected`: (2 − p)(3/4 − ε/(p − 1/2)) is largest at p − 1/2 = (2 ε)^½. `support`: p = 1/2 + 2 δ."""
    gap = (2 * 0.05) ** 0.5
    found = robust_expected(WORK_OR_SHIRK, 0.05)
    assert found.value == pytest.approx((1.5 - gap) * (0.75 - 0.05 / gap), abs=2e-5)
    assert found.payments == pytest.approx([0.0, 0.5 + gap], abs=0.02)
    assert found.value <= found.bound <= found.value + 2e-5
    kept = robust_support(WORK_OR_SHIRK, 0.1)
    assert kept.payments == pytest.approx([0.0, 0.7], abs=1e-5)
    assert kept.value == pytest.approx(0.75 * 1.3, abs=1e-5)


@settings(max_examples=20, deadline=None)
@example(0, 1, 0.0)
@given(st.integers(0, 2**31), st.integers(0, 2**31), st.floats(0.0, 0.3))
def test_the_worst_response_against_mixtures_of_two(seed: int, draw: int, epsilon: float) -> None:
    problem = small(seed)
    payments = np.random.default_rng(draw).random(2) * problem.largest_payment
    found = worst_expected(problem, payments, epsilon)
    own = problem.utilities(payments)
    assert own.max() - found.mixture @ own <= epsilon + 1e-7
    assert found.mixture @ (problem.welfare - own) == pytest.approx(found.value, abs=1e-6)
    brute = worst_of_two(problem, payments, epsilon)
    assert found.value - 1e-7 <= brute <= found.value + 2e-3 * problem.unit
    program = linprog(problem.welfare - own, (own.max() - own)[None], [epsilon], np.ones((1, len(own))), [1.0])
    assert found.value == pytest.approx(program.fun, abs=1e-6 * (1.0 + found.multiplier))  # a solver's accuracy
    low, high = multiplier_range(problem, payments, epsilon)
    assert low - 1e-3 * (1 + low) <= found.multiplier <= high + 1e-3 * (1 + high)


@pytest.mark.parametrize("size", [2.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("what", ["a forbidden action", "the largest payment", "all costs"])
def test_amounts_that_only_say_what_nobody_does_change_nothing(what: str, size: float) -> None:
    chances = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9]])
    rewards, costs, most = np.array([0.0, 1.0]), np.array([0.0, 0.1, 0.3, 2.0]), 1.0
    if what == "a forbidden action":
        costs[3] = size
    elif what == "the largest payment":
        most = size
    else:
        costs += size
    problem, none = ContractProblem(chances, rewards, costs, most), np.zeros(2)
    rounding = 1e-6 if what == "all costs" else 1e-9
    assert value_without_deviation(problem, none) == pytest.approx(0.1)
    naive = optimal_contract(problem)
    assert naive.value == pytest.approx(0.48, abs=rounding)
    assert value_without_deviation(problem, naive.payments) == pytest.approx(0.48, abs=rounding)
    robust = robust_expected(problem, 0.05)
    assert robust.value == pytest.approx(0.2202, abs=1e-4)
    assert robust.value <= robust.bound <= robust.value + 1e-5
    assert worst_support(problem, np.array([0.0, 0.25]), 0.05) == (pytest.approx(0.075, abs=rounding), 0)
    assert robust_support(problem, 0.05).value == pytest.approx(0.42, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 1])
def test_no_contract_on_a_grid_is_better_than_the_robust_ones(seed: int) -> None:
    problem = small(seed)
    grid = contracts_on_a_grid(problem, 61)
    spacing = problem.largest_payment / 60
    robust, support = robust_expected(problem, 0.05), robust_support(problem, 0.05)
    own = problem.utilities(grid)
    worst = [envelope(u.max() - u, problem.welfare - u, 0.05) for u in own]
    assert robust.value - 4 * spacing <= max(worst) <= robust.bound + 1e-9
    kept = max(worst_support(problem, payments, 0.05)[0] for payments in grid)
    assert kept <= support.bound + 1e-6
    # The grid reaches them up to its spacing: a contract that pays so much more has the same best responses.
    assert kept >= support.value - 4 * spacing
    assert (
        max(value_without_deviation(problem, payments) for payments in grid) <= optimal_contract(problem).value + 1e-9
    )


@pytest.mark.parametrize("instance", [4, 5])
def test_returned_contracts_are_worth_what_their_certificates_say(instance: int) -> None:
    problem = ContractProblem.each(reference_instances())[instance]
    naive, robust, support = optimal_contract(problem), robust_expected(problem, 0.05), robust_support(problem, 0.05)
    assert certify_contract(problem, naive.payments, 0.0).value == pytest.approx(naive.value, abs=1e-5)
    found = certify_contract(problem, robust.payments, 0.05)
    assert found.worst.value == pytest.approx(robust.value, abs=1e-5)
    assert found.robust.value == pytest.approx(robust.value, abs=1e-5)
    assert found.naive_worst <= found.robust.bound + 1e-9
    other = certify_contract(problem, support.payments, 0.05)
    assert other.support_value == pytest.approx(support.value, abs=1e-5)
    assert other.worst.value <= robust.bound + 1e-9


def test_an_agent_that_deviates_is_measured() -> None:
    mixture = np.array([0.25, 0.75])
    found = certify_contracts([WORK_OR_SHIRK], [0.0, 0.9], None, mixture[None])
    agent = found.agents[0].agent
    assert agent is not None
    assert agent.regret == pytest.approx(0.05)
    assert found.epsilon == pytest.approx(0.05)
    assert agent.value == pytest.approx(found.worst_value)  # it happens to be the worst
    assert found.holds
    assert not replace(found, agents=(replace(found.agents[0], epsilon=0.04),)).holds


def test_agents_add_up() -> None:
    problems = ContractProblem.all_of(ContractSettings(num_agents=2))
    found = certify_contracts(problems, [[0.0, 0.1, 0.2, 0.3]] * 2, 0.05)
    assert found.worst_value == pytest.approx(
        sum(certify_contract(problem, [0.0, 0.1, 0.2, 0.3], 0.05).worst.value for problem in problems)
    )
    assert len(found.as_dict()["agents"]) == 2


@pytest.mark.parametrize(
    ("payments", "epsilon", "named"),
    [
        ([0.1], 0.1, "1 × 2 payments"),
        ([0.1, -0.1], 0.1, "payment"),
        ([0.1, 2.5], 0.1, "payment"),
        ([0.1, "x"], 0.1, "payment"),
        ([0.1, 0.1], -0.1, "epsilon"),
    ],
)
def test_what_is_refused_is_named(payments: list[object], epsilon: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        certify_contracts([WORK_OR_SHIRK], payments, epsilon)


def test_the_reference_table_without_robust_optima() -> None:
    problems = ContractProblem.each(reference_instances())
    naive = [optimal_contract(problem) for problem in problems]
    pairs = list(zip(problems, naive, strict=True))
    assert f"{np.mean([found.value for found in naive]):.3f}" == "1.026"
    for epsilon, digits in ((0.02, ".875"), (0.05, ".820"), (0.1, ".766")):
        worst = [worst_expected(problem, found.payments, epsilon).value for problem, found in pairs]
        assert f"{np.mean(worst):.3f}"[1:] == digits
    for delta, digits in ((0.05, ".889"), (0.2, ".749")):
        worst = [worst_support(problem, found.payments, delta)[0] for problem, found in pairs]
        assert f"{np.mean(worst):.3f}"[1:] == digits


@pytest.mark.slow
@pytest.mark.parametrize(
    ("definition", "epsilon", "digits", "gainers", "largest"),
    [
        ("expected", 0.02, ".943", 14, 168),
        ("expected", 0.05, ".888", 16, 167),
        ("expected", 0.1, ".828", 15, 194),
        ("support", 0.05, ".995", 15, 195),
        ("support", 0.2, ".893", 21, 382),
    ],
)
def test_the_reference_table(definition: str, epsilon: float, digits: str, gainers: int, largest: int) -> None:
    robust, naive = [], []
    for problem in ContractProblem.each(reference_instances()):
        payments = optimal_contract(problem).payments
        if definition == "expected":
            robust.append(robust_expected(problem, epsilon).value)
            naive.append(worst_expected(problem, payments, epsilon).value)
        else:
            robust.append(robust_support(problem, epsilon).value)
            naive.append(worst_support(problem, payments, epsilon)[0])
    gains = np.array(robust) / np.array(naive) - 1.0
    assert f"{np.mean(robust):.3f}"[1:] == digits
    assert (gains > (0.01 if definition == "expected" else 1e-6)).sum() == gainers
    assert round(100 * gains.max()) == largest
