"""Cosines of the meta-gradient estimators with the exact gradient, over M and the inner step size."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ermas_algos.plots.intervals import mean_and_bar
from ermas_algos.plots.verbatim import draw_legend, legend_entries, write_figure

_STYLES = {
    "FOMAML": ("#15803d", "o"),
    "Reptile": ("#1f5fa8", "s"),
    "Eq. 13 as printed": ("#c2410c", "^"),
    "Eq. 13, sign reversed": ("#7c3aed", "D"),
    "none (β = 0)": ("0.35", "v"),
    "weights alone": ("0.7", "x"),
}


def plot_meta_gradient(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the figure: a row per target and kind of policy, a column per step size; 95 % t-intervals."""
    panels = list(dict.fromkeys((r["point"], r["target"]) for r in rows))
    sizes = sorted({r["step_size"] for r in rows})
    figure = Figure(figsize=(3.6 * len(sizes) + 2.2, 2.5 * len(panels)), dpi=150, layout="constrained")
    grid = figure.subplots(len(panels), len(sizes), sharex=True, sharey=True, squeeze=False)
    for line, (point, target) in zip(grid, panels, strict=True):
        for axes, size in zip(line, sizes, strict=True):
            chosen = [r for r in rows if (r["point"], r["target"], r["step_size"]) == (point, target, size)]
            _draw(axes, chosen)
            axes.set_title(f"{target}, {point}, α = {size:g}", fontsize=8, loc="left")
    for axes in grid[-1]:
        axes.set_xlabel("inner updates M")
    for line in grid:
        line[0].set_ylabel("cosine with exact")
    draw_legend(figure, legend_entries(grid.flat), loc="outside right center", frameon=False, fontsize=8)
    write_figure(figure, path)


def _draw(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    for estimator, (color, marker) in _STYLES.items():
        mine = [r for r in rows if r["estimator"] == estimator and r["cosine"] is not None]
        updates = sorted({r["updates"] for r in mine})
        if not updates:
            continue
        summaries = [mean_and_bar([r["cosine"] for r in mine if r["updates"] == m]) for m in updates]
        means, *bars = zip(*summaries, strict=True)
        axes.plot(updates, means, color=color, marker=marker, markersize=4, linewidth=1, label=estimator)
        axes.errorbar(updates, means, bars, color=color, linestyle="", linewidth=1)
    axes.axhline(0.0, color="0.85", linewidth=0.8, zorder=0)
    axes.set_ylim(-1.05, 1.05)
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
