"""What a replay finds: per quantity the largest deviation, and the first step at which it exceeds the tolerance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

EXACT = 0.0
"""Tolerance of integers, places, order books."""
FLOAT64 = 1e-9
"""Relative tolerance of coin, utilities, rewards, rates."""
FLOAT32 = 1e-6
"""Relative tolerance of observations, and of Saez's elasticities."""


@dataclass
class Deviation:
    """Of one quantity, over a file."""

    tolerance: float
    """Largest deviation that passes."""
    largest: float = 0.0
    """Largest one found: |ours − theirs| / max(1, |theirs|); infinity where shapes or kinds differ."""
    exceeded: str | None = None
    """Where it first exceeded the tolerance, with both values; None: nowhere."""
    compared: int = 0
    """Numbers that were compared."""


class Comparison:
    """Collects the deviations of one file."""

    def __init__(self) -> None:
        self.quantities: dict[str, Deviation] = {}
        self.where = "configuration"
        self.left_out = 0
        """Steps past the end of an episode, which our episodes do not have."""

    @property
    def passed(self) -> bool:
        """Whether everything was within its tolerance, and anything was compared."""
        found = self.quantities.values()
        return bool(self.quantities) and all(deviation.exceeded is None for deviation in found)

    def numbers(self, quantity: str, ours: Any, theirs: Any, tolerance: float) -> None:
        """Compare arrays, or nested lists, of numbers; None in `theirs` is NaN."""
        a = np.asarray(ours, dtype=np.float64)
        b = np.asarray(theirs, dtype=np.float64)
        deviation = self._of(quantity, tolerance)
        deviation.compared += b.size
        if a.shape != b.shape:
            self._exceed(deviation, np.inf, f"shape {a.shape}", f"shape {b.shape}")
            return
        both_missing = np.isnan(a) & np.isnan(b)
        with np.errstate(invalid="ignore"):
            found = np.where(both_missing | (a == b), 0.0, np.abs(a - b) / np.maximum(1.0, np.abs(b)))
        found = np.where(np.isnan(found), np.inf, found)
        if found.size:
            worst = int(found.argmax())
            self._exceed(deviation, float(found.flat[worst]), a.flat[worst], b.flat[worst])

    def equal(self, quantity: str, ours: object, theirs: object) -> None:
        """Compare anything else for equality."""
        deviation = self._of(quantity, EXACT)
        deviation.compared += 1
        self._exceed(deviation, 0.0 if ours == theirs else np.inf, ours, theirs)

    def keys(self, quantity: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
        """Compare the names of two tables; returns those that both have."""
        self.equal(quantity, sorted(ours), sorted(theirs))
        return [name for name in theirs if name in ours]

    def _of(self, quantity: str, tolerance: float) -> Deviation:
        return self.quantities.setdefault(quantity, Deviation(tolerance))

    def _exceed(self, deviation: Deviation, found: float, ours: object, theirs: object) -> None:
        deviation.largest = max(deviation.largest, found)
        if found > deviation.tolerance and deviation.exceeded is None:
            deviation.exceeded = f"{self.where}: {_short(ours)}, recorded {_short(theirs)}"


def _short(value: object) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 100 else f"{text[:97]}..."
