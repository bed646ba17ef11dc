"""Mean and 95 % interval of a few seeds, as drawn in the plots, and lines of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from scipy.special import stdtrit

from ermas_algos.plots.verbatim import named


def mean_and_half_width(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % t-interval (0 for a single value)."""
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return float(array.mean()), 0.0
    half = stdtrit(array.size - 1, 0.975) * array.std(ddof=1) / np.sqrt(array.size)
    return float(array.mean()), float(half)


FEW = 5
"""Values of which there must be as many for their t-interval to say something."""


def mean_and_bar(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and how far a bar reaches below and above it: the 95 % t-interval; of fewer than `FEW` values, whose
    interval would go beyond everything that was seen, from the least to the largest."""
    mean, half = mean_and_half_width(values)
    if len(values) >= FEW:
        return mean, half, half
    return mean, max(mean - min(values), 0.0), max(max(values) - mean, 0.0)  # the mean of equal values may be rounded


def draw_line(
    axes: Axes, values: Mapping[float, Sequence[float]], color: str, marker: str, label: str, ends: bool = False
) -> None:
    """A line through the means of the values (one per seed) at each abscissa, with their 95 % t-intervals as a band; of
    two seeds, whose interval would hide everything, with a bar from one to the other.

    Args:
        axes: where to draw.
        values: by abscissa, one per seed.
        color: of line and band.
        marker: of the means.
        label: its name in a legend by `draw_legend`.
        ends: draw bars from the least to the largest value for more seeds, too.
    """
    places = sorted(values)
    found = [mean_and_half_width(values[place]) for place in places]
    means = [mean for mean, _ in found]
    axes.plot(places, means, color=color, marker=marker, markersize=5, linewidth=1.4, label=named(label))
    seeds = max((len(one) for one in values.values()), default=0)
    if seeds == 2 or (ends and seeds > 2):
        least, largest = ([end(values[place]) for place in places] for end in (min, max))
        axes.vlines(places, least, largest, color=color, alpha=0.35, linewidth=3)
        return
    low, high = ([mean + sign * half for mean, half in found] for sign in (-1, 1))
    axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
