"""A proven lower bound of welfare over all profiles whose agents have a regret of at most ε.

1. Regret is bounded from below: what an agent gets of the others' taxes has a mean within what the allowed mixtures
   make of it, and its loss is at least the lower convex envelope of the loss over lump sums at that mean. Mixtures
   whose bounded loss is at most ε are a larger set than those with regret at most ε.
2. On the larger sets, agent by agent, the worst mixture is a vertex: one choice, or two. A vertex that leaves more
   welfare than another one whatever the others do, within what is left to them, is not part of the minimum and is
   struck out, until nothing changes.
3. With g_i(t) ≤ G_i(t), the least survival among an agent's vertices, G_i G_j ≥ G_i g_j + g_i G_j − g_i g_j leaves a
   minimum per agent. Where one vertex is left to everybody it is exact.
"""

import numpy as np

from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.taxes.pairs import Pairs, worst_mixture
from ermas_envs.oracles.taxes.population import CHOICES, TaxedPopulation

ROUNDS = 30
"""Of striking out vertices, at most."""


class _Vertices:
    """Vertices of an agent's mixtures: choice `low` with probability 1 − share, `high` with share."""

    def __init__(self, losses: FloatArray, epsilon: float) -> None:
        cheap, dear = np.flatnonzero(losses <= epsilon), np.flatnonzero(losses > epsilon)
        low, high = (part.ravel() for part in np.meshgrid(cheap, dear, indexing="ij"))
        share = (epsilon - losses[low]) / (losses[high] - losses[low])
        self.low = np.concatenate([cheap, low])
        self.high = np.concatenate([cheap, high])
        self.share = np.concatenate([np.zeros(len(cheap)), share])

    def keep(self, chosen: FloatArray) -> None:
        """Strike out the others."""
        self.low, self.high, self.share = self.low[chosen], self.high[chosen], self.share[chosen]

    def mean(self, per_choice: FloatArray) -> FloatArray:
        """(vertices,) expectation of something per choice (101,)."""
        return np.asarray((1.0 - self.share) * per_choice[self.low] + self.share * per_choice[self.high])


def lower_bound(pairs: Pairs, epsilon: float) -> float:
    """The bound of the module's first lines.

    Args:
        pairs: the economy under a schedule.
        epsilon: ε ≥ 0, payoff per step.
    """
    taxed = pairs.taxed
    losses = least_losses(taxed, epsilon)
    vertices = [_Vertices(row, epsilon) for row in losses]
    least, most = (
        np.stack(parts) for parts in zip(*(_survivals(pairs, k, v) for k, v in enumerate(vertices)), strict=True)
    )
    for _ in range(ROUNDS):
        before = sum(len(part.low) for part in vertices)
        all_least, all_most = least.sum(axis=0), most.sum(axis=0)
        for agent, own in enumerate(vertices):
            all_least, all_most = all_least - least[agent], all_most - most[agent]
            own.keep(_undominated(pairs, agent, own, pairs.integral(all_least), pairs.integral(all_most)))
            least[agent], most[agent] = _survivals(pairs, agent, own)
            all_least, all_most = all_least + least[agent], all_most + most[agent]
        if sum(len(part.low) for part in vertices) == before:
            break
    total, value = least.sum(axis=0), 0.0
    for agent, own in enumerate(vertices):
        value += float(own.mean(pairs.linear(agent, total - least[agent])).min())
    both = (total**2 - (least**2).sum(axis=0)) / 2.0
    return value - pairs.weight * float(both @ pairs.widths)


def _survivals(pairs: Pairs, agent: int, own: _Vertices) -> tuple[FloatArray, FloatArray]:
    """(intervals,) the least and the largest P(y > t) among an agent's vertices.

    That of one vertex falls from 1 to its chance of the larger income at the smaller one, and to 0 at the larger one.
    """
    low, high = pairs.places[agent][own.low], pairs.places[agent][own.high]
    first, last = np.minimum(low, high), np.maximum(low, high)
    chance = np.where(low < high, own.share, 1.0 - own.share)
    mixed = first < last
    count = len(pairs.widths)
    least, most = np.ones(count + 1), np.zeros(count + 1)
    np.minimum.at(least, first[mixed], chance[mixed])
    np.maximum.at(most, last[mixed] - 1, chance[mixed])
    least, most = np.minimum.accumulate(least)[:count], np.maximum.accumulate(most[::-1])[::-1][:count]
    least[last.min() :], most[: first.max()] = 0.0, 1.0
    return least, most


def _undominated(pairs: Pairs, agent: int, own: _Vertices, low: FloatArray, high: FloatArray) -> FloatArray:
    """(vertices,) which may be the worst for some survival of the others.

    Args:
        pairs: the economy.
        agent: whose vertices.
        own: the vertices.
        low: (grid,) integral, up to each point, of the least survival of the others.
        high: the same of the largest.

    Returns:
        False for those that leave more welfare, whatever the survival, than the vertex that is the worst at the middle.
    """
    taxed, places = pairs.taxed, pairs.places[agent]
    fixed = taxed.taxes[agent] / taxed.size + pairs.single * taxed.kept[agent]
    middle = own.mean(fixed + pairs.weight * (low[places] + high[places]) / 2.0)
    rival = int(middle.argmin())
    # Survival of a vertex less the rival's is constant between the four incomes that they mix.
    count = len(own.low)
    points = np.stack(
        [
            places[own.low],
            places[own.high],
            np.full(count, places[own.low[rival]]),
            np.full(count, places[own.high[rival]]),
        ]
    )
    masses = np.stack(
        [1.0 - own.share, own.share, np.full(count, own.share[rival] - 1.0), np.full(count, -own.share[rival])]
    )
    order = np.argsort(points, axis=0, kind="stable")
    points, masses = np.take_along_axis(points, order, axis=0), np.take_along_axis(masses, order, axis=0)
    tails = np.cumsum(masses[::-1], axis=0)[::-1]  # difference of the survivals below each point
    edges = np.vstack([np.zeros((1, count), dtype=np.int64), points])
    smallest = np.zeros(count)
    for segment in range(4):
        start, stop, difference = edges[segment], edges[segment + 1], tails[segment]
        gained = np.where(
            difference >= 0, difference * (low[stop] - low[start]), difference * (high[stop] - high[start])
        )
        smallest += gained
    linear = own.mean(fixed)
    worse = linear - linear[rival] + pairs.weight * smallest
    return np.asarray(worse <= 1e-12 * (1.0 + abs(float(middle[rival]))))


def least_losses(taxed: TaxedPopulation, epsilon: float) -> FloatArray:
    """(n, 101) lower bounds of what each choice loses against the best one, whatever allowed mixtures the others play,
    payoff per step; what is allowed narrows what others can pay, round by round."""
    n = taxed.size
    low, high = taxed.taxes.min(axis=1) / n, taxed.taxes.max(axis=1) / n  # what anybody can pay
    mean_low, mean_high = low.copy(), high.copy()
    losses = np.zeros((n, CHOICES))
    for _ in range(4):
        for agent in range(n):
            span = low.sum() - low[agent], high.sum() - high[agent]
            means = mean_low.sum() - mean_low[agent], mean_high.sum() - mean_high[agent]
            losses[agent] = _least_expected_loss(taxed, agent, span, means)
        for agent in range(n):
            paid = taxed.taxes[agent] / n
            mean_low[agent] = worst_mixture(paid, losses[agent], epsilon) @ paid
            mean_high[agent] = worst_mixture(-paid, losses[agent], epsilon) @ paid
    return losses


def _least_expected_loss(
    taxed: TaxedPopulation, agent: int, span: tuple[float, float], means: tuple[float, float]
) -> FloatArray:
    """(101,) the least E[u(best) − u(h)] over distributions of the lump sum within `span` whose mean is within `means`,
    for the best of some fixed choices."""
    ends = np.linspace(*means, 9)
    rivals = np.unique(taxed.utilities(agent, ends).argmax(axis=1))
    lumps = np.unique(np.concatenate([np.linspace(*span, 65), ends]))
    utilities = taxed.utilities(agent, lumps)  # (lumps, 101)
    best = np.zeros(CHOICES)
    for rival in rivals:
        best = np.maximum(best, _envelope_minimum(lumps, utilities[:, [rival]] - utilities, means))
    return best


def _envelope_minimum(places: FloatArray, values: FloatArray, means: tuple[float, float]) -> FloatArray:
    """(columns,) the least value, between the means, of the lower convex envelope of each column.

    An envelope falls up to its least value and rises from there: where that lies outside, the nearer mean has the
    least. Between the points the functions are smooth; what a finer grid would still find is allowed for by the largest
    second difference.
    """
    found = values.min(axis=0)
    lowest = places[values.argmin(axis=0)]
    for mean, beyond in ((means[0], lowest < means[0]), (means[1], lowest > means[1])):
        found[beyond] = _envelope(places, values[:, beyond], mean)
    slack = np.abs(np.diff(values, 2, axis=0)).max(axis=0, initial=0.0) / 8.0
    return np.asarray(found - slack)


def _envelope(places: FloatArray, values: FloatArray, mean: float) -> FloatArray:
    """(columns,) the lower convex envelopes at one of the places: the least of the mixtures of two with this mean."""
    here = int(np.searchsorted(places, mean))
    below, above = mean - places[:here, None], places[None, here + 1 :] - mean
    share = (below / (below + above))[..., None]
    mixed = (1.0 - share) * values[:here, None] + share * values[None, here + 1 :]
    return np.asarray(np.minimum(values[here], mixed.min(axis=(0, 1), initial=np.inf)))
