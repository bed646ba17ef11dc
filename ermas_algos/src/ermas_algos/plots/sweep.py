"""The picture of a sweep: planner return of every method over the reality gap, a panel per task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ermas_algos.plots.intervals import draw_line
from ermas_algos.plots.looks import looks_of
from ermas_algos.plots.verbatim import draw_legend, legend_entries, write_figure


def plot_sweep(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a PNG: means over seeds with 95 % t-intervals.

    Args:
        path: file to write.
        rows: table `sweep`; planner returns are means per step.
    """
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    looks = looks_of(list(dict.fromkeys(row["method_name"] for row in rows)))
    figure = Figure(figsize=(5.4 * len(tasks) + 0.4, 4.6 + 0.25 * (len(looks) // 4)), dpi=140, layout="constrained")
    for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False, sharey=False)[0], tasks, strict=True):
        for method, look in looks.items():
            mine = [row for row in rows if (row["task"], row["method_name"]) == (task, method)]
            if mine:
                gaps = {row["gap"] for row in mine}
                returns = {gap: [row["planner_return"] for row in mine if row["gap"] == gap] for gap in gaps}
                draw_line(axes, returns, *look, method)
        axes.set_title(task, loc="left", fontsize=10)
        axes.set_xlabel("reality gap of the test")
        axes.axhline(0.0, color="0.85", linewidth=0.8, zorder=0)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("planner return (payoff, mean per step)")
    draw_legend(figure, legend_entries(figure.axes), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    write_figure(figure, path)
