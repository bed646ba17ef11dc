"""Best responses and exact regret in the taxed one-step economy: agents touch each other through the lump sum alone.

An agent gets 1/n of everybody's tax, its own among it. What it gets of the others' is a number that it cannot change,
so that its best response, and its regret, are functions of that number, or of its distribution where others mix.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.oracles.taxes.population import CHOICES, TaxedPopulation

Profile: TypeAlias = FloatArray
"""(n, 101) probability of each number of hours, agents independently of each other."""
LATTICE = 2**13
"""Points on which sums of mixed taxes stand; see `lump_distributions`."""


def pure(hours: Sequence[int] | IntArray) -> Profile:
    """The profile in which everybody works so many hours, (n,)."""
    return np.asarray(np.eye(CHOICES)[np.asarray(hours, dtype=np.int64)])


class Lump(NamedTuple):
    """Distribution of what an agent gets of the others' taxes, coin."""

    values: FloatArray
    """(m,) ascending."""
    probabilities: FloatArray
    """(m,) sum 1."""


def lump_distributions(taxed: TaxedPopulation, profile: Profile) -> list[Lump]:
    """Per agent the distribution of its share of the others' taxes.

    Sums of the taxes of those who mix are put on a lattice of `LATTICE` points between the smallest and the largest,
    each between its neighbours so that means are exact; utilities, which are smooth in coin, then have errors of the
    order of the square of the lattice's step. Where nobody else mixes there is one value, exactly.
    """
    n = taxed.size
    mixing = np.flatnonzero((profile > 0).sum(axis=1) > 1)
    certain = np.setdiff1d(np.arange(n), mixing)
    fixed = np.zeros(n)
    fixed[certain] = (profile[certain] * taxed.taxes[certain]).sum(axis=1) / n
    lump = []
    without = _sums_without_one(taxed, profile, mixing)
    for agent in range(n):
        rest = fixed.sum() - fixed[agent]
        others = without.get(agent, without[-1])
        lump.append(Lump(rest + others.values, others.probabilities))
    return lump


def lump_distribution(taxed: TaxedPopulation, profile: Profile, agent: int) -> Lump:
    """`lump_distributions` of one agent."""
    others = profile.copy()
    others[agent] = 0.0
    others[agent, 0] = 1.0  # who does not work pays nothing
    mixing = np.flatnonzero((others > 0).sum(axis=1) > 1)
    fixed = np.delete(others * taxed.taxes, mixing, axis=0).sum() / taxed.size
    rest = _sums_without_one(taxed, others, mixing, all_only=True)[-1]
    return Lump(np.asarray(fixed + rest.values, dtype=np.float64), rest.probabilities)


def _sums_without_one(
    taxed: TaxedPopulation, profile: Profile, mixing: IntArray, all_only: bool = False
) -> dict[int, Lump]:
    """Distribution of the sum of the mixing agents' shares: of all (key −1), and unless `all_only` without each."""
    nothing = Lump(np.zeros(1), np.ones(1))
    if len(mixing) == 0:
        return {-1: nothing}
    shares = [Lump(*_support(taxed.taxes[agent] / taxed.size, profile[agent])) for agent in mixing]
    largest = sum(float(share.values.max()) for share in shares)
    step = max(largest / (LATTICE - 1), 1e-12)
    rows = [_on_lattice(share, step) for share in shares]
    before = [np.ones(1)]
    for row in rows:
        before.append(_convolved(before[-1], row))
    if all_only:
        return {-1: _lump(before[-1], step)}
    after = [np.ones(1)]
    for row in rows[::-1]:
        after.append(_convolved(after[-1], row))
    found = {-1: _lump(before[-1], step)}
    for index, agent in enumerate(mixing):
        found[int(agent)] = _lump(_convolved(before[index], after[len(rows) - 1 - index]), step)
    return found


def _support(values: FloatArray, probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
    chosen = probabilities > 0
    return values[chosen], probabilities[chosen]


def _on_lattice(share: Lump, step: float) -> FloatArray:
    """Probabilities at multiples of `step`, each value between its neighbours so that the mean is exact."""
    places = share.values / step
    below = np.floor(places).astype(np.int64)
    part = places - below
    row = np.zeros(int(below.max()) + 2)
    np.add.at(row, below, share.probabilities * (1.0 - part))
    np.add.at(row, below + 1, share.probabilities * part)
    return row


def _convolved(first: FloatArray, second: FloatArray) -> FloatArray:
    length = len(first) + len(second) - 1
    if min(len(first), len(second)) < 64:
        return np.asarray(np.convolve(first, second))
    size = 1 << (length - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(first, size) * np.fft.rfft(second, size), size)[:length]
    return np.asarray(np.maximum(product, 0.0))


def _lump(row: FloatArray, step: float) -> Lump:
    chosen = np.flatnonzero(row > 1e-16)
    return Lump(np.asarray(chosen * step, dtype=np.float64), row[chosen] / row[chosen].sum())


def action_values(taxed: TaxedPopulation, agent: int, lump: Lump) -> FloatArray:
    """(101,) expected payoff per step of each number of hours against the others."""
    low, high = lump.values[0], lump.values[-1]
    if len(lump.values) <= 2 * NODES or high - low < 1e-9:
        return np.asarray(lump.probabilities @ taxed.utilities(agent, lump.values))
    moments = _chebyshev_moments(2.0 * (lump.values - low) / (high - low) - 1.0, lump.probabilities)
    places = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    at_nodes = taxed.utilities(agent, low + (places + 1.0) * (high - low) / 2.0)
    values = np.asarray((_TO_COEFFICIENTS.T @ moments) @ at_nodes)
    # Without work and without others' taxes there is no coin, where utility is not smooth.
    values[0] = lump.probabilities @ taxed.utilities(agent, lump.values, slice(0, 1))[:, 0]
    return values


NODES = 24
"""Of the Chebyshev interpolation of utility in the lump sum: exact to about 1e-10, with few evaluations."""
_GRID = np.pi * np.outer(np.arange(NODES), np.arange(NODES) + 0.5) / NODES
_TO_COEFFICIENTS = np.cos(_GRID) * np.where(np.arange(NODES) == 0, 1.0, 2.0)[:, None] / NODES


def _chebyshev_moments(places: FloatArray, probabilities: FloatArray) -> FloatArray:
    """(NODES,) E[T_j(x)] of the Chebyshev polynomials."""
    before, now = np.ones_like(places), places
    moments = [probabilities.sum(), probabilities @ places]
    for _ in range(NODES - 2):
        before, now = now, 2.0 * places * now - before
        moments.append(probabilities @ now)
    return np.array(moments)


def regrets(taxed: TaxedPopulation, profile: Profile) -> FloatArray:
    """(n,) what each agent could gain by its best response, payoff per step, ≥ 0."""
    found = np.empty(taxed.size)
    for agent, lump in enumerate(lump_distributions(taxed, profile)):
        values = action_values(taxed, agent, lump)
        found[agent] = values.max() - profile[agent] @ values
    return np.maximum(found, 0.0)


def best_hours(taxed: TaxedPopulation, agent: int, lump: float, price_taking: bool = False) -> int:
    """The best hours of an agent, the fewest where several are best.

    Args:
        taxed: the economy.
        agent: which.
        lump: what it gets of the others' taxes, coin; with `price_taking` all that it gets.
        price_taking: it ignores that it gets 1/n of its own tax back.
    """
    if price_taking:
        coin = taxed.kept[agent] + lump
        return int((taxed.population.consumption(agent, coin) - taxed.population.labor_costs()).argmax())
    return int(taxed.utilities(agent, lump).argmax())
