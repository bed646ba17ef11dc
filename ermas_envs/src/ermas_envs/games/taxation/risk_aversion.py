"""The reality gap of the economies: agents who are more, or less, risk-averse than in training (paper section 4.2)."""

from collections.abc import Mapping, Sequence

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray
from ermas_envs.game.perturbations import register_own
from ermas_envs.game.tabular import TabularGame
from ermas_envs.game.transitions import GameInfo, Transition
from ermas_envs.games.taxation.ranges import LARGEST_ETA
from ermas_envs.games.taxation.welfare import utilities_of_coin


class RiskAversion:
    """ξ_i changes agent i's risk aversion from η to η′: the change, in a step, of u(C; η′) − u(C; η) of its coin C.

    For games whose agents have isoelastic utility: rewards become what they would be at η′. Among the facts of the game
    is their `risk_aversion`, η (n,), among those of a step their `coin_before` and `coin_after` it, (n, R).

    Args:
        eta: η′ in [0, 30], of all agents or one per agent; 1 is log utility.
    """

    def __init__(self, eta: float | Sequence[float] | FloatArray) -> None:
        several = isinstance(eta, (Sequence, np.ndarray)) and np.iterable(eta) and not isinstance(eta, str)
        values: Sequence[float] = list(eta) if several else [eta]  # type: ignore[arg-type, list-item]
        self.eta = [check_number("eta", value, 0.0, LARGEST_ETA) for value in values]
        self._agents: tuple[str, ...] = ()
        self._pairs: list[tuple[float, float]] = []

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """ValueError unless agents have a risk aversion, and there is one η′ for all or for each."""
        if "risk_aversion" not in game.facts:
            raise ValueError("risk_aversion: this game's agents have no risk aversion that could change.")
        after = self.eta * len(game.agents) if len(self.eta) == 1 else self.eta
        if len(after) != len(game.agents):
            raise ValueError(f"eta must be a number or {len(game.agents)} numbers, got {len(self.eta)}.")
        self._agents = game.agents
        self._pairs = list(zip(game.facts["risk_aversion"].tolist(), after, strict=True))

    def __call__(self, transition: Transition) -> Mapping[str, FloatArray]:
        """The difference of the changes of utility."""
        before, after = transition.facts["coin_before"], transition.facts["coin_after"]
        added = {}
        for index, agent in enumerate(self._agents):
            eta, other = self._pairs[index]
            added[agent] = _gain(before[index], after[index], other) - _gain(before[index], after[index], eta)
        return added

    def tabular(self, game: TabularGame) -> None:
        """None: games with coin have no tables."""


def _gain(before: FloatArray, after: FloatArray, eta: float) -> FloatArray:
    """u(after; eta) − u(before; eta), elementwise: 0 where coin did not change, however large the utility is."""
    first, last = np.empty_like(before), np.empty_like(after)
    utilities_of_coin(before, eta, first)
    utilities_of_coin(after, eta, last)
    return last - first


register_own("risk_aversion", RiskAversion)
