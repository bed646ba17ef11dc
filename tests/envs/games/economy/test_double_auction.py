"""The double auction (SPEC 9), restated in plain Python, slowly, and compared with the kernel trade by trade."""

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ermas_envs import economy_v0
from ermas_envs.games.economy.state import (
    ASK,
    BID,
    TRADE_ASK,
    TRADE_ASK_LIFETIME,
    TRADE_BID,
    TRADE_BID_LIFETIME,
    TRADE_BUYER,
    TRADE_COMMODITY,
    TRADE_PRICE,
    TRADE_SELLER,
)
from ermas_envs.games.taxation.holdings import COIN

COLUMNS = [
    TRADE_COMMODITY,
    TRADE_SELLER,
    TRADE_ASK,
    TRADE_ASK_LIFETIME,
    TRADE_BUYER,
    TRADE_BID,
    TRADE_BID_LIFETIME,
    TRADE_PRICE,
]


class PlainAuction:
    """Two markets; an order is a list [agent, price, lifetime]."""

    def __init__(self, inventory: Any, duration: int, most: int, labor: float, prices: int) -> None:
        self.inventory = [[float(x) for x in row] for row in inventory]
        self.escrow = [[0.0] * 3 for _ in inventory]
        self.labor = [0.0] * len(inventory)
        self.duration, self.most, self.order_labor = duration, most, labor
        self.books: list[Any] = [([], []) for _ in range(2)]  # bids, asks by commodity
        self.history = [[[0.0] * prices for _ in inventory] for _ in range(2)]  # by commodity, seller, price

    def step(self, orders: list[list[int]]) -> list[list[int]]:
        """`orders` of each agent: bid and ask for stone, bid and ask for wood; 0 none, k price k − 1."""
        for commodity in range(2):
            for agent, wanted in enumerate(orders):
                self.history[commodity][agent] = [0.995 * sold for sold in self.history[commodity][agent]]
                for side in (BID, ASK):
                    if wanted[2 * commodity + side] > 0:
                        self.place(commodity, side, agent, wanted[2 * commodity + side] - 1)
        trades = [trade for commodity in range(2) for trade in self.match(commodity)]
        for commodity in range(2):
            for side in (BID, ASK):
                self.age(commodity, side)
        return trades

    def place(self, commodity: int, side: int, agent: int, price: int) -> None:
        open_orders = sum(order[0] == agent for book in self.books[commodity] for order in book)
        resource, amount = (COIN, price) if side == BID else (commodity, 1)
        if open_orders >= self.most or self.inventory[agent][resource] < amount:
            return
        self.inventory[agent][resource] -= amount
        self.escrow[agent][resource] += amount
        self.labor[agent] += self.order_labor
        self.books[commodity][side].append([agent, price, 0])

    def match(self, commodity: int) -> list[list[int]]:
        bids, asks = self.books[commodity]
        bids.sort(key=lambda order: (-order[1], -order[2]))
        asks.sort(key=lambda order: (order[1], -order[2]))
        ruled_out: set[int] = set()
        trades = []
        while True:
            bid = next((order for order in bids if order[0] not in ruled_out), None)
            if bid is None:
                return trades
            ask = next((order for order in asks if order[0] != bid[0]), None)
            if ask is None or ask[1] > bid[1]:
                ruled_out.add(bid[0])
                continue
            price = ask[1] if bid[2] <= ask[2] else bid[1]
            buyer, seller = bid[0], ask[0]
            self.escrow[seller][commodity] -= 1
            self.inventory[buyer][commodity] += 1
            self.escrow[buyer][COIN] -= bid[1]
            self.inventory[seller][COIN] += price
            self.inventory[buyer][COIN] += bid[1] - price
            self.history[commodity][seller][price] += 1
            bids[:] = [order for order in bids if order is not bid]
            asks[:] = [order for order in asks if order is not ask]
            trades.append([commodity, seller, ask[1], ask[2], buyer, bid[1], bid[2], price])

    def age(self, commodity: int, side: int) -> None:
        kept = []
        for order in self.books[commodity][side]:
            order[2] += 1
            if order[2] <= self.duration:
                kept.append(order)
                continue
            resource, amount = (COIN, order[1]) if side == BID else (commodity, 1)
            self.escrow[order[0]][resource] -= amount
            self.inventory[order[0]][resource] += amount
        self.books[commodity][side][:] = kept


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    agents=st.integers(2, 7),
    top=st.integers(1, 4),
    duration=st.integers(1, 5),
    most=st.sampled_from([None, 1, 2, 4]),
    steps=st.integers(1, 25),
    eagerness=st.sampled_from([0.2, 0.5, 1.0]),
    seed=st.integers(0, 2**20),
)
def test_kernel_trades_as_plain_python_does(
    agents: int, top: int, duration: int, most: int | None, steps: int, eagerness: float, seed: int
) -> None:
    market = {"max_bid_ask": top, "order_duration": duration, "max_num_orders": most}
    batch = economy_v0.batched_env(
        1,
        num_agents=agents,
        layout=["." * agents],
        components=[{"ContinuousDoubleAuction": market}],
        multi_action_mode_agents=True,
        fixed_four_skill_and_loc=False,
        mobile_agent_observation_range=1,
    )
    batch.reset(seed)
    generator = np.random.default_rng(seed)
    state = batch.engine.state
    state.agents.inventory[0] = generator.integers(0, 8, (agents, 3))
    plain = PlainAuction(state.agents.inventory[0], duration, most or duration, 0.25, top + 1)
    for _ in range(steps):
        orders = generator.integers(1, top + 2, (agents, 4)) * (generator.random((agents, 4)) < eagerness)
        batch.engine.advance(orders[None], np.zeros((1, 1), np.int64), writes_observations=False)
        expected = plain.step(orders.tolist())
        trades = state.market.trades[0, : state.market.trade_counts[0]][:, COLUMNS].tolist()
        assert trades == expected
        assert state.agents.inventory[0].tolist() == plain.inventory
        assert state.agents.escrow[0].tolist() == plain.escrow
        assert state.agents.labor[0].tolist() == plain.labor
        for commodity in range(2):
            for side in (BID, ASK):
                count = state.market.counts[0, commodity, side]
                assert state.market.orders[0, commodity, side, :count].tolist() == plain.books[commodity][side]
            history = np.sum(plain.history[commodity], axis=0)
            np.testing.assert_allclose(state.market.history[0, commodity], history, rtol=1e-12)
            mean = (history * np.arange(top + 1)).sum() / max(0.001, history.sum())
            np.testing.assert_allclose(state.market.rates[0, commodity], mean, rtol=1e-12)


def tally(trades: Any, agents: int) -> Any:
    """Number and Σ price of purchases and sales by commodity, side and agent."""
    found = np.zeros((2, 2, agents, 2))
    for trade in trades:
        for side, agent in ((BID, trade[4]), (ASK, trade[1])):
            found[trade[0], side, agent] += (1, trade[7])
    return found


def test_metrics_count_what_was_traded() -> None:
    batch = economy_v0.batched_env(
        1, num_agents=3, layout="....", components=["ContinuousDoubleAuction"], fixed_four_skill_and_loc=False
    )
    batch.reset(0)
    batch.engine.state.agents.inventory[0] = 50
    generator = np.random.default_rng(0)
    traded: list[Any] = []
    for _ in range(40):
        batch.engine.advance(generator.integers(0, 45, (1, 3, 1)), np.zeros((1, 1), np.int64))
        market = batch.engine.state.market
        traded += market.trades[0, : market.trade_counts[0]][:, COLUMNS].tolist()
    metrics, expected = batch.engine.metrics(), tally(traded, 3)
    assert metrics["Trade/n_trades"] == len(traded) > 10
    for commodity, name in enumerate(("Stone", "Wood")):
        for side, verb in ((BID, "Buy"), (ASK, "Sell")):
            for agent in range(3):
                number, total = expected[commodity, side, agent]
                prefix = f"Trade/agent_{agent}/{verb}{name}"
                assert metrics[f"{prefix}/n_sales"] == number
                np.testing.assert_allclose(metrics[f"{prefix}/price"], total / number if number else np.nan)
