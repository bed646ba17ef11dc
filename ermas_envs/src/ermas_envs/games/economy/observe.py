"""Vectors and maps that agents and the planner see, as the original defines them (SPEC section 13).

The order of what is written is that of `observation_entries`.
"""

from typing import NamedTuple

from ermas_envs.base.arrays import Array, IntArray
from ermas_envs.games.economy.state import (
    ASK,
    BID,
    STONE,
    WOOD,
    Agents,
    Market,
    Progress,
    World,
)
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.observations import shared_taxes
from ermas_envs.games.taxation.state import Taxes
from ermas_envs.games.taxation.tax_schedule import marginal_rate
from ermas_envs.games.taxation.taxes import TaxParameters, income_so_far
from ermas_envs.kernels.compiled import internal
from ermas_envs.kernels.lanes import copy_rectangle, write_difference


class ObservationParameters(NamedTuple):
    """Constants of the observations."""

    builds: bool
    """Whether there is the component Build."""
    gathers: bool
    """Whether there is the component Gather."""
    prices: int
    """Number of prices, 0 without a market."""
    brackets: int
    """Number of brackets, 0 without taxes."""
    period: int
    """Steps of a tax period."""
    payment: float
    """Payment for a house at skill 1."""
    scale: float
    """Factor of inventories and price histories."""
    time_scale: float
    """What the time is divided by."""
    pad: int
    """Tiles of padding of the maps."""
    height: int
    """Rows of the world."""
    width: int
    """Columns of the world."""
    full: bool
    """Whether agents see the whole map."""
    halfwidth: int
    """Half width of the window of those who do not."""
    planner_inventories: bool
    """Whether the planner sees inventories."""
    planner_spatial: bool
    """Whether the planner sees places."""
    agent_planes: IntArray
    """(C,) planes of the map in an agent's window."""
    planner_planes: IntArray
    """(C,) planes of the map of those who see all of it."""


@internal
def agent_vector(
    parameters: ObservationParameters,
    tax_parameters: TaxParameters,
    agents: Agents,
    market: Market,
    taxes: Taxes,
    progress: Progress,
    replica: int,
    agent: int,
    out: Array,
) -> None:
    """Write an agent's vector, (size of `agent_entries`,) float32."""
    cursor = 0
    if parameters.builds:
        out[0] = agents.build_payment[replica, agent] / parameters.payment
        out[1] = agents.build_skill[replica, agent]
        cursor = 2
    if parameters.prices > 0:
        cursor = _agent_books(parameters, market, replica, agent, out, cursor)
    if parameters.gathers:
        out[cursor] = agents.bonus_gather_prob[replica, agent]
        cursor += 1
    if parameters.brackets > 0:
        cursor = shared_taxes(parameters.brackets, parameters.period, taxes, replica, out, cursor)
        income = income_so_far(taxes, agents, replica, agent)
        out[cursor] = marginal_rate(income, tax_parameters.cutoffs, taxes.rates[replica])
        out[cursor + 1] = taxes.position[replica] / parameters.period
        cursor += 2
    out[cursor] = progress.timestep[replica] / parameters.time_scale
    cursor = _inventory(parameters, agents, replica, agent, out, cursor + 1)
    if not parameters.full:
        _place(parameters, agents, replica, agent, out, cursor)


@internal
def _agent_books(
    parameters: ObservationParameters, market: Market, replica: int, agent: int, out: Array, cursor: int
) -> int:
    prices = parameters.prices
    for side in (ASK, BID):
        for commodity in range(2):
            own = market.depth[replica, commodity, side, agent]
            write_difference(out, cursor, market.total_depth[replica, commodity, side], own)
            cursor += prices
    for commodity in range(2):
        out[cursor + commodity] = market.rates[replica, commodity]
    cursor += 2
    for side in (ASK, BID):
        for commodity in range(2):
            copy_rectangle(market.depth[replica, commodity, side], agent * prices, 0, 1, prices, out, cursor, -1)
            cursor += prices
    return _price_history(parameters, market, replica, out, cursor)


@internal
def _price_history(parameters: ObservationParameters, market: Market, replica: int, out: Array, cursor: int) -> int:
    for commodity in range(2):
        for price in range(parameters.prices):
            out[cursor + price] = market.history[replica, commodity, price] * parameters.scale
        cursor += parameters.prices
    return cursor


@internal
def _inventory(
    parameters: ObservationParameters, agents: Agents, replica: int, agent: int, out: Array, cursor: int
) -> int:
    out[cursor] = agents.inventory[replica, agent, COIN] * parameters.scale
    out[cursor + 1] = agents.inventory[replica, agent, STONE] * parameters.scale
    out[cursor + 2] = agents.inventory[replica, agent, WOOD] * parameters.scale
    return cursor + 3


@internal
def _place(
    parameters: ObservationParameters, agents: Agents, replica: int, agent: int, out: Array, cursor: int
) -> None:
    out[cursor] = (agents.column[replica, agent] - parameters.pad) / parameters.width
    out[cursor + 1] = (agents.row[replica, agent] - parameters.pad) / parameters.height


@internal
def planner_vector(
    parameters: ObservationParameters, market: Market, taxes: Taxes, progress: Progress, replica: int, out: Array
) -> None:
    """Write the planner's vector, (size of `planner_entries`,) float32; its inventory stays 0."""
    cursor = 0
    if parameters.prices > 0:
        for side in (ASK, BID):
            for commodity in range(2):
                depths = market.total_depth[replica, commodity, side]
                copy_rectangle(depths, 0, 0, 1, parameters.prices, out, cursor, -1)
                cursor += parameters.prices
        for commodity in range(2):
            out[cursor + commodity] = market.rates[replica, commodity]
        cursor = _price_history(parameters, market, replica, out, cursor + 2)
    if parameters.brackets > 0:
        cursor = shared_taxes(parameters.brackets, parameters.period, taxes, replica, out, cursor)
        out[cursor] = taxes.position[replica] / parameters.period
        cursor += 1
    out[cursor] = progress.timestep[replica] / parameters.time_scale


@internal
def planner_vector_of_agent(
    parameters: ObservationParameters,
    tax_parameters: TaxParameters,
    agents: Agents,
    taxes: Taxes,
    replica: int,
    agent: int,
    out: Array,
) -> None:
    """Write what the planner sees of an agent, (size of `planner_entries_of_agent`,) float32."""
    cursor = 0
    if parameters.brackets > 0:
        income = income_so_far(taxes, agents, replica, agent)
        out[0] = marginal_rate(income, tax_parameters.cutoffs, taxes.rates[replica])
        out[1] = taxes.last_income[replica, agent] / parameters.period
        out[2] = taxes.last_marginal_rate[replica, agent]
        cursor = 3
    if parameters.planner_inventories:
        cursor = _inventory(parameters, agents, replica, agent, out, cursor)
        if parameters.planner_spatial:
            _place(parameters, agents, replica, agent, out, cursor)


@internal
def window(
    planes: IntArray,
    world: World,
    replica: int,
    me: int,
    top: int,
    left: int,
    rows: int,
    columns: int,
    maps: Array,
    ids: Array,
    position: int,
) -> None:
    """Write a rectangle of the map as number `position` among those of a replica, one after the other.

    Args:
        planes: (C,) which planes.
        me: id, agent + 2, that is written as 1 into `ids`; −1 for none.
        top: first padded row.
        left: first padded column.
        rows: rows of the rectangle.
        columns: columns of the rectangle.
        maps: (positions, C · rows · columns).
        ids: (positions, 2 · rows · columns): owners of houses, who stands there; 0 nobody, agent + 2.
    """
    width = world.owners.shape[2]
    area, size = world.owners.shape[1] * width, rows * columns
    corner = top * width + left
    start, to = replica * world.planes.shape[1] * area + corner, position * len(planes) * size
    for plane in planes:
        copy_rectangle(world.planes, start + plane * area, width, rows, columns, maps, to, -1)
        to += size
    start, to = replica * area + corner, 2 * position * size
    copy_rectangle(world.owners, start, width, rows, columns, ids, to, me)
    copy_rectangle(world.standing, start, width, rows, columns, ids, to + size, me)
