"""Risk aversion: a concave utility of the episode's mean payoff, for payoffs of any sign, of planners (baseline "RR")
and of agents (risk-averse quantal response).

Utilities: constant relative risk aversion on shifted payoffs (J. Pratt, "Risk aversion in the small and in the large",
1964); exponential (R. Howard and J. Matheson, "Risk-sensitive Markov decision processes", 1972); conditional value at
risk (R. Rockafellar and S. Uryasev 2000; policy gradient of A. Tamar et al., "Optimizing the CVaR via sampling", 2015);
entropic risk, in whose dual an adversary pays for the KL divergence of what it makes of the world (E. Mazumdar,
K. Panaganti, L. Shi, arXiv:2406.14156).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_choice, check_number, keep
from ermas_envs.base.arrays import FloatArray


@dataclass(frozen=True)
class RiskConfig:
    """A role's attitude to risk; payoffs are counted in units of its scale (`payoff_scales`)."""

    utility: str
    """`crra`, `exponential`, `entropic` or `cvar`."""
    aversion: float
    """CRRA: η ≥ 0, 1 is log utility. Exponential and entropic: α > 0. CVaR: the share (0, 1] of worst episodes that
    count."""
    shift: float = 1.1
    """CRRA only: added to the payoff, which must be positive then."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        check_choice("utility", self.utility, _UTILITIES)
        most = 1.0 if self.utility == "cvar" else np.inf
        keep(
            self,
            aversion=check_number("aversion", self.aversion, minimum=0.0, maximum=most),
            shift=check_number("shift", self.shift),
        )
        if self.aversion == 0.0 and self.utility != "crra":
            raise ValueError(f"aversion must be > 0 for utility {self.utility!r}, got 0.")


def utility(payoffs: FloatArray, config: RiskConfig) -> FloatArray:
    """U(g) of payoffs (n,), elementwise; for CVaR, min(g − ν, 0)/share with ν the sample's quantile; entropic,
    (1 − e^(−α(g − m)))/α with m = −log(mean of e^(−αg))/α, the sample's certainty equivalent.

    Raises:
        ValueError: CRRA of a payoff that the shift does not make positive.
    """
    return _UTILITIES[config.utility](payoffs, config)


def risk_averse_rewards(rewards: FloatArray, horizon: int, config: RiskConfig) -> FloatArray:
    """Rewards whose mean over an episode is the utility of the episode's mean payoff, up to a common constant.

    The mean payoff g of an episode has the utility U(g). Its steps share U(g) − U(c) in proportion to their payoff in
    excess of a reference c: r'_t = (r_t − c)·(U(g) − U(c))/(g − c). For CVaR c is the quantile ν, which makes this
    Tamar's estimator, and entropic it is m, which makes it the gradient of m; else it is the mean over episodes.

    Args:
        rewards: (T, R) payoff per step in units of the scale, whole episodes of `horizon` steps.
        horizon: H; T is a multiple of it.
        config: which utility.

    Returns:
        (T, R).
    """
    steps, rows = rewards.shape
    episodes = rewards.reshape(steps // horizon, horizon, rows)
    means = episodes.mean(axis=1)
    reference = _reference(means, config)
    everything = utility(np.append(means.ravel(), reference), config)
    gained = (everything[:-1] - everything[-1]).reshape(means.shape)
    excess = means - reference
    flat = np.abs(excess) < _FLAT
    slopes = np.where(flat, _slope_at(reference, config), gained / np.where(flat, 1.0, excess))
    shared: FloatArray = (episodes - reference) * slopes[:, None, :]
    return shared.reshape(steps, rows)


def _reference(means: FloatArray, config: RiskConfig) -> float:
    """c, of the mean payoffs of episodes."""
    if config.utility == "cvar":
        return float(np.quantile(means, config.aversion))
    return _certainty_equivalent(means, config.aversion) if config.utility == "entropic" else float(means.mean())


def _certainty_equivalent(payoffs: FloatArray, aversion: float) -> float:
    """−log(mean of e^(−αg))/α."""
    least = float(payoffs.min())
    return least - float(np.log(np.exp(-aversion * (payoffs - least)).mean())) / aversion


_FLAT = 1e-9
"""Distance from the reference below which the secant is replaced by the slope."""


def _slope_at(payoff: float, config: RiskConfig) -> float:
    """U'(c): the slope of episodes that earn just the reference; 0 for CVaR, whose kink is there."""
    if config.utility == "entropic":
        return 1.0
    if config.utility == "crra":
        return float((payoff + config.shift) ** -config.aversion)
    return float(np.exp(-config.aversion * payoff)) if config.utility == "exponential" else 0.0


def _crra(payoffs: FloatArray, config: RiskConfig) -> FloatArray:
    shifted = payoffs + config.shift
    if shifted.min() <= 0:
        raise ValueError(
            f"shift must make every payoff positive: the smallest is {payoffs.min():g} (in units of the planner's "
            f"payoff scale), shift is {config.shift:g}."
        )
    if config.aversion == 1.0:
        return np.log(shifted)
    return np.asarray((shifted ** (1.0 - config.aversion) - 1.0) / (1.0 - config.aversion))


def _exponential(payoffs: FloatArray, config: RiskConfig) -> FloatArray:
    return np.asarray((1.0 - np.exp(-config.aversion * payoffs)) / config.aversion)


def _entropic(payoffs: FloatArray, config: RiskConfig) -> FloatArray:
    excess = payoffs - _certainty_equivalent(payoffs, config.aversion)
    return np.asarray((1.0 - np.exp(-config.aversion * excess)) / config.aversion)


def _cvar(payoffs: FloatArray, config: RiskConfig) -> FloatArray:
    return np.asarray(np.minimum(payoffs - np.quantile(payoffs, config.aversion), 0.0) / config.aversion)


_UTILITIES: Mapping[str, Callable[[FloatArray, RiskConfig], FloatArray]] = {
    "crra": _crra,
    "exponential": _exponential,
    "entropic": _entropic,
    "cvar": _cvar,
}
