"""Who drives where at what cost, as numbers: roads, drivers, their values of time, and all ways to be on the roads.

Costs and latencies here are per drive. `per_drive` turns payoffs per step of an episode, such as ε of a training, into
them: an episode of `toll_v0` also has steps in which nobody drives.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_number, check_sequence
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.games.toll.latency import Latency
from ermas_envs.games.toll.settings import LARGEST_TOLL, LARGEST_VALUE, TollSettings

MOST_COUNTS = 500_000
"""Most count vectors that are listed: 100 drivers on 4 roads are 176 851, 900 on 3 roads 406 351."""


@dataclass(frozen=True)
class Traffic:
    """Parallel roads and the drivers on them."""

    roads: tuple[Latency, ...]
    """The L roads, as functions of the share of drivers on them."""
    latencies: FloatArray
    """(L, n + 1) latency of each road with 0 … n drivers on it."""
    values_of_time: FloatArray
    """(n,) v of each driver."""

    @classmethod
    def of(cls, settings: TollSettings) -> "Traffic":
        """Those of the game."""
        return cls(settings.network, settings.latencies(), settings.values_of_time())

    @property
    def num_drivers(self) -> int:
        """n."""
        return len(self.values_of_time)

    @property
    def num_roads(self) -> int:
        """L."""
        return len(self.latencies)

    def with_value_of_time(self, value: float) -> "Traffic":
        """The same roads, with drivers who all have the value of time v in [0, 1000]."""
        checked = check_number("value", value, 0.0, LARGEST_VALUE)
        return replace(self, values_of_time=np.full(self.num_drivers, checked))

    def tolls(self, given: Any) -> FloatArray:
        """(L,) tolls; ValueError unless they are numbers in [0, 10⁶], one per road."""
        listed = check_sequence("tolls", given, "[0.0, 0.6]")
        if len(listed) != self.num_roads:
            raise ValueError(f"tolls must be {self.num_roads} numbers, one per road, got {len(listed)}.")
        return np.array([check_number("tolls", toll, 0.0, LARGEST_TOLL) for toll in listed])

    def costs(self, tolls: FloatArray) -> FloatArray:
        """(L, n + 1) cost v · latency + toll of each road with 0 … n drivers on it.

        Raises:
            ValueError: drivers whose values of time differ.
        """
        if np.ptp(self.values_of_time) > 0.0:
            raise ValueError("value_of_time must be the same for all drivers: they are not anonymous otherwise.")
        costs: FloatArray = self.values_of_time[0] * self.latencies + tolls[:, None]
        return costs

    def counts(self) -> IntArray:
        """(C, L) all ways in which n drivers can be on L roads; ValueError where they are more than `MOST_COUNTS`."""
        number = math.comb(self.num_drivers + self.num_roads - 1, self.num_roads - 1)
        if number > MOST_COUNTS:
            raise ValueError(
                f"num_drivers, roads: {self.num_drivers} drivers can be on {self.num_roads} roads in {number} ways, "
                f"more than the {MOST_COUNTS} that are listed."
            )
        return compositions(self.num_drivers, self.num_roads)

    def mean_latencies(self, counts: IntArray) -> FloatArray:
        """(C,) mean latency of all drivers at each of the counts (C, L)."""
        roads = np.arange(self.num_roads)
        return np.asarray((counts * self.latencies[roads, counts]).sum(axis=1) / self.num_drivers)


def compositions(total: int, parts: int) -> IntArray:
    """(C, parts) all ways to write `total` ≥ 0 as a sum of ordered numbers ≥ 0, in lexicographic order."""
    rows: IntArray = np.zeros((1, 0), dtype=np.int64)
    left = np.array([total])
    for _ in range(parts - 1):
        which = np.repeat(np.arange(len(rows)), left + 1)
        first = np.cumsum(left + 1) - (left + 1)
        taken = np.arange(len(which)) - first[which]
        rows, left = np.column_stack([rows[which], taken]), left[which] - taken
    return np.column_stack([rows, left])


def per_drive(settings: TollSettings, per_step: float) -> float:
    """A mean over all steps of an episode as one over its drives."""
    return per_step * (1 + settings.drives) / settings.drives


def per_step(settings: TollSettings, of_drives: float) -> float:
    """The inverse of `per_drive`."""
    return of_drives * settings.drives / (1 + settings.drives)


def checked_values(given: Sequence[float]) -> tuple[float, ...]:
    """Values of time that drivers may have; ValueError for none, or one out of range."""
    values = tuple(
        check_number("values", value, 0.0, LARGEST_VALUE) for value in check_sequence("values", given, "[1]")
    )
    if not values:
        raise ValueError("values must name at least one value of time.")
    return values
