"""Worst cases of contracts as shares of the exact robust optimum, by method and instance; learned against exact λ."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ermas_algos.plots import looks
from ermas_algos.plots.verbatim import draw_legend, legend_entries, named, write_figure

Rows = Sequence[Mapping[str, Any]]

_BEST_STARTS: Mapping[str, looks.Look] = {
    "MARL, best of 3 starts": looks.MARL,
    "ERMAS, Lagrangian planner, best of 3 starts": looks.ERMAS,
}
"""Looks of their single starts, with dashed lines and hollow marks."""
_LOOKS: Mapping[str, looks.Look] = {
    "exact, robust": looks.ROBUST_OPTIMUM,
    "exact, naive": looks.NAIVE_OPTIMUM,
    "MARL": looks.MARL,
    "ERMAS": looks.PAPERS_GRADIENT,
    "ERMAS, Lagrangian planner": looks.ERMAS,
    **_BEST_STARTS,
}


def plot_contracts(path: Path, rows: Rows) -> None:
    """Write the figure: a panel per ε with instances in ascending order, and one of λ. The best of several starts has
    dashed lines and hollow marks.

    Args:
        path: file to write.
        rows: of the table, of one definition.
    """
    epsilons = sorted({row["epsilon"] for row in rows})
    figure = Figure(figsize=(4.2 * (len(epsilons) + 1), 4.8), dpi=110, layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, len(epsilons) + 1)))
    for panel, epsilon in zip(axes, epsilons, strict=False):
        _draw_shares(panel, [row for row in rows if row["epsilon"] == epsilon])
        panel.set_title(f"ε = {epsilon:g}", loc="left", fontsize=10)
    axes[0].set_ylabel("worst case / robust optimum, mean over seeds")
    _draw_multipliers(axes[-1], rows)
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
    draw_legend(figure, legend_entries(axes[:1]), loc="outside lower center", ncols=4, frameon=False)
    write_figure(figure, path)


def _draw_shares(axes: Axes, rows: Rows) -> None:
    for method, (color, marker) in _LOOKS.items():
        own = [row for row in rows if row["method"] == method]
        shares = [
            np.mean([row["worst_value"] / row["robust_optimum"] for row in own if row["instance"] == instance])
            for instance in sorted({row["instance"] for row in own})
        ]
        if shares:
            axes.plot(
                np.arange(1, len(shares) + 1),
                np.sort(shares),
                marker=marker,
                markersize=4,
                linewidth=1,
                linestyle="--" if method in _BEST_STARTS else "-",
                fillstyle=_fill(method),
                color=color,
                label=named(method),
            )
    axes.axhline(0.98, color="#d1d5db", linewidth=0.8, zorder=0)
    axes.set_xlabel("instances, from the worst share to the best")
    axes.set_ylim(min(0.3, axes.get_ylim()[0]), 1.02)


def _fill(method: str) -> Literal["none", "full"]:
    return "none" if method in _BEST_STARTS else "full"


def _draw_multipliers(axes: Axes, rows: Rows) -> None:
    for method, (color, marker) in _LOOKS.items():
        pairs = [
            (row["exact_multiplier"], row["multiplier"])
            for row in rows
            if row["method"] == method and row["multiplier"] is not None
        ]
        if pairs:
            axes.plot(*np.transpose(pairs), marker, color=color, markersize=4, alpha=0.7, fillstyle=_fill(method))
    most = max(row["exact_multiplier"] for row in rows)
    ends = np.array([0.0, most])
    axes.plot(ends, ends, color="#111827", linewidth=0.8)
    axes.fill_between(ends, 0.8 * ends, 1.2 * ends, color="#e5e7eb", zorder=0)
    axes.set_title("λ, all ε and seeds; grey: within 20 %", loc="left", fontsize=10)
    axes.set_xlabel("exact λ")
    axes.set_ylabel("learned λ")
