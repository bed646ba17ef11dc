"""The state of our economy in the form of a recording; the inverse of what `spatial` sets and compares."""

from typing import Any

import numpy as np

from ermas_envs.base.arrays import Array
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.objectives import energy_weight
from ermas_envs.games.economy.state import (
    ASK,
    BID,
    RESOURCES,
    STONE,
    WOOD,
)
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.replay import observations
from ermas_envs.replay.events import trades
from ermas_envs.replay.metrics import NOTHING, original_names
from ermas_envs.replay.own_config import PLANES
from ermas_envs.replay.own_taxes import TaxRecorder, plain

RECORDED = [WOOD, STONE, COIN]
"""Resources in the order of a recording's inventories."""


class EconomyRecorder:
    """Writes down what happens in an engine with one replica.

    Args:
        engine: with original observations, and the original's defects.
    """

    def __init__(self, engine: EconomyEngine) -> None:
        self.engine = engine
        self.taxes = TaxRecorder(engine.rules.tax) if engine.rules.observations.brackets else None

    def reset(self, streams: ReplicaStreams, number: int) -> dict[str, Any]:
        """Start an episode, and write down all of its state."""
        engine = self.engine
        engine.reset(np.zeros(1, np.int64), streams, np.array([number]), from_scratch=number == 0)
        state = engine.state
        agents = self._agents()
        for index, agent in enumerate(agents):
            for name in ("build_payment", "build_skill", "bonus_gather_prob"):
                agent[name] = plain(getattr(state.agents, name)[0, index])
        found: dict[str, Any] = {
            "timestep": 0,
            "completions": number,
            "agents": agents,
            "planner_metric": plain(state.progress.planner_objective[0]),
            "maps": {name: self._tiles(name) for name in PLANES if name != "House"},
            "houses": self._houses(),
            "books": self._books(),
            "tax": None,
            "energy_weight": energy_weight(engine.rules.objectives, state.progress, 0),
            "warmup_integrator": plain(state.progress.positive_steps[0]),
            "masks": observations.masks(engine),
        }
        if self.taxes is not None:
            found["tax"] = self.taxes.reset(state.taxes, state.saez)
            found["tax_last_coin"] = plain(state.taxes.base_coin[0])
        return found

    def step(self, agents: Array, planner: Array) -> dict[str, Any]:
        """Take actions, (n, entries) and (entries,), and write down all that happens."""
        engine, state = self.engine, self.engine.state
        if self.taxes is not None:
            self.taxes.before(state.taxes, state.saez)
        units = state.world.planes[0, : len(RESOURCES)].astype(np.int64)
        engine.advance(agents[None], planner[None])
        progress = state.progress
        found: dict[str, Any] = {
            "t": plain(progress.timestep[0]),
            "draws": self._draws(units),
            "agents": self._agents(),
            "planner": {"metric": plain(progress.planner_objective[0]), "rew": plain(progress.planner_reward[0])},
            "maps": {**{name: self._tiles(name) for name in ("Wood", "Stone")}, "House": self._houses()},
            "energy_weight": energy_weight(engine.rules.objectives, progress, 0),
            "warmup_integrator": plain(progress.positive_steps[0]),
            "masks": observations.masks(engine),
            "done": bool(progress.timestep[0] >= engine.horizon),
        }
        for agent, reward in zip(found["agents"], plain(progress.rewards[0]), strict=True):
            agent["rew"] = reward
        events = self._events()
        if engine.rules.observations.prices:
            found["books"] = self._books()
        if self.taxes is not None:
            found |= self.taxes.step(state.taxes, state.saez, engine.scratch.draws.rates[0])
            events |= self.taxes.event(state.taxes)
        return {**found, "events": events} if events else found

    def seen(self) -> dict[str, Any]:
        """Observations of all roles."""
        return written_observations(
            {
                role: (observations.raw(self.engine, role), observations.flat(self.engine, role))
                for role in observations.masks(self.engine)
            }
        )

    def metrics(self) -> dict[str, float]:
        """Metrics of the episode under the original's names."""
        engine = self.engine
        named = original_names(engine.metrics(), engine.rules.tax.cutoffs, engine.settings.num_agents)
        return {**NOTHING, **named, **(self.taxes.metrics(named) if self.taxes is not None else {})}

    def _agents(self) -> list[dict[str, Any]]:
        agents, pad = self.engine.state.agents, self.engine.reset_parameters.pad
        return [
            {
                "loc": [int(agents.row[0, index]) - pad, int(agents.column[0, index]) - pad],
                "inv": plain(agents.inventory[0, index][RECORDED]),
                "esc": plain(agents.escrow[0, index][RECORDED]),
                "labor": plain(agents.labor[0, index]),
                "util": plain(self.engine.state.progress.utility[0, index]),
            }
            for index in range(self.engine.settings.num_agents)
        ]

    def _inside(self, padded: Array) -> list[list[int]]:
        pad, (height, width) = self.engine.reset_parameters.pad, self.engine.size
        flat = padded[pad : pad + height, pad : pad + width].ravel()
        return [[int(index), int(flat[index])] for index in np.flatnonzero(flat)]

    def _tiles(self, name: str) -> list[list[int]]:
        return self._inside(self.engine.state.world.planes[0, PLANES[name]])

    def _houses(self) -> list[list[int]]:
        return [[index, owner - 2] for index, owner in self._inside(self.engine.state.world.owners[0])]

    def _books(self) -> dict[str, Any] | None:
        market = self.engine.state.market
        if not self.engine.rules.observations.prices:
            return None
        return {
            name: {
                key: plain(market.orders[0, commodity, side, : market.counts[0, commodity, side]])
                for side, key in ((BID, "bids"), (ASK, "asks"))
            }
            for commodity, name in enumerate(RESOURCES)
        }

    def _draws(self, units: Array) -> dict[str, Any]:
        engine, draws = self.engine, self.engine.scratch.draws
        seen = engine.rules.observations
        found: dict[str, Any] = {"order": {}}
        if seen.builds:
            found["order"]["Build"] = plain(draws.build_order[0])
        if seen.gathers:
            found["order"]["Gather"] = plain(draws.gather_order[0])
            events = int((engine.state.tallies.gathered[0] > 0).sum())
            found["gather_u"] = plain(draws.gather_uniforms[0, :events])
        found["regen_hits"] = {
            name: hits for index, name in enumerate(RESOURCES) if (hits := self._hits(index, units[index]))
        }
        return found

    def _hits(self, resource: int, before: Array) -> list[int]:
        """Flat indices of the sources that grew a unit."""
        state = self.engine.state
        grown = state.world.planes[0, resource].astype(np.int64) - before
        grown[state.agents.row[0], state.agents.column[0]] += state.tallies.gathered[0, :, resource] > 0
        return [index for index, _ in self._inside(grown)]

    def _events(self) -> dict[str, Any]:
        tallies, seen = self.engine.state.tallies, self.engine.rules.observations
        builds = [
            {"builder": int(i), "income": plain(tallies.built[0, i])} for i in np.flatnonzero(tallies.built[0] >= 0)
        ]
        units = tallies.gathered[0]
        gathers = [
            {"agent": int(agent), "resource": RESOURCES[resource], "n": int(units[agent, resource])}
            for agent, resource in np.argwhere(units > 0)
        ]
        sold = trades(self.engine) if seen.prices else []
        return {name: records for name, records in (("build", builds), ("gather", gathers), ("trade", sold)) if records}


def written_observations(seen: dict[str, tuple[observations.Seen, observations.Seen]]) -> dict[str, Any]:
    """(raw, flat) observations by role as a recording has them."""
    kinds: dict[str, Any] = {"raw": {}, "flat": {}}
    for role, pair in seen.items():
        for kind, values in zip(kinds, pair, strict=True):
            kinds[kind][role] = _written(values)
    return kinds


def _written(seen: Any) -> Any:
    if isinstance(seen, dict):
        return {name: _written(values) for name, values in seen.items()}
    if seen.dtype.kind == "f" and seen.ndim == 1:
        return [float(f"{value:.9g}") for value in seen.tolist()]  # nine digits are all that float32 has
    if seen.dtype.kind == "f":
        return seen.astype(np.int64).tolist()  # maps
    return seen.tolist()
