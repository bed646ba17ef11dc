"""The least welfare over agents' vertices, from below: the convex relaxation of a sum of pairs, by its dual.

With S = Σ G_i, welfare is Σ_i u_i + w/2 ∫ (S² − Σ G_i²) (`pairs`), and S² ≥ 2 S c − c² for any function c, so that

    welfare ≥ Σ_i min_v [u_i − w/2 ∫ G_i² + w ∫ G_i c] − w/2 ∫ c² :

a minimum per agent, at a vertex since −∫ G_i² is concave in its mixture. (Diagonal terms that make a quadratic function
of 0-1 variables convex: P. L. Hammer and A. A. Rubin, 1970. At the best c it is short by what those few agents count
for who are between vertices then: J.-P. Aubin and I. Ekeland, Estimates of the duality gap in nonconvex optimization,
1976.)

Where the mean lump sum T is known to be within [a, b], μ (T − b) with μ ≥ 0 or μ (T − a) with μ ≤ 0 may be added.

c and μ are sought by Frank-Wolfe steps agent by agent (S. Lacoste-Julien and others, Block-coordinate Frank-Wolfe for
structural SVMs, 2013), each of which moves weight from an agent's dearest vertex in use to its cheapest one. Any c and
μ give a bound.
"""

from typing import NamedTuple

import numpy as np

from ermas_envs.base.arrays import BoolArray, FloatArray
from ermas_envs.oracles.taxes.pairs import Pairs
from ermas_envs.oracles.taxes.vertices import Vertices

SWEEPS = 12
"""Rounds of steps over all agents."""
STEEP = 2.0
"""Welfare per coin of the mean lump sum that pulls it into its interval, at the interval's ends."""
NARROWEST = 0.02
"""Of the range of T: in a narrower interval the pull grows no further, as steps would become too small."""


class Tangent(NamedTuple):
    """Where the convex function is linearised, which makes a bound."""

    survivals: FloatArray
    """(intervals,) c, of the sum of the agents' survivals."""
    multiplier: float
    """μ, welfare per coin of the mean lump sum."""


class Relaxation:
    """A relaxed minimum: agents have weights on their vertices.

    Args:
        pairs: the economy under a schedule.
        vertices: (n) of each agent, some.
        between: [a, b], coin; None: any mean lump sum, and μ is 0.
        start: where the search for the best tangent begins; None: where nobody works.

    Attributes:
        bound: the best bound.
        tangent: its tangent.
        costs: per agent (vertices,) what a vertex adds to the bound at least.
    """

    def __init__(
        self, pairs: Pairs, vertices: list[Vertices], between: tuple[float, float] | None, start: Tangent | None
    ) -> None:
        self.pairs, self.vertices = pairs, vertices
        self.between = (0.0, 0.0) if between is None else between
        self._pull = 0.0 if between is None else _pull(pairs, between)
        self.bound, self.costs = -np.inf, [np.zeros(len(own)) for own in vertices]
        self._weights = [np.zeros(len(own)) for own in vertices]
        self._total, self._mean_tax = np.zeros(len(pairs.widths)), 0.0
        self.tangent = Tangent(self._total, 0.0) if start is None else start
        self._begin()
        for sweep in range(1, SWEEPS + 1):
            for agent in range(len(vertices)):
                self._step(agent)
            if sweep % 4 == 0:
                self._evaluate(Tangent(self._total.copy(), self._slope()))
        if self._pull:
            self._evaluate(self.tangent._replace(multiplier=0.0))

    def spread(self) -> FloatArray:
        """(n,) by how much the relaxed minimum is below what its weights, as mixtures, would leave, per agent:
        w/2 ∫ Var G_i."""
        found = np.zeros(len(self.vertices))
        for agent, (own, weights) in enumerate(zip(self.vertices, self._weights, strict=True)):
            used = np.flatnonzero(weights)
            if len(used) > 1:
                each = np.stack([own.survival(int(vertex), len(self._total)) for vertex in used])
                variance = weights[used] @ each**2 - (weights[used] @ each) ** 2
                found[agent] = self.pairs.weight / 2.0 * float(variance @ self.pairs.widths)
        return found

    def halves(self, agent: int) -> BoolArray:
        """(vertices,) on which side of the middle each vertex of an agent is between its two heaviest ones."""
        own, count = self.vertices[agent], len(self._total)
        first, second = np.argsort(self._weights[agent])[:-3:-1]
        direction = own.survival(int(second), count) - own.survival(int(first), count)
        places = own.against(self.pairs.integral(direction))
        return np.asarray(places > (places[first] + places[second]) / 2.0)

    def _begin(self) -> None:
        """Everybody at the cheapest vertex at the tangent."""
        integral = self.pairs.integral(self.tangent.survivals)
        for own, weights in zip(self.vertices, self._weights, strict=True):
            vertex = int(self._values(own, integral, self.tangent.multiplier).argmin())
            weights[vertex] = 1.0
            self._total += own.survival(vertex, len(self._total))
            self._mean_tax += float(own.mean_tax[vertex])

    def _step(self, agent: int) -> None:
        """Move weight from the agent's dearest vertex in use to its cheapest one, as far as that helps."""
        own, weights, pairs = self.vertices[agent], self._weights[agent], self.pairs
        values = self._values(own, pairs.integral(self._total), self._slope())
        used = np.flatnonzero(weights)
        new, old = int(values.argmin()), int(used[values[used].argmax()])
        if values[new] >= values[old]:
            return
        reach = int(max(own.last[new], own.last[old]))
        change = own.survival(new, reach) - own.survival(old, reach)
        paid = float(own.mean_tax[new] - own.mean_tax[old])
        bend = pairs.weight * float(change**2 @ pairs.widths[:reach]) + 2.0 * self._pull * paid**2
        moved, gain = float(weights[old]), float(values[old] - values[new])
        if gain < bend * moved:
            moved = gain / bend
            weights[old] -= moved
        else:
            weights[old] = 0.0
        weights[new] += moved
        self._total[:reach] += moved * change
        self._mean_tax += moved * paid

    def _slope(self) -> float:
        """Of the penalty pull · (T − a)(T − b), which is at most 0 where T is allowed."""
        return self._pull * (2.0 * self._mean_tax - sum(self.between))

    def _values(self, own: Vertices, integral: FloatArray, multiplier: float) -> FloatArray:
        """(vertices,) what is minimised agent by agent."""
        both = own.against(integral) - own.square / 2.0
        return np.asarray(own.alone + self.pairs.weight * both + multiplier * own.mean_tax)

    def _evaluate(self, tangent: Tangent) -> None:
        """The bound at a tangent, kept if it is the best."""
        integral = self.pairs.integral(tangent.survivals)
        values = [self._values(own, integral, tangent.multiplier) for own in self.vertices]
        bound = sum(float(each.min()) for each in values)
        bound -= tangent.multiplier * self.between[1 if tangent.multiplier > 0.0 else 0]
        bound -= self.pairs.weight / 2.0 * float(tangent.survivals**2 @ self.pairs.widths)
        if bound > self.bound:
            self.bound, self.tangent = bound, tangent
            self.costs = [each - each.min() for each in values]


def _pull(pairs: Pairs, between: tuple[float, float]) -> float:
    """Weight of the penalty."""
    paid = pairs.taxed.taxes / pairs.taxed.size
    widest = float((paid.max(axis=1) - paid.min(axis=1)).sum())
    return STEEP / max(between[1] - between[0], NARROWEST * widest, 1e-9)
