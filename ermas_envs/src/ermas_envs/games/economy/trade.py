"""The continuous double auction: orders, matching, expiry (SPEC section 9)."""

from typing import NamedTuple

from ermas_envs.base.arrays import IntArray
from ermas_envs.games.economy.actions import BUY_STONE, SELL_STONE
from ermas_envs.games.economy.state import (
    AGENT,
    ASK,
    BID,
    LIFETIME,
    PRICE,
    TRADE_ASK,
    TRADE_ASK_LIFETIME,
    TRADE_BID,
    TRADE_BID_LIFETIME,
    TRADE_BUYER,
    TRADE_COMMODITY,
    TRADE_PRICE,
    TRADE_SELLER,
    Agents,
    Market,
    Tallies,
)
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.kernels.compiled import internal

HISTORY_DECAY = 0.995


class TradeParameters(NamedTuple):
    """Constants of the component."""

    prices: int
    """Number of prices, max_bid_ask + 1."""
    order_labor: float
    """Labor of an order."""
    order_duration: int
    """Steps that an order stays after the one that placed it."""
    max_num_orders: int
    """Open orders of an agent in a market."""


@internal
def trade(
    parameters: TradeParameters, market: Market, agents: Agents, tallies: Tallies, actions: IntArray, replica: int
) -> None:
    """Place the orders of `actions` (n, 6), match, and let old orders expire; stone before wood."""
    market.trade_counts[replica] = 0
    for commodity in range(2):
        for price in range(parameters.prices):
            market.history[replica, commodity, price] *= HISTORY_DECAY
        for agent in range(actions.shape[0]):
            buy, sell = actions[agent, BUY_STONE + 2 * commodity], actions[agent, SELL_STONE + 2 * commodity]
            if buy > 0:
                _place(parameters, market, agents, replica, commodity, BID, agent, buy - 1)
            if sell > 0:
                _place(parameters, market, agents, replica, commodity, ASK, agent, sell - 1)
    for commodity in range(2):
        _match(market, agents, tallies, replica, commodity)
    for commodity in range(2):
        market.rates[replica, commodity] = _mean_price(market, replica, commodity)
        for side in range(2):
            _age(parameters, market, agents, replica, commodity, side)


@internal
def _mean_price(market: Market, replica: int, commodity: int) -> float:
    """Of the decayed sales, 0 where there are none."""
    sales, weighted = 0.0, 0.0
    for price in range(market.history.shape[2]):
        sales += market.history[replica, commodity, price]
        weighted += price * market.history[replica, commodity, price]
    return weighted / max(0.001, sales)


@internal
def can_bid(
    parameters: TradeParameters, market: Market, agents: Agents, replica: int, commodity: int, agent: int, price: int
) -> bool:
    """Whether an agent has an order left and the coin for a bid."""
    free = market.open_orders[replica, commodity, agent] < parameters.max_num_orders
    return free and agents.inventory[replica, agent, COIN] >= price


@internal
def can_ask(
    parameters: TradeParameters, market: Market, agents: Agents, replica: int, commodity: int, agent: int
) -> bool:
    """Whether an agent has an order left and a unit to sell."""
    free = market.open_orders[replica, commodity, agent] < parameters.max_num_orders
    return free and agents.inventory[replica, agent, commodity] > 0


@internal
def _place(
    parameters: TradeParameters,
    market: Market,
    agents: Agents,
    replica: int,
    commodity: int,
    side: int,
    agent: int,
    price: int,
) -> None:
    if side == BID:
        if not can_bid(parameters, market, agents, replica, commodity, agent, price):
            return
        agents.inventory[replica, agent, COIN] -= price
        agents.escrow[replica, agent, COIN] += price
    else:
        if not can_ask(parameters, market, agents, replica, commodity, agent):
            return
        agents.inventory[replica, agent, commodity] -= 1
        agents.escrow[replica, agent, commodity] += 1
    agents.labor[replica, agent] += parameters.order_labor
    last = market.counts[replica, commodity, side]
    market.counts[replica, commodity, side] = last + 1
    book = market.orders[replica, commodity, side]
    book[last, AGENT], book[last, PRICE], book[last, LIFETIME] = agent, price, 0
    _count(market, replica, commodity, side, agent, price, 1)


@internal
def _count(market: Market, replica: int, commodity: int, side: int, agent: int, price: int, change: int) -> None:
    market.open_orders[replica, commodity, agent] += change
    market.depth[replica, commodity, side, agent, price] += change
    market.total_depth[replica, commodity, side, price] += change


@internal
def _sort(book: IntArray, count: int, sign: int) -> None:
    """Best price first (`sign` 1: lowest), then oldest; stable. Only the step's orders, at the end, are unsorted."""
    first = count
    while first > 0 and book[first - 1, LIFETIME] == 0:
        first -= 1
    for unsorted in range(max(first, 1), count):
        agent, price, lifetime = book[unsorted, AGENT], book[unsorted, PRICE], book[unsorted, LIFETIME]
        slot = unsorted
        while slot > 0:
            ahead = sign * (book[slot - 1, PRICE] - price)
            if ahead < 0 or (ahead == 0 and book[slot - 1, LIFETIME] >= lifetime):
                break
            for column in range(3):
                book[slot, column] = book[slot - 1, column]
            slot -= 1
        book[slot, AGENT], book[slot, PRICE], book[slot, LIFETIME] = agent, price, lifetime


@internal
def _match(market: Market, agents: Agents, tallies: Tallies, replica: int, commodity: int) -> None:
    """Best bid first, down to the lowest ask; its buyer takes the best ask of somebody else, or is ruled out for this
    step.

    Orders that are executed are marked by agent −1 and removed at the end, so that the rest keep their order. A buyer
    is ruled out where its best bid finds no ask; its later bids are no better, and would find none either.
    """
    bids, asks = market.orders[replica, commodity, BID], market.orders[replica, commodity, ASK]
    num_bids, num_asks = market.counts[replica, commodity, BID], market.counts[replica, commodity, ASK]
    _sort(bids, num_bids, -1)
    _sort(asks, num_asks, 1)
    if num_bids == 0 or num_asks == 0:
        return
    traded = False
    for bid in range(num_bids):
        if bids[bid, PRICE] < asks[0, PRICE]:
            break
        for ask in range(num_asks):
            if asks[ask, AGENT] < 0 or asks[ask, AGENT] == bids[bid, AGENT]:
                continue
            if asks[ask, PRICE] <= bids[bid, PRICE]:
                _settle(market, agents, tallies, replica, commodity, bid, ask)
                traded = True
            break
    if traded:
        _remove_marked(market, replica, commodity, BID)
        _remove_marked(market, replica, commodity, ASK)


@internal
def _settle(market: Market, agents: Agents, tallies: Tallies, replica: int, commodity: int, bid: int, ask: int) -> None:
    """The older order sets the price; of orders of the same step, the ask."""
    bids, asks = market.orders[replica, commodity, BID], market.orders[replica, commodity, ASK]
    buyer, bid_price, bid_lifetime = bids[bid, AGENT], bids[bid, PRICE], bids[bid, LIFETIME]
    seller, ask_price, ask_lifetime = asks[ask, AGENT], asks[ask, PRICE], asks[ask, LIFETIME]
    price = ask_price if bid_lifetime <= ask_lifetime else bid_price
    agents.escrow[replica, seller, commodity] -= 1
    agents.inventory[replica, buyer, commodity] += 1
    agents.escrow[replica, buyer, COIN] -= bid_price
    agents.inventory[replica, seller, COIN] += price
    agents.inventory[replica, buyer, COIN] += bid_price - price
    _count(market, replica, commodity, BID, buyer, bid_price, -1)
    _count(market, replica, commodity, ASK, seller, ask_price, -1)
    market.history[replica, commodity, price] += 1.0
    bids[bid, AGENT] = -1
    asks[ask, AGENT] = -1
    record = market.trades[replica, market.trade_counts[replica]]
    market.trade_counts[replica] += 1
    record[TRADE_COMMODITY] = commodity
    record[TRADE_SELLER], record[TRADE_ASK], record[TRADE_ASK_LIFETIME] = seller, ask_price, ask_lifetime
    record[TRADE_BUYER], record[TRADE_BID], record[TRADE_BID_LIFETIME] = buyer, bid_price, bid_lifetime
    record[TRADE_PRICE] = price
    for side, agent in ((BID, buyer), (ASK, seller)):
        sums = tallies.trades[replica, commodity, side, agent]
        sums[0] += 1.0
        sums[1] += price


@internal
def _remove_marked(market: Market, replica: int, commodity: int, side: int) -> None:
    book = market.orders[replica, commodity, side]
    kept = 0
    for order in range(market.counts[replica, commodity, side]):
        if book[order, AGENT] >= 0:
            for column in range(3):
                book[kept, column] = book[order, column]
            kept += 1
    market.counts[replica, commodity, side] = kept


@internal
def _age(parameters: TradeParameters, market: Market, agents: Agents, replica: int, commodity: int, side: int) -> None:
    """Orders grow older by a step; those past their duration go, and their escrow returns."""
    book = market.orders[replica, commodity, side]
    expired = False
    for order in range(market.counts[replica, commodity, side]):
        book[order, LIFETIME] += 1
        if book[order, LIFETIME] > parameters.order_duration:
            agent, price = book[order, AGENT], book[order, PRICE]
            resource = COIN if side == BID else commodity
            amount = price if side == BID else 1
            agents.escrow[replica, agent, resource] -= amount
            agents.inventory[replica, agent, resource] += amount
            _count(market, replica, commodity, side, agent, price, -1)
            book[order, AGENT] = -1
            expired = True
    if expired:
        _remove_marked(market, replica, commodity, side)
