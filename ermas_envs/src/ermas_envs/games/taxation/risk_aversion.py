"""The gap of the economies: agents of another risk aversion than in training (paper section 4.2), or of a drawn one."""

from collections.abc import Mapping, Sequence

import numpy as np

from ermas_envs.base.arguments import check_number, check_sequence
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.game.perturbations import register_own
from ermas_envs.game.tabular import TabularGame
from ermas_envs.game.transitions import GameInfo, Transition
from ermas_envs.games.taxation.ranges import LARGEST_ETA
from ermas_envs.games.taxation.welfare import utilities_of_coin


class RiskAversion:
    """ξ_i changes agent i's risk aversion from η to η′: the change, in a step, of u(C; η′) − u(C; η) of its coin C.

    For games whose agents have isoelastic utility: rewards become what they would be at η′, up to the rounding of what
    is larger at either; from no coin, a lower η′ than an own η of 3 or more leaves no digit of the first reward. Among
    the facts of the game is their `risk_aversion`, η (n,), among those of a step their `coin_before` and `coin_after`
    it, (n, R).

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
        before = _risk_aversions(game)
        after = self.eta * len(game.agents) if len(self.eta) == 1 else self.eta
        if len(after) != len(game.agents):
            raise ValueError(f"eta must be a number or {len(game.agents)} numbers, got {len(self.eta)}.")
        self._agents = game.agents
        self._pairs = list(zip(before, after, strict=True))

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


class RandomRiskAversion:
    """`RiskAversion` whose η′ every episode draws from some values, all as likely, the same for all agents: domain
    randomisation over the gap. Agents see 10 η′, so that a policy can know the answer to each; the planner does not.

    Args:
        etas: the values of η′, at least one, in [0, 30].
    """

    def __init__(self, etas: Sequence[float] | FloatArray) -> None:
        given = check_sequence("etas", etas, "[0.15, 0.23, 0.31]")
        self.etas = np.array([check_number("etas", value, 0.0, LARGEST_ETA) for value in given], dtype=np.float64)
        if not len(self.etas):
            raise ValueError("etas must name at least one risk aversion.")
        self._agents: tuple[str, ...] = ()
        self._before: list[float] = []
        self._drawn: IntArray = np.zeros(0, dtype=np.int64)

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """ValueError unless agents have a risk aversion."""
        self._agents, self._before = game.agents, _risk_aversions(game)
        self._drawn = np.zeros(num_envs, dtype=np.int64)

    def draw(self, replicas: IntArray, streams: ReplicaStreams) -> None:
        """See `DrawnPerturbation`."""
        self._drawn[replicas] = streams.integers(len(self.etas), replicas)

    def shown(self) -> FloatArray:
        """(num_envs, 1) float32: 10 η′, as wide as what else agents see."""
        return np.asarray(10.0 * self.etas[self._drawn, None], dtype=np.float32)

    def __call__(self, transition: Transition) -> Mapping[str, FloatArray]:
        """The difference of the changes of utility, at each replica's η′."""
        before, after = transition.facts["coin_before"], transition.facts["coin_after"]
        gains = np.empty_like(before)
        for number in np.unique(self._drawn):
            chosen = self._drawn == number
            first, last = before[:, chosen], after[:, chosen]
            gains[:, chosen] = _gain(first.ravel(), last.ravel(), float(self.etas[number])).reshape(first.shape)
        return {
            agent: gains[index] - _gain(before[index], after[index], self._before[index])
            for index, agent in enumerate(self._agents)
        }

    def tabular(self, game: TabularGame) -> None:
        """None: games with coin have no tables."""


def _risk_aversions(game: GameInfo) -> list[float]:
    """η of each agent; ValueError where agents have none."""
    if "risk_aversion" not in game.facts:
        raise ValueError("risk_aversion: this game's agents have no risk aversion that could change.")
    found: list[float] = game.facts["risk_aversion"].tolist()
    return found


def _gain(before: FloatArray, after: FloatArray, eta: float) -> FloatArray:
    """u(after; eta) − u(before; eta), elementwise: 0 where coin did not change, however large the utility is."""
    first, last = np.empty_like(before), np.empty_like(after)
    utilities_of_coin(before, eta, first)
    utilities_of_coin(after, eta, last)
    return last - first


register_own("risk_aversion", RiskAversion)
register_own("random_risk_aversion", RandomRiskAversion)
