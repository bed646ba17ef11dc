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
"""By which actions are kept out of reach, in units of the largest payment, so that rounding brings none back."""
_NEAR = 4.0
"""How much larger than all payments of a contract the largest allowed one may be: the solver is as accurate as that."""


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
    chances, costs, rewards = problem.probabilities, problem.costs, problem.rewards
    none = np.zeros_like(rewards)
    best = OptimalContract(none, value := value_without_deviation(problem, none), value)
    for b in range(len(costs)):
        limits = (-chances[b], chances - chances[b], costs - costs[b])  # u_a ≤ u_b
        most = problem.worth_paying(b)
        found = _best_payments(*limits, most)
        if found is None:
            continue
        value, payments = float(chances[b] @ rewards + found[0]), found[1]
        if most.max() > _NEAR * payments.max() > 0.0:
            nearer = _best_payments(*limits, np.minimum(most, _NEAR * payments.max()))
            payments = payments if nearer is None else nearer[1]
        if value > best.value:
            best = OptimalContract(payments, value, value)
    return best


def value_without_deviation(problem: ContractProblem, payments: FloatArray) -> float:
    """The principal's payoff if the agent responds best, ties in the principal's favour."""
    chosen = chosen_without_deviation(problem, payments)
    return float(problem.kept(payments)[chosen])


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
    chances, costs, earned = problem.probabilities, problem.costs, problem.probabilities @ problem.rewards
    most = problem.worth_paying(b)
    rows = np.where(out[:, None], chances - chances[b], chances - chances[w])
    bounds = np.where(out, costs - costs[b] - delta - _MARGIN * most.max(), earned - earned[w])
    best = (chances - chances[b], costs - costs[b])  # u_a ≤ u_b
    found = _best_payments(-chances[w], np.vstack([rows, best[0]]), np.concatenate([bounds, best[1]]), most)
    return None if found is None else (float(earned[w] + found[0]), found[1])


def _best_payments(
    objective: FloatArray, coefficients: FloatArray, bounds: FloatArray, most: FloatArray
) -> tuple[float, FloatArray] | None:
    """`programs.maximum` over payments (O,) of at most so much each."""
    ranges = np.stack([np.zeros_like(most), most], axis=1)
    return maximum(objective, coefficients, bounds, ranges, float(most.max()))
