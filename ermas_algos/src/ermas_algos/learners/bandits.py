"""Which arm a bandit tries next, by what all arms have earned; rewards of the order of 1.

ε-greedy and UCB1: P. Auer, N. Cesa-Bianchi, P. Fischer, "Finite-time analysis of the multiarmed bandit problem" (2002).
Thompson sampling: W. R. Thompson (1933), here with normal rewards of known variance and a normal prior.
"""

import numpy as np

from ermas_envs.base.arrays import FloatArray, IntArray


def means_of(counts: IntArray, sums: FloatArray) -> FloatArray:
    """(K,) mean reward of every arm; −∞ for one that was never tried."""
    return np.where(counts > 0, sums / np.maximum(counts, 1), -np.inf)


def epsilon_greedy(counts: IntArray, sums: FloatArray, epsilon: float, generator: np.random.Generator) -> int:
    """Any arm with probability ε, else the one with the best mean; first every arm once.

    Args:
        counts: (K,) how often every arm was tried.
        sums: (K,) what it has earned in all.
        epsilon: ε.
        generator: draws two numbers, whatever comes of them.
    """
    explores, drawn = generator.random(2)
    if (counts == 0).any():
        return int((counts == 0).argmax())
    return int(drawn * len(counts)) if explores < epsilon else int(means_of(counts, sums).argmax())


def ucb1_indices(counts: IntArray, sums: FloatArray, width: float) -> FloatArray:
    """(K,) mean + width · √(2 ln t / n), t trials in all, n of the arm; ∞ for one that was never tried.

    Args:
        counts: (K,) n.
        sums: (K,) what every arm has earned in all.
        width: of the interval that rewards lie in; 1 is Auer's.
    """
    tried = np.maximum(counts, 1)
    bonus = np.sqrt(2.0 * np.log(max(int(counts.sum()), 1)) / tried)
    return np.where(counts > 0, sums / tried + width * bonus, np.inf)


def posterior(
    counts: IntArray, sums: FloatArray, prior_mean: float, prior_deviation: float, noise: float
) -> tuple[FloatArray, FloatArray]:
    """Means and standard deviations (K,) of arms' expected rewards, given what they have earned.

    Args:
        counts: (K,) how often every arm was tried.
        sums: (K,) what it has earned in all.
        prior_mean: of every arm's expected reward.
        prior_deviation: of the same, > 0.
        noise: standard deviation of a reward, > 0.
    """
    precision = 1.0 / prior_deviation**2 + counts / noise**2
    return (prior_mean / prior_deviation**2 + sums / noise**2) / precision, precision**-0.5


def thompson(means: FloatArray, deviations: FloatArray, generator: np.random.Generator) -> int:
    """The best arm of a draw from the posterior, (K,) normal ones; K numbers are drawn."""
    return int((means + deviations * generator.standard_normal(len(means))).argmax())
