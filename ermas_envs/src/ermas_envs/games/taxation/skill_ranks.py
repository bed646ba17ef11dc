"""Skills by rank (SPEC sections 4.3 and 17): means over many draws from a Lomax distribution, sorted."""

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray


def rank_means(samples: FloatArray, max_multiplier: float) -> FloatArray:
    """(n,) means per rank of (rows, n) Lomax samples mapped to multipliers; ValueError unless max_multiplier ≥ 1."""
    maximum = check_number("max_multiplier", max_multiplier, 1)
    largest = np.minimum(samples, 2.0)  # from 1 on it is the maximum; and 0 · ∞, of a tiny shape, would be no number
    multipliers = np.minimum(maximum, (maximum - 1.0) * largest + 1.0)
    means: FloatArray = np.sort(multipliers, axis=1).mean(axis=0)
    return means
