"""Optimal contracts without deviation, and robust ones against approximate best responses (`support`).

Without deviation (S. Grossman, O. Hart 1983): for every action b the cheapest contract under which it is best.
`support` (F. Bacchiocchi et al., ICML 2025): max over b and w of W_w − u_w where every action is out of reach,
u_a ≤ u_b − δ, or no worse for the principal, u_a ≤ u_w + W_a − W_w. Which of the two is weaker depends on u_b − u_w
alone, so that O(n³) linear programs are enough.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_positive
from ermas_envs.base.arrays import BoolArray, FloatArray
from ermas_envs.oracles.contracts.problem import ContractProblem, chosen_without_deviation
from ermas_envs.oracles.contracts.programs import maximum
from ermas_envs.oracles.contracts.worst_response import worst_support

_MARGIN = 1e-7
"""By which actions are kept out of reach, in units of the largest amount, so that rounding brings none back."""


@dataclass(frozen=True)
class OptimalContract:
    """A contract, and what is proven of it."""

    payments: FloatArray
    """(O,)."""
    value: float
    """What the principal earns by it, in the sense in which it is optimal; payoff of one contract."""
    bound: float
    """No contract earns more."""
    multiplier: float | None = None
    """λ at which the worst response to it is found, by `expected`; None elsewhere."""


def optimal_contract(problem: ContractProblem) -> OptimalContract:
    """The best contract if the agent responds best, and in the principal's interest where it is indifferent.

    Raises:
        LinearProgramError: a solver's answer does not hold.
    """
    chances, costs, welfare = problem.probabilities, problem.costs, problem.welfare
    best: OptimalContract | None = None
    for b in range(len(costs)):
        found = _best_payments(problem, -chances[b], chances - chances[b], costs - costs[b])  # u_a ≤ u_b
        if found is None:
            continue
        value = welfare[b] + costs[b] + found[0]
        if best is None or value > best.value:
            best = OptimalContract(found[1], float(value), float(value))
    assert best is not None  # under no payments some action is best
    return best


def value_without_deviation(problem: ContractProblem, payments: FloatArray) -> float:
    """The principal's payoff if the agent responds best, ties in the principal's favour."""
    chosen = chosen_without_deviation(problem, payments)
    return float(problem.welfare[chosen] - problem.utilities(payments)[chosen])


def robust_support(problem: ContractProblem, delta: float) -> OptimalContract:
    """The contract with the best worst response by `support`.

    Raises:
        ValueError: δ ≤ 0.
        LinearProgramError: a solver's answer does not hold.
    """
    width = check_positive("delta", delta)
    actions = range(len(problem.costs))
    best, bound = OptimalContract(np.zeros(len(problem.rewards)), -np.inf, -np.inf), -np.inf
    for b, w in itertools.product(actions, actions):
        # a is kept out of reach where u_b − u_w exceeds δ + W_a − W_w, and no better for the agent than w elsewhere.
        order = np.argsort(problem.welfare, kind="stable")
        for kept_out in range(len(order) + 1):
            out = np.zeros(len(order), dtype=np.bool_)
            out[order[:kept_out]] = True
            if out[w] or out[b]:
                break  # b is best, and w is played
            found = _kept_out(problem, b, w, out, width)
            if found is None:
                continue
            bound = max(bound, found[0])
            value = worst_support(problem, found[1], width)[0]
            if value > best.value:
                best = OptimalContract(found[1], value, value)
    return OptimalContract(best.payments, best.value, max(bound, best.value))


def _kept_out(
    problem: ContractProblem, b: int, w: int, out: BoolArray, delta: float
) -> tuple[float, FloatArray] | None:
    """max W_w − u_w where actions `out` are out of reach of the best, b, and all others no worse for the principal than
    w."""
    chances, costs, welfare = problem.probabilities, problem.costs, problem.welfare
    rows = np.where(out[:, None], chances - chances[b], chances - chances[w])
    margin = delta + _MARGIN * problem.magnitude
    bounds = np.where(out, costs - costs[b] - margin, costs - costs[w] + welfare - welfare[w])
    best = (chances - chances[b], costs - costs[b])  # u_a ≤ u_b
    found = _best_payments(problem, -chances[w], np.vstack([rows, best[0]]), np.concatenate([bounds, best[1]]))
    return None if found is None else (float(welfare[w] + costs[w] + found[0]), found[1])


def _best_payments(
    problem: ContractProblem, objective: FloatArray, coefficients: FloatArray, bounds: FloatArray
) -> tuple[float, FloatArray] | None:
    """`programs.maximum` over payments."""
    ranges = np.array([[0.0, problem.largest_payment]] * len(objective))
    return maximum(objective, coefficients, bounds, ranges, problem.magnitude)
