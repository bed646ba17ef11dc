"""Weights of people under which one outcome beats others, or a mixture of the others that proves that there are none.

A linear program and its dual (a theorem of the alternative, Ville 1938): either non-negative weights w give the chosen
outcome the largest Σ w_i u_i, or a lottery over the others gives everybody more than the chosen outcome does.
"""

from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arrays import FloatArray


@dataclass(frozen=True)
class Support:
    """Weights that speak most for an outcome, and the lottery that speaks most against it."""

    weights: FloatArray
    """(n,) of the people, ≥ 0, sum 1."""
    margin: float
    """By how much the outcome's weighted utility is above the best of the others'; the largest of all weights'."""
    mixture: FloatArray
    """(k,) probabilities of the others."""
    gains: FloatArray
    """(n,) what the lottery gives everybody more than the outcome does; no weights have a margin above −min gains."""


def supporting_weights(chosen: FloatArray, others: FloatArray) -> Support:
    """The weights with the largest margin.

    Args:
        chosen: (n,) utilities of the outcome in question.
        others: (k, n) utilities of what it is compared with, k ≥ 1.

    Raises:
        ValueError: other shapes, or numbers that are not finite.
        RuntimeError: the solver found nothing.
    """
    from scipy.optimize import linprog  # a third of a second, which only solving takes

    own, rivals = np.array(chosen, dtype=np.float64), np.array(others, dtype=np.float64)
    if own.ndim != 1 or rivals.ndim != 2 or len(rivals) == 0 or rivals.shape[1:] != own.shape:
        raise ValueError(f"others must have shape (k, {own.size}), k >= 1, got {rivals.shape}.")
    if not (np.all(np.isfinite(own)) and np.all(np.isfinite(rivals))):
        raise ValueError("utilities must be finite.")
    differences = rivals - own
    scale = max(float(np.abs(differences).max()), np.finfo(np.float64).tiny)  # the solver's tolerances are absolute
    n = len(own)
    solved = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=np.column_stack([differences / scale, np.ones(len(rivals))]),
        b_ub=np.zeros(len(rivals)),
        A_eq=[np.append(np.ones(n), 0.0)],
        b_eq=[1.0],
        bounds=[(0.0, None)] * n + [(None, None)],
    )
    if solved.status != 0:
        raise RuntimeError(f"no weights were found: {solved.message}")
    weights = np.maximum(solved.x[:n], 0.0)
    mixture = np.maximum(-solved.ineqlin.marginals, 0.0)
    weights, mixture = weights / weights.sum(), mixture / mixture.sum()
    # Margin and gains are computed from what is returned, so that they hold whatever the solver's accuracy.
    return Support(weights, float(-(differences @ weights).max()), mixture, np.asarray(mixture @ differences))
