"""One step of the economy: build → trade → gather → tax, regenerate, reward, observe (SPEC section 1)."""

from typing import NamedTuple

from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray, UIntArray
from ermas_envs.games.economy import compact, observe
from ermas_envs.games.economy.actions import ActionTable, decode_agents
from ermas_envs.games.economy.build import BuildParameters, build
from ermas_envs.games.economy.gather import GatherParameters, gather
from ermas_envs.games.economy.masks import agent_mask
from ermas_envs.games.economy.objectives import ObjectiveParameters, reward
from ermas_envs.games.economy.observe import ObservationParameters, planner_vector_of_agent, window
from ermas_envs.games.economy.regeneration import RegenerationParameters, draw_growth, regenerate
from ermas_envs.games.economy.reset import ResetParameters, ResetScratch, reset
from ermas_envs.games.economy.state import (
    Agents,
    Draws,
    Market,
    Progress,
    Tallies,
    World,
)
from ermas_envs.games.economy.trade import TradeParameters, trade
from ermas_envs.games.taxation.holdings import coin_endowment
from ermas_envs.games.taxation.planner_actions import decode_planner, planner_mask
from ermas_envs.games.taxation.saez import SaezParameters, SaezState
from ermas_envs.games.taxation.state import Taxes, TaxTallies
from ermas_envs.games.taxation.taxes import SAEZ, TaxParameters, redistribute, tax
from ermas_envs.games.taxation.welfare import ObjectiveScratch
from ermas_envs.kernels.allocation import assert_shapes
from ermas_envs.kernels.compiled import compiled, internal
from ermas_envs.kernels.random_draws import permutation, uniforms

BUILD, TRADE, GATHER, TAX, REDISTRIBUTE = range(5)
"""Codes of the components, in the order of `settings.COMPONENTS`."""


class Rules(NamedTuple):
    """Everything that does not change."""

    components: IntArray
    """(components,) codes, in the order in which they act."""
    horizon: int
    """Steps in an episode."""
    actions: ActionTable
    """How agents' actions are decoded."""
    planner_multi: bool
    """Whether the planner sets all brackets at once."""
    planner_brackets: int
    """Entries of the planner's action, 1 where it has no choice."""
    planner_rates: int
    """Rates that the planner can choose from, 0 where it has no choice."""
    build: BuildParameters
    """Building."""
    trade: TradeParameters
    """The markets."""
    gather: GatherParameters
    """Moving and collecting."""
    tax: TaxParameters
    """Taxes."""
    saez: SaezParameters
    """Saez's formula."""
    regeneration: RegenerationParameters
    """Resources."""
    objectives: ObjectiveParameters
    """Utilities."""
    observations: ObservationParameters
    """What is seen."""


class EconomyState(NamedTuple):
    """All replicas."""

    world: World
    """The map."""
    agents: Agents
    """The agents."""
    market: Market
    """The order books."""
    taxes: Taxes
    """The tax clock and schedule."""
    saez: SaezState
    """What Saez's formula knows."""
    tallies: Tallies
    """Sums and events."""
    tax_tallies: TaxTallies
    """Sums over collections."""
    progress: Progress
    """Clocks, objectives, rewards."""


class Views(NamedTuple):
    """What is seen, written anew at every step; arrays of size 0 are not written."""

    agent_vector: Array
    """(R, n, F) float32."""
    agent_maps: Array
    """(R, n, C · rows · columns)."""
    agent_ids: Array
    """(R, n, 2 · rows · columns)."""
    agent_mask: BoolArray
    """(R, n, mask size)."""
    planner_vector: Array
    """(R, F) float32."""
    planner_agents: Array
    """(R, n, F) float32."""
    planner_maps: Array
    """(R, C · H · W)."""
    planner_ids: Array
    """(R, 2 · H · W)."""
    planner_mask: BoolArray
    """(R, mask size)."""


class Scratch(NamedTuple):
    """Work space; the leading axis has a row per thread (`threads.ReplicaThreads.slots`)."""

    draws: Draws
    """Random numbers and decoded actions of one replica's step."""
    objectives: ObjectiveScratch
    """For welfare."""
    saez: FloatArray
    """(threads, …) see `saez.work_array`."""


def assert_sizes(rules: Rules, num_agents: int, state: EconomyState, scratch: Scratch) -> None:
    """AssertionError unless the arrays are as large as the constants by which kernels find their way in them."""
    replicas, slots, agents = len(state.agents.labor), len(scratch.saez), num_agents
    prices, brackets, sources = rules.trade.prices, len(rules.tax.cutoffs), state.world.source_rows.shape[2]
    orders = agents * rules.trade.max_num_orders if prices else 0
    market, draws = state.market, scratch.draws
    samples = rules.saez.buffer_size + int(state.saez.pinned[0])
    assert_shapes(
        {
            "labor": (state.agents.labor, (replicas, agents)),
            "orders": (market.orders, (replicas, 2, 2, orders, 3)),
            "trades": (market.trades, (replicas, 2 * orders, 8)),
            "depth": (market.depth, (replicas, 2, 2, agents, prices)),
            "total_depth": (market.total_depth, (replicas, 2, 2, prices)),
            "history": (market.history, (replicas, 2, prices)),
            "growing": (state.world.growing, (replicas, 2, sources, 2)),
            "rates": (state.taxes.rates, (replicas, brackets)),
            "schedule": (state.tax_tallies.schedule, (replicas, brackets)),
            "traded": (state.tallies.trades, (replicas, 2, 2, agents, 2)),
            "utility": (state.progress.utility, (replicas, agents)),
            "eta": (rules.objectives.eta, (agents,)),
            "samples": (state.saez.buffer, (replicas, samples, 2)),
            "decoded actions": (draws.actions, (slots, agents, 6)),
            "decoded planner actions": (draws.planner_actions, (slots, brackets)),
            "drawn orders": (draws.gather_order, (slots, agents)),
            "drawn growth": (draws.regeneration, (slots, 2, sources)),
        }
    )


@internal
def draw(rules: Rules, state: EconomyState, streams: UIntArray, draws: Draws, slot: int, replica: int) -> None:
    """Random numbers that the components take (SPEC 15): orders of the agents, bonus units, Saez's first rates."""
    for component in rules.components:
        if component == BUILD:
            permutation(streams, replica, draws.build_order[slot])
        elif component == GATHER:
            permutation(streams, replica, draws.gather_order[slot])
            uniforms(streams, replica, draws.gather_uniforms[slot])
        elif component == TAX and rules.tax.setter == SAEZ and not state.saez.ready[replica]:
            uniforms(streams, replica, draws.rates[slot])


@compiled
def act(rules: Rules, state: EconomyState, scratch: Scratch, slot: int, replica: int) -> None:
    """The components' part of a step, by the decoded actions and random numbers in `scratch.draws`."""
    world, agents, tallies, draws = state.world, state.agents, state.tallies, scratch.draws
    actions = draws.actions[slot]
    state.progress.timestep[replica] += 1
    for agent in range(actions.shape[0]):
        state.progress.coin_before[replica, agent] = coin_endowment(agents, replica, agent)
    for component in rules.components:
        if component == BUILD:
            build(rules.build, world, agents, tallies, actions, draws.build_order[slot], replica)
        elif component == TRADE:
            trade(rules.trade, state.market, agents, tallies, actions, replica)
        elif component == GATHER:
            order, bonus = draws.gather_order[slot], draws.gather_uniforms[slot]
            gather(rules.gather, rules.regeneration, world, agents, tallies, actions, order, bonus, replica)
        elif component == TAX:
            _tax(rules, state, scratch, slot, replica)
        else:
            redistribute(agents, replica)


@compiled
def settle(rules: Rules, state: EconomyState, scratch: Scratch, slot: int, replica: int) -> None:
    """What follows the components: sources grow by the uniforms in `scratch.draws`, rewards, the episode's end."""
    world, agents, draws = state.world, state.agents, scratch.draws
    regenerate(rules.regeneration, world, draws.regeneration[slot], replica)
    reward(rules.objectives, agents, state.progress, scratch.objectives, slot, replica)
    if state.progress.timestep[replica] >= rules.horizon:
        state.progress.completions[replica] += 1


@internal
def _tax(rules: Rules, state: EconomyState, scratch: Scratch, slot: int, replica: int) -> None:
    draws = scratch.draws
    tax(
        rules.tax,
        state.taxes,
        rules.saez,
        state.saez,
        state.agents,
        state.tax_tallies,
        draws.planner_actions[slot],
        draws.rates[slot],
        scratch.saez[slot],
        replica,
    )


@compiled
def decode(
    rules: Rules, agent_actions: IntArray, planner_actions: IntArray, draws: Draws, slot: int, replica: int
) -> None:
    """Decode actions (R, n, entries) and (R, entries) of one replica."""
    decode_agents(rules.actions, agent_actions, replica, draws.actions[slot])
    decode_planner(rules.planner_multi, rules.planner_rates, planner_actions, replica, draws.planner_actions[slot])


@internal
def write_masks(rules: Rules, state: EconomyState, views: Views, replica: int) -> None:
    """Write all masks of a replica."""
    for agent in range(state.agents.row.shape[1]):
        mask = views.agent_mask[replica, agent]
        agent_mask(rules.actions, rules.trade, state.world, state.agents, state.market, replica, agent, mask)
    planner_mask(
        rules.tax,
        state.taxes,
        rules.planner_multi,
        rules.planner_brackets,
        rules.planner_rates,
        replica,
        views.planner_mask[replica],
    )


@internal
def write_observations(rules: Rules, state: EconomyState, views: Views, replica: int) -> None:
    """Write the original observations of a replica."""
    for agent in range(state.agents.row.shape[1]):
        _write_observations_of_agent(rules, state, views, replica, agent)
    seen = rules.observations
    observe.planner_vector(seen, state.market, state.taxes, state.progress, replica, views.planner_vector[replica])
    for agent in range(views.planner_agents.shape[1]):
        out = views.planner_agents[replica, agent]
        planner_vector_of_agent(seen, rules.tax, state.agents, state.taxes, replica, agent, out)
    if seen.planner_spatial:
        maps, ids = views.planner_maps[replica : replica + 1], views.planner_ids[replica : replica + 1]
        window(seen.planner_planes, state.world, replica, -1, seen.pad, seen.pad, seen.height, seen.width, maps, ids, 0)


@internal
def _write_observations_of_agent(rules: Rules, state: EconomyState, views: Views, replica: int, agent: int) -> None:
    seen, agents = rules.observations, state.agents
    vector = views.agent_vector[replica, agent]
    observe.agent_vector(seen, rules.tax, agents, state.market, state.taxes, state.progress, replica, agent, vector)
    maps, ids = views.agent_maps[replica], views.agent_ids[replica]
    top, left, rows, columns = seen.pad, seen.pad, seen.height, seen.width
    if not seen.full:
        top = agents.row[replica, agent] - seen.halfwidth
        left = agents.column[replica, agent] - seen.halfwidth
        rows = columns = 2 * seen.halfwidth + 1
    window(seen.agent_planes, state.world, replica, agent + 2, top, left, rows, columns, maps, ids, agent)


@internal
def write_compact_observations(
    rules: Rules, state: EconomyState, views: Views, scratch: Scratch, slot: int, replica: int
) -> None:
    """Write the compact observations of a replica."""
    for agent in range(state.agents.row.shape[1]):
        compact.agent_vector(
            rules.observations,
            rules.tax,
            rules.trade,
            state.world,
            state.agents,
            state.market,
            state.taxes,
            state.progress,
            replica,
            agent,
            views.agent_vector[replica, agent],
        )
    compact.planner_vector(
        rules.observations,
        state.agents,
        state.market,
        state.taxes,
        state.progress,
        state.tallies.builds,
        scratch.objectives.coins[slot],
        scratch.objectives.sorted[slot],
        replica,
        views.planner_vector[replica],
    )


@internal
def play(
    rules: Rules,
    state: EconomyState,
    streams: UIntArray,
    agent_actions: IntArray,
    planner_actions: IntArray,
    scratch: Scratch,
    slot: int,
    replica: int,
) -> None:
    """A step of a replica; growth is drawn when the components have acted, for tiles that have room then."""
    decode(rules, agent_actions, planner_actions, scratch.draws, slot, replica)
    draw(rules, state, streams, scratch.draws, slot, replica)
    act(rules, state, scratch, slot, replica)
    draw_growth(rules.regeneration, state.world, streams, scratch.draws.regeneration[slot], replica)
    settle(rules, state, scratch, slot, replica)


@compiled
def run(
    rules: Rules,
    state: EconomyState,
    streams: UIntArray,
    agent_actions: IntArray,
    planner_actions: IntArray,
    views: Views,
    scratch: Scratch,
    slot: int,
    replicas: IntArray,
    plays: bool,
    writes_observations: bool,
) -> None:
    """Some replicas, in work space number `slot`: a step if `plays`, and what is seen if it is to be written."""
    for replica in replicas:
        if plays:
            play(rules, state, streams, agent_actions, planner_actions, scratch, slot, replica)
        if writes_observations:
            write_masks(rules, state, views, replica)
            write_observations(rules, state, views, replica)


@compiled
def run_compactly(
    rules: Rules,
    state: EconomyState,
    streams: UIntArray,
    agent_actions: IntArray,
    planner_actions: IntArray,
    views: Views,
    scratch: Scratch,
    slot: int,
    replicas: IntArray,
    plays: bool,
    writes_observations: bool,
) -> None:
    """`run` with compact observations; a kernel of its own, so that nobody waits for the compilation of both."""
    for replica in replicas:
        if plays:
            play(rules, state, streams, agent_actions, planner_actions, scratch, slot, replica)
        if writes_observations:
            write_masks(rules, state, views, replica)
            write_compact_observations(rules, state, views, scratch, slot, replica)


@compiled
def reset_replicas(
    parameters: ResetParameters,
    rules: Rules,
    state: EconomyState,
    streams: UIntArray,
    scratch: Scratch,
    reset_scratch: ResetScratch,
    replicas: IntArray,
    episodes: IntArray,
) -> None:
    """Start an episode, of a given number each, in some replicas; see `reset.reset` for what must be cleared before."""
    for index in range(len(replicas)):
        reset(
            parameters,
            rules.regeneration,
            rules.objectives,
            rules.tax,
            state.world,
            state.agents,
            state.taxes,
            state.saez,
            state.progress,
            streams,
            reset_scratch,
            scratch.objectives,
            episodes[index],
            replicas[index],
        )
