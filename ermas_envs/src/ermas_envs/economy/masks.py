"""Action masks: which actions have their effect in the current state (SPEC section 14)."""

import math

from ermas_envs.arrays import BoolArray
from ermas_envs.economy.actions import BUILD, BUY_STONE, MOVE, MOVE_COLUMN, MOVE_ROW, ActionTable
from ermas_envs.economy.build import can_build
from ermas_envs.economy.compiled import internal
from ermas_envs.economy.gather import can_enter
from ermas_envs.economy.lanes import write_below
from ermas_envs.economy.state import COIN, Agents, Market, Taxes, World
from ermas_envs.economy.taxes import TaxParameters
from ermas_envs.economy.trade import TradeParameters


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


@internal
def planner_mask(
    parameters: TaxParameters,
    taxes: Taxes,
    multi: bool,
    brackets: int,
    rates: int,
    replica: int,
    out: BoolArray,
) -> None:
    """Write the planner's mask: rates up to the annealed maximum, at the start of a period; else keeping rates only.

    Args:
        multi: whether the mask has an entry for keeping the rate before each bracket, or one in all.
        brackets: 1 where the planner has no choice, with 0 `rates`.
        rates: number of rates that it can choose from.
        out: (mask size,) bool.
    """
    allowed = 0  # how many rates, which ascend
    if taxes.position[replica] == 1:
        while allowed < rates and parameters.choices[allowed] <= taxes.choice_limit[replica]:
            allowed += 1
    out[0] = True
    cursor = 0 if multi else 1
    for _ in range(brackets):
        if multi:
            out[cursor] = True
            cursor += 1
        write_below(out, cursor, rates, allowed)
        cursor += rates
