"""The compact observations: vectors for small networks, without images: what it takes to gather, trade and build.

`agent_entries` and `planner_entries` list what is in them; numbers are scaled to about [−1, 1].
"""

from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.games.economy.actions import MOVE_COLUMN, MOVE_ROW
from ermas_envs.games.economy.build import can_build, is_building_ground
from ermas_envs.games.economy.gather import can_enter
from ermas_envs.games.economy.observe import ObservationParameters
from ermas_envs.games.economy.state import (
    ASK,
    BID,
    INSIDE,
    RESOURCES,
    STONE,
    STONE_SOURCE,
    WOOD,
    Agents,
    Market,
    Progress,
    World,
)
from ermas_envs.games.economy.trade import TradeParameters
from ermas_envs.games.taxation.holdings import COIN, coin_endowments
from ermas_envs.games.taxation.observations import Entries, compact_tax_entries, schedule_and_phase
from ermas_envs.games.taxation.sorting import heap_sort
from ermas_envs.games.taxation.state import Taxes
from ermas_envs.games.taxation.tax_schedule import marginal_rate
from ermas_envs.games.taxation.taxes import TaxParameters, income_so_far
from ermas_envs.games.taxation.welfare import equality, productivity
from ermas_envs.kernels.compiled import internal

HOUSE_SEARCH = 5
"""Tiles, in Manhattan distance, within which the nearest free building ground is looked for."""
QUANTILES = 5
"""Least, lower quartile, median, upper quartile, largest."""


def agent_entries(brackets: int) -> Entries:
    """(name, size) of what an agent sees, in order."""
    nearest = [(f"nearest-{resource}", 4) for resource in RESOURCES]
    return [
        ("time", 1),
        ("place", 2),
        ("inventory", 3),
        ("escrow", 3),
        ("build_payment", 1),
        ("bonus_gather_prob", 1),
        ("can_build", 1),
        ("tile", 4),
        ("can_move", 4),
        *nearest,
        ("nearest-ground", 3),
        ("nearest-agent", 3),
        *[(f"market-{resource}", 8) for resource in RESOURCES],
        *compact_tax_entries(brackets, ("marginal_rate", 1), ("income", 1), ("last_income", 1)),
    ]


def planner_entries(brackets: int) -> Entries:
    """(name, size) of what the planner sees, in order."""
    return [
        ("time", 1),
        ("mean_coin", 1),
        ("equality", 1),
        ("coin", QUANTILES),
        ("houses", 1),
        *[(f"market-{resource}", 3) for resource in RESOURCES],
        *compact_tax_entries(brackets, ("last_incomes", QUANTILES)),
    ]


@internal
def agent_vector(
    parameters: ObservationParameters,
    tax_parameters: TaxParameters,
    trade_parameters: TradeParameters,
    world: World,
    agents: Agents,
    market: Market,
    taxes: Taxes,
    progress: Progress,
    replica: int,
    agent: int,
    out: Array,
) -> None:
    """Write an agent's vector, (size of `agent_entries`,) float32."""
    row, column = agents.row[replica, agent], agents.column[replica, agent]
    out[0] = progress.timestep[replica] / parameters.time_scale
    out[1] = (row - parameters.pad) / parameters.height
    out[2] = (column - parameters.pad) / parameters.width
    cursor = 3
    for holdings in (agents.inventory, agents.escrow):
        for resource in (COIN, STONE, WOOD):
            out[cursor] = holdings[replica, agent, resource] * parameters.scale
            cursor += 1
    out[cursor] = agents.build_payment[replica, agent] / parameters.payment
    out[cursor + 1] = agents.bonus_gather_prob[replica, agent]
    out[cursor + 2] = can_build(world, agents, replica, agent)
    cursor += 3
    for resource in range(2):
        out[cursor + resource] = world.planes[replica, resource, row, column]
        out[cursor + 2 + resource] = world.planes[replica, STONE_SOURCE + resource, row, column]
    cursor += 4
    for move in range(1, 5):
        out[cursor] = can_enter(world, replica, agent, row + MOVE_ROW[move], column + MOVE_COLUMN[move])
        cursor += 1
    for resource in range(2):
        _nearest_resource(parameters, world, replica, resource, row, column, out, cursor)
        cursor += 4
    _nearest_ground(world, replica, agent, row, column, out, cursor)
    _nearest_agent(parameters, agents, replica, agent, row, column, out, cursor + 3)
    cursor += 6
    for commodity in range(2):
        _market(parameters, trade_parameters, market, replica, commodity, agent, out, cursor)
        cursor += 8
    if parameters.brackets > 0:
        cursor = schedule_and_phase(parameters.brackets, parameters.period, taxes, replica, out, cursor)
        income = income_so_far(taxes, agents, replica, agent)
        out[cursor] = marginal_rate(income, tax_parameters.cutoffs, taxes.rates[replica])
        out[cursor + 1] = income / parameters.period
        out[cursor + 2] = taxes.last_income[replica, agent] / parameters.period


@internal
def _nearest_resource(
    parameters: ObservationParameters,
    world: World,
    replica: int,
    resource: int,
    row: int,
    column: int,
    out: Array,
    cursor: int,
) -> None:
    """1 if there is a unit anywhere; its direction down and right, and its distance, as shares of the map."""
    best, best_row, best_column = -1, row, column
    for source in range(world.source_counts[replica, resource]):
        at_row = world.source_rows[replica, resource, source]
        at_column = world.source_columns[replica, resource, source]
        if world.planes[replica, resource, at_row, at_column] > 0:
            distance = abs(at_row - row) + abs(at_column - column)
            if best < 0 or distance < best:
                best, best_row, best_column = distance, at_row, at_column
    out[cursor] = 1.0 if best >= 0 else 0.0
    out[cursor + 1] = (best_row - row) / parameters.height
    out[cursor + 2] = (best_column - column) / parameters.width
    out[cursor + 3] = max(best, 0) / (parameters.height + parameters.width)


@internal
def _nearest_ground(world: World, replica: int, agent: int, row: int, column: int, out: Array, cursor: int) -> None:
    """1 if a house fits on a tile near by; its direction down and right, as shares of the distance searched."""
    height, width = world.owners.shape[1], world.owners.shape[2]
    out[cursor], out[cursor + 1], out[cursor + 2] = 0.0, 0.0, 0.0
    for distance in range(HOUSE_SEARCH + 1):
        for down in range(-distance, distance + 1):
            across = distance - abs(down)
            for right in (-across, across):
                at_row, at_column = row + down, column + right
                if not (0 <= at_row < height and 0 <= at_column < width):
                    continue
                here = distance == 0
                inside = world.planes[replica, INSIDE, at_row, at_column] > 0
                if (
                    inside
                    and is_building_ground(world, replica, at_row, at_column)
                    and (here or world.standing[replica, at_row, at_column] == 0)
                ):
                    out[cursor] = 1.0
                    out[cursor + 1] = down / HOUSE_SEARCH
                    out[cursor + 2] = right / HOUSE_SEARCH
                    return


@internal
def _nearest_agent(
    parameters: ObservationParameters,
    agents: Agents,
    replica: int,
    agent: int,
    row: int,
    column: int,
    out: Array,
    cursor: int,
) -> None:
    """Direction down and right of the nearest other agent, and its distance, as shares of the map."""
    best, best_row, best_column = -1, row, column
    for other in range(agents.row.shape[1]):
        at_row, at_column = agents.row[replica, other], agents.column[replica, other]
        distance = abs(at_row - row) + abs(at_column - column)
        if other != agent and (best < 0 or distance < best):
            best, best_row, best_column = distance, at_row, at_column
    out[cursor] = (best_row - row) / parameters.height
    out[cursor + 1] = (best_column - column) / parameters.width
    out[cursor + 2] = best / (parameters.height + parameters.width)


@internal
def _market(
    parameters: ObservationParameters,
    trade_parameters: TradeParameters,
    market: Market,
    replica: int,
    commodity: int,
    agent: int,
    out: Array,
    cursor: int,
) -> None:
    """Market rate; others' best ask and best bid, each after a 1 if there is one; own lowest ask, highest bid, and
    share of own orders that are open. Prices as shares of the largest."""
    for entry in range(8):
        out[cursor + entry] = 0.0
    if parameters.prices == 0:
        return
    top = max(parameters.prices - 1, 1)
    out[cursor] = market.rates[replica, commodity] / top
    for price in range(parameters.prices):
        mine = market.depth[replica, commodity, BID, agent, price]
        if market.total_depth[replica, commodity, BID, price] > mine:
            out[cursor + 3], out[cursor + 4] = 1.0, price / top
        if mine > 0:
            out[cursor + 6] = price / top
    for price in range(parameters.prices - 1, -1, -1):
        mine = market.depth[replica, commodity, ASK, agent, price]
        if market.total_depth[replica, commodity, ASK, price] > mine:
            out[cursor + 1], out[cursor + 2] = 1.0, price / top
        if mine > 0:
            out[cursor + 5] = price / top
    out[cursor + 7] = market.open_orders[replica, commodity, agent] / trade_parameters.max_num_orders


@internal
def planner_vector(
    parameters: ObservationParameters,
    agents: Agents,
    market: Market,
    taxes: Taxes,
    progress: Progress,
    tallied_builds: Array,
    coins: FloatArray,
    scratch: FloatArray,
    replica: int,
    out: Array,
) -> None:
    """Write the planner's vector, (size of `planner_entries`,) float32.

    Args:
        tallied_builds: (R, n) houses in the episode.
        coins: (n,) work space; `scratch` too.
    """
    num_agents = len(coins)
    coin_endowments(agents, replica, coins)
    houses = 0
    for agent in range(num_agents):
        houses += tallied_builds[replica, agent]
    out[0] = progress.timestep[replica] / parameters.time_scale
    out[1] = productivity(coins) / num_agents * parameters.scale
    out[2] = equality(coins, scratch)
    heap_sort(coins, num_agents)
    for quantile in range(QUANTILES):
        out[3 + quantile] = coins[quantile * (num_agents - 1) // (QUANTILES - 1)] * parameters.scale
    cursor = 3 + QUANTILES
    out[cursor] = houses / num_agents * parameters.scale
    cursor += 1
    for commodity in range(2):
        bids, asks = 0, 0
        for price in range(parameters.prices):
            bids += market.total_depth[replica, commodity, BID, price]
            asks += market.total_depth[replica, commodity, ASK, price]
        out[cursor] = market.rates[replica, commodity] / max(parameters.prices - 1, 1)
        out[cursor + 1] = bids / num_agents * parameters.scale
        out[cursor + 2] = asks / num_agents * parameters.scale
        cursor += 3
    if parameters.brackets > 0:
        cursor = schedule_and_phase(parameters.brackets, parameters.period, taxes, replica, out, cursor)
        for quantile in range(QUANTILES):
            rank = quantile * (num_agents - 1) // (QUANTILES - 1)
            out[cursor + quantile] = taxes.sorted_income[replica, rank] / parameters.period
