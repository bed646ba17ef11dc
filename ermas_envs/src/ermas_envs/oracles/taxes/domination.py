"""Striking out vertices that leave more welfare than another one of the same agent, whatever the others do.

What the others do is known to be between their least and largest survival functions; welfare is linear in them
(`pairs`), so that the least difference of two vertices is an integral against one or the other. Agent by agent, until
nothing changes: iterated elimination of dominated choices.
"""

import numpy as np

from ermas_envs.base.arrays import BoolArray, FloatArray
from ermas_envs.oracles.taxes.pairs import Pairs
from ermas_envs.oracles.taxes.vertices import Vertices

ROUNDS = 30
"""Over all agents, at most."""


def without_dominated(pairs: Pairs, vertices: list[Vertices]) -> list[Vertices]:
    """(n) the vertices of each agent among which the least welfare is, over all that anybody may choose."""
    left = list(vertices)
    least, most = (np.stack(parts) for parts in zip(*(survivals(pairs, own) for own in left), strict=True))
    for _ in range(ROUNDS):
        before = sum(map(len, left))
        for agent, own in enumerate(left):
            low, high = least.sum(axis=0) - least[agent], most.sum(axis=0) - most[agent]
            left[agent] = own.only(_undominated(pairs, own, pairs.integral(low), pairs.integral(high)))
            least[agent], most[agent] = survivals(pairs, left[agent])
        if sum(map(len, left)) == before:
            break
    return left


def survivals(pairs: Pairs, own: Vertices) -> tuple[FloatArray, FloatArray]:
    """(intervals,) the least and the largest P(y > t) among an agent's vertices.

    That of one vertex falls from 1 to its chance of the larger income at the smaller one, and to 0 at the larger one.
    """
    mixed = own.first < own.last
    count = len(pairs.widths)
    least, most = np.ones(count + 1), np.zeros(count + 1)
    np.minimum.at(least, own.first[mixed], own.chance[mixed])
    np.maximum.at(most, own.last[mixed] - 1, own.chance[mixed])
    least, most = np.minimum.accumulate(least)[:count], np.maximum.accumulate(most[::-1])[::-1][:count]
    least[own.last.min() :], most[: own.first.max()] = 0.0, 1.0
    return least, most


def _undominated(pairs: Pairs, own: Vertices, low: FloatArray, high: FloatArray) -> BoolArray:
    """(vertices,) which may be the worst for some survival of the others.

    Args:
        pairs: the economy.
        own: an agent's vertices.
        low: (grid,) integral, up to each point, of the least survival of the others.
        high: the same of the largest.

    Returns:
        False for those that leave more welfare, whatever the survival, than the vertex that is the worst at the middle.
    """
    middle = own.alone + pairs.weight * own.against((low + high) / 2.0)
    rival = int(middle.argmin())
    # Survival of a vertex less the rival's is constant between the four incomes that they mix.
    points = np.stack([own.first, own.last, *(np.full(len(own), end) for end in (own.first[rival], own.last[rival]))])
    chance, its = own.chance, np.full(len(own), own.chance[rival])
    masses = np.stack([1.0 - chance, chance, its - 1.0, -its])
    order = np.argsort(points, axis=0, kind="stable")
    points, masses = np.take_along_axis(points, order, axis=0), np.take_along_axis(masses, order, axis=0)
    tails = np.cumsum(masses[::-1], axis=0)[::-1]  # difference of the survivals below each point
    edges = np.vstack([np.zeros((1, len(own)), dtype=np.int64), points])
    smallest = np.zeros(len(own))
    for segment in range(4):
        start, stop, difference = edges[segment], edges[segment + 1], tails[segment]
        smallest += np.where(
            difference >= 0, difference * (low[stop] - low[start]), difference * (high[stop] - high[start])
        )
    worse = own.alone - own.alone[rival] + pairs.weight * smallest
    return np.asarray(worse <= 1e-12 * (1.0 + abs(float(middle[rival]))))
