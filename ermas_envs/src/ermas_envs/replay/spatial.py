"""Replays a recording of the gather-trade-build economy in our engine, with its actions and random draws."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ermas_envs.base.arrays import Array
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.objectives import energy_weight, update_objectives
from ermas_envs.games.economy.regeneration import list_sources
from ermas_envs.games.economy.state import (
    ASK,
    BID,
    HOUSE,
    RESOURCES,
    STONE,
    WATER,
    WOOD,
    WOOD_SOURCE,
    allocate_draws,
    allocate_world,
)
from ermas_envs.games.economy.step import act, decode, settle
from ermas_envs.games.economy.views import EconomyObserver
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.tax_planners import tax_rule
from ermas_envs.replay.actions import take_actions
from ermas_envs.replay.brackets import share_actions
from ermas_envs.replay.comparison import EXACT, FLOAT64, Comparison
from ermas_envs.replay.events import compare_events
from ermas_envs.replay.known_options import check_options
from ermas_envs.replay.metrics import NOTHING, compare_metrics, original_names
from ermas_envs.replay.observations import compare_flat, compare_masks, compare_raw, flat, masks, raw
from ermas_envs.replay.options import economy_settings, tax_setter
from ermas_envs.replay.own_config import PLANES
from ermas_envs.replay.taxes import TaxComparison, random_rates

RECORDED = (WOOD, STONE, COIN)
"""Resources in the order of a recording's inventories."""


def replay_economy(recording: Mapping[str, Any]) -> Comparison:
    """Replay all episodes of a recording, which belong to one environment."""
    replay = SpatialReplay(recording, Comparison())
    for number, episode in enumerate(recording["episodes"]):
        replay.episode(number, episode)
    return replay.comparison


class SpatialReplay:
    """One replica of our engine beside a recording.

    Args:
        recording: of schema 1.
        comparison: where deviations go.
    """

    def __init__(self, recording: Mapping[str, Any], comparison: Comparison) -> None:
        self.config = recording["config"]
        self.comparison = comparison
        check_options(self.config["kwargs"])
        taxes = self.config.get("PeriodicBracketTax")
        settings = economy_settings(self.config, recording["episodes"][0]["initial"]["maps"])
        self.engine = EconomyEngine("replay", 1, settings, tax_rule(tax_setter(taxes), settings.taxes), num_threads=1)
        self._allow_any_source()
        if "Water" not in self.config["map_channels"]:
            self._leave_out_water()
        self.taxes = TaxComparison(self.engine.rules.tax, self.comparison)

    def _allow_any_source(self) -> None:
        """Room for sources on every tile: some recordings have other ones in every episode."""
        engine, (height, width) = self.engine, self.engine.size
        pad = engine.reset_parameters.pad
        world = allocate_world(1, (height + 2 * pad, width + 2 * pad), height * width)
        engine.state = engine.state._replace(world=world)
        agents, brackets = engine.settings.num_agents, len(engine.rules.tax.cutoffs)
        engine.scratch = engine.scratch._replace(draws=allocate_draws(1, agents, height * width, brackets))

    def _leave_out_water(self) -> None:
        """Maps without the plane of water, as the original's generated layouts have them."""
        engine, seen = self.engine, self.engine.rules.observations
        planes = {name: getattr(seen, name) for name in ("agent_planes", "planner_planes")}
        without = {name: values[values != WATER] for name, values in planes.items()}
        engine.rules = engine.rules._replace(observations=seen._replace(**without))
        engine.observer = EconomyObserver(engine.settings, engine.rules, 1)
        engine.views = engine.observer.views

    def episode(self, number: int, episode: Mapping[str, Any]) -> None:
        """Set up an episode as recorded, then step and compare."""
        initial = episode["initial"]
        self.comparison.where = f"episode {number}, reset"
        self.engine.reset(
            np.zeros(1, np.int64), ReplicaStreams(0, 1), np.array([initial["completions"]]), from_scratch=number == 0
        )
        self._set_map(initial)
        self._set_agents(initial)
        self._finish_reset(initial)
        self._compare_state(initial, initial["agents"], initial["planner_metric"])
        self._compare_market(initial["books"])
        if self.engine.rules.observations.brackets:
            self.taxes.schedule(
                self.engine.state.taxes, self.engine.state.saez, initial["tax"], initial["tax"]["cycle_pos"]
            )
        self._compare_observations(initial)
        steps = [step for step in episode["steps"] if step["t"] <= self.engine.horizon]
        self.comparison.left_out += len(episode["steps"]) - len(steps)
        for step in steps:
            self.comparison.where = f"episode {number}, step {step['t']}"
            self._step(step)
        if episode.get("final_metrics") and len(steps) == len(episode["steps"]):
            engine, last_elasticity = self.engine, self.taxes.last_elasticity
            named = original_names(engine.metrics(), engine.rules.tax.cutoffs, engine.settings.num_agents)
            compare_metrics(self.comparison, {**NOTHING, **named}, episode["final_metrics"], last_elasticity)
        self.taxes.leave_out(self.engine.state.taxes, episode["steps"][len(steps) :])

    def _set_map(self, initial: Mapping[str, Any]) -> None:
        world, pad, width = self.engine.state.world, self.engine.reset_parameters.pad, self.engine.size[1]
        world.planes[0, : WOOD_SOURCE + 1] = 0
        world.standing[0] = 0
        for name, tiles in initial["maps"].items():
            for index, health in tiles:
                world.planes[0, PLANES[name], index // width + pad, index % width + pad] = health
        list_sources(self.engine.rules.regeneration, world, 0)
        for index, owner in initial["houses"]:
            world.planes[0, HOUSE, index // width + pad, index % width + pad] = 1
            world.owners[0, index // width + pad, index % width + pad] = owner + 2

    def _set_agents(self, initial: Mapping[str, Any]) -> None:
        agents, pad = self.engine.state.agents, self.engine.reset_parameters.pad
        for index, agent in enumerate(initial["agents"]):
            if not all(-1 <= place < side for place, side in zip(agent["loc"], self.engine.size, strict=True)):
                raise ValueError(f"agent {index} stands at {agent['loc']}, outside of the world.")
            agents.row[0, index], agents.column[0, index] = (place + pad for place in agent["loc"])
            self.engine.state.world.standing[0, agents.row[0, index], agents.column[0, index]] = index + 2
            for position, resource in enumerate(RECORDED):
                agents.inventory[0, index, resource] = agent["inv"][position]
                agents.escrow[0, index, resource] = agent["esc"][position]
            agents.labor[0, index] = agent["labor"]
            agents.build_payment[0, index] = agent.get("build_payment", 0.0)
            agents.build_skill[0, index] = agent.get("build_skill_obs", agent.get("build_skill", 0.0))
            agents.bonus_gather_prob[0, index] = agent.get("bonus_gather_prob", 0.0)

    def _finish_reset(self, initial: Mapping[str, Any]) -> None:
        """What a reset derives from the agents: incomes' base, objectives, what is seen."""
        engine, state = self.engine, self.engine.state
        state.progress.positive_steps[0] = initial.get("warmup_integrator", 0)
        if "tax_last_coin" in initial:
            state.taxes.base_coin[0] = state.agents.inventory[0, :, COIN] + state.agents.escrow[0, :, COIN]
            self.comparison.numbers("tax: base of incomes", state.taxes.base_coin[0], initial["tax_last_coin"], FLOAT64)
        update_objectives(engine.rules.objectives, state.agents, state.progress, engine.scratch.objectives, 0, 0)
        engine.write_observations(np.zeros(1, np.int64))

    def _step(self, step: Mapping[str, Any]) -> None:
        engine = self.engine
        self._take_actions(step["a"])
        self._take_draws(step)
        act(engine.rules, engine.state, engine.scratch, 0, 0)
        self._take_regeneration(step.get("draws", {}).get("regen_hits", {}))
        settle(engine.rules, engine.state, engine.scratch, 0, 0)
        engine.write_observations(np.zeros(1, np.int64))
        self._compare_state(step, step["agents"], step["planner"]["metric"])
        progress = engine.state.progress
        self.comparison.numbers("rewards", progress.rewards[0], [agent["rew"] for agent in step["agents"]], FLOAT64)
        self.comparison.numbers("planner's reward", progress.planner_reward[0], step["planner"]["rew"], FLOAT64)
        self.comparison.equal("done", bool(progress.timestep[0] >= engine.horizon), step["done"])
        compare_events(self.comparison, engine, step.get("events", {}))
        if engine.rules.observations.brackets:
            self.taxes.schedule(engine.state.taxes, engine.state.saez, step.get("tax"), step["tax_pos"])
            recorded = step.get("events", {}).get("tax")
            self.taxes.collection(engine.state.taxes, recorded, engine.rules.tax)
        self._compare_market(step.get("books"))
        self._compare_observations(step)

    def _take_actions(self, given: Mapping[str, Any]) -> None:
        engine = self.engine
        agents = np.zeros((1, engine.settings.num_agents, engine.agent_entries), np.int64)
        planner = np.zeros((1, engine.planner_entries), np.int64)
        take_actions(given, agents[0], planner[0], engine.action_spaces)
        rules, draws = engine.rules, engine.scratch.draws
        decode(rules, agents, planner, draws, 0, 0)
        share_actions(rules.tax.cutoffs, rules.planner_multi, draws.planner_actions[0])

    def _take_draws(self, step: Mapping[str, Any]) -> None:
        given, draws = step.get("draws", {}), self.engine.scratch.draws
        for component, order in given.get("order", {}).items():
            if sorted(order) != list(range(self.engine.settings.num_agents)):
                raise ValueError(f"the order of {component}, {order}, is no permutation of the agents.")
            if component in ("Build", "Gather"):
                (draws.build_order if component == "Build" else draws.gather_order)[0] = order
        bonus = given.get("gather_u", [])
        draws.gather_uniforms[0, : len(bonus)] = bonus
        raw = (step.get("tax") or self.taxes.recorded).get("saez", {}).get("raw_rates")
        draws.rates[0] = random_rates(self.engine.rules.tax, self.engine.state.taxes, raw)

    def _take_regeneration(self, hits: Mapping[str, Any]) -> None:
        """Uniforms that make exactly the recorded tiles grow: 0 there, 1 elsewhere."""
        world, pad, width = self.engine.state.world, self.engine.reset_parameters.pad, self.engine.size[1]
        uniforms = self.engine.scratch.draws.regeneration[0]
        for resource, name in enumerate(RESOURCES):
            rows, columns = world.growing[0, resource, : world.growing_counts[0, resource]].T - pad
            grows = np.isin(rows * width + columns, hits.get(name, []))
            uniforms[resource, : len(grows)] = np.where(grows, 0.0, 1.0)

    def _compare_state(self, recorded: Mapping[str, Any], theirs: Any, planner: float) -> None:
        compare, state, pad = self.comparison, self.engine.state, self.engine.reset_parameters.pad
        agents, progress = state.agents, state.progress
        places = np.stack([agents.row[0] - pad, agents.column[0] - pad], axis=1)
        compare.numbers("places", places, [agent["loc"] for agent in theirs], EXACT)
        for name, holdings, key in (("inventory", agents.inventory, "inv"), ("escrow", agents.escrow, "esc")):
            ours = holdings[0][:, list(RECORDED)]
            recorded_holdings = np.array([agent[key] for agent in theirs], dtype=np.float64)
            compare.numbers(f"{name}: units", ours[:, :2], recorded_holdings[:, :2], EXACT)
            compare.numbers(f"{name}: coin", ours[:, 2], recorded_holdings[:, 2], FLOAT64)
        compare.numbers("labor", agents.labor[0], [agent["labor"] for agent in theirs], FLOAT64)
        compare.numbers("utilities", progress.utility[0], [agent["util"] for agent in theirs], FLOAT64)
        compare.numbers("planner's objective", progress.planner_objective[0], planner, FLOAT64)
        self._compare_maps(recorded["maps"], recorded.get("houses"))
        if "energy_weight" in recorded:
            weight = energy_weight(self.engine.rules.objectives, progress, 0)
            compare.numbers("energy weight", weight, recorded["energy_weight"], FLOAT64)
            compare.numbers("warm-up counter", progress.positive_steps[0], recorded["warmup_integrator"], EXACT)

    def _compare_maps(self, maps: Mapping[str, Any], houses: Any) -> None:
        world, pad = self.engine.state.world, self.engine.reset_parameters.pad
        height, width = self.engine.size

        def tiles(padded: Array) -> list[list[int]]:
            flat = padded[pad : pad + height, pad : pad + width].ravel()
            return [[int(index), int(flat[index])] for index in np.flatnonzero(flat)]

        for name in RESOURCES:
            theirs = sorted([index, int(health)] for index, health in maps.get(name, []))
            self.comparison.equal(f"map: {name}", tiles(world.planes[0, PLANES[name]]), theirs)
        owned = maps.get("House", houses) or []
        ours = [[index, owner - 2] for index, owner in tiles(world.owners[0])]
        self.comparison.equal("map: houses", ours, sorted(list(map(int, house)) for house in owned))

    def _compare_market(self, books: Mapping[str, Any] | None) -> None:
        if not books or not self.engine.rules.observations.prices:
            return
        market = self.engine.state.market
        for commodity, name in enumerate(RESOURCES):
            for side, key in ((BID, "bids"), (ASK, "asks")):
                count = int(market.counts[0, commodity, side])
                ours = market.orders[0, commodity, side, :count].tolist()
                self.comparison.equal(f"book: {key} for {name}", ours, books[name][key])

    def _compare_observations(self, recorded: Mapping[str, Any]) -> None:
        if "masks" in recorded:
            compare_masks(self.comparison, masks(self.engine), recorded["masks"])
        seen = recorded.get("obs") or {}
        for role, theirs in seen.get("raw", {}).items():
            compare_raw(self.comparison, role, raw(self.engine, role), theirs)
        for role, theirs in (seen.get("flat") or {}).items():
            compare_flat(self.comparison, role, flat(self.engine, role), theirs)
