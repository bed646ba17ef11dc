"""What a user can set in the toll game."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_flag, check_integer, check_number, check_positive, check_sequence, keep
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.games.toll.latency import Latency, Roads, as_roads, latency_table

MOST_DRIVERS = 10_000
MOST_STEPS = 1_000_000
LARGEST_TOLL = 1e6
LARGEST_VALUE = 1e3
"""Largest value of time."""
MOST_LEVELS = 10_001


@dataclass(frozen=True)
class TollSettings:
    """Arguments of `toll_v0`; ValueError names the argument that is out of range."""

    roads: Roads = "pigou"
    """A registered network (`pigou`, `linear_pigou`, `three_roads`), or its 2 to 32 roads: latencies, or data such as
    {"kind": "polynomial", "coefficients": [1.0]}."""
    num_drivers: int = 20
    """Drivers, 1 to 10 000; each is 1/n of the load of its road."""
    drives: int = 8
    """Drives under the same tolls, at least 1; before the first of them is a step in which the planner sets tolls."""
    periods: int = 1
    """How often tolls are set in an episode, at least 1; the episode has periods · (1 + drives) steps."""
    tolled: Sequence[int] | None = None
    """Roads on which there can be a toll, by number; None: all."""
    max_toll: float = 1.0
    """Largest toll, in (0, 10⁶]."""
    toll_levels: int | None = None
    """None: tolls are any numbers in [0, max_toll] (Box); k ≥ 2: each is one of k evenly spaced ones (MultiDiscrete).
    """
    value_of_time: float | Sequence[float] | FloatArray = 1.0
    """v in [0, 1000] of all drivers, or of each: a drive costs v · latency + toll."""
    drivers_see_loads: bool = False
    """Whether drivers see how many drove where the last time; if so they can answer each other."""

    def __post_init__(self) -> None:
        """ValueError naming the argument and the allowed range."""
        roads = as_roads(self.roads)
        keep(
            self,
            roads=roads,
            num_drivers=check_integer("num_drivers", self.num_drivers, 1, MOST_DRIVERS),
            drives=check_integer("drives", self.drives, 1, MOST_STEPS),
            periods=check_integer("periods", self.periods, 1, MOST_STEPS),
            max_toll=check_positive("max_toll", check_number("max_toll", self.max_toll, 0.0, LARGEST_TOLL)),
            drivers_see_loads=check_flag("drivers_see_loads", self.drivers_see_loads),
        )
        if self.horizon > MOST_STEPS:
            raise ValueError(f"periods · (1 + drives) must be at most {MOST_STEPS}, got {self.horizon}.")
        if self.toll_levels is not None:
            keep(self, toll_levels=check_integer("toll_levels", self.toll_levels, 2, MOST_LEVELS))
        tolled = range(len(roads)) if self.tolled is None else check_sequence("tolled", self.tolled, "[1]")
        numbers = tuple(check_integer("tolled", number, 0, len(roads) - 1) for number in tolled)
        if not numbers or len(set(numbers)) < len(numbers):
            raise ValueError(f"tolled must name at least one road, each once, got {list(numbers)}.")
        keep(self, tolled=tuple(sorted(numbers)), value_of_time=self._checked_value_of_time())
        latency_table(roads, self.num_drivers)

    def _checked_value_of_time(self) -> float | tuple[float, ...]:
        if not np.iterable(self.value_of_time) or isinstance(self.value_of_time, str):
            return check_number("value_of_time", self.value_of_time, 0.0, LARGEST_VALUE)
        given = check_sequence("value_of_time", self.value_of_time, "[0.5, 1.0]")
        if len(given) != self.num_drivers:
            raise ValueError(f"value_of_time must be a number or {self.num_drivers} numbers, got {len(given)}.")
        return tuple(check_number("value_of_time", value, 0.0, LARGEST_VALUE) for value in given)

    @property
    def horizon(self) -> int:
        """Steps in an episode."""
        return self.periods * (1 + self.drives)

    @property
    def network(self) -> tuple[Latency, ...]:
        """The L roads."""
        found: Any = self.roads
        return tuple(found)

    @property
    def tolled_roads(self) -> IntArray:
        """(m,) roads on which there can be a toll."""
        return np.array(self.tolled, dtype=np.int64)

    def latencies(self) -> FloatArray:
        """(L, n + 1) latency of each road with 0 … n drivers on it."""
        return latency_table(self.network, self.num_drivers)

    def values_of_time(self) -> FloatArray:
        """(n,) v of each driver."""
        return np.broadcast_to(np.asarray(self.value_of_time, dtype=np.float64), (self.num_drivers,)).copy()
