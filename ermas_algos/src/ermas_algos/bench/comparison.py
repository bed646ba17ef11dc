"""Several sides measured in turn in one run, and how people and machines are told of them."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PAIRS = 5
"""Measurements of each side, taken in turn (A B A B …)."""
Advance = Callable[[], dict[str, float]]
"""One iteration of training; returns what it did, as counts by unit."""


@dataclass(frozen=True)
class Comparison:
    """Two sides measured in turn, both in `unit`."""

    name: str
    unit: str
    sides: dict[str, list[float]]
    """Per side its measurements; the ratio is first / second."""
    required: str | None
    """What the ratio must be, for people."""
    met: bool | None
    """Whether it is; None where nothing is required."""

    @property
    def medians(self) -> dict[str, float]:
        """Median measurement of each side."""
        return {side: statistics.median(values) for side, values in self.sides.items()}

    @property
    def ratio(self) -> float:
        """Ratio of the medians, first / second side."""
        return ratio_of_medians(self.sides)

    def as_json(self) -> dict[str, Any]:
        """Everything, in JSON types."""
        return {**dataclasses.asdict(self), "medians": self.medians, "ratio": self.ratio}

    def as_text(self) -> str:
        """A few lines for people."""
        lines = [f"{self.name} [{self.unit}]"]
        for side, values in self.sides.items():
            every = " ".join(f"{value:.4g}" for value in values)
            lines.append(f"  {side:<22} median {self.medians[side]:.4g}   ({every})")
        verdict = "" if self.required is None else f"   required {self.required}: {'met' if self.met else 'NOT MET'}"
        return "\n".join([*lines, f"  ratio of medians       {self.ratio:.3f}{verdict}"])


def alternate(
    sides: dict[str, Advance], seconds: float, pairs: int = PAIRS, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[dict[str, float]]]:
    """Measurements of each side in turn, after one iteration that is not measured."""
    for advance in sides.values():
        advance()
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(pairs):
        for side, advance in sides.items():
            runs[side].append(_measure(advance, seconds, clock))
    return runs


def _measure(advance: Advance, seconds: float, clock: Callable[[], float]) -> dict[str, float]:
    """Whole iterations for at least `seconds`: their counts, and the "seconds" that they took."""
    total: dict[str, float] = {}
    started = clock()
    while not total or clock() - started < seconds:
        for unit, count in advance().items():
            total[unit] = total.get(unit, 0) + count
    return {**total, "seconds": clock() - started}


def ratio_of_medians(sides: dict[str, list[float]]) -> float:
    """Of the first two sides."""
    first, second = (statistics.median(values) for values in sides.values())
    return first / second


def imported_supersuit() -> Any:
    """The module; SystemExit where it is not installed."""
    try:
        import supersuit
    except ModuleNotFoundError:
        raise SystemExit("The benchmark needs SuperSuit: pip install supersuit.") from None
    return supersuit
