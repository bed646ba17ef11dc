"""What drivers and the planner of the toll game see: spaces, and vectors of all replicas."""

from collections.abc import Sequence

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.games.toll.settings import TollSettings

Entries = Sequence[tuple[str, int]]
"""Names and sizes, in order."""


def driver_entries(settings: TollSettings) -> Entries:
    """What a driver sees."""
    roads = len(settings.network)
    loads = (("loads", roads),) if settings.drivers_see_loads else ()
    return (("time", 1), ("tolls", roads), *loads, ("value_of_time", 1))


def planner_entries(settings: TollSettings) -> Entries:
    """What the planner sees."""
    roads = len(settings.network)
    return (("time", 1), ("tolls", roads), ("loads", roads), ("mean_latency", 1))


def space(entries: Entries) -> spaces.Box:
    """Numbers in [0, 1]."""
    return spaces.Box(0.0, 1.0, (sum(size for _, size in entries),), np.float32)


class Observer:
    """Writes observations; all entries are shares of their largest values.

    Args:
        settings: of the game.
        largest_latency: of any road, > 0.
    """

    def __init__(self, settings: TollSettings, largest_latency: float) -> None:
        self._settings, self._largest_latency = settings, largest_latency
        values = settings.values_of_time()
        self._worth = (values / max(float(values.max()), 1e-12)).astype(np.float32)
        self._width, self._planner_width = (
            sum(size for _, size in entries) for entries in (driver_entries(settings), planner_entries(settings))
        )

    def drivers(self, over: FloatArray, tolls: FloatArray, loads: FloatArray) -> Array:
        """(R, n, size) float32.

        Args:
            over: (R,) share of the episode that is over.
            tolls: (R, L) in force.
            loads: (R, L) of the last drive.
        """
        settings, roads = self._settings, tolls.shape[1]
        common = np.empty((len(over), self._width), np.float32)
        common[:, 0] = over
        common[:, 1 : 1 + roads] = tolls / settings.max_toll
        if settings.drivers_see_loads:
            common[:, 1 + roads : 1 + 2 * roads] = loads
        seen = np.empty((len(over), settings.num_drivers, self._width), np.float32)
        seen[:] = common[:, None, :]
        seen[:, :, -1] = self._worth
        return seen

    def planner(self, over: FloatArray, tolls: FloatArray, loads: FloatArray, mean_latency: FloatArray) -> Array:
        """(R, 1, size) float32; `mean_latency` (R,) is that of the last drive, the others as in `drivers`."""
        roads = tolls.shape[1]
        seen = np.empty((len(over), 1, self._planner_width), np.float32)
        seen[:, 0, 0] = over
        seen[:, 0, 1 : 1 + roads] = tolls / self._settings.max_toll
        seen[:, 0, 1 + roads : 1 + 2 * roads] = loads
        seen[:, 0, -1] = np.minimum(mean_latency / self._largest_latency, 1.0)
        return seen
