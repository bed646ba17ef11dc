"""Building houses (SPEC section 6)."""

from typing import NamedTuple

from ermas_envs.base.arrays import IntArray
from ermas_envs.games.economy.actions import BUILD
from ermas_envs.games.economy.state import (
    HOUSE,
    NUM_PLANES,
    STONE,
    WOOD,
    Agents,
    Tallies,
    World,
)
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.kernels.compiled import internal


class BuildParameters(NamedTuple):
    """Constants of the component."""

    labor: float
    """Labor of a house."""


@internal
def is_building_ground(world: World, replica: int, row: int, column: int) -> bool:
    """Whether a tile is without resources, house, water and source."""
    for plane in range(NUM_PLANES - 1):
        if world.planes[replica, plane, row, column] > 0:
            return False
    return True


@internal
def can_build(world: World, agents: Agents, replica: int, agent: int) -> bool:
    """Whether an agent holds the material and stands on building ground."""
    inventory = agents.inventory
    if inventory[replica, agent, STONE] < 1.0 or inventory[replica, agent, WOOD] < 1.0:
        return False
    return is_building_ground(world, replica, agents.row[replica, agent], agents.column[replica, agent])


@internal
def build(
    parameters: BuildParameters,
    world: World,
    agents: Agents,
    tallies: Tallies,
    actions: IntArray,
    order: IntArray,
    replica: int,
) -> None:
    """Agents in the given order (n,) build where their action (n, 6) says so and they can."""
    for agent in range(len(order)):
        tallies.built[replica, agent] = -1.0
    for agent in order:
        if actions[agent, BUILD] != 1 or not can_build(world, agents, replica, agent):
            continue
        row, column = agents.row[replica, agent], agents.column[replica, agent]
        income = agents.build_payment[replica, agent]
        agents.inventory[replica, agent, STONE] -= 1.0
        agents.inventory[replica, agent, WOOD] -= 1.0
        agents.inventory[replica, agent, COIN] += income
        agents.labor[replica, agent] += parameters.labor
        world.planes[replica, HOUSE, row, column] = 1
        world.owners[replica, row, column] = agent + 2
        tallies.built[replica, agent] = income
        tallies.builds[replica, agent] += 1
