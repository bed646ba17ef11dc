"""The start of an episode: map, places, skills, empty books, a new tax period (SPEC sections 1, 3 and 4)."""

import math
from typing import NamedTuple

from ermas_envs.base.arrays import Array, FloatArray, IntArray, UIntArray
from ermas_envs.games.economy.gather import can_enter
from ermas_envs.games.economy.objectives import ObjectiveParameters, update_objectives
from ermas_envs.games.economy.regeneration import RegenerationParameters, list_sources
from ermas_envs.games.economy.skills import sample_build_skill, sample_gather_skill
from ermas_envs.games.economy.state import (
    STONE,
    STONE_SOURCE,
    WOOD,
    Agents,
    Progress,
    World,
)
from ermas_envs.games.economy.uniform_layout import UniformParameters, UniformScratch, generate_uniform
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.saez import SaezState
from ermas_envs.games.taxation.state import Taxes
from ermas_envs.games.taxation.taxes import TaxParameters, begin_episode
from ermas_envs.games.taxation.welfare import ObjectiveScratch
from ermas_envs.kernels.compiled import internal
from ermas_envs.kernels.random_draws import below, permutation

MAX_TRIES = 200
"""Random tiles that are tried for an agent before the free tiles are counted."""


class ResetParameters(NamedTuple):
    """Constants of the start."""

    pad: int
    """Tiles of padding of the maps."""
    drawn: bool
    """Whether the layout is drawn anew in every episode."""
    layout: UniformParameters
    """How, if it is."""
    coin: float
    """Coin of every agent."""
    taxed: bool
    """Whether there is the tax component."""
    build_distribution: int
    """Code of the build skills' distribution (`skills`)."""
    payment: float
    """Coin for a house at skill 1."""
    max_multiplier: float
    """Largest multiple of it."""
    gather_distribution: int
    """Code of the bonus probabilities' distribution."""
    fixed: bool
    """Whether payments and tiles are fixed, by a random rank."""
    fixed_payments: FloatArray
    """(n,) by rank."""
    fixed_tiles: IntArray
    """(n, 2) row and column by rank."""


class ResetScratch(NamedTuple):
    """Work space of one reset."""

    sources: Array
    """(2, H, W) uint8: stone, wood."""
    layout: UniformScratch
    """Of the layout's generator."""
    order: IntArray
    """(n,) int64."""


@internal
def reset(
    parameters: ResetParameters,
    regeneration: RegenerationParameters,
    objectives: ObjectiveParameters,
    tax_parameters: TaxParameters,
    world: World,
    agents: Agents,
    taxes: Taxes,
    saez: SaezState,
    progress: Progress,
    streams: UIntArray,
    scratch: ResetScratch,
    objective_scratch: ObjectiveScratch,
    episode: int,
    replica: int,
) -> None:
    """Start episode number `episode` of a replica whose map is the first one and whose books and tallies are empty."""
    progress.timestep[replica] = 0
    progress.completions[replica] = episode
    _reset_map(parameters, regeneration, world, streams, scratch, replica)
    _reset_agents(parameters, agents, replica)
    _place_agents(parameters, world, agents, streams, scratch, replica)
    _sample_skills(parameters, agents, streams, replica)
    if parameters.fixed:
        _fix_skills_and_places(parameters, world, agents, streams, scratch, replica)
    if parameters.taxed:
        begin_episode(tax_parameters, taxes, saez, agents, episode, replica)
    for agent in range(agents.inventory.shape[1]):
        progress.valued_coin[replica, agent] = math.nan
    update_objectives(objectives, agents, progress, objective_scratch, 0, replica)
    for agent in range(agents.inventory.shape[1]):
        progress.rewards[replica, agent] = 0.0
        progress.coin_before[replica, agent] = parameters.coin
    progress.planner_reward[replica] = 0.0


@internal
def _reset_map(
    parameters: ResetParameters,
    regeneration: RegenerationParameters,
    world: World,
    streams: UIntArray,
    scratch: ResetScratch,
    replica: int,
) -> None:
    if parameters.drawn:
        stone, wood = scratch.sources[STONE], scratch.sources[WOOD]
        generate_uniform(streams, replica, parameters.layout, wood, stone, scratch.layout)
        pad, height, width = parameters.pad, stone.shape[0], stone.shape[1]
        for resource in range(2):
            for row in range(height):
                for column in range(width):
                    source = scratch.sources[resource, row, column]
                    world.planes[replica, resource, row + pad, column + pad] = source
                    world.planes[replica, STONE_SOURCE + resource, row + pad, column + pad] = source
    list_sources(regeneration, world, replica)


@internal
def _reset_agents(parameters: ResetParameters, agents: Agents, replica: int) -> None:
    for agent in range(agents.inventory.shape[1]):
        for resource in range(3):
            agents.inventory[replica, agent, resource] = 0.0
            agents.escrow[replica, agent, resource] = 0.0
        agents.inventory[replica, agent, COIN] = parameters.coin
        agents.labor[replica, agent] = 0.0


@internal
def _place_agents(
    parameters: ResetParameters,
    world: World,
    agents: Agents,
    streams: UIntArray,
    scratch: ResetScratch,
    replica: int,
) -> None:
    """Free tiles, uniformly; one agent after the other, in a random order where the layout is drawn."""
    height = world.owners.shape[1] - 2 * parameters.pad
    width = world.owners.shape[2] - 2 * parameters.pad
    for agent in range(len(scratch.order)):
        scratch.order[agent] = agent
    if parameters.drawn:
        permutation(streams, replica, scratch.order)
    for agent in scratch.order:
        row, column = -1, -1
        for _ in range(MAX_TRIES):
            row = parameters.pad + below(streams, replica, height)
            column = parameters.pad + below(streams, replica, width)
            if can_enter(world, replica, agent, row, column):
                break
        else:
            row, column = _random_free_tile(world, streams, replica, agent)
        world.standing[replica, row, column] = agent + 2
        agents.row[replica, agent] = row
        agents.column[replica, agent] = column


@internal
def _random_free_tile(world: World, streams: UIntArray, replica: int, agent: int) -> tuple[int, int]:
    """One of the free tiles, by counting them; the settings see to it that there is one."""
    height, width = world.owners.shape[1], world.owners.shape[2]
    free = 0
    for row in range(height):
        for column in range(width):
            free += can_enter(world, replica, agent, row, column)
    chosen = below(streams, replica, free)
    for row in range(height):
        for column in range(width):
            if can_enter(world, replica, agent, row, column):
                if chosen == 0:
                    return row, column
                chosen -= 1
    return -1, -1


@internal
def _sample_skills(parameters: ResetParameters, agents: Agents, streams: UIntArray, replica: int) -> None:
    num_agents = agents.inventory.shape[1]
    for agent in range(num_agents):
        payment, skill = sample_build_skill(
            streams, replica, parameters.build_distribution, parameters.max_multiplier, parameters.payment
        )
        agents.build_payment[replica, agent] = payment
        agents.build_skill[replica, agent] = skill
    for agent in range(num_agents):
        agents.bonus_gather_prob[replica, agent] = sample_gather_skill(streams, replica, parameters.gather_distribution)


@internal
def _fix_skills_and_places(
    parameters: ResetParameters,
    world: World,
    agents: Agents,
    streams: UIntArray,
    scratch: ResetScratch,
    replica: int,
) -> None:
    """Ranks by a random permutation; places drawn before are discarded."""
    permutation(streams, replica, scratch.order)
    for agent in range(len(scratch.order)):
        world.standing[replica, agents.row[replica, agent], agents.column[replica, agent]] = 0
    for rank in range(len(scratch.order)):
        agent = scratch.order[rank]
        row, column = (
            parameters.fixed_tiles[rank, 0] + parameters.pad,
            parameters.fixed_tiles[rank, 1] + parameters.pad,
        )
        agents.build_payment[replica, agent] = parameters.fixed_payments[rank]
        world.standing[replica, row, column] = agent + 2
        agents.row[replica, agent] = row
        agents.column[replica, agent] = column
