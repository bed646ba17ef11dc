"""What agents must lose, and what they can pay, in any ε-equilibrium of a tax schedule: bounds of regret from below.

With a the coin of a rival choice and b that of the choice that is played, and l what the agent gets of the others'
taxes, the loss is L(l) = u(a + l) − u(b + l) and a constant. Marginal utility is convex, so that L is convex and
falling where a ≥ b, concave and rising where a ≤ b. By Jensen's inequality its expectation is at least L at the largest
mean of l in the first case, and at least the chord's value at the least mean in the second.
"""

from typing import NamedTuple

import numpy as np

from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.welfare import COIN_FLOOR
from ermas_envs.oracles.taxes.pairs import worst_mixture
from ermas_envs.oracles.taxes.population import CHOICES, TaxedPopulation

ROUNDS = 6
"""Of narrowing what everybody can pay and lose, one from the other."""
RIVALS_AT = 9
"""Means of the lump sum at which best responses are taken as rivals."""


class Losses(NamedTuple):
    """What holds in all ε-equilibria in which the mean lump sum is within an interval."""

    least: FloatArray
    """(n, 101) what each choice loses against the best one at least, payoff per step."""
    paid_low: FloatArray
    """(n,) the least that each agent's tax adds to the mean lump sum, coin."""
    paid_high: FloatArray
    """(n,) the most."""
    between: tuple[float, float]
    """The interval of the mean lump sum, E[all taxes]/n, coin."""


def anything(taxed: TaxedPopulation) -> Losses:
    """What holds without any thought: no losses, any tax."""
    low, high = taxed.taxes.min(axis=1) / taxed.size, taxed.taxes.max(axis=1) / taxed.size
    return Losses(np.zeros((taxed.size, CHOICES)), low, high, (float(low.sum()), float(high.sum())))


def least_losses(
    taxed: TaxedPopulation, epsilon: float, known: Losses, between: tuple[float, float] | None = None
) -> Losses | None:
    """Bounds of losses and of payments, narrowed round by round.

    Args:
        taxed: the economy.
        epsilon: ε ≥ 0, payoff per step.
        known: what is known to hold.
        between: a narrower interval of the mean lump sum, coin; None: that of `known`.

    Returns:
        What holds within the interval; None where no ε-equilibrium can have its mean lump sum there.
    """
    a, b = known.between if between is None else between
    least, low, high = known.least.copy(), known.paid_low.copy(), known.paid_high.copy()
    extremes = taxed.taxes.min(axis=1) / taxed.size, taxed.taxes.max(axis=1) / taxed.size
    for _ in range(ROUNDS):
        before = low.sum(), high.sum()
        for agent in range(taxed.size):
            rest = low.sum() - low[agent], high.sum() - high[agent]
            means = max(rest[0], a - high[agent]), min(rest[1], b - low[agent])
            if means[0] > means[1] + 1e-9 * (1.0 + abs(b)):
                return None
            span = float(extremes[0].sum() - extremes[0][agent]), float(extremes[1].sum() - extremes[1][agent])
            least[agent] = np.maximum(least[agent], _least(taxed, agent, span, means))
            if least[agent].min() > epsilon:
                return None
            paid = taxed.taxes[agent] / taxed.size
            low[agent] = max(worst_mixture(paid, least[agent], epsilon) @ paid, a - rest[1])
            high[agent] = min(worst_mixture(-paid, least[agent], epsilon) @ paid, b - rest[0])
            if low[agent] > high[agent] + 1e-9 * (1.0 + abs(b)):
                return None
        if low.sum() - before[0] + before[1] - high.sum() <= 1e-3 * (before[1] - before[0]):
            break
    return Losses(least, low, high, (max(a, float(low.sum())), min(b, float(high.sum()))))


def _least(taxed: TaxedPopulation, agent: int, span: tuple[float, float], means: tuple[float, float]) -> FloatArray:
    """(101,) the least E[u(best) − u(h)] over distributions of the lump sum within `span` whose mean is within `means`,
    for the best of some fixed rivals."""
    rounding = 1e-12 * (1.0 + span[1])
    mean_low, mean_high = np.clip((min(means) - rounding, max(means) + rounding), *span)
    rivals = np.unique(taxed.utilities(agent, np.linspace(mean_low, mean_high, RIVALS_AT)).argmax(axis=1))
    # From η = 1 on utility is flat below the floor, and not concave there: so much more coin for what is played, and no
    # rivals below the floor, leave a bound that is concave, and lower.
    eased = _floor(taxed, agent)
    coin = taxed.kept[agent] + taxed.taxes[agent] / taxed.size
    lumps = np.array([mean_high, *span])
    rival_utility, played_utility = taxed.utilities(agent, lumps), taxed.utilities(agent, lumps + eased)
    share = (mean_low - span[0]) / (span[1] - span[0]) if span[1] > span[0] else 0.0
    best = np.zeros(CHOICES)
    for rival in rivals[coin[rivals] + span[0] >= eased]:
        lost = rival_utility[:, [rival]] - played_utility
        chord = (1.0 - share) * lost[1] + share * lost[2]
        best = np.maximum(best, np.where(coin + eased <= coin[rival], lost[0], chord))
    return best


def _floor(taxed: TaxedPopulation, agent: int) -> float:
    """Coin below which an agent's utility does not fall."""
    isoelastic = taxed.population.settings.agent_reward_type == "isoelastic_coin_minus_labor"
    return COIN_FLOOR if isoelastic and taxed.population.etas[agent] >= 1.0 else 0.0
