"""Gaussian-process optimisation over a finite set of arms: what is believed of all arms, and which to try next.

GP-UCB: N. Srinivas, A. Krause, S. Kakade, M. Seeger, "Gaussian process optimization in the bandit setting" (2010).
Expected improvement: J. Močkus (1975). Regression by scikit-learn.
"""

import numpy as np
from scipy.stats import norm

from ermas_envs.base.arrays import FloatArray, IntArray

CONFIDENCE = 0.1
"""δ of Srinivas et al.: with probability 1 − δ no arm is ever better than its bound."""


LENGTH_SCALES = np.geomspace(0.05, 2.0, 8)
"""Of the kernel, in shares of an action's range, from which the likelihood chooses."""


def beliefs(
    arms: FloatArray, counts: IntArray, sums: FloatArray, noise: float, length_scale: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Posterior mean and standard deviation (K,) of every arm's expected reward.

    An arm that was tried n times is an observation of its mean, with variance noise²/n, which is the same as n
    observations. The prior mean is that of the rewards; the kernel is Matérn's (ν = 5/2).

    Args:
        arms: (K, d) each part in [0, 1].
        counts: (K,) how often every arm was tried; at least one was.
        sums: (K,) what it has earned in all.
        noise: standard deviation of a reward, > 0.
        length_scale: of the kernel, whose variance is then 1; None: its variance is that of the arms' means, and the
            likelihood chooses among `LENGTH_SCALES`.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor  # takes a second to import
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    tried = np.flatnonzero(counts)
    earned = sums[tried] / counts[tried]
    middle = float(sums.sum() / counts.sum())
    variance = 1.0 if length_scale is not None or len(tried) < 2 else max(float(earned.var()), noise**2)
    models = []
    for scale in LENGTH_SCALES if length_scale is None else [length_scale]:
        kernel = ConstantKernel(variance) * Matern(scale, nu=2.5)
        model = GaussianProcessRegressor(kernel, alpha=noise**2 / counts[tried], optimizer=None)
        models.append(model.fit(arms[tried], earned - middle))
    best = max(models, key=lambda model: float(model.log_marginal_likelihood_value_))
    means, deviations = best.predict(arms, return_std=True)
    return means + middle, deviations


def upper_bounds(means: FloatArray, deviations: FloatArray, trials: int) -> FloatArray:
    """(K,) mean + √β_t · deviation, β_t = 2 ln(K t² π² / 6δ): Theorem 1 of Srinivas et al., t trials so far + 1."""
    beta = 2.0 * np.log(len(means) * (trials + 1) ** 2 * np.pi**2 / (6.0 * CONFIDENCE))
    return np.asarray(means + np.sqrt(beta) * deviations)


def expected_improvement(means: FloatArray, deviations: FloatArray, best: float) -> FloatArray:
    """(K,) E[max(f − best, 0)] for f normal with these means and deviations; max(mean − best, 0) where one is 0."""
    gain, spread = means - best, np.maximum(deviations, 1e-300)
    with np.errstate(over="ignore"):
        at = gain / spread
    return np.where(deviations > 0, gain * norm.cdf(at) + deviations * norm.pdf(at), np.maximum(gain, 0.0))
