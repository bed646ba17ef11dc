"""Latency of a road by its load: polynomials, the Bureau of Public Roads' formula, tables; networks of parallel roads.

A load is the share of all drivers who are on the road. The more drivers, the slower: latencies do not fall with the
load.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from ermas_envs.base.arguments import check_choice, check_number, check_positive, check_sequence, keep, shown
from ermas_envs.base.arrays import FloatArray
from ermas_envs.base.registry import Registry

LARGEST_LATENCY = 1e6
"""Largest parameter of a latency."""
SLOWEST = 1e9
"""Largest latency at any load; payoffs then stay far from the limits of float32."""
LARGEST_POWER = 20
"""Largest power of a polynomial, and of the Bureau of Public Roads' formula."""
MOST_ROADS = 32


class Latency(Protocol):
    """How long a road takes."""

    def at(self, load: FloatArray) -> FloatArray:
        """Latency at loads in [0, 1], elementwise: finite, at least 0, and not falling."""

    def slope(self, load: FloatArray) -> FloatArray:
        """Its derivative by the load, elementwise."""


@dataclass(frozen=True)
class Polynomial:
    """c_0 + c_1·x + c_2·x² + …"""

    coefficients: Sequence[float]
    """c_0, c_1, …, each in [0, 10⁶], at most 21."""

    def __post_init__(self) -> None:
        """ValueError naming the field."""
        given = check_sequence("coefficients", self.coefficients, "[0, 1]")
        if not 1 <= len(given) <= LARGEST_POWER + 1:
            raise ValueError(f"coefficients must be 1 to {LARGEST_POWER + 1} numbers, got {len(given)}.")
        keep(self, coefficients=tuple(check_number("coefficients", value, 0.0, LARGEST_LATENCY) for value in given))

    def at(self, load: FloatArray) -> FloatArray:
        """See `Latency.at`."""
        return np.asarray(np.polynomial.polynomial.polyval(load, self.coefficients))

    def slope(self, load: FloatArray) -> FloatArray:
        """See `Latency.slope`."""
        return np.asarray(
            np.polynomial.polynomial.polyval(load, np.polynomial.polynomial.polyder(self.coefficients))
        ) + np.zeros_like(load)


@dataclass(frozen=True)
class BPR:
    """free_flow · (1 + alpha · (x / capacity)^power), the formula of the Bureau of Public Roads (1964)."""

    free_flow: float
    """Latency of the empty road, in [0, 10⁶]."""
    capacity: float
    """Load, as a share of all drivers, that the road is built for, in (0, 10⁶]."""
    alpha: float = 0.15
    """Share by which the road is slower at its capacity, in [0, 10⁶]."""
    power: float = 4.0
    """How steeply it gets slower, in [1, 20]."""

    def __post_init__(self) -> None:
        """ValueError naming the field."""
        keep(
            self,
            free_flow=check_number("free_flow", self.free_flow, 0.0, LARGEST_LATENCY),
            capacity=check_positive("capacity", check_number("capacity", self.capacity, 1e-2, LARGEST_LATENCY)),
            alpha=check_number("alpha", self.alpha, 0.0, LARGEST_LATENCY),
            power=check_number("power", self.power, 1.0, LARGEST_POWER),
        )

    def at(self, load: FloatArray) -> FloatArray:
        """See `Latency.at`."""
        return np.asarray(self.free_flow * (1.0 + self.alpha * (np.asarray(load) / self.capacity) ** self.power))

    def slope(self, load: FloatArray) -> FloatArray:
        """See `Latency.slope`."""
        steepness = self.free_flow * self.alpha * self.power / self.capacity
        return np.asarray(steepness * (np.asarray(load) / self.capacity) ** (self.power - 1.0))


@dataclass(frozen=True)
class Table:
    """The user's own latencies at evenly spaced loads, with straight lines between them."""

    values: Sequence[float]
    """Latencies at the loads 0, 1/m, …, 1 (m + 1 of them, at least 2), in [0, 10⁶], not falling."""

    def __post_init__(self) -> None:
        """ValueError naming the field."""
        given = check_sequence("values", self.values, "[0.5, 0.6, 1.0]")
        numbers = tuple(check_number("values", value, 0.0, LARGEST_LATENCY) for value in given)
        if len(numbers) < 2 or any(later < earlier for earlier, later in itertools.pairwise(numbers)):
            raise ValueError(f"values must be at least two latencies that do not fall, got {shown(self.values)}.")
        keep(self, values=numbers)

    def at(self, load: FloatArray) -> FloatArray:
        """See `Latency.at`."""
        return np.asarray(np.interp(load, np.linspace(0.0, 1.0, len(self.values)), self.values))

    def slope(self, load: FloatArray) -> FloatArray:
        """See `Latency.slope`; at a kink that of the line to the right, at the load 1 to the left."""
        pieces = len(self.values) - 1
        piece = np.clip(np.floor(np.asarray(load) * pieces).astype(np.int64), 0, pieces - 1)
        return np.asarray(np.diff(self.values)[piece] * pieces)


latency_registry: Registry[Latency] = Registry("latency")
latency_registry.register("polynomial", Polynomial)
latency_registry.register("bpr", BPR)
latency_registry.register("table", Table)

Roads: TypeAlias = str | Sequence[Latency | Mapping[str, Any]]
"""A registered network, or its roads: objects, or data {"kind": registered name, **its fields}."""


def pigou() -> list[Latency]:
    """One road of latency 1, one of x⁴ (A. C. Pigou 1920; T. Roughgarden, É. Tardos 2002)."""
    return [Polynomial([1.0]), Polynomial([0.0, 0.0, 0.0, 0.0, 1.0])]


def linear_pigou() -> list[Latency]:
    """One road of latency 1, one of x."""
    return [Polynomial([1.0]), Polynomial([0.0, 1.0])]


def three_roads() -> list[Latency]:
    """A long motorway, a ring road and a narrow street through the town, by the Bureau of Public Roads' formula."""
    return [BPR(1.0, 1.0), BPR(0.7, 0.4, 0.5), BPR(0.4, 0.2, 0.3, 2.0)]


roads_registry: Registry[list[Latency]] = Registry("roads")
roads_registry.register("pigou", pigou)
roads_registry.register("linear_pigou", linear_pigou)
roads_registry.register("three_roads", three_roads)


def as_roads(given: Roads) -> tuple[Latency, ...]:
    """The roads of a network; ValueError for an unknown name, for no or too many roads, or what is no latency."""
    if isinstance(given, str):
        return tuple(roads_registry.make(given))
    listed = check_sequence("roads", given, '"pigou" or [{"kind": "polynomial", "coefficients": [1.0]}, …]')
    if not 2 <= len(listed) <= MOST_ROADS:
        raise ValueError(f"roads must be 2 to {MOST_ROADS}, got {len(listed)}.")
    return tuple(_as_latency(number, entry) for number, entry in enumerate(listed))


def _as_latency(number: int, given: Any) -> Latency:
    where = f"roads[{number}]"
    if not isinstance(given, Mapping):
        if not hasattr(given, "at") or not hasattr(given, "slope"):
            raise ValueError(f"{where} must be a latency, or a table with its 'kind', got {shown(given)}.")
        latency: Latency = given
        return latency
    if "kind" not in given:
        raise ValueError(f"{where}: a latency as data needs its 'kind', got {shown(dict(given))}.")
    kind = check_choice(f"{where}.kind", given["kind"], latency_registry)
    try:
        return latency_registry[kind](**{name: value for name, value in given.items() if name != "kind"})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def latency_table(roads: Sequence[Latency], num_drivers: int) -> FloatArray:
    """(L, n + 1) latency of each road with 0 … n drivers on it, read-only.

    Raises:
        ValueError: a road whose latency is negative, above `SLOWEST`, falls, has another shape or cannot be had.
    """
    loads = np.arange(num_drivers + 1) / num_drivers
    rows = []
    for number, road in enumerate(roads):
        try:
            given = np.asarray(road.at(loads.copy()))  # a road may calculate in place
            row = given.astype(np.float64, casting="same_kind")
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"roads[{number}]: its latency at the loads 0 … 1 cannot be had: {error}") from error
        within = row.shape == loads.shape and bool(np.all((row >= 0.0) & (row <= SLOWEST)))
        if not within or (np.diff(row) < -1e-12).any():
            raise ValueError(
                f"roads[{number}]: latencies must be numbers from 0 to {SLOWEST:g} that do not fall, got {shown(row)}."
            )
        rows.append(row)
    table = np.array(rows)
    table.setflags(write=False)
    return table
