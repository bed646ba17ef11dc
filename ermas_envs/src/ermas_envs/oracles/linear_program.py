"""Linear programs of the oracles: scaled before they are solved (HiGHS), checked against the unscaled data afterwards.

A solver's tolerances are absolute: HiGHS keeps constraints to 1e-7 and drops coefficients below 1e-9, whatever they are
measured in. Here all numbers of one unit are first divided by their own size. The minimum that is told is the bound of
the dual program: by weak duality no point within the limits is below it, however inexactly the solver worked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its submodule optimize is imported by the first solution, as it takes a third of a second
from scipy import sparse

from ermas_envs.base.arrays import FloatArray

TOLERANCE = 1e-8
"""How far a solution may miss a limit, a sum or the bound of the dual, in units of the largest coefficient."""
SLACK = 1e-9
"""For `Limits.slack`: more than the solver's accuracy, less than the tolerance."""
_ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""Differences of numbers say nothing below this share of the numbers themselves."""
_ACCURACY = 1e-10
"""What HiGHS is asked for, its smallest."""


class LinearProgramError(RuntimeError):
    """A linear program for which the solver gave no solution, or one that does not hold."""


class InfeasibleError(LinearProgramError):
    """No point is within the limits."""


@dataclass(frozen=True)
class Limits:
    """coefficients · x ≤ bounds, all in one unit."""

    coefficients: FloatArray
    """(k, n)."""
    bounds: FloatArray
    """(k,)."""
    magnitude: float = 0.0
    """Largest of the numbers that the coefficients are differences of; below its rounding they count as nothing."""
    slack: float = 0.0
    """How much wider the solver's bounds are, in units of the largest coefficient: with `SLACK` the multiplier at a
    kink is the price of a wider bound, not of a narrower one. The minimum is that of the bounds as they are."""


@dataclass(frozen=True)
class Solution:
    """A point that keeps the limits up to `TOLERANCE`, and a bound that holds for all that keep them exactly."""

    minimum: float
    """cost · x of the best point, as the bound of the dual: below it is no point that keeps the limits.

    What is above it is real up to `TOLERANCE`: `point` costs at most so much more, and keeps the limits so far.
    """
    point: FloatArray
    """(n,) in [0, 1]."""
    multipliers: tuple[FloatArray, ...]
    """Per group of limits (k,) how much the minimum falls per unit of its bounds, ≥ 0."""


@dataclass(frozen=True)
class LinearProgram:
    """min cost · x over x in [0, 1]ⁿ with sums · x = totals, such as probabilities, and within the limits."""

    cost: FloatArray
    """(n,) in a unit of its own."""
    limits: Sequence[Limits]
    sums: FloatArray | sparse.csr_matrix
    """(m, n) without a unit, of order 1; they and the totals imply x ≤ 1."""
    totals: FloatArray
    """(m,)."""
    magnitude: float = 0.0
    """As in `Limits`, for the cost."""

    def solve(self) -> Solution:
        """The minimum and a point that reaches it; the same in every unit of the cost and of each group of limits.

        Raises:
            InfeasibleError: no point is within the limits.
            LinearProgramError: the solver failed, or its solution does not hold in the numbers as they were given.
        """
        cost_unit = unit(self.cost, self.magnitude)
        units = [unit(group.coefficients, group.magnitude) for group in self.limits]
        found = scipy.optimize.linprog(
            self.cost / cost_unit,
            A_ub=np.vstack([group.coefficients / size for group, size in zip(self.limits, units, strict=True)]),
            b_ub=np.concatenate([_bounds(group, size) for group, size in zip(self.limits, units, strict=True)]),
            A_eq=self.sums,
            b_eq=self.totals,
            method="highs",
            options={"primal_feasibility_tolerance": _ACCURACY, "dual_feasibility_tolerance": _ACCURACY},
        )
        if found.status == 2:
            raise InfeasibleError(f"the linear program has no solution: {found.message}")
        if not found.success:
            raise LinearProgramError(f"the linear program has no solution: {found.message}")
        point = np.clip(found.x, 0.0, 1.0)
        scaled = np.split(np.maximum(-found.ineqlin.marginals, 0.0), np.cumsum([len(g.bounds) for g in self.limits]))
        ratios = [cost_unit / size for size in units]  # infinite beside a group of subnormal coefficients
        multipliers = tuple(
            np.multiply(part, ratio, out=np.zeros_like(part), where=part > 0.0)
            for part, ratio in zip(scaled, ratios, strict=False)
        )
        minimum = self._dual_bound(multipliers, found.eqlin.marginals * cost_unit)
        self._check(found.x, minimum, cost_unit, units)
        return Solution(minimum, point, multipliers)

    def _dual_bound(self, multipliers: Sequence[FloatArray], prices: FloatArray) -> float:
        """Least of cost · x + Σ multipliers · (coefficients · x − bounds) − prices · (sums · x − totals) in [0, 1]ⁿ."""
        reduced, bound = self.cost - self.sums.T @ prices, float(prices @ self.totals)
        for group, price in zip(self.limits, multipliers, strict=True):
            reduced = reduced + price @ group.coefficients
            bound -= float(price @ group.bounds)
        return bound + float(np.minimum(reduced, 0.0).sum())

    def _check(self, point: FloatArray, minimum: float, cost_unit: float, units: Sequence[float]) -> None:
        """LinearProgramError unless the point keeps the limits and sums and is no worse than the bound of the dual."""
        misses = {
            "0 or 1": float(np.abs(point - point.clip(0.0, 1.0)).max()),
            "a sum": float(np.abs(self.sums @ point - self.totals).max()),
        }
        for number, (group, size) in enumerate(zip(self.limits, units, strict=True)):
            with np.errstate(over="ignore"):
                excess = (group.coefficients @ point - group.bounds) / size
            misses[f"a limit of group {number}"] = float(excess.max())
        misses["the bound of the dual program"] = (float(self.cost @ point) - minimum) / cost_unit
        for what, miss in misses.items():
            if not miss <= TOLERANCE:  # so that NaN is refused, too
                raise LinearProgramError(
                    f"the solution of a linear program does not hold: it misses {what} by {miss:.2g} of the largest "
                    f"coefficient, {TOLERANCE:g} is allowed. Are some payoffs more than 1e8 times larger than others?"
                )


def _bounds(group: Limits, size: float) -> FloatArray:
    """(k,) the solver's bounds; those far beyond all of [0, 1]ⁿ are brought near, so that none is infinite."""
    with np.errstate(over="ignore"):
        scaled = group.bounds / size
    reach = np.maximum(group.coefficients / size, 0.0).sum(axis=1)
    # Nearer but out of reach all the same, so that they have no price.
    bounds: FloatArray = np.minimum(scaled, reach + 1.0) + group.slack
    return bounds


def unit(values: FloatArray, magnitude: float) -> float:
    """What `values` are divided by: their size, as a power of two, so that the division rounds nothing.

    Where they are but the rounding of numbers of size `magnitude`, it is that of the magnitude.
    """
    size = float(np.abs(values).max(initial=0.0))
    if size <= rounding(magnitude):
        size = magnitude
    return math.ldexp(1.0, math.frexp(size)[1] - 1) if size > 0 else 1.0


def rounding(magnitude: float) -> float:
    """Up to which difference numbers of size `magnitude` count as equal."""
    return _ROUNDING * magnitude
