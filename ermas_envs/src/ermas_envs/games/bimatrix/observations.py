"""What each role of a bimatrix game sees, tabulated over time and states (`bimatrix_v0`).

An observation is the concatenation of one-hot levels and the fraction of the episode that is left, in [0, 1].
"""

import numpy as np
from numpy.typing import NDArray

from ermas_envs.base.arrays import PLANNER, BoolArray, agent_id
from ermas_envs.games.bimatrix.rules import BimatrixRules

LARGEST_TABLES = 2**29
"""Numbers in the observation tables of all roles: 2 GiB."""


def tables(rules: BimatrixRules, horizon: int, joint: bool, planner_observes: bool) -> dict[str, NDArray[np.float32]]:
    """Per role (horizon + 1, num_states, size) float32; row [t, s] is seen after t steps in state s.

    Agents see [own level, other's level if `joint`, time left]; the planner sees [agent_0's level, agent_1's level,
    own level if it has several, time left], or the time left alone if it does not observe. ValueError where that would
    be more than `LARGEST_TABLES` numbers.
    """
    planner_levels = rules.planner_rule.weight.shape[0]
    cell, level = np.divmod(np.arange(rules.next_cell.shape[0] * planner_levels), planner_levels)
    one_hot = np.eye(rules.levels)
    rows, columns = (one_hot[k] for k in np.divmod(cell, rules.levels))
    planner_parts = [rows, columns] + ([np.eye(planner_levels)[level]] if planner_levels > 1 else [])
    parts = {
        agent_id(0): [rows, columns] if joint else [rows],
        agent_id(1): [columns, rows] if joint else [columns],
        PLANNER: planner_parts if planner_observes else [],
    }
    width = sum(1 + sum(part.shape[1] for part in seen) for seen in parts.values())
    numbers = (horizon + 1) * cell.size * width
    if numbers > LARGEST_TABLES:
        raise ValueError(
            f"horizon must be smaller, got {horizon}: what is seen at every time in {cell.size} states would be "
            f"{numbers} numbers, at most {LARGEST_TABLES} are tabulated."
        )
    return {role: _with_clock(seen, horizon, cell.size) for role, seen in parts.items()}


def planner_entries(rules: BimatrixRules, planner_observes: bool) -> list[tuple[str, int]]:
    """(name, size) of what the planner sees, in order."""
    planner_levels = rules.planner_rule.weight.shape[0]
    levels = [(f"{agent_id(k)}/level", rules.levels) for k in range(2)]
    own = [("own/level", planner_levels)] if planner_levels > 1 else []
    return [*(levels + own if planner_observes else []), ("time_left", 1)]


def _with_clock(seen: list[NDArray[np.float64]], horizon: int, num_states: int) -> NDArray[np.float32]:
    left = (horizon - np.arange(horizon + 1)) / horizon
    clock = np.broadcast_to(left[:, None, None], (horizon + 1, num_states, 1))
    blocks = [np.broadcast_to(part, (horizon + 1, *part.shape)) for part in seen]
    return np.concatenate([*blocks, clock], axis=-1, dtype=np.float32)


def mask_tables(rules: BimatrixRules) -> dict[str, BoolArray]:
    """Per role (num_states, number of actions) bool: False where an action would be clamped at the border."""
    planner_mask = rules.planner_rule.action_mask
    cells, planner_levels = rules.next_cell.shape[0], planner_mask.shape[0]
    return {
        **{agent_id(k): np.repeat(mask, planner_levels, axis=0) for k, mask in enumerate(rules.agent_masks)},
        PLANNER: np.tile(planner_mask, (cells, 1)),
    }
