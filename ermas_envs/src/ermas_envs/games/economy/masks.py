"""Action masks: which actions have their effect in the current state (SPEC section 14)."""

import math

from ermas_envs.base.arrays import BoolArray
from ermas_envs.games.economy.actions import (
    BUILD,
    BUY_STONE,
    MOVE,
    MOVE_COLUMN,
    MOVE_ROW,
    ActionTable,
)
from ermas_envs.games.economy.build import can_build
from ermas_envs.games.economy.gather import can_enter
from ermas_envs.games.economy.state import Agents, Market, World
from ermas_envs.games.economy.trade import TradeParameters
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.kernels.compiled import internal
from ermas_envs.kernels.lanes import write_below


@internal
def agent_mask(
    table: ActionTable,
    trade_parameters: TradeParameters,
    world: World,
    agents: Agents,
    market: Market,
    replica: int,
    agent: int,
    out: BoolArray,
) -> None:
    """Write an agent's mask: doing nothing, then every sub-action; in multi-action mode doing nothing before each kind.

    Args:
        out: (mask size,) bool; the sizes of the kinds plus one, or plus one for each kind in multi-action mode.
    """
    out[0] = True
    cursor = 0 if table.multi else 1
    for position in range(len(table.kinds)):
        kind, size = table.kinds[position], table.sizes[position]
        if table.multi:
            out[cursor] = True
            cursor += 1
        if kind == BUILD:
            out[cursor] = can_build(world, agents, replica, agent)
        elif kind == MOVE:
            row, column = agents.row[replica, agent], agents.column[replica, agent]
            for move in range(1, 5):
                out[cursor + move - 1] = can_enter(
                    world, replica, agent, row + MOVE_ROW[move], column + MOVE_COLUMN[move]
                )
        else:
            commodity, sells = (kind - BUY_STONE) // 2, (kind - BUY_STONE) % 2
            free = market.open_orders[replica, commodity, agent] < trade_parameters.max_num_orders
            prices = 0  # how many of them, from 0 on, can be paid or asked
            if free and sells:
                prices = size if agents.inventory[replica, agent, commodity] > 0 else 0
            elif free:
                prices = int(min(math.floor(agents.inventory[replica, agent, COIN]), size)) + 1
            write_below(out, cursor, size, prices)
        cursor += size
