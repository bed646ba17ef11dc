"""Moving and collecting (SPEC section 7)."""

from typing import NamedTuple

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.games.economy.actions import MOVE, MOVE_COLUMN, MOVE_ROW
from ermas_envs.games.economy.regeneration import RegenerationParameters, take_unit
from ermas_envs.games.economy.state import (
    INSIDE,
    WATER,
    Agents,
    Tallies,
    World,
)
from ermas_envs.kernels.compiled import internal


class GatherParameters(NamedTuple):
    """Constants of the component."""

    move_labor: float
    """Labor of a move that succeeds."""
    collect_labor: float
    """Labor of collecting from a tile."""


@internal
def can_enter(world: World, replica: int, agent: int, row: int, column: int) -> bool:
    """Whether an agent may step on a tile: in the world, no water, nobody there, no house but its own."""
    if world.planes[replica, INSIDE, row, column] == 0 or world.planes[replica, WATER, row, column] > 0:
        return False
    owner = world.owners[replica, row, column]
    return (owner == 0 or owner == agent + 2) and world.standing[replica, row, column] == 0


@internal
def place(world: World, agents: Agents, replica: int, agent: int, row: int, column: int) -> None:
    """Move an agent to a tile (padded row and column)."""
    world.standing[replica, agents.row[replica, agent], agents.column[replica, agent]] = 0
    world.standing[replica, row, column] = agent + 2
    agents.row[replica, agent] = row
    agents.column[replica, agent] = column


@internal
def gather(
    parameters: GatherParameters,
    regeneration: RegenerationParameters,
    world: World,
    agents: Agents,
    tallies: Tallies,
    actions: IntArray,
    order: IntArray,
    uniforms: FloatArray,
    replica: int,
) -> None:
    """Agents in the given order (n,) move, then collect whatever lies on their tile; the k-th collection draws the
    k-th of `uniforms` (2 n,) for its bonus unit."""
    events = 0
    for agent in order:
        row, column = agents.row[replica, agent], agents.column[replica, agent]
        move = actions[agent, MOVE]
        if move > 0:
            new_row, new_column = row + MOVE_ROW[move], column + MOVE_COLUMN[move]
            if can_enter(world, replica, agent, new_row, new_column):
                place(world, agents, replica, agent, new_row, new_column)
                agents.labor[replica, agent] += parameters.move_labor
                row, column = new_row, new_column
        for resource in range(2):
            tallies.gathered[replica, agent, resource] = 0
            if world.planes[replica, resource, row, column] > 0:
                units = 2 if uniforms[events] < agents.bonus_gather_prob[replica, agent] else 1
                events += 1
                take_unit(regeneration, world, replica, resource, row, column)
                agents.inventory[replica, agent, resource] += units
                agents.labor[replica, agent] += parameters.collect_labor
                tallies.gathered[replica, agent, resource] = units
