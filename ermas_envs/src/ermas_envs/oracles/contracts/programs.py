"""Linear programs over contracts: variables within ranges of their own, within limits, one objective to be maximised.

`LinearProgram` knows variables in [0, 1] with sums; here they are the variables' shares of their ranges, and what is
left of each.
"""

import numpy as np

from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.linear_program import InfeasibleError, Limits, LinearProgram, unit


def maximum(
    objective: FloatArray,
    coefficients: FloatArray,
    bounds: FloatArray,
    ranges: FloatArray,
    magnitude: float,
) -> tuple[float, FloatArray] | None:
    """max objective · x within coefficients · x ≤ bounds and ranges[:, 0] ≤ x ≤ ranges[:, 1].

    Args:
        objective: (k,).
        coefficients: (m, k).
        bounds: (m,).
        ranges: (k, 2).
        magnitude: largest of the amounts that the numbers are differences of.

    Returns:
        An upper bound that holds for all x within the limits (weak duality), and an x (k,) that reaches it up to the
        accuracy of the solver; None where none is within the limits.

    Raises:
        LinearProgramError: the solver's answer does not hold.
    """
    low, scale = ranges[:, 0], ranges[:, 1] - ranges[:, 0]
    scaled = coefficients * scale
    sizes = np.array([unit(row, magnitude) for row in scaled])  # each limit is kept in units of its own
    limits = Limits(np.hstack([scaled, np.zeros_like(scaled)]) / sizes[:, None], (bounds - coefficients @ low) / sizes)
    eye, spare = np.eye(len(low)), np.zeros(len(low))
    cost = -np.concatenate([objective * scale, spare])
    program = LinearProgram(cost, [limits], np.hstack([eye, eye]), np.ones(len(low)))
    try:
        found = program.solve()
    except InfeasibleError:
        return None
    return float(objective @ low - found.minimum), low + found.point[: len(low)] * scale
