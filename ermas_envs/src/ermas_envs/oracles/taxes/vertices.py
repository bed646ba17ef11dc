"""Vertices of the mixtures that an agent may play: one choice, or two that spend all of ε (linear programming).

Welfare is linear in each agent's mixture, so that its minimum is at vertices (a bilinear function's, agent by agent).
"""

import numpy as np

from ermas_envs.base.arrays import BoolArray, FloatArray, IntArray
from ermas_envs.oracles.taxes.pairs import Pairs


class Vertices:
    """Vertices of one agent's mixtures Σ p·losses ≤ ε.

    Args:
        pairs: the economy.
        agent: which.
        losses: (101,) ≥ 0, some of them at most ε.
        epsilon: ε ≥ 0.

    Attributes:
        first: (vertices,) place on the grid of the smaller of its two incomes after taxes.
        last: (vertices,) that of the larger one; the same where it is one choice.
        chance: (vertices,) probability of the larger one.
        mean_tax: (vertices,) what the agent adds to the mean lump sum, coin.
        alone: (vertices,) what it adds to welfare whatever the others do.
        square: (vertices,) ∫ G².
    """

    def __init__(self, pairs: Pairs, agent: int, losses: FloatArray, epsilon: float) -> None:
        cheap, dear = np.flatnonzero(losses <= epsilon), np.flatnonzero(losses > epsilon)
        low, high = (part.ravel() for part in np.meshgrid(cheap, dear, indexing="ij"))
        share = (epsilon - losses[low]) / (losses[high] - losses[low])
        low, high = np.concatenate([cheap, low]), np.concatenate([cheap, high])
        share = np.concatenate([np.zeros(len(cheap)), share])
        # Survival is 1 up to the smaller income, the larger one's chance up to that, and 0 beyond.
        place, kept, paid = pairs.places[agent], pairs.taxed.kept[agent], pairs.taxed.taxes[agent] / pairs.taxed.size
        ascending = place[low] <= place[high]
        less, more = np.where(ascending, low, high), np.where(ascending, high, low)
        self.first: IntArray = place[less]
        self.last: IntArray = place[more]
        self.chance: FloatArray = np.where(ascending, share, 1.0 - share)
        self.mean_tax: FloatArray = (1.0 - self.chance) * paid[less] + self.chance * paid[more]
        income = (1.0 - self.chance) * kept[less] + self.chance * kept[more]
        self.alone: FloatArray = self.mean_tax + pairs.single * income
        self.square: FloatArray = kept[less] + self.chance**2 * (kept[more] - kept[less])

    def __len__(self) -> int:
        return len(self.first)

    def only(self, chosen: BoolArray) -> "Vertices":
        """Some of them."""
        part = object.__new__(Vertices)
        part.first, part.last, part.chance = self.first[chosen], self.last[chosen], self.chance[chosen]
        part.mean_tax, part.alone, part.square = self.mean_tax[chosen], self.alone[chosen], self.square[chosen]
        return part

    def against(self, integral: FloatArray) -> FloatArray:
        """(vertices,) ∫ G f, for the integral (grid,) of f up to each point."""
        lower = integral[self.first]
        return np.asarray(lower + self.chance * (integral[self.last] - lower))

    def survival(self, vertex: int, count: int) -> FloatArray:
        """(count,) P(y > t) of one of them on each interval."""
        values = np.zeros(count)
        values[: self.last[vertex]] = self.chance[vertex]
        values[: self.first[vertex]] = 1.0
        return values
