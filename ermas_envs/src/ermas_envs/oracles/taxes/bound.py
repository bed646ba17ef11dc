"""A proven lower bound of welfare over all profiles whose agents have a regret of at most ε: branch and bound.

1. Regret is bounded from below (`losses`), which gives each agent a larger set of mixtures than those with regret at
   most ε, with vertices of one or two choices (`vertices`).
2. The least welfare over these sets is bounded by a relaxation (`relaxation`).
3. What is left open has two reasons, and the larger one is branched on: the agents' losses depend on each other through
   the lump sum, whose mean is confined to one half of its interval, then to the other; or an agent is between its
   vertices in the relaxation, and these are parted in two (A. H. Land and A. G. Doig, 1960). A vertex that by the
   relaxation leaves no less welfare than what was found is struck out, and so is one that another one dominates
   (`domination`).

The bound is valid whenever it ends: it is the least one of all parts.
"""

import heapq

import numpy as np

from ermas_envs.oracles.taxes.domination import without_dominated
from ermas_envs.oracles.taxes.losses import Losses, anything, least_losses
from ermas_envs.oracles.taxes.pairs import Pairs
from ermas_envs.oracles.taxes.relaxation import Relaxation
from ermas_envs.oracles.taxes.vertices import Vertices

CLOSE = 1e-4
"""Share of what was found below which no gap is narrowed further."""
LEAST_PARTS, MOST_PARTS, AGENT_PARTS = 12, 120, 600
"""Parts that are looked at: so many divided by the number of agents, within limits."""
NARROW = 1e-6
"""Relative width of an interval of the mean lump sum that is not halved."""
TOLERANCE = 1e-9
"""By which a profile that counts as one with regret at most ε may have more, payoff per step."""


class _Part:
    """A part of the profiles, and the bound there.

    Args:
        pairs: the economy.
        losses: what holds in this part.
        vertices: those of each agent that are in it.
        between: the interval of the mean lump sum, where the bound depends on it.
        whole: what it is a part of.
    """

    def __init__(
        self,
        pairs: Pairs,
        losses: Losses,
        vertices: list[Vertices],
        between: tuple[float, float] | None,
        whole: "_Part | None" = None,
    ) -> None:
        self.losses, self.between = losses, between
        start = None if whole is None else whole.relaxation.tangent
        self.relaxation: Relaxation = Relaxation(pairs, vertices, between, start)
        self.bound: float = self.relaxation.bound if whole is None else max(whole.bound, self.relaxation.bound)
        self.by_agents = False
        """Whether agents have been parted: their vertices are then those of these losses."""

    def __lt__(self, other: "_Part") -> bool:
        return self.bound < other.bound


def lower_bound(pairs: Pairs, epsilon: float, found: float) -> float:
    """The bound of the module's first lines, at most `found`.

    Args:
        pairs: the economy under a schedule.
        epsilon: ε ≥ 0, payoff per step.
        found: welfare of a profile whose agents have a regret of at most ε.
    """
    allowed = epsilon + TOLERANCE
    losses = least_losses(pairs.taxed, allowed, anything(pairs.taxed))
    if losses is None:  # not where `found` is what it says
        return found
    parts = [_Part(pairs, losses, _all_vertices(pairs, losses, allowed), None)]
    looked, most = 1, int(np.clip(AGENT_PARTS // pairs.taxed.size, LEAST_PARTS, MOST_PARTS))
    while parts and parts[0].bound < found - CLOSE * abs(found) and looked < most:
        whole = parts[0]
        spread = whole.relaxation.spread()
        if whole.by_agents or not _by_lump_sum(pairs, whole, float(spread.sum())):
            if not spread.any():
                break  # exact for these losses, which is as far as it goes
            smaller = _of_an_agent(pairs, whole, int(spread.argmax()), found)
        else:
            smaller = _of_the_lump_sum(pairs, whole, allowed)
        heapq.heappop(parts)
        looked += 2
        for part in smaller:
            heapq.heappush(parts, part)
    return min([found, *(part.bound for part in parts)])


def _by_lump_sum(pairs: Pairs, whole: _Part, spread: float) -> bool:
    """Whether the lump sum leaves more open than agents between vertices: about the width of its interval, as coin that
    is or is not shared out counts fully in welfare."""
    (low, high), settings = whole.losses.between, pairs.taxed.population.settings
    linear = settings.agent_reward_type != "isoelastic_coin_minus_labor"  # where losses do not depend on it
    return not linear and high - low > max(spread, NARROW * (1.0 + high))


def _of_the_lump_sum(pairs: Pairs, whole: _Part, allowed: float) -> list[_Part]:
    """Parts in which the mean lump sum is in either half of its interval; without those in which it cannot be."""
    (low, high), smaller = whole.losses.between, []
    for between in ((low, (low + high) / 2.0), ((low + high) / 2.0, high)):
        losses = least_losses(pairs.taxed, allowed, whole.losses, between)
        if losses is not None:
            vertices = _all_vertices(pairs, losses, allowed)
            smaller.append(_Part(pairs, losses, vertices, losses.between, whole))
    return smaller


def _of_an_agent(pairs: Pairs, whole: _Part, agent: int, found: float) -> list[_Part]:
    """Parts in which an agent is on either side of the middle between its vertices; without those in which there is no
    less welfare than what was found."""
    relaxation, between, smaller = whole.relaxation, whole.between, []
    side = relaxation.halves(agent)
    useful = [relaxation.bound + costs < found for costs in relaxation.costs]
    for half in (side, ~side):
        chosen = [mask & half if k == agent else mask for k, mask in enumerate(useful)]
        if not all(mask.any() for mask in chosen):
            continue
        vertices = [own.only(mask) for own, mask in zip(relaxation.vertices, chosen, strict=True)]
        if relaxation.tangent.multiplier == 0.0:
            # A dominated vertex may be what keeps the lump sum in its interval, which is given up here.
            vertices, between = without_dominated(pairs, vertices), None
        part = _Part(pairs, whole.losses, vertices, between, whole)
        part.by_agents = True
        smaller.append(part)
    return smaller


def _all_vertices(pairs: Pairs, losses: Losses, allowed: float) -> list[Vertices]:
    return [Vertices(pairs, agent, row, allowed) for agent, row in enumerate(losses.least)]
