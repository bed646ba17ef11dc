"""The stage game of a bimatrix game: all Nash equilibria, and the worst ε-coarse-correlated equilibrium."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.linear_program import Limits, LinearProgram, rounding

_TOLERANCE = 1e-9
_SINGULAR = 1e12
"""Condition number from which equations count as dependent."""


def nash_equilibria(agent_0: ArrayLike, agent_1: ArrayLike) -> list[tuple[FloatArray, FloatArray]]:
    """All extreme Nash equilibria of a bimatrix game, pure and mixed.

    They are the fully labelled pairs of vertices of the two best-response polytopes. A degenerate game may have
    infinitely many equilibria; each is a convex combination of extreme ones within a maximal Nash subset (D. Avis,
    G. Rosenberg, R. Savani, B. von Stengel, "Enumeration of Nash equilibria for two-player games", 2010). The number of
    vertices grows exponentially: meant for up to about 8 × 8. Payoffs that differ by less than 1e-9 of a matrix's range
    count as equal.

    Args:
        agent_0: (m, n) payoffs of the row player.
        agent_1: (m, n) payoffs of the column player.

    Returns:
        Pairs (x, y) of mixed strategies (m,) and (n,), each extreme equilibrium once, sorted.

    Raises:
        ValueError: payoffs that are not finite matrices of the same shape.
    """
    first, second = _matrices(agent_0, agent_1)
    m, n = first.shape
    # Positive payoffs make the polytopes bounded; the equilibria do not change.
    rows = list(_labelled_vertices(_positive(second).T, own=range(m), other=range(m, m + n)))
    columns = list(_labelled_vertices(_positive(first), own=range(m, m + n), other=range(m)))
    every = frozenset(range(m + n))
    found = [
        (x, y)
        for (x, row_labels), (y, column_labels) in itertools.product(rows, columns)
        if row_labels | column_labels == every
    ]
    return sorted(found, key=lambda pair: tuple(np.concatenate(pair).round(9)))


def _labelled_vertices(payoffs: FloatArray, own: range, other: range) -> Iterator[tuple[FloatArray, frozenset[int]]]:
    """Vertices of {z ≥ 0, payoffs · z ≤ 1} but 0, each scaled to a mixed strategy, with its labels.

    Labels: the own actions that are not played, and the other player's actions that are best responses.
    """
    size = payoffs.shape[1]
    constraints = np.vstack([-np.eye(size), payoffs])
    bounds = np.concatenate([np.zeros(size), np.ones(len(payoffs))])
    labels = np.array([*own, *other])
    seen = set()
    for tight in itertools.combinations(range(len(constraints)), size):
        system = constraints[list(tight)]
        # The condition, not the determinant, which is small for close payoffs as well.
        if np.linalg.cond(system) > _SINGULAR:
            continue
        vertex = np.linalg.solve(system, bounds[list(tight)])
        slack = bounds - constraints @ vertex
        if slack.min() < -_TOLERANCE or vertex.sum() < _TOLERANCE:
            continue
        # A vertex is known by all its tight constraints; in a degenerate game several choices lead to it.
        held = frozenset(labels[slack < _TOLERANCE].tolist())
        if held not in seen:
            seen.add(held)
            strategy = np.where(vertex > _TOLERANCE, vertex, 0.0)
            yield strategy / strategy.sum(), held


@dataclass(frozen=True)
class WorstCorrelation:
    """The minimum, and a joint distribution that reaches it."""

    planner_payoff: float
    """min of the planner's mean payoff, per step: the bound of the dual program, below which no equilibrium is."""
    distribution: FloatArray
    """(m, n) probability of each cell; gains are ≤ ε up to 1e-8 of the agent's largest possible gain."""


def worst_coarse_correlated_equilibrium(
    agent_0: ArrayLike, agent_1: ArrayLike, planner: ArrayLike, epsilon: float
) -> WorstCorrelation:
    """Worst ε-coarse-correlated equilibrium of the stage game for the planner, a linear program over distributions μ.

    min Σ μ(i, j) r_p(i, j) such that no agent gains more than ε on average by playing one action whatever the other
    does (H. Moulin, J.-P. Vial, 1978). Every ε-Nash equilibrium of the stage game is one: a lower bound for all. It is
    the same in every unit of each role's payoffs.

    Args:
        agent_0: (m, n) payoffs of the row player.
        agent_1: (m, n) payoffs of the column player.
        planner: (m, n) payoffs of the planner, r_p.
        epsilon: ε ≥ 0, payoff per step.

    Raises:
        ValueError: payoffs that are not finite matrices of the same shape; ε < 0.
        LinearProgramError: the solver's answer does not hold.
    """
    first, second, stake = _matrices(agent_0, agent_1, planner)
    bound = check_number("epsilon", epsilon, minimum=0.0)
    solution = LinearProgram(
        cost=(stake - stake.min()).ravel(),
        limits=[_no_gains(first, bound), _no_gains(second.T, bound, transposed=True)],
        sums=np.ones((1, stake.size)),
        totals=np.ones(1),
        magnitude=float(np.abs(stake).max()),
    ).solve()
    distribution = solution.point.reshape(stake.shape)
    return WorstCorrelation(float(stake.min()) + solution.minimum, distribution / distribution.sum())


def _no_gains(own: FloatArray, epsilon: float, transposed: bool = False) -> Limits:
    """Limits on what an agent gains on average by playing one action always; `own` has its actions as rows."""
    gains = [row[None, :] - own for row in own]
    coefficients = np.array([(gain.T if transposed else gain).ravel() for gain in gains])
    return Limits(coefficients, np.full(len(own), epsilon), float(np.abs(own).max()))


def _positive(payoffs: FloatArray) -> FloatArray:
    """Payoffs moved and scaled into [1, 2]: best responses stay, and the tolerances fit."""
    spread, magnitude = float(np.ptp(payoffs)), float(np.abs(payoffs).max())
    if spread <= rounding(magnitude):  # all the same
        return np.ones_like(payoffs)
    scaled: FloatArray = 1.0 + (payoffs - payoffs.min()) / spread
    return scaled


def _matrices(*given: ArrayLike) -> list[FloatArray]:
    """Float copies of matrices of the same shape; ValueError names the one that is not."""
    names = ("agent_0", "agent_1", "planner")
    matrices: list[FloatArray] = []
    for name, payoffs in zip(names, given, strict=False):
        try:
            numbers = np.asarray(payoffs)
        except ValueError:  # rows of different lengths
            numbers = np.empty(0, dtype=object)
        a_matrix = numbers.dtype.kind in "biuf" and numbers.ndim == 2 and numbers.size > 0
        if not a_matrix or not np.isfinite(numbers).all():
            raise ValueError(f"{name} must be a matrix of finite numbers, got {payoffs!r}.")
        matrix = numbers.astype(np.float64)
        if matrices and matrix.shape != matrices[0].shape:
            raise ValueError(f"{name} must have agent_0's shape {matrices[0].shape}, got {matrix.shape}.")
        matrices.append(matrix)
    return matrices
