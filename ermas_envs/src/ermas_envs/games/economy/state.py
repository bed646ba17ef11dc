"""State of the economy: structs of arrays over replicas (SPEC section 2), leading axis R = num_envs, n agents.

Maps are padded by `pad` tiles on each side, so that windows and neighbours need no tests of borders.
"""

from typing import NamedTuple

import numpy as np

from ermas_envs.base.arrays import Array, FloatArray, IntArray
from ermas_envs.kernels.allocation import allocate

STONE, WOOD, COIN = 0, 1, 2
"""Resources in the order of the original: alphabetical, coin apart."""
RESOURCES = ("Stone", "Wood")
BID, ASK = 0, 1
"""Sides of a market."""

STONE_UNITS, WOOD_UNITS, HOUSE, WATER, STONE_SOURCE, WOOD_SOURCE, INSIDE = range(7)
"""Planes of the map, in the order of the observations; `INSIDE` is 1 inside the world and 0 in the padding."""
NUM_PLANES = 7

AGENT, PRICE, LIFETIME = 0, 1, 2
"""Columns of an order."""
(
    TRADE_COMMODITY,
    TRADE_SELLER,
    TRADE_ASK,
    TRADE_ASK_LIFETIME,
    TRADE_BUYER,
    TRADE_BID,
    TRADE_BID_LIFETIME,
    TRADE_PRICE,
) = range(8)
"""Columns of a record of a trade."""


class World(NamedTuple):
    """The map."""

    planes: Array
    """(R, 7, H + 2 pad, W + 2 pad) uint8."""
    owners: Array
    """(R, H + 2 pad, W + 2 pad) uint8: 0 no house, i + 2 that of agent i."""
    standing: Array
    """(R, H + 2 pad, W + 2 pad) uint8: 0 nobody, i + 2 agent i."""
    source_rows: Array
    """(R, 2, S) int32: padded row of each source of stone, of wood."""
    source_columns: Array
    """(R, 2, S) int32."""
    source_counts: Array
    """(R, 2) int32: how many of them there are."""
    growing: Array
    """(R, 2, S, 2) int32: padded row and column of the sources that have room for a unit, in any order."""
    growing_counts: Array
    """(R, 2) int32: how many of them there are."""


class Agents(NamedTuple):
    """The agents."""

    row: Array
    """(R, n) int32, padded."""
    column: Array
    """(R, n) int32, padded."""
    inventory: FloatArray
    """(R, n, 3) stone and wood in units, coin."""
    escrow: FloatArray
    """(R, n, 3) what open orders hold."""
    labor: FloatArray
    """(R, n) since the start of the episode."""
    build_payment: FloatArray
    """(R, n) coin for a house."""
    build_skill: FloatArray
    """(R, n) as observed."""
    bonus_gather_prob: FloatArray
    """(R, n)."""


class Market(NamedTuple):
    """Two order books."""

    orders: Array
    """(R, 2 commodities, 2 sides, n · max_num_orders, 3) int32: agent, price, lifetime."""
    counts: Array
    """(R, 2, 2) int32: orders in each book."""
    open_orders: Array
    """(R, 2, n) int32: bids and asks of each agent."""
    depth: Array
    """(R, 2, 2, n, prices) int32: orders of each agent by price."""
    total_depth: Array
    """(R, 2, 2, prices) int32: orders of all agents by price."""
    history: FloatArray
    """(R, 2, prices) decayed number of sales by price, of all agents."""
    rates: FloatArray
    """(R, 2) mean price of the decayed sales, 0 where there are none."""
    trades: Array
    """(R, T, 8) int32: the trades of the last step."""
    trade_counts: Array
    """(R,) int32: how many these are."""


class Tallies(NamedTuple):
    """Sums over the episode, for the metrics (SPEC 16), and events of the last step."""

    built: FloatArray
    """(R, n) coin earned by building in the last step, −1 for none."""
    gathered: Array
    """(R, n, 2) int32: units collected in the last step."""
    builds: Array
    """(R, n) int32: houses in the episode."""
    trades: FloatArray
    """(R, 2 commodities, 2 sides, n, 2): number, Σ price."""


class Progress(NamedTuple):
    """Clocks, objectives and rewards."""

    timestep: Array
    """(R,) int64: steps since the reset."""
    completions: Array
    """(R,) int64: episodes finished before this one; at its end, this one too."""
    positive_steps: Array
    """(R,) int64: steps with a positive mean reward, over all episodes."""
    energy_weight: FloatArray
    """(R,) factor of energy_cost (warm-up)."""
    utility: FloatArray
    """(R, n) utility after the last step."""
    valued_coin: FloatArray
    """(R, n) coin endowment of which `consumption` is the utility; NaN: of none."""
    consumption: FloatArray
    """(R, n) utility of coin alone."""
    labor_cost: FloatArray
    """(R, n) what labor takes from it."""
    planner_objective: FloatArray
    """(R,) the planner's objective after the last step."""
    planner_terms: FloatArray
    """(R, 2) its two terms: what it owes to coin, and what labor takes from that."""
    coin_before: FloatArray
    """(R, n) coin endowment before the last step."""
    rewards: FloatArray
    """(R, n) payoffs of the last step."""
    planner_reward: FloatArray
    """(R,) the planner's payoff of the last step."""


def allocate_world(replicas: int, padded: tuple[int, int], sources: int) -> World:
    """An empty map; `padded` is (H + 2 pad, W + 2 pad)."""
    world: World = allocate(
        World,
        {
            "planes": ((replicas, NUM_PLANES, *padded), np.uint8),
            "owners": ((replicas, *padded), np.uint8),
            "standing": ((replicas, *padded), np.uint8),
            "source_rows": ((replicas, 2, sources), np.int32),
            "source_columns": ((replicas, 2, sources), np.int32),
            "source_counts": ((replicas, 2), np.int32),
            "growing": ((replicas, 2, sources, 2), np.int32),
            "growing_counts": ((replicas, 2), np.int32),
        },
    )
    return world


def allocate_agents(replicas: int, agents: int) -> Agents:
    """Agents with nothing."""
    flat = ((replicas, agents), np.float64)
    found: Agents = allocate(
        Agents,
        {
            "row": ((replicas, agents), np.int32),
            "column": ((replicas, agents), np.int32),
            "inventory": ((replicas, agents, 3), np.float64),
            "escrow": ((replicas, agents, 3), np.float64),
            **dict.fromkeys(("labor", "build_payment", "build_skill", "bonus_gather_prob"), flat),
        },
    )
    return found


def allocate_market(replicas: int, agents: int, max_orders: int, prices: int) -> Market:
    """Empty books; 0 orders and prices where there is no market."""
    capacity = agents * max_orders
    market: Market = allocate(
        Market,
        {
            "orders": ((replicas, 2, 2, capacity, 3), np.int32),
            "counts": ((replicas, 2, 2), np.int32),
            "open_orders": ((replicas, 2, agents), np.int32),
            "depth": ((replicas, 2, 2, agents, prices), np.int32),
            "total_depth": ((replicas, 2, 2, prices), np.int32),
            "history": ((replicas, 2, prices), np.float64),
            "rates": ((replicas, 2), np.float64),
            "trades": ((replicas, 2 * capacity, 8), np.int32),
            "trade_counts": ((replicas,), np.int32),
        },
    )
    return market


def allocate_tallies(replicas: int, agents: int) -> Tallies:
    """Nothing counted."""
    tallies: Tallies = allocate(
        Tallies,
        {
            "built": ((replicas, agents), np.float64),
            "gathered": ((replicas, agents, 2), np.int32),
            "builds": ((replicas, agents), np.int32),
            "trades": ((replicas, 2, 2, agents, 2), np.float64),
        },
    )
    return tallies


def allocate_progress(replicas: int, agents: int) -> Progress:
    """Before the first episode."""
    one, by_agent = ((replicas,), np.float64), ((replicas, agents), np.float64)
    counter = ((replicas,), np.int64)
    progress: Progress = allocate(
        Progress,
        {
            **dict.fromkeys(("timestep", "completions", "positive_steps"), counter),
            **dict.fromkeys(("energy_weight", "planner_objective", "planner_reward"), one),
            "planner_terms": ((replicas, 2), np.float64),
            **dict.fromkeys(
                ("utility", "valued_coin", "consumption", "labor_cost", "coin_before", "rewards"), by_agent
            ),
        },
    )
    return progress


class Draws(NamedTuple):
    """Random numbers of one replica's step; the leading axis has a row per thread (`threads.ReplicaThreads.slots`)."""

    build_order: IntArray
    """(threads, n) int64 permutation of the agents."""
    gather_order: IntArray
    """(threads, n) int64 permutation of the agents."""
    gather_uniforms: FloatArray
    """(threads, 2 n): the k-th event of collecting takes the k-th."""
    regeneration: FloatArray
    """(threads, 2, S) a uniform for each of `World.growing`; see `regeneration.regenerate` for what becomes of it."""
    rates: FloatArray
    """(threads, B) uniforms of the Saez planner's first rates."""
    actions: IntArray
    """(threads, n, 6) int64: the agents' actions, decoded (`actions`)."""
    planner_actions: IntArray
    """(threads, B) int64: the planner's, decoded."""


def allocate_draws(threads: int, agents: int, sources: int, brackets: int) -> Draws:
    """Room for the draws of `threads` replicas."""
    draws: Draws = allocate(
        Draws,
        {
            "build_order": ((threads, agents), np.int64),
            "gather_order": ((threads, agents), np.int64),
            "gather_uniforms": ((threads, 2 * agents), np.float64),
            "regeneration": ((threads, 2, sources), np.float64),
            "rates": ((threads, brackets), np.float64),
            "actions": ((threads, agents, 6), np.int64),
            "planner_actions": ((threads, brackets), np.int64),
        },
    )
    return draws
