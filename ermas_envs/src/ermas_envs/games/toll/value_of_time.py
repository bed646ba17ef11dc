"""The reality gap of the toll game: drivers to whom time is worth more, or less, than in training."""

from collections.abc import Mapping, Sequence

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray
from ermas_envs.game.perturbations import register_own
from ermas_envs.game.tabular import TabularGame
from ermas_envs.game.transitions import GameInfo, Transition
from ermas_envs.games.toll.settings import LARGEST_VALUE


class ValueOfTime:
    """ξ_i changes driver i's value of time from v to v′: −(v′ − v) · latency, so that a drive costs v′ · latency +
    toll.

    For games that tell, among their facts, `value_of_time` (n,), and in each step the `latency` (n, R) of every agent.

    Args:
        value: v′ in [0, 1000], of all drivers or one per driver.
    """

    def __init__(self, value: float | Sequence[float] | FloatArray) -> None:
        several = isinstance(value, (Sequence, np.ndarray)) and np.iterable(value) and not isinstance(value, str)
        values: Sequence[float] = list(value) if several else [value]  # type: ignore[arg-type, list-item]
        self.value = [check_number("value", each, 0.0, LARGEST_VALUE) for each in values]
        self._agents: tuple[str, ...] = ()
        self._change = np.zeros(0)

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """ValueError unless agents have a value of time, and there is one v′ for all or for each."""
        if "value_of_time" not in game.facts:
            raise ValueError("value_of_time: this game's agents have no value of time that could change.")
        if len(self.value) not in (1, len(game.agents)):
            raise ValueError(f"value must be a number or {len(game.agents)} numbers, got {len(self.value)}.")
        self._agents = game.agents
        self._change = np.broadcast_to(self.value, (len(game.agents),)) - game.facts["value_of_time"]

    def __call__(self, transition: Transition) -> Mapping[str, FloatArray]:
        """−(v′ − v) · latency of the road that was taken."""
        added = -self._change[:, None] * transition.facts["latency"]
        return dict(zip(self._agents, added, strict=True))

    def tabular(self, game: TabularGame) -> None:
        """None: the game has no tables."""


register_own("value_of_time", ValueOfTime)
