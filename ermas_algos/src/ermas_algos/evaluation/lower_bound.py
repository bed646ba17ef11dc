"""A one-sided confidence bound of a mean from below: Student's, corrected for skewness (P. Hall, 1992).

P. Hall, "On the removal of skewness by transformation", Journal of the Royal Statistical Society B 54 (1992). Student's
bound says too much where rare values are far below the mean, as when a deviation that usually pays now and then ruins
its agent; what no sample has shown no bound can know of.
"""

import math

import numpy as np
from scipy.special import stdtrit

from ermas_envs.base.arrays import FloatArray

CONFIDENCE = 0.95
"""Probability with which a bound lies below the mean."""


def lower_bound(sample: FloatArray) -> float:
    """A number that lies below the mean of a distribution with a probability of about `CONFIDENCE`.

    With g the cubic transformation that removes the skewness γ of Student's T = √n (m − μ)/s, and t the quantile of
    Student's distribution with n − 1 degrees of freedom, it is m − s/√n · g⁻¹(t), where
    g⁻¹(x) = 3 √n/γ · ((1 + γ/√n · (x − γ/(6 √n)))^(1/3) − 1).

    Args:
        sample: (n,) independent draws, n ≥ 2, in any unit.

    Returns:
        The mean itself where all draws are equal.

    Raises:
        ValueError: fewer than two numbers, or some that are not finite.
    """
    values = np.asarray(sample, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"sample must be at least two finite numbers, got shape {values.shape}.")
    count, mean, deviation = len(values), float(values.mean()), float(values.std(ddof=1))
    if deviation <= 1e-12 * abs(mean):  # rounding
        return mean
    quantile = float(stdtrit(count - 1, CONFIDENCE))
    skewness = float((((values - mean) / deviation) ** 3).mean())
    root = math.sqrt(count)
    slope = skewness / root
    corrected = quantile
    if abs(slope) > 1e-9:
        corrected = 3.0 / slope * (float(np.cbrt(1.0 + slope * (quantile - slope / 6.0))) - 1.0)
    return mean - deviation / root * corrected
