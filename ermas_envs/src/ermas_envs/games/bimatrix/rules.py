"""The rules of the bimatrix games as tables (paper sections 4.1 and 4.3; docs/changes.md).

A state is (cell, planner level): `state = cell * planner_levels + level`, `cell = i * levels + j`. Agents move by
−1, 0, +1, clamped at the border; payoffs are those of the *new* cell.
"""

from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_choice, check_integer, check_magnitude
from ermas_envs.base.arrays import BoolArray, FloatArray, IntArray
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs

MOVES = (-1, 0, 1)
"""Change of an agent's level for action 0, 1, 2."""


@dataclass(frozen=True, eq=False)
class PlannerRule:
    """What the planner can do and earn: it earns weight·r_p − cost at its new level; L levels, A actions."""

    next_level: IntArray
    """(L, A) level after an action at a level."""
    weight: FloatArray
    """(L, A) factor of r_p."""
    cost: FloatArray
    """(L, A) cost of the action."""
    action_mask: BoolArray
    """(L, A) False where the action would leave the levels (it is clamped)."""


def passive() -> PlannerRule:
    """`bimatrix_v0`: one action, the planner earns r_p."""
    one = np.ones((1, 1))
    return PlannerRule(np.zeros((1, 1), dtype=np.int64), one, 0 * one, one.astype(bool))


LARGEST_ACTION = 10_000
"""Largest stake; tables have a column per stake."""


def amplify(gain: float, max_action: int) -> PlannerRule:
    """The paper's rule: action a ∈ {0, …, max_action} earns a·gain·r_p − a²; gain is design's κ."""
    action = np.arange(check_integer("max_action", max_action, 1, LARGEST_ACTION) + 1, dtype=np.float64)[None, :]
    weight = check_magnitude("planner_gain", gain) * action
    return PlannerRule(np.zeros(action.shape, dtype=np.int64), weight, action**2, np.ones(action.shape, dtype=bool))


def shift_level() -> PlannerRule:
    """The released code's rule: level o ∈ {0, …, 12} moves by −2…+2, earns r_p·(3·o/12 + 1) − (o/12)²."""
    wanted = np.arange(13)[:, None] + np.arange(-2, 3)[None, :]
    level = np.clip(wanted, 0, 12)
    return PlannerRule(level, 3 * level / 12 + 1, (level / 12) ** 2, wanted == level)


def planner_rule(payoffs: BimatrixPayoffs, gain: float, max_action: int) -> PlannerRule:
    """The augmented game's rule that `payoffs.planner_rule` names."""
    name = check_choice("payoffs.planner_rule", payoffs.planner_rule, ("amplify", "shift_level"))
    return shift_level() if name == "shift_level" else amplify(gain, max_action)


@dataclass(frozen=True, eq=False)
class BimatrixRules:
    """All tables of one game; C cells, L planner levels, A planner actions."""

    levels: int
    """Levels of each agent."""
    next_cell: IntArray
    """(C, 3, 3) cell after the agents' moves."""
    agent_payoffs: FloatArray
    """(2, C) payoff of each agent at a cell."""
    planner_outcome: FloatArray
    """(C,) r_p of a cell."""
    agent_masks: tuple[BoolArray, BoolArray]
    """Per agent (C, 3): False where the move would leave the levels (it is clamped)."""
    planner_rule: PlannerRule
    """What the planner can do and earn."""

    @classmethod
    def of(cls, payoffs: BimatrixPayoffs, rule: PlannerRule) -> "BimatrixRules":
        """Tables of the game with these payoffs and this planner."""
        n = payoffs.levels
        rows, columns = np.divmod(np.arange(n * n), n)
        moves = np.array(MOVES)
        row_wanted, column_wanted = rows[:, None] + moves, columns[:, None] + moves
        row, column = np.clip(row_wanted, 0, n - 1), np.clip(column_wanted, 0, n - 1)
        return cls(
            levels=n,
            next_cell=(row[:, :, None] * n + column[:, None, :]).astype(np.int64),
            agent_payoffs=np.stack([payoffs.agent_0.ravel(), payoffs.agent_1.ravel()]),
            planner_outcome=payoffs.planner.ravel(),
            agent_masks=(row_wanted == row, column_wanted == column),
            planner_rule=rule,
        )
