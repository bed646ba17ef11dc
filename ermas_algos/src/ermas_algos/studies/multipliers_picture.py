"""How close each way to move λ comes to the exact optimum, and how much J_p still oscillates."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ermas_algos.plots.intervals import FEW, mean_and_half_width
from ermas_algos.plots.verbatim import draw_legend, legend_entries, write_figure

Rows = Sequence[Mapping[str, Any]]

_LABELS = {"last": "last iterate", "average": "average of the last third"}
_KINDS = {"last": ("#1f5fa8", "o"), "average": ("#c2410c", "s")}


def plot_multipliers(path: Path, rows: Rows) -> None:
    """Write the figure: a row per learner and ε; distance of J_p from exact, regret − ε, oscillation of J_p."""
    groups = list(dict.fromkeys((r["learner"], r["epsilon"]) for r in rows))
    figure = Figure(figsize=(12.5, 1.9 * len(groups) + 0.6), dpi=130, layout="constrained")
    grid = figure.subplots(len(groups), 3, squeeze=False, sharex="col")
    for line, (learner, epsilon) in zip(grid, groups, strict=True):
        mine = [r for r in rows if (r["learner"], r["epsilon"]) == (learner, epsilon)]
        controls = list(dict.fromkeys(r["control"] for r in mine))
        for iterate, (color, marker) in _KINDS.items():
            for place, control in enumerate(controls):
                chosen = [r for r in mine if (r["control"], r["iterate"]) == (control, iterate)]
                panels = (
                    [r["planner_payoff"] - r["exact_planner_payoff"] for r in chosen],
                    [(r["exact_regret_0"] + r["exact_regret_1"]) / 2 - epsilon for r in chosen],
                    [r["planner_payoff_sd"] for r in chosen if r["planner_payoff_sd"] is not None],
                )
                height = place + (0.12 if iterate == "average" else -0.12)
                for axes, values in zip(line, panels, strict=True):
                    if values:
                        label = _LABELS[iterate] if place == 0 else None
                        _draw(axes, values, height, color, marker, label)
        for axes in line:
            axes.axvline(0.0, color="0.7", linewidth=0.8, zorder=0)
            axes.set_yticks(range(len(controls)), controls if axes is line[0] else [""] * len(controls), fontsize=8)
            axes.invert_yaxis()
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_title(f"{learner}, ε = {epsilon:g}", fontsize=9, loc="left")
    for axes, label in zip(
        grid[-1], ("J_p − exact minimum", "exact regret − ε", "standard deviation of J_p, last third"), strict=True
    ):
        axes.set_xlabel(f"{label} (per step)")
    draw_legend(figure, legend_entries([grid[0][0]]), loc="outside upper right", ncols=2, frameon=False)
    write_figure(figure, path)


def _draw(axes: Axes, values: Sequence[float], height: float, color: str, marker: str, label: str | None) -> None:
    """The mean with its interval; of fewer than `FEW` seeds, whose interval says little, every seed instead."""
    mean, half = mean_and_half_width(values)
    if len(values) < FEW:
        axes.plot(values, [height] * len(values), ".", color=color, markersize=4, alpha=0.6)
        half = 0.0
    axes.errorbar(mean, height, xerr=half, color=color, marker=marker, markersize=4, label=label)
