"""Resources grow back (SPEC section 8)."""

from typing import NamedTuple

from ermas_envs.base.arrays import FloatArray, IntArray, UIntArray
from ermas_envs.games.economy.state import STONE_SOURCE, World
from ermas_envs.kernels.compiled import compiled, internal
from ermas_envs.kernels.random_draws import uniform


class RegenerationParameters(NamedTuple):
    """Constants of stone, of wood."""

    weight: FloatArray
    """(2,) probability at a mean of one unit in the neighbourhood."""
    halfwidth: IntArray
    """(2,) half width of the neighbourhood."""
    max_health: IntArray
    """(2,) largest number of units on a tile."""


@internal
def probability(
    parameters: RegenerationParameters, world: World, replica: int, resource: int, row: int, column: int
) -> float:
    """Mean over the neighbourhood of max(units, source), times the weight; the padding counts as 0."""
    halfwidth = parameters.halfwidth[resource]
    if halfwidth == 0:
        units = max(
            world.planes[replica, resource, row, column], world.planes[replica, STONE_SOURCE + resource, row, column]
        )
        return parameters.weight[resource] * units
    total = 0
    height, width = world.planes.shape[2], world.planes.shape[3]
    for near_row in range(max(0, row - halfwidth), min(height, row + halfwidth + 1)):
        for near_column in range(max(0, column - halfwidth), min(width, column + halfwidth + 1)):
            total += max(
                world.planes[replica, resource, near_row, near_column],
                world.planes[replica, STONE_SOURCE + resource, near_row, near_column],
            )
    return parameters.weight[resource] * total / (2 * halfwidth + 1) ** 2


@compiled
def list_sources(parameters: RegenerationParameters, world: World, replica: int) -> None:
    """Write the places of all sources of a replica's map, and of those that can grow, into their lists."""
    height, width = world.owners.shape[1], world.owners.shape[2]
    for resource in range(2):
        count = 0
        world.growing_counts[replica, resource] = 0
        for row in range(height):
            for column in range(width):
                if world.planes[replica, STONE_SOURCE + resource, row, column] > 0:
                    world.source_rows[replica, resource, count] = row
                    world.source_columns[replica, resource, count] = column
                    count += 1
                    if world.planes[replica, resource, row, column] < parameters.max_health[resource]:
                        _append(world, replica, resource, row, column)
        world.source_counts[replica, resource] = count


@internal
def take_unit(
    parameters: RegenerationParameters, world: World, replica: int, resource: int, row: int, column: int
) -> None:
    """Take a unit from a tile; a source that was full begins to grow."""
    full = world.planes[replica, resource, row, column] == parameters.max_health[resource]
    world.planes[replica, resource, row, column] -= 1
    if full and world.planes[replica, STONE_SOURCE + resource, row, column] > 0:
        _append(world, replica, resource, row, column)


@internal
def _append(world: World, replica: int, resource: int, row: int, column: int) -> None:
    last = world.growing_counts[replica, resource]
    world.growing[replica, resource, last, 0] = row
    world.growing[replica, resource, last, 1] = column
    world.growing_counts[replica, resource] = last + 1


@internal
def draw_growth(
    parameters: RegenerationParameters, world: World, streams: UIntArray, draws: FloatArray, replica: int
) -> None:
    """Draw a uniform for each source that can grow, into `draws` (2, S)."""
    for resource in range(2):
        if parameters.weight[resource] > 0.0:
            for source in range(world.growing_counts[replica, resource]):
                draws[resource, source] = uniform(streams, replica)


@internal
def regenerate(parameters: RegenerationParameters, world: World, draws: FloatArray, replica: int) -> None:
    """One unit more on the growing sources whose uniform in `draws` (2, S) is below their probability.

    All probabilities of a resource are those before any of its tiles has grown: uniforms are first replaced by −1 where
    a unit will grow, 1 elsewhere.
    """
    for resource in range(2):
        growing, count = world.growing[replica, resource], world.growing_counts[replica, resource]
        if parameters.weight[resource] == 0.0:
            continue
        for source in range(count):
            chance = probability(parameters, world, replica, resource, growing[source, 0], growing[source, 1])
            draws[resource, source] = -1.0 if draws[resource, source] < chance else 1.0
        for source in range(count - 1, -1, -1):  # from the end: what takes the place of a full one has had its turn
            if draws[resource, source] < 0.0:
                row, column = growing[source, 0], growing[source, 1]
                world.planes[replica, resource, row, column] += 1
                if world.planes[replica, resource, row, column] == parameters.max_health[resource]:
                    count -= 1
                    growing[source, 0], growing[source, 1] = growing[count, 0], growing[count, 1]
        world.growing_counts[replica, resource] = count
