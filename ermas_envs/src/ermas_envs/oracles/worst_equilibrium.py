"""The worst ε-equilibrium of a separable bimatrix game with a passive planner, as one linear program per agent.

Where agents see their own level and the clock only (`agents_observe="own"`) and all payoffs are sums of terms in one
level each, they do not affect each other's regret. min J_p subject to regret_i ≤ ε is then, per agent, a constrained
Markov decision process over its own level, a linear program in occupation measures: E. Altman, "Constrained Markov
Decision Processes" (1999), chapter 3. The feasible set holds stochastic, time-dependent policies, so it is exact.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from ermas_envs.arguments import check_integer, check_number
from ermas_envs.arrays import FloatArray
from ermas_envs.bimatrix.payoffs import BimatrixPayoffs
from ermas_envs.bimatrix.rules import MOVES

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class WorstEquilibrium:
    """The minimum and the policies that reach it."""

    planner_payoff: float
    """min J_p, per step."""
    policies: tuple[FloatArray, FloatArray]
    """Per agent (horizon, levels, 3): probability of each move at each step and own level."""


def worst_own_equilibrium(payoffs: BimatrixPayoffs, horizon: int, epsilon: float) -> WorstEquilibrium:
    """min J_p of `bimatrix_v0` over agents with regret_i ≤ ε, uniform start cell.

    Args:
        payoffs: each matrix must be a sum of a term in agent_0's and a term in agent_1's level.
        horizon: H ≥ 1.
        epsilon: ε ≥ 0, payoff per step.

    Raises:
        ValueError: payoffs that are not separable, where the program is not exact; horizon < 1; ε < 0.
    """
    check_integer("horizon", horizon, 1)
    check_number("epsilon", epsilon, minimum=0.0)
    planner_terms = _terms("planner", payoffs.planner)
    own_terms = (_terms("agent_0", payoffs.agent_0)[0], _terms("agent_1", payoffs.agent_1)[1])
    minima, policies = [], []
    for own, stake in zip(own_terms, planner_terms, strict=True):
        minimum, policy = _constrained_minimum(own, stake, horizon, epsilon)
        minima.append(minimum)
        policies.append(policy)
    return WorstEquilibrium(float(payoffs.planner[0, 0] + sum(minima)), (policies[0], policies[1]))


def _terms(name: str, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(u, v) with matrix[i, j] = matrix[0, 0] + u[i] + v[j] and u[0] = v[0] = 0."""
    rows, columns = matrix[:, 0] - matrix[0, 0], matrix[0, :] - matrix[0, 0]
    if not np.allclose(matrix, matrix[0, 0] + rows[:, None] + columns[None, :], atol=_TOLERANCE):
        raise ValueError(f"payoffs.{name} must be a sum of a term in each level; the program is exact only then.")
    return rows, columns


def _constrained_minimum(own: FloatArray, stake: FloatArray, horizon: int, epsilon: float) -> tuple[float, FloatArray]:
    """min of the mean stake per step over one agent's policies whose mean own payoff is within ε of the best."""
    levels = own.size
    reached = np.clip(np.arange(levels)[:, None] + np.array(MOVES), 0, levels - 1)
    best = np.zeros(levels)
    for _ in range(horizon):
        best = (own[reached] + best[reached]).max(axis=1)
    shape = (horizon, levels, len(MOVES))
    gain = np.broadcast_to(own[reached], shape).ravel() / horizon
    solution = linprog(
        np.broadcast_to(stake[reached], shape).ravel() / horizon,
        A_ub=-gain[None, :],
        b_ub=[epsilon + _TOLERANCE - best.mean() / horizon],
        A_eq=_flow(reached, horizon),
        b_eq=np.concatenate([np.full(levels, 1 / levels), np.zeros((horizon - 1) * levels)]),
        method="highs",
    )
    if not solution.success:
        raise RuntimeError(f"the linear program failed: {solution.message}")
    occupation = solution.x.reshape(shape)
    visits = occupation.sum(axis=2, keepdims=True)
    policy = np.divide(occupation, visits, out=np.full(shape, 1 / len(MOVES)), where=visits > 0)
    return float(solution.fun), policy


def _flow(reached: np.ndarray, horizon: int) -> sparse.csr_matrix:
    """Occupation flows: what is at a level at step t left it by some move, and had come there at step t − 1."""
    levels, moves = reached.shape
    leaves = np.kron(np.eye(levels), np.ones(moves))
    comes = (reached.ravel()[None, :] == np.arange(levels)[:, None]).astype(np.float64)
    return sparse.csr_matrix(sparse.kron(sparse.eye(horizon), leaves) - sparse.kron(sparse.eye(horizon, k=-1), comes))
