"""Agents that follow simple rules: build where they can, trade what they have too much of, gather what they lack.

They read compact observations and masks, and nothing else. They are for demonstrations and tests, not a benchmark.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_integer
from ermas_envs.base.arrays import Array, BoolArray, IntArray, agent_id
from ermas_envs.games.economy.actions import (
    BUILD,
    BUY_STONE,
    DOWN,
    LEFT,
    MOVE,
    RIGHT,
    SELL_STONE,
    UP,
    action_table,
)
from ermas_envs.games.economy.compact import agent_entries
from ermas_envs.games.economy.settings import EconomySettings
from ermas_envs.games.economy.state import RESOURCES, STONE, WOOD
from ermas_envs.games.taxation.observations import slices
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import tax_parameters

TRADING = 0.3
"""Probability per step that an agent who has something to trade places an order."""
WANDERING = (3, 10)
"""Fewest and most steps of a detour around water, houses and agents."""
MODEST_SHARE = 0.6
"""Of the largest price: what is asked at most, and bid at most, where nobody else has an order."""


class ScriptedAgents:
    """All agents of a batch, or of a PettingZoo environment, by one set of rules.

    An agent builds where it may. With probability `TRADING` it sells a unit of the resource of which it has more, if it
    has two (at others' best bid if there is one), or bids for one that it lacks. With both resources it walks to the
    nearest building ground, else to the nearest unit of the resource of which it has less; where the way is blocked, it
    wanders for a few steps.

    Args:
        settings: of the economy; ValueError unless its observations are compact and agents have one action per step.
        seed: of the rules' random choices, non-negative.
    """

    def __init__(self, settings: EconomySettings, seed: int = 0) -> None:
        if settings.observations != "compact" or settings.multi_action_mode_agents:
            raise ValueError("scripted agents need observations='compact' and multi_action_mode_agents=False.")
        self._agents = tuple(agent_id(index) for index in range(settings.num_agents))
        brackets = len(tax_parameters(settings.component(PeriodicBracketTax), None, False).cutoffs)
        self._where = slices(agent_entries(brackets))
        table = action_table(settings).table
        self._actions = {kind: np.flatnonzero(table[:, kind]) for kind in range(table.shape[1])}
        self._unit = 0.01 if settings.allow_observation_scaling else 1.0
        self._random = np.random.default_rng(check_integer("seed", seed, 0))
        self._detour, self._heading = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def act(self, observations: Mapping[str, Any], masks: Mapping[str, Any]) -> dict[str, Array]:
        """Valid actions of the agents.

        Args:
            observations: per agent (num_envs, F) float32, or (F,) of a PettingZoo environment.
            masks: per agent (num_envs, actions) or (actions,), bool or integers, 1 = has its effect.

        Returns:
            Per agent (num_envs,) int64, or a number ().
        """
        seen = np.stack([observations[agent] for agent in self._agents])
        allowed = np.stack([np.asarray(masks[agent], dtype=bool) for agent in self._agents])
        chosen = self._choose(seen.reshape(-1, seen.shape[-1]), allowed.reshape(-1, allowed.shape[-1]))
        return dict(zip(self._agents, chosen.reshape(seen.shape[:-1]), strict=True))

    def _choose(self, seen: Array, allowed: BoolArray) -> IntArray:
        """Actions (rows,) of rows of observations (rows, F) and masks (rows, actions)."""
        chosen = self._moves(seen, allowed)
        orders = self._orders(seen, allowed)
        trades = (orders > 0) & (self._random.random(len(seen)) < TRADING)
        chosen = np.where(trades, orders, chosen)
        for build in self._actions[BUILD]:
            chosen = np.where(allowed[:, build], build, chosen)
        return chosen

    def _held(self, seen: Array) -> Array:
        """(rows, 2) units of stone and wood in inventory."""
        return np.rint(seen[:, self._where["inventory"]][:, 1:] / self._unit)

    def _orders(self, seen: Array, allowed: BoolArray) -> IntArray:
        """An order that makes sense, 0 where there is none."""
        orders = np.zeros(len(seen), np.int64)
        rows, held = np.arange(len(seen)), self._held(seen)
        for resource in (STONE, WOOD):
            if not len(self._actions[BUY_STONE + 2 * resource]):
                continue
            top = len(self._actions[BUY_STONE + 2 * resource]) - 1
            market = seen[:, self._where[f"market-{RESOURCES[resource]}"]]
            modest = self._random.integers(1, max(round(MODEST_SHARE * top), 1) + 1, len(seen))
            others_ask, others_bid = (np.rint(market[:, at] * top).astype(np.int64) for at in (2, 4))
            bid = np.where(market[:, 1] > 0, np.minimum(others_ask, modest), modest)
            ask = np.where(market[:, 3] > 0, others_bid, modest)
            plenty = (held[:, resource] > held[:, 1 - resource]) & (held[:, resource] > 1)
            for wanted, kind, price in (
                (held[:, resource] == 0, BUY_STONE + 2 * resource, bid),
                (plenty, SELL_STONE + 2 * resource, ask),
            ):
                order = self._actions[kind][price]
                orders = np.where(wanted & allowed[rows, order], order, orders)
        return orders

    def _moves(self, seen: Array, allowed: BoolArray) -> IntArray:
        """A move towards what is wanted, or along a detour; 0 where no move is possible."""
        moves = self._actions[MOVE]
        if not len(moves):
            return np.zeros(len(seen), np.int64)
        if len(self._detour) != len(seen):
            self._detour, self._heading = np.zeros(len(seen), np.int64), np.zeros(len(seen), np.int64)
        free = np.concatenate([np.zeros((len(seen), 1), bool), allowed[:, moves]], axis=1)  # by LEFT … DOWN
        rows, at_random = np.arange(len(seen)), _any_of(free, self._random)
        direct = _towards(*self._target(seen), free)
        on_detour = self._detour > 0
        self._heading = np.where(free[rows, self._heading], self._heading, at_random)
        blocked = (direct == 0) & ~on_detour
        self._heading = np.where(blocked, at_random, self._heading)
        length = self._random.integers(*WANDERING, len(seen), endpoint=True)
        self._detour = np.where(blocked, length, np.maximum(self._detour - 1, 0))
        heading = np.where(blocked | on_detour, self._heading, direct)
        return np.where(heading > 0, moves[heading - 1], 0)

    def _target(self, seen: Array) -> tuple[Array, Array]:
        """(down, right) to what is wanted, in any unit; (0, 0) where nothing is known."""
        held = self._held(seen)
        ground, stone, wood = (seen[:, self._where[f"nearest-{name}"]] for name in ("ground", *RESOURCES))
        lacks_stone = (held[:, STONE] <= held[:, WOOD]) & (stone[:, 0] > 0) | (wood[:, 0] == 0)
        resource = np.where(lacks_stone[:, None], stone[:, :3], wood[:, :3])
        both = (held > 0).all(axis=1) & (ground[:, 0] > 0)
        found = np.where(both[:, None], ground, resource)
        return found[:, 1], found[:, 2]


def _any_of(free: BoolArray, generator: np.random.Generator) -> IntArray:
    """One of the free moves of each row, 0 where there is none."""
    return np.where(free.any(axis=1), (generator.random(free.shape) * free).argmax(axis=1), 0)


def _towards(down: Array, right: Array, free: BoolArray) -> IntArray:
    """The free move along the longer, else the shorter distance; 0 where neither is free or there is none."""
    rows = np.arange(len(down))
    vertical = np.where(down > 0, DOWN, UP) * (down != 0)
    horizontal = np.where(right > 0, RIGHT, LEFT) * (right != 0)
    first = np.where(np.abs(down) >= np.abs(right), vertical, horizontal)
    second = np.where(np.abs(down) >= np.abs(right), horizontal, vertical)
    found: IntArray = np.where(free[rows, first], first, np.where(free[rows, second], second, 0))
    return found
