"""A log of one replica's episode as tidy tables: what every agent did, had and earned, trades, houses, taxes."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_integer
from ermas_envs.base.arrays import Array
from ermas_envs.games.economy.actions import (
    BUILD,
    BUY_STONE,
    MOVE,
    SELL_STONE,
)
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.state import (
    RESOURCES,
    STONE,
    TRADE_ASK,
    TRADE_ASK_LIFETIME,
    TRADE_BID,
    TRADE_BID_LIFETIME,
    TRADE_BUYER,
    TRADE_COMMODITY,
    TRADE_PRICE,
    TRADE_SELLER,
    WOOD,
)
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.welfare import equality, productivity

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "agents": {
        "step": "steps since the reset; row 0 is the state after it",
        "agent": "index of the agent",
        "row": "tile's row, 0 at the top, after the step",
        "column": "tile's column, 0 at the left, after the step",
        "coin": "coin that it can spend, after the step; WealthRedistribution shares it out anew in every step",
        "stone": "units that it can use, after the step",
        "wood": "units that it can use, after the step",
        "escrowed_coin": "coin that its open bids hold",
        "escrowed_stone": "units that its open asks hold",
        "escrowed_wood": "units that its open asks hold",
        "labor": "units of labor since the reset",
        "utility": "utility after the step",
        "payoff": "change of utility by the step, before any perturbation",
        "action": "what it tried: nothing, build, left, right, up, down, or an order such as buy_stone:3 (price in "
        "coin); several are joined by +",
        "build_income": "coin for a house",
        "gathered_stone": "units, bonus included",
        "gathered_wood": "units, bonus included",
        "trades": "units bought and sold",
        "trade_income": "coin from sales less coin for purchases",
        "tax_paid": "coin, 0 except at collections",
        "lump_sum": "coin, its share of the taxes, 0 except at collections",
        "income": "coin earned in the tax period; empty except at collections",
        "marginal_rate": "share of the last coin of that income, in [0, 1]; empty except at collections",
    },
    "planner": {
        "step": "steps since the reset; row 0 is the state after it",
        "equality": "1 - n / (n - 1) * Gini index of the coin, in [0, 1]",
        "productivity": "coin of all agents, escrow included",
        "objective": "the planner's objective, in its own units",
        "payoff": "change of the objective by the step",
    },
    "trades": {
        "step": "in which the unit changed hands",
        "resource": "stone or wood, one unit",
        "seller": "index of the agent",
        "buyer": "index of the agent",
        "price": "coin",
        "ask": "coin that the seller asked",
        "bid": "coin that the buyer bid",
        "ask_age": "steps since the ask was placed",
        "bid_age": "steps since the bid was placed",
    },
    "houses": {
        "step": "in which it was built",
        "agent": "index of its owner",
        "row": "tile's row",
        "column": "tile's column",
        "income": "coin that its owner got",
    },
    "taxes": {
        "step": "of the collection, at the end of a tax period",
        "agent": "index of the agent",
        "income": "coin earned in the period",
        "marginal_rate": "share of the last coin of the income, in [0, 1]",
        "tax_paid": "coin",
        "lump_sum": "coin, the same for all: the taxes by the number of agents",
    },
    "schedules": {
        "step": "of the collection",
        "bracket": "number of the tax bracket, from 0",
        "from_income": "coin per period from which the bracket begins",
        "rate": "marginal rate in the period that ended, in [0, 1]",
    },
}
"""Columns of each table, with meaning and unit."""

_SINGLE_ACTIONS = {BUILD: ("build",), MOVE: ("left", "right", "up", "down")}
_ORDERS = {
    side + 2 * resource: f"{verb}_{RESOURCES[resource].lower()}"
    for side, verb in ((BUY_STONE, "buy"), (SELL_STONE, "sell"))
    for resource in (STONE, WOOD)
}


class EpisodeLog:
    """Records an episode of one replica, a step at a time.

        log = EpisodeLog(engine)
        env.reset(seed=0); log.begin()
        while ...: env.step(actions); log.record()
        log.write("logs/episode")

    The engine of a PettingZoo environment is `env.batch.engine`, that of a batch `batch.engine`. A batch must be made
    with `autoreset=False`: otherwise the state after an episode's last step is gone before it can be read, and `record`
    raises.

    Args:
        engine: of the economy, after its reset.
        replica: which one.

    Attributes:
        tables: per table its rows, dicts by column; see `COLUMNS`.
    """

    def __init__(self, engine: EconomyEngine, replica: int = 0) -> None:
        self._engine, self._replica = engine, check_integer("replica", replica, 0, engine.num_envs - 1)
        self._step = -1
        self._owners: Array = np.zeros(0)
        self.tables: dict[str, list[dict[str, Any]]] = {}

    def begin(self) -> None:
        """Forget what was recorded and write down the state after a reset; RuntimeError in the midst of an episode."""
        if int(self._engine.state.progress.timestep[self._replica]) != 0:
            raise RuntimeError("begin() must follow a reset, before the first step.")
        self.tables = {name: [] for name in COLUMNS}
        self._step = 0
        self._owners = self._engine.state.world.owners[self._replica].copy()
        self._record_agents()
        self._record_planner()

    def record(self) -> None:
        """Write down the step just taken; RuntimeError unless it is the one after that recorded last."""
        step = int(self._engine.state.progress.timestep[self._replica])
        if self._step < 0 or step != self._step + 1:
            raise RuntimeError(
                f"record() must follow every step after begin(); the last recorded step is {self._step}, and the "
                f"replica is at step {step}. (A batch must be made with autoreset=False.)"
            )
        self._step = step
        self._record_trades()
        self._record_houses()
        self._record_taxes()
        self._record_agents()
        self._record_planner()

    def write(self, folder: Path | str) -> list[Path]:
        """Write every table as a CSV file into a folder, which is made if need be; empty cells are None.

        Returns:
            The files, `<table>.csv`.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for name, columns in COLUMNS.items():
            with (place / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(columns))
                writer.writeheader()
                writer.writerows(self.tables.get(name, []))
        return [place / f"{name}.csv" for name in COLUMNS]

    def _add(self, table: str, *values: object) -> None:
        plain = (value.item() if isinstance(value, np.generic) else value for value in values)
        self.tables[table].append(dict(zip(COLUMNS[table], (self._step, *plain), strict=True)))

    def _record_agents(self) -> None:
        state, replica, begins = self._engine.state, self._replica, self._step == 0
        agents, tallies, taxes, progress = state.agents, state.tallies, state.taxes, state.progress
        pad = self._engine.rules.observations.pad
        collected, traded = bool(taxes.collected[replica]), self._traded()
        for agent in range(self._engine.settings.num_agents):
            gathered = tallies.gathered[replica, agent]
            self._add(
                "agents",
                agent,
                agents.row[replica, agent] - pad,
                agents.column[replica, agent] - pad,
                *(agents.inventory[replica, agent, resource] for resource in (COIN, STONE, WOOD)),
                *(agents.escrow[replica, agent, resource] for resource in (COIN, STONE, WOOD)),
                agents.labor[replica, agent],
                progress.utility[replica, agent],
                0.0 if begins else progress.rewards[replica, agent],
                "nothing" if begins else self._action_of(agent),
                max(tallies.built[replica, agent], 0.0),
                gathered[STONE],
                gathered[WOOD],
                *traded[agent],
                taxes.last_paid[replica, agent] if collected else 0.0,
                taxes.last_lump_sum[replica] if collected else 0.0,
                taxes.last_income[replica, agent] if collected else None,
                taxes.last_marginal_rate[replica, agent] if collected else None,
            )

    def _record_planner(self) -> None:
        state, replica = self._engine.state, self._replica
        coin = np.ascontiguousarray((state.agents.inventory + state.agents.escrow)[replica, :, COIN])
        self._add(
            "planner",
            float(equality(coin, np.empty_like(coin))),
            float(productivity(coin)),
            state.progress.planner_objective[replica],
            state.progress.planner_reward[replica] if self._step else 0.0,
        )

    def _record_trades(self) -> None:
        for trade in self._trades():
            self._add(
                "trades",
                RESOURCES[trade[TRADE_COMMODITY]].lower(),
                *(trade[column] for column in (TRADE_SELLER, TRADE_BUYER, TRADE_PRICE)),
                *(trade[column] for column in (TRADE_ASK, TRADE_BID, TRADE_ASK_LIFETIME, TRADE_BID_LIFETIME)),
            )

    def _record_houses(self) -> None:
        """New ones on the map: their owners may have moved on in the same step."""
        state, pad = self._engine.state, self._engine.rules.observations.pad
        owners = state.world.owners[self._replica].copy()
        for row, column in np.argwhere(owners != self._owners):
            agent = int(owners[row, column]) - 2
            self._add("houses", agent, row - pad, column - pad, state.tallies.built[self._replica, agent])
        self._owners = owners

    def _record_taxes(self) -> None:
        taxes, replica = self._engine.state.taxes, self._replica
        if not taxes.collected[replica]:
            return
        for agent in range(self._engine.settings.num_agents):
            by_agent = (taxes.last_income, taxes.last_marginal_rate, taxes.last_paid)
            self._add("taxes", agent, *(values[replica, agent] for values in by_agent), taxes.last_lump_sum[replica])
        for bracket, cutoff in enumerate(self._engine.rules.tax.cutoffs):
            self._add("schedules", bracket, cutoff, taxes.rates[replica, bracket])

    def _trades(self) -> list[list[int]]:
        """The last step's trades, none at the start of an episode."""
        market, replica = self._engine.state.market, self._replica
        trades: list[list[int]] = market.trades[replica, : market.trade_counts[replica]].tolist()
        return trades

    def _traded(self) -> list[list[int]]:
        """Per agent units bought and sold, and coin from sales less coin for purchases, in the last step."""
        traded = [[0, 0] for _ in range(self._engine.settings.num_agents)]
        for trade in self._trades():
            for agent, income in ((trade[TRADE_SELLER], trade[TRADE_PRICE]), (trade[TRADE_BUYER], -trade[TRADE_PRICE])):
                traded[agent][0] += 1
                traded[agent][1] += income
        return traded

    def _action_of(self, agent: int) -> str:
        rules = self._engine.rules.actions
        given = self._engine.last_actions[0][self._replica, agent]
        chosen = zip(rules.kinds, given, strict=False) if rules.multi else enumerate(rules.table[given[0]])
        written = [_written(int(kind), int(sub_action)) for kind, sub_action in chosen if sub_action > 0]
        return "+".join(written) or "nothing"


def _written(kind: int, sub_action: int) -> str:
    return f"{_ORDERS[kind]}:{sub_action - 1}" if kind in _ORDERS else _SINGLE_ACTIONS[kind][sub_action - 1]
