"""Calibration plot: estimated against exact regret over training, a panel per estimator."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ermas_algos.plots.verbatim import draw_legend, legend_entries, write_figure


def plot_regret_estimators(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the figure: a point per bin of iterations and seed, regret per step of both agents; colour is time."""
    learners = list(dict.fromkeys(r["learner"] for r in rows))
    estimators = list(dict.fromkeys(r["estimator"] for r in rows))
    markers = dict(zip(sorted({r["epsilon"] for r in rows}), "os^D", strict=False))
    figure = Figure(figsize=(2.7 * len(estimators) + 1, 2.9 * len(learners)), dpi=130, layout="constrained")
    grid = figure.subplots(len(learners), len(estimators), sharex=True, sharey=True, squeeze=False)
    points: Any = None
    for line, learner in zip(grid, learners, strict=True):
        for axes, estimator in zip(line, estimators, strict=True):
            mine = [r for r in rows if (r["learner"], r["estimator"]) == (learner, estimator)]
            axes.plot([0, 0.3], [0, 0.3], color="0.6", linewidth=0.8, zorder=0)
            for epsilon, marker in markers.items():
                seen = [r for r in mine if r["epsilon"] == epsilon and r["estimated_regret_0"] is not None]
                points = axes.scatter(
                    [(r["exact_regret_0"] + r["exact_regret_1"]) / 2 for r in seen],
                    [(r["estimated_regret_0"] + r["estimated_regret_1"]) / 2 for r in seen],
                    c=[r["iteration"] for r in seen], vmin=0, vmax=max(r["iteration"] for r in rows),
                    marker=marker, s=14, linewidths=0, cmap="viridis",
                    label=f"ε = {epsilon:g}",
                )  # fmt: skip
            if not mine:
                axes.text(0.5, 0.5, "sampled learner only", ha="center", transform=axes.transAxes, fontsize=8)
            name = "exact learner" if learner == "exact" else learner
            axes.set_title(f"{name}: {estimator}", fontsize=8, loc="left")
            axes.set_xlim(-0.01, 0.3)
            axes.set_ylim(-0.025, 0.3)
            axes.spines[["top", "right"]].set_visible(False)
        line[0].set_ylabel("estimated regret (per step)")
    for axes in grid[-1]:
        axes.set_xlabel("exact regret (per step)")
    draw_legend(grid[0][0], legend_entries([grid[0][0]]), frameon=False, fontsize=8)
    figure.colorbar(points, ax=grid, label="outer iteration")
    write_figure(figure, path)
