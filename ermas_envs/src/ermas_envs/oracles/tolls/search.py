"""Best and best robust tolls: a grid over the roads that can have a toll, refined around the best point.

Latency is not convex in the tolls, so that the answer is the best point of the grid and of what lies around it.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_integer, check_positive
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.tolls.traffic import Traffic
from ermas_envs.oracles.tolls.worst import worst_over_values, worst_traffic

Objective = Callable[[FloatArray], float]
"""What tolls (L,) come to; less is better."""
MOST_POINTS = 100_000


@dataclass(frozen=True)
class BestTolls:
    """The best tolls that were found."""

    tolls: FloatArray
    """(L,)."""
    value: float
    """What they come to."""
    evaluations: int
    """How many tolls were looked at."""


def robust_objective(traffic: Traffic, epsilon: float) -> Objective:
    """Largest mean latency over all ε-coarse-correlated equilibria; with ε = 0 that of drivers who make no mistakes."""
    return lambda tolls: worst_traffic(traffic, tolls, epsilon).mean_latency


def unknown_value_objective(traffic: Traffic, values: Sequence[float]) -> Objective:
    """Largest mean latency if all drivers have the same, unknown value of time, and make no mistakes."""
    return lambda tolls: worst_over_values(traffic, tolls, values)


def best_tolls(
    objective: Objective,
    num_roads: int,
    tolled: Sequence[int],
    max_toll: float = 1.0,
    step: float = 0.05,
    refinements: int = 3,
) -> BestTolls:
    """The tolls with the least objective: on a grid, then around the best point, with half the step each time.

    Args:
        objective: of tolls (L,).
        num_roads: L.
        tolled: roads that can have a toll; the others have none. One road less than there are is enough, as only
            differences matter.
        max_toll: largest toll, > 0.
        step: of the grid, in tolls, > 0.
        refinements: ≥ 0; 0 leaves it at the grid.

    Raises:
        ValueError: a number out of range, or a grid of more than `MOST_POINTS`.
    """
    roads = [check_integer("tolled", road, 0, num_roads - 1) for road in tolled]
    size, width = check_positive("max_toll", max_toll), check_positive("step", step)
    per_road = round(min(size / width, float(MOST_POINTS))) + 1
    if per_road ** len(roads) > MOST_POINTS:
        raise ValueError(f"step: the grid has {per_road}^{len(roads)} points or more, above {MOST_POINTS}.")
    seen: dict[tuple[float, ...], float] = {}

    def look(points: Sequence[tuple[float, ...]]) -> None:
        for point in points:
            kept = tuple(size * round(min(max(toll, 0.0), size) / size, 12) for toll in point)
            if kept not in seen:
                tolls = np.zeros(num_roads)
                tolls[roads] = kept
                seen[kept] = objective(tolls)

    look(list(itertools.product(np.linspace(0.0, size, per_road).tolist(), repeat=len(roads))))
    for _ in range(check_integer("refinements", refinements, 0)):
        width /= 2
        best = min(seen, key=lambda point: seen[point])
        look(
            [tuple(np.add(best, moves).tolist()) for moves in itertools.product((-width, 0.0, width), repeat=len(best))]
        )
    best = min(seen, key=lambda point: seen[point])
    tolls = np.zeros(num_roads)
    tolls[roads] = best
    return BestTolls(tolls, seen[best], len(seen))
