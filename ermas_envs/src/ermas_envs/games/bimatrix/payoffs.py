"""Payoff sets of the bimatrix games: r_1, r_2 and r_p by cell (i, j), built-in ones by name, or the user's own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ermas_envs.base.arguments import LARGEST_PAYOFF
from ermas_envs.base.arrays import FloatArray
from ermas_envs.base.registry import Registry


@dataclass(frozen=True, eq=False)
class BimatrixPayoffs:
    """Payoff of each cell (i, j): i is agent_0's level, j is agent_1's.

    Raises:
        ValueError: matrices that are not square, not of the same shape, smaller than 2×2, or not finite.
    """

    agent_0: FloatArray
    """(levels, levels) payoff per step of agent_0, r_1 in the paper."""
    agent_1: FloatArray
    """(levels, levels) payoff per step of agent_1, r_2 in the paper."""
    planner: FloatArray
    """(levels, levels) r_p."""
    planner_rule: str = "amplify"
    """How the augmented game's planner earns: `amplify` (a·κ·r_p − a²) or `shift_level` (the released code's)."""

    def __init__(
        self, agent_0: ArrayLike, agent_1: ArrayLike, planner: ArrayLike, planner_rule: str = "amplify"
    ) -> None:
        shape = None
        for name, given in (("agent_0", agent_0), ("agent_1", agent_1), ("planner", planner)):
            matrix = _square(name, given)
            shape = shape or matrix.shape
            if matrix.shape != shape:
                raise ValueError(f"payoffs.{name} must have agent_0's shape {shape}, got {matrix.shape}.")
            matrix.setflags(write=False)
            object.__setattr__(self, name, matrix)
        object.__setattr__(self, "planner_rule", planner_rule)

    @property
    def levels(self) -> int:
        """Number of levels of each agent."""
        return int(self.agent_0.shape[0])


def _square(name: str, given: ArrayLike) -> FloatArray:
    """A float copy of a square matrix of finite numbers; ValueError for anything else."""
    try:
        numbers = np.asarray(given)
    except ValueError:  # rows of different lengths
        numbers = np.empty(0, dtype=object)
    if numbers.dtype.kind not in "biuf":
        raise ValueError(f"payoffs.{name} must be a square matrix of finite numbers, got {given!r}.")
    if numbers.ndim != 2 or numbers.shape[0] != numbers.shape[1] or numbers.shape[0] < 2:
        raise ValueError(f"payoffs.{name} must be square, at least 2×2; got shape {numbers.shape}.")
    matrix = np.array(numbers, dtype=np.float64)
    if not np.isfinite(matrix).all():
        raise ValueError(f"payoffs.{name} must be finite everywhere (no NaN, no infinity).")
    if np.abs(matrix).max() > LARGEST_PAYOFF:
        raise ValueError(f"payoffs.{name} must lie within ±{LARGEST_PAYOFF:g}, got {np.abs(matrix).max():g}.")
    return matrix


def tragedy_of_commons() -> BimatrixPayoffs:
    """r_i = (0.6 + f(q_i) − 0.2·q_j)/0.83, f = (0, .12, .19, .23), r_p = (q_1 + q_2)/6 (payoff set 1, docs/changes.md).

    Unique Nash equilibrium (3, 3); all payoffs lie in [0, 1].
    """
    gain, level = np.array([0.0, 0.12, 0.19, 0.23]), np.arange(4)
    own = (0.6 + gain[:, None] - 0.2 * level[None, :]) / 0.83
    return BimatrixPayoffs(own, own.T, (level[:, None] + level[None, :]) / 6.0)


def strategically_robust_2022() -> BimatrixPayoffs:
    """The matrices of the authors' released code: legacy NumPy generator, seed 0, uniform draws r_p, r_1, r_2."""
    generator = np.random.RandomState(0)
    planner, agent_0, agent_1 = (generator.uniform(size=(4, 4)) for _ in range(3))
    return BimatrixPayoffs(agent_0, agent_1, planner, planner_rule="shift_level")


payoffs_registry: Registry[BimatrixPayoffs] = Registry("payoffs")
payoffs_registry.register("tragedy_of_commons", tragedy_of_commons)
payoffs_registry.register("strategically_robust_2022", strategically_robust_2022)


def as_payoffs(payoffs: str | BimatrixPayoffs) -> BimatrixPayoffs:
    """Payoffs of a registered name, or `payoffs` itself; ValueError for anything else."""
    if isinstance(payoffs, str):
        return payoffs_registry.make(payoffs)
    if not isinstance(payoffs, BimatrixPayoffs):
        raise ValueError(f"payoffs must be a registered name or BimatrixPayoffs, got {type(payoffs).__name__}.")
    return payoffs
