"""The worst response to a contract, by two definitions: expected regret of at most ε, and actions within δ of the best.

`expected`, ERMAS's: min over mixtures x of the principal's payoff, with Σ x_a (max u − u_a) ≤ ε: a linear program whose
multiplier is λ. `support`: the worst action whose utility is above max u − δ (F. Bacchiocchi et al., "Contract Design
Under Approximate Best Responses", ICML 2025).
"""

from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_number, check_positive
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.contracts.problem import ROUNDING, ContractProblem
from ermas_envs.oracles.linear_program import Limits, LinearProgram


@dataclass(frozen=True)
class ExpectedWorst:
    """The worst mixture by `expected`."""

    value: float
    """The principal's payoff: the bound of the dual program, below which no mixture is that keeps ε."""
    mixture: FloatArray
    """(n,) that reaches it."""
    multiplier: float
    """λ ≥ 0: how much the value falls per unit of ε. Where ε lies at a kink it is the larger one of the two prices, or
    one between them."""


def worst_expected(problem: ContractProblem, payments: FloatArray, epsilon: float) -> ExpectedWorst:
    """Worst response to payments (O,) in [0, largest payment] by an agent with E[regret] ≤ ε.

    Raises:
        ValueError: ε < 0.
        LinearProgramError: the solver's answer does not hold.
    """
    bound = check_number("epsilon", epsilon, 0.0)
    own = problem.utilities(payments)
    principal = problem.welfare - own
    limits = Limits((own.max() - own)[None], np.array([bound]), problem.magnitude)
    ones = np.ones((1, len(own)))
    # Payoffs are moved, so that the bound of the dual is that of numbers of order of their differences.
    found = LinearProgram(principal - principal.min(), [limits], ones, np.ones(1), problem.magnitude).solve()
    mixture = found.point / found.point.sum()
    return ExpectedWorst(float(principal.min() + found.minimum), mixture, float(found.multipliers[0][0]))


def multiplier_range(problem: ContractProblem, payments: FloatArray, epsilon: float) -> tuple[float, float]:
    """The multipliers of the worst response by `expected`, from the smallest to the largest.

    The least payoff is a convex, piecewise linear function of ε; at a kink its slopes differ, and every number between
    them is a multiplier. Slopes are taken over `ROUNDING`^½ of the largest amount on both sides.
    """
    own = problem.utilities(payments)
    regrets, principal = own.max() - own, problem.welfare - own
    step = ROUNDING**0.5 * problem.magnitude
    least, here, most = (envelope(regrets, principal, e) for e in (max(epsilon - step, 0.0), epsilon, epsilon + step))
    below = min(step, epsilon)
    right = (here - most) / step
    return right, max((least - here) / below, right) if below > 0 else np.inf


def envelope(regrets: FloatArray, principal: FloatArray, epsilon: float) -> float:
    """The least payoff over mixtures of at most two actions whose expected regret is at most ε: the vertices of the
    program, whose minimum it is."""
    within, beyond = regrets <= epsilon, regrets > epsilon
    least = float(principal[within].min())
    if beyond.any():
        low, high = regrets[within][:, None], regrets[beyond][None]
        share = (epsilon - low) / (high - low)
        mixed = (1.0 - share) * principal[within][:, None] + share * principal[beyond][None]
        least = min(least, float(mixed.min()))
    return least


def worst_support(problem: ContractProblem, payments: FloatArray, delta: float) -> tuple[float, int]:
    """The principal's payoff at the worst action with u_a > max u − δ, and that action; δ > 0.

    The inequality is strict, so that a best contract exists; utilities count as equal up to `ROUNDING`.
    """
    own = problem.utilities(payments)
    allowed = own > own.max() - check_positive("delta", delta) + ROUNDING * problem.magnitude
    allowed[own.argmax()] = True
    principal = np.where(allowed, problem.welfare - own, np.inf)
    return float(principal.min()), int(principal.argmin())
