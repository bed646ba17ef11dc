"""Comparison of what happened in a step: houses, collections, trades (SPEC sections 6, 7 and 9)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.state import RESOURCES
from ermas_envs.replay.comparison import EXACT, FLOAT64, Comparison


def compare_events(comparison: Comparison, engine: EconomyEngine, recorded: Mapping[str, Any]) -> None:
    """Events of the last step; taxes are compared by `taxes.TaxComparison`."""
    _compare_builds(comparison, engine, recorded.get("build", []))
    _compare_gathering(comparison, engine, recorded.get("gather", []))
    if engine.rules.observations.prices:
        comparison.equal("events: trades", trades(engine), [dict(record) for record in recorded.get("trade", [])])


def _compare_builds(comparison: Comparison, engine: EconomyEngine, recorded: list[Mapping[str, Any]]) -> None:
    built = engine.state.tallies.built[0]
    theirs = {record["builder"]: record["income"] for record in recorded}
    builders = [int(agent) for agent in np.flatnonzero(built >= 0.0)]
    comparison.equal("events: builders", builders, sorted(theirs))
    incomes = [theirs[agent] for agent in builders if agent in theirs]
    comparison.numbers(
        "events: incomes of builders", [built[agent] for agent in builders if agent in theirs], incomes, FLOAT64
    )


def _compare_gathering(comparison: Comparison, engine: EconomyEngine, recorded: list[Mapping[str, Any]]) -> None:
    theirs = np.zeros_like(engine.state.tallies.gathered[0])
    for record in recorded:
        theirs[record["agent"], RESOURCES.index(record["resource"])] += record["n"]
    comparison.numbers("events: units gathered", engine.state.tallies.gathered[0], theirs, EXACT)


def trades(engine: EconomyEngine) -> list[dict[str, Any]]:
    """Trades of the last step, as recorded."""
    market = engine.state.market
    found = []
    for record in market.trades[0, : market.trade_counts[0]].tolist():
        commodity, seller, ask, ask_lifetime, buyer, bid, bid_lifetime, price = record
        found.append(
            {
                "commodity": RESOURCES[commodity],
                "buyer": buyer,
                "bid": bid,
                "bid_lifetime": bid_lifetime,
                "seller": seller,
                "ask": ask,
                "ask_lifetime": ask_lifetime,
                "price": price,
                "cost": price,
                "income": price,
            }
        )
    return found
