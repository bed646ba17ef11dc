"""Lagrangian that each way of mixing reaches at a frozen λ, above the exact dual function."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ermas_algos.plots.intervals import FEW, mean_and_half_width
from ermas_algos.plots.verbatim import draw_legend, legend_entries, write_figure

_STYLES = {
    "rewards": ("#15803d", "o"),
    "each advantage standardised": ("#c2410c", "s"),
    "mixed advantage standardised": ("#1f5fa8", "^"),
}


def plot_mixing(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the figure: a panel per learner, gap to the dual function (planner payoff per step) over λ."""
    learners = list(dict.fromkeys(r["learner"] for r in rows))
    figure = Figure(figsize=(5.2 * len(learners), 3.8), dpi=150, layout="constrained")
    for axes, learner in zip(figure.subplots(1, len(learners), squeeze=False)[0], learners, strict=True):
        for way, (color, marker) in _STYLES.items():
            mine = [r for r in rows if (r["learner"], r["mixing"]) == (learner, way)]
            values = sorted({r["multiplier"] for r in mine})
            if not values:
                continue
            summaries = [
                mean_and_half_width([r["lagrangian"] - r["dual_function"] for r in mine if r["multiplier"] == value])
                for value in values
            ]
            means, halves = zip(*summaries, strict=True)
            if len(mine) < FEW * len(values):  # the interval of a few seeds says little: every seed instead
                seeds = [(r["multiplier"], r["lagrangian"] - r["dual_function"]) for r in mine]
                axes.plot(*zip(*seeds, strict=True), ".", color=color, markersize=5, alpha=0.6)
                halves = (0.0,) * len(values)
            axes.errorbar(values, means, halves, color=color, marker=marker, markersize=5, linewidth=1, label=way)
        axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
        axes.set_xlabel("frozen λ")
        axes.set_ylabel("Lagrangian − dual function\n(planner payoff per step)")
        axes.set_title("exact learner" if learner == "exact" else learner, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        draw_legend(axes, legend_entries([axes]), frameon=False, fontsize=8)
    write_figure(figure, path)
