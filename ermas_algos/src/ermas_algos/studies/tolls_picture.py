"""Worst mean latency over the toll on the second road, in every gap, with the tolls that methods have found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ermas_algos.plots import looks
from ermas_algos.plots.verbatim import draw_legend, legend_entries, named, write_figure

Rows = Sequence[Mapping[str, Any]]
Gap = tuple[str, float | None]
_LOOKS: Mapping[str, looks.Look] = {
    "exact, robust": looks.ROBUST_OPTIMUM,
    "exact, naive": looks.NAIVE_OPTIMUM,
    "no toll": looks.NOTHING,
    "marginal cost": ("#b45309", "P"),
    "MARL": looks.MARL,
    "ERMAS": looks.PAPERS_GRADIENT,
    "ERMAS, others' regret": ("#111827", "X"),
    "ERMAS, whole gradient": looks.ERMAS,
    "UCB1": ("#db2777", ">"),
    "Thompson sampling": ("#0f766e", "<"),
    "GP-UCB": ("#a16207", "d"),
}
"""Colour and marker of each method."""


def plot_tolls(path: Path, rows: Rows, curves: Rows) -> None:
    """Write the figure.

    Args:
        path: file to write.
        rows: of the table `tolls`.
        curves: of the table `tolls-curves`; its numbers of drivers and gaps are the panels.
    """
    numbers = list(dict.fromkeys(row["num_drivers"] for row in curves))
    gaps: list[Gap] = list(dict.fromkeys((row["gap"], row["epsilon"]) for row in curves))
    figure = Figure(figsize=(13, 6.2), dpi=120, layout="constrained")
    panels = figure.subplots(len(numbers), len(gaps), sharey=True, squeeze=False)
    for line, number in zip(panels, numbers, strict=True):
        line[0].set_ylabel(f"{number} drivers\nworst mean latency")
        for axes, gap in zip(line, gaps, strict=True):
            own, curve = ([row for row in part if row["num_drivers"] == number] for part in (rows, curves))
            _draw(axes, own, curve, gap)
    for axes in panels[-1]:
        axes.set_xlabel("toll on the second road")
    draw_legend(figure, legend_entries(list(panels.flat)), loc="outside lower center", ncols=6, frameon=False)
    write_figure(figure, path)


def _draw(axes: Axes, rows: Rows, curves: Rows, gap: Gap) -> None:
    """One number of drivers in one gap: the curve, and a mark for every tolls that were found.

    Where the value of time is unknown, ERMAS's largest ε is drawn: the one that is meant for this gap.
    """
    kind, epsilon = gap
    curve = [row for row in curves if (row["gap"], row["epsilon"]) == gap]
    axes.plot([row["toll"] for row in curve], [row["worst_latency"] for row in curve], color="#d1d5db", zorder=1)
    largest = max((row["epsilon"] or 0.0 for row in rows if row["gap"] == kind), default=0.0)
    for method, (color, marker) in _LOOKS.items():
        wanted = largest if epsilon is None and method.startswith("ERMAS") else epsilon
        own = [r for r in rows if (r["gap"], r["method"], r["epsilon"]) == (kind, method, wanted)]
        if own:
            found = [float(row["tolls"].split()[1]) for row in own]
            size = 110 if method == "exact, robust" else 36
            reached = [row["worst_latency"] for row in own]
            axes.scatter(found, reached, s=size, color=color, marker=marker, label=named(method), alpha=0.8, zorder=2)
    title = f"{kind} ½, 1 or 2" if epsilon is None else f"ε = {epsilon:g}"
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
