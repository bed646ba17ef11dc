"""The transfer plot: planner return against the reality gap Q, with the closed-form optimum (paper Figure 4)."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

from matplotlib.figure import Figure

from ermas_algos.evaluation.transfer import TransferRow
from ermas_algos.plots.intervals import draw_line
from ermas_algos.plots.verbatim import draw_legend, legend_entries, write_figure

_STYLES = (("#1f5fa8", "o"), ("#c2410c", "s"), ("#15803d", "^"), ("#7c3aed", "D"))


def plot_transfer(path: Path | str, rows: Sequence[TransferRow], optimum: Mapping[float, float]) -> None:
    """Write a PNG: one line per planner, mean over seeds, 95 % t-interval where there are several.

    Args:
        path: file to write.
        rows: the transfer table; planner return is mean per step.
        optimum: return of the best constant planner by gap, drawn as reference.
    """
    figure = Figure(figsize=(7.2, 4.4), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    gaps = sorted(optimum)
    axes.plot(gaps, [optimum[gap] for gap in gaps], color="0.35", linestyle=":", label="best constant planner (exact)")
    for planner, style in zip(dict.fromkeys(row.planner for row in rows), cycle(_STYLES), strict=False):
        mine = [row for row in rows if row.planner == planner]
        returns = {gap: [row.planner_return for row in mine if row.gap == gap] for gap in {row.gap for row in mine}}
        draw_line(axes, returns, *style, planner)
    axes.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    axes.set_xlabel("reality gap Q of the test (training: Q = 0)")
    axes.set_ylabel("planner return (payoff, mean per step)")
    axes.set_title("Frozen planners against fresh agents", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    draw_legend(axes, legend_entries([axes]), frameon=False, loc="lower left")
    write_figure(figure, path)
