"""Action spaces of the economy and what an action means (SPEC section 5).

An agent's action is decoded into one sub-action per kind, 0 meaning nothing: build 1; a bid or ask of
price k − 1; a move.
"""

from typing import NamedTuple

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import IntArray
from ermas_envs.games.economy.settings import (
    Build,
    ContinuousDoubleAuction,
    EconomySettings,
    Gather,
)
from ermas_envs.kernels.compiled import internal

BUILD, BUY_STONE, SELL_STONE, BUY_WOOD, SELL_WOOD, MOVE = range(6)
"""Kinds of sub-actions."""
LEFT, RIGHT, UP, DOWN = 1, 2, 3, 4
"""Moves: column − 1, column + 1, row − 1, row + 1."""
MOVE_ROW = (0, 0, 0, -1, 1)
MOVE_COLUMN = (0, -1, 1, 0, 0)


class ActionTable(NamedTuple):
    """How agents' actions are decoded."""

    multi: bool
    """Whether an action has one entry per kind."""
    table: IntArray
    """(number of actions, 6) int64 sub-actions of an action in single-action mode."""
    columns: IntArray
    """(6,) int64 entry of a kind in multi-action mode, −1 where it does not exist."""
    kinds: IntArray
    """(K,) int64 kinds that exist, in the order of the components."""
    sizes: IntArray
    """(K,) int64 number of sub-actions of each, without doing nothing."""


def action_table(settings: EconomySettings) -> ActionTable:
    """The table of a setting; sub-actions stand in the order of the components."""
    found: list[tuple[int, int]] = []
    for component in settings.components:
        if isinstance(component, Build):
            found.append((BUILD, 1))
        elif isinstance(component, ContinuousDoubleAuction):
            found += [(kind, component.max_bid_ask + 1) for kind in (BUY_STONE, SELL_STONE, BUY_WOOD, SELL_WOOD)]
        elif isinstance(component, Gather):
            found.append((MOVE, 4))
    rows = [np.zeros(6, dtype=np.int64)]
    columns = np.full(6, -1, dtype=np.int64)
    for column, (kind, size) in enumerate(found):
        columns[kind] = column
        for sub_action in range(1, size + 1):
            rows.append(np.zeros(6, dtype=np.int64))
            rows[-1][kind] = sub_action
    kinds, sizes = (np.array([pair[k] for pair in found], dtype=np.int64) for k in (0, 1))
    return ActionTable(settings.multi_action_mode_agents, np.array(rows), columns, kinds, sizes)


def agent_space(table: ActionTable) -> spaces.Space[object]:
    """Discrete in single-action mode (0 is doing nothing), else MultiDiscrete with a 0 in every entry."""
    if table.multi and len(table.sizes):
        return spaces.MultiDiscrete(table.sizes + 1)
    return spaces.Discrete(len(table.table))


@internal
def decode_agents(table: ActionTable, given: IntArray, replica: int, out: IntArray) -> None:
    """Write sub-actions (n, 6) into `out` from actions `given` (R, n, entries)."""
    agents = out.shape[0]
    for agent in range(agents):
        for kind in range(6):
            if table.multi:
                column = table.columns[kind]
                out[agent, kind] = given[replica, agent, column] if column >= 0 else 0
            else:
                out[agent, kind] = table.table[given[replica, agent, 0], kind]
