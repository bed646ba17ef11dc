"""Tax schedules: marginal rate over income, a step line per schedule, as in the AI Economist's figures."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ermas_algos.plots.verbatim import write_figure

_STYLES = (("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", "-."), ("#cc79a7", ":"), ("#5b5b5b", "-"))
_LABEL_DISTANCE = 0.055
"""Least distance between the labels of two lines, in units of the rate."""


def plot_tax_schedule(path: Path | str, schedules: Mapping[str, ArrayLike], cutoffs: Sequence[float]) -> None:
    """Write a PNG; brackets are drawn equally wide, so that narrow ones can be read.

    Args:
        path: file to write.
        schedules: per name the rates, in [0, 1]: (B,), or (samples, B) of several periods or seeds, of which the median
            and a band from the 10 % to the 90 % quantile are drawn.
        cutoffs: (B,) where the brackets begin, ascending, in coin of income per tax period.

    Raises:
        ValueError: no schedule, a rate outside [0, 1], or a schedule whose brackets are not those of the cutoffs.
    """
    samples = {name: _samples(name, given, len(cutoffs)) for name, given in schedules.items()}
    if not samples:
        raise ValueError("schedules must hold at least one.")
    figure = Figure(figsize=(7.2, 4.0), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(cutoffs) + 1)
    ends = {}
    for (name, rates), (color, line) in zip(samples.items(), cycle(_STYLES), strict=False):
        low, median, high = (np.append(values, values[-1]) for values in np.quantile(rates, (0.1, 0.5, 0.9), axis=0))
        axes.step(places, median, where="post", color=color, linestyle=line, linewidth=1.8)
        if len(rates) > 1:
            axes.fill_between(places, low, high, step="post", color=color, alpha=0.15, linewidth=0)
        ends[name] = (float(median[-1]), color)
    _write_labels(axes, len(cutoffs), ends)
    axes.set_xlim(0, len(cutoffs))
    axes.set_ylim(-0.02, 1.02)  # a line at 0 or 1 is not hidden by the frame
    axes.set_xticks(places[:-1], [f"{cutoff:.4g}" for cutoff in cutoffs])
    axes.set_yticks(np.linspace(0, 1, 6), [f"{rate:.0%}" for rate in np.linspace(0, 1, 6)])
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_xlabel("income in a tax period (coin; brackets drawn equally wide)")
    axes.set_ylabel("marginal tax rate")
    several = any(len(rates) > 1 for rates in samples.values())
    axes.set_title("Tax schedules" + (": median, 10 % to 90 % quantile" if several else ""), loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    write_figure(figure, path)


def _samples(name: str, given: ArrayLike, brackets: int) -> NDArray[np.float64]:
    """(samples, B)."""
    rates = np.atleast_2d(np.asarray(given, dtype=np.float64))
    if rates.ndim != 2 or rates.shape[1] != brackets or not len(rates):
        raise ValueError(f"schedules[{name!r}] must have {brackets} rates, one per cutoff, got {np.shape(given)}.")
    if not ((rates >= 0.0) & (rates <= 1.0)).all():
        raise ValueError(f"schedules[{name!r}] must lie in [0, 1], got {rates.min():g} to {rates.max():g}.")
    return rates


def _write_labels(axes: Axes, end: int, ends: Mapping[str, tuple[float, str]]) -> None:
    """A name right of the end of each line, moved up where it would lie on another, all of them down if they must."""
    heights: list[float] = []
    ordered = sorted(ends.items(), key=lambda entry: entry[1][0])
    for _, (height, _) in ordered:
        heights.append(max(height, heights[-1] + _LABEL_DISTANCE) if heights else height)
    for place in reversed(range(len(heights))):
        most = heights[place + 1] - _LABEL_DISTANCE if place + 1 < len(heights) else 1.0
        heights[place] = min(heights[place], most)
    for (name, (_, color)), height in zip(ordered, heights, strict=True):
        axes.annotate(name, (end, height), (6, 0), textcoords="offset points", va="center", color=color, fontsize=9)
