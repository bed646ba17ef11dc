"""Equilibrium of the taxed one-step economy: everybody's best response to the others, a fixed point in the lump sum."""

from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_integer, check_sequence
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.oracles.taxes.pairs import expected_welfare
from ermas_envs.oracles.taxes.population import CHOICES, TaxedPopulation
from ermas_envs.oracles.taxes.response import Profile, best_hours, pure, regrets

MOST_ROUNDS = 200
"""Rounds of best responses before the search gives up."""


@dataclass(frozen=True)
class Equilibrium:
    """What everybody does under a schedule, and how far from an equilibrium that is."""

    kind: str
    """`pure`: an equilibrium in pure choices; `mixed`: one in which somebody mixes; `nearest`: neither was found, and
    this is the profile with the smallest regret that was seen."""
    profile: Profile
    """(n, 101) probabilities of hours."""
    regrets: FloatArray
    """(n,) exact regret of every agent, payoff per step."""
    welfare: float
    """The planner's objective at the end of an episode, expected."""

    @property
    def largest_regret(self) -> float:
        """Of all agents, payoff per step."""
        return float(self.regrets.max())

    @property
    def hours(self) -> FloatArray:
        """(n,) expected hours."""
        return np.asarray(self.profile @ np.arange(self.profile.shape[1]))


def _begun(taxed: TaxedPopulation, start: object) -> IntArray:
    hours = check_sequence("start", start, "[40, 60]")
    if len(hours) != taxed.size:
        raise ValueError(f"start must have {taxed.size} numbers of hours, one per agent, got {len(hours)}.")
    return np.array([check_integer("start", number, 0, CHOICES - 1) for number in hours])


def equilibrium(taxed: TaxedPopulation, start: IntArray | None = None, price_taking: bool = False) -> Equilibrium:
    """An equilibrium of a schedule.

    Agents respond one after another to what the others do, until nobody changes anything. Where that runs in circles,
    the agent of the largest regret mixes the two choices between which it goes to and fro.

    Args:
        taxed: the economy.
        start: (n,) hours to begin with; None: the best ones without a lump sum.
        price_taking: agents take the whole lump sum as given; regret is then not 0, as they ignore what their own tax
            gives them back.

    Returns:
        Its regret is computed against the exact game, never assumed.

    Raises:
        ValueError: a start that is not one number of hours in [0, 100] per agent.
    """
    n, everybody = taxed.size, np.arange(taxed.size)
    hours = np.array([best_hours(taxed, agent, 0.0) for agent in range(n)]) if start is None else _begun(taxed, start)
    seen: dict[bytes, int] = {}
    best: tuple[float, IntArray] | None = None
    for _ in range(MOST_ROUNDS):
        before = hours.copy()
        total = taxed.taxes[everybody, hours].sum() / n
        for agent in range(n):
            own = taxed.taxes[agent, hours[agent]] / n
            lump = total if price_taking else total - own
            hours[agent] = best_hours(taxed, agent, lump, price_taking)
            total += taxed.taxes[agent, hours[agent]] / n - own
        if np.array_equal(before, hours):
            profile = pure(hours)
            return Equilibrium("pure", profile, regrets(taxed, profile), taxed.welfare(hours))
        key = hours.tobytes()
        if key in seen:
            break
        seen[key] = len(seen)
        largest = float(regrets(taxed, pure(hours)).max())
        if best is None or largest < best[0]:
            best = largest, hours.copy()
    assert best is not None  # the first round has set it
    return _mixed(taxed, best[1])


def _mixed(taxed: TaxedPopulation, hours: IntArray) -> Equilibrium:
    """One agent mixes its choice and its best response, in the share at which both are worth the same to the agent that
    responds to the mixture; the nearest profile where that leaves regret."""
    profile = pure(hours)
    found = regrets(taxed, profile)
    agent = int(found.argmax())
    everybody = np.arange(taxed.size)
    others = (taxed.taxes[everybody, hours].sum() - taxed.taxes[agent, hours[agent]]) / taxed.size
    other = best_hours(taxed, agent, others)
    candidates = [(float(found.max()), profile)]
    for share in np.linspace(0.0, 1.0, 101)[1:-1]:
        tried = profile.copy()
        tried[agent] = 0.0
        tried[agent, hours[agent]], tried[agent, other] = 1.0 - share, share
        candidates.append((float(regrets(taxed, tried).max()), tried))
    largest, chosen = min(candidates, key=lambda candidate: candidate[0])
    kind = "mixed" if largest < 1e-9 else "nearest"
    return Equilibrium(kind, chosen, regrets(taxed, chosen), expected_welfare(taxed, chosen))
