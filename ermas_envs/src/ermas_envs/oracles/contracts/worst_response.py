"""The worst response to a contract, by two definitions: expected regret of at most ε, and actions within δ of the best.

`expected`, ERMAS's: min over mixtures x of the principal's payoff, with Σ x_a (max u − u_a) ≤ ε: a linear program whose
multiplier is λ, and whose vertices are few. `support`: the worst action whose utility is above max u − δ
(F. Bacchiocchi et al., "Contract Design Under Approximate Best Responses", ICML 2025).
"""

from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_number, check_positive
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.contracts.problem import ROUNDING, ContractProblem

_SAME = 1e-12
"""Regrets that differ by less than this, in units of the largest payment, differ by rounding."""


@dataclass(frozen=True)
class ExpectedWorst:
    """The worst mixture by `expected`."""

    value: float
    """The principal's payoff."""
    mixture: FloatArray
    """(n,) that reaches it."""
    multiplier: float
    """λ ≥ 0: how much the value falls per unit of ε; at a kink it is the price of a wider bound."""


def worst_expected(problem: ContractProblem, payments: FloatArray, epsilon: float) -> ExpectedWorst:
    """Worst response to payments (O,) in [0, largest payment] by an agent with E[regret] ≤ ε; ValueError for ε < 0."""
    bound = check_number("epsilon", epsilon, 0.0)
    regrets, principal = problem.regrets(payments), problem.kept(payments)
    value, low, high, share = _vertex(regrets, principal, bound)
    mixture = np.zeros_like(regrets)
    mixture[low] = 1.0 - share
    mixture[high] += share
    # The line through (ε, value) below which no action lies: the least λ that is dual feasible.
    beyond = regrets > bound + _SAME * max(bound, float(payments.max()))
    prices = (value - principal[beyond]) / (regrets[beyond] - bound)
    return ExpectedWorst(value, mixture, float(prices.max(initial=0.0)))


def multiplier_range(problem: ContractProblem, payments: FloatArray, epsilon: float) -> tuple[float, float]:
    """The multipliers of the worst response by `expected`, from the smallest to the largest.

    The least payoff is a convex, piecewise linear function of ε; at a kink its slopes differ, and every number between
    them is a multiplier. Slopes are taken over `ROUNDING`^½ of the largest reward on both sides.
    """
    regrets, principal = problem.regrets(payments), problem.kept(payments)
    step = ROUNDING**0.5 * problem.unit
    least, here, most = (envelope(regrets, principal, e) for e in (max(epsilon - step, 0.0), epsilon, epsilon + step))
    below = min(step, epsilon)
    right = (here - most) / step
    return right, max((least - here) / below, right) if below > 0 else np.inf


def envelope(regrets: FloatArray, principal: FloatArray, epsilon: float) -> float:
    """The least payoff over mixtures whose expected regret is at most ε."""
    return _vertex(regrets, principal, epsilon)[0]


def _vertex(regrets: FloatArray, principal: FloatArray, epsilon: float) -> tuple[float, int, int, float]:
    """The vertex of the program at which it has its minimum: the least payoff, an action within ε, one beyond it, and
    the share of the latter; twice the same action where one alone is the worst.

    With one limit besides the sum, vertices have at most two actions, and a vertex of two uses all of ε.
    """
    within, beyond = np.flatnonzero(regrets <= epsilon), np.flatnonzero(regrets > epsilon)
    alone = int(within[principal[within].argmin()])
    if beyond.size:
        low, high = regrets[within][:, None], regrets[beyond][None]
        share = (epsilon - low) / (high - low)
        mixed = (1.0 - share) * principal[within][:, None] + share * principal[beyond][None]
        row, column = np.unravel_index(mixed.argmin(), mixed.shape)
        worse = principal[beyond[column]] < principal[alone]  # also where all of it would be beyond ε, at a kink
        if worse and mixed[row, column] <= principal[alone]:
            return float(mixed[row, column]), int(within[row]), int(beyond[column]), float(share[row, column])
    return float(principal[alone]), alone, alone, 0.0


def worst_support(problem: ContractProblem, payments: FloatArray, delta: float) -> tuple[float, int]:
    """The principal's payoff at the worst action with u_a > max u − δ, and that action; δ > 0.

    The inequality is strict, so that a best contract exists; utilities count as equal up to `ROUNDING`.
    """
    regrets = problem.regrets(payments)
    allowed = regrets < check_positive("delta", delta) - ROUNDING * payments.max()
    allowed[regrets.argmin()] = True
    principal = np.where(allowed, problem.kept(payments), np.inf)
    return float(principal.min()), int(principal.argmin())
