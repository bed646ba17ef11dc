"""Resources grow back (SPEC section 8)."""

from typing import NamedTuple

from ermas_envs.arrays import FloatArray, IntArray
from ermas_envs.economy.compiled import compiled
from ermas_envs.economy.state import STONE_SOURCE, World


class RegenerationParameters(NamedTuple):
    """Constants of stone, of wood."""

    weight: FloatArray
    """(2,) probability at a mean of one unit in the neighbourhood."""
    halfwidth: IntArray
    """(2,) half width of the neighbourhood."""
    max_health: IntArray
    """(2,) largest number of units on a tile."""


@compiled
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
def regenerate(parameters: RegenerationParameters, world: World, uniforms: FloatArray, replica: int) -> None:
    """One unit more on source tiles whose uniform (2, S) is below their probability, up to the largest number.

    All probabilities of a resource are those before any of its tiles has grown; `uniforms` are overwritten.
    """
    for resource in range(2):
        if parameters.weight[resource] == 0.0:
            continue
        count = world.source_counts[replica, resource]
        most = parameters.max_health[resource]
        wide = parameters.halfwidth[resource] > 0
        for source in range(count):
            row = world.source_rows[replica, resource, source]
            column = world.source_columns[replica, resource, source]
            chance = probability(parameters, world, replica, resource, row, column)
            if wide:  # decided for all tiles before any grows: neighbours must not see the new units
                uniforms[resource, source] = 1.0 if uniforms[resource, source] < chance else 0.0
            elif uniforms[resource, source] < chance and world.planes[replica, resource, row, column] < most:
                world.planes[replica, resource, row, column] += 1
        if wide:
            for source in range(count):
                row = world.source_rows[replica, resource, source]
                column = world.source_columns[replica, resource, source]
                if uniforms[resource, source] == 1.0 and world.planes[replica, resource, row, column] < most:
                    world.planes[replica, resource, row, column] += 1
