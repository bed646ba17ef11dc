"""The paper's Figure 4: planner return over the reality gap Q, and what robustness costs where there is no gap."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MultipleLocator

from ermas_algos.plots import looks
from ermas_algos.plots.intervals import draw_line
from ermas_algos.plots.verbatim import draw_legend, legend_entries, write_figure

Row = Mapping[str, Any]
Rows = Sequence[Row]
Method = tuple[str, float | None, float | None]
"""Method, ε, parameter."""

_TITLES = {
    "tragedy_of_commons": "tragedy of the commons",
    "strategically_robust_2022": "released code's random payoffs",
}
_LINES: Mapping[Method, tuple[str, str, str]] = {
    ("MARL", None, 0.0): (*looks.MARL, "MARL, Q = 0"),
    ("MARL", None, 0.5): ("#0f766e", "D", "MARL, told Q = 0.5"),
    ("DR, tables", None, 50.0): ("#7c3aed", "^", "domain randomisation, tables"),
    ("DR, scalar (paper)", None, 10.0): ("#a78bfa", "v", "domain randomisation, scalar (paper)"),
    ("RR, cvar", None, 0.1): ("#b45309", "P", "risk-averse, CVaR 10 %"),
}
"""Colour, marker and label of the methods drawn over Q, beside ERMAS at the chosen ε; all others are in the table."""
_FAMILIES = {
    "ERMAS": (*looks.ERMAS, "ERMAS over ε"),
    "MARL": (*looks.MARL, "MARL over Q of training"),
    "MARL + extra agent updates": ("#65a30d", "s", "MARL + extra agent updates"),
    "DR, tables": ("#7c3aed", "^", "DR, tables (every 10, 50)"),
    "DR, scalar (paper)": ("#a78bfa", "v", "DR, scalar (paper)"),
    "RR, crra": ("#b45309", "X", "RR, CRRA"),
    "RR, exponential": ("#f59e0b", "X", "RR, exponential"),
    "RR, cvar": ("#b45309", "P", "RR, CVaR 10 %"),
    "action noise": ("#db2777", "<", "action noise (0.1, 0.3)"),
    "quantal response": ("#be123c", ">", "quantal response (0.1, 0.5)"),
    "population of λ": ("#111827", "*", "population of λ"),
    "frozen λ": ("#6b7280", "D", "frozen λ (1, 2, 4)"),
    "λ = 0": ("#6b7280", "d", "λ = 0"),
}
"""Colour, marker and label of each family in the picture of the trade-off."""
_LABEL_DISTANCE = 30
"""Dots between points that have labels of their own."""


def plot_figure_4(path: Path, rows: Rows, summary: Rows, choice: Rows, optimum: Rows, frontier: Rows) -> None:
    """Write `path`, returns over Q, and beside it `<name>-frontier`, worst case against the return at Q = 0.

    Args:
        path: file to write.
        rows: table `figure-4`; planner returns are means per step.
        summary: table `figure-4-summary`.
        choice: table `figure-4-choice`.
        optimum: table `figure-4-optimum`.
        frontier: table `figure-4-frontier`.
    """
    panels = list(dict.fromkeys((r["payoffs"], r["planner_observes"]) for r in rows))
    _plot_returns(path, panels, rows, choice, optimum)
    _plot_frontier(path.with_name(f"{path.stem}-frontier{path.suffix}"), panels, summary, frontier)


def _plot_returns(path: Path, panels: Sequence[tuple[str, bool]], rows: Rows, choice: Rows, optimum: Rows) -> None:
    figure = Figure(figsize=(4.3 * len(panels) + 0.6, 8.0), dpi=130, layout="constrained")
    grid = figure.subplots(2, len(panels), squeeze=False, sharex=True)
    for (absolute, relative), panel in zip(grid.T, panels, strict=True):
        mine = [r for r in rows if (r["payoffs"], r["planner_observes"]) == panel]
        (epsilon,) = [r["epsilon"] for r in choice if (r["payoffs"], r["planner_observes"]) == panel and r["chosen"]]
        lines = {**_LINES, ("ERMAS", epsilon, None): (*looks.ERMAS, "ERMAS, ε chosen on validation gaps")}
        best = {r["q_test"]: r["planner_return"] for r in optimum if r["payoffs"] == panel[0]}
        baseline = _by_gap(mine, ("MARL", None, 0.0))
        if best:
            absolute.plot(list(best), list(best.values()), ":", color="0.3", label="best constant planner, exact")
        for method, (color, marker, label) in lines.items():
            values = _by_gap(mine, method)
            if not values:  # a quick look has few methods
                continue
            draw_line(absolute, values, color, marker, label)
            if method != ("MARL", None, 0.0):
                change = {gap: [v - w for v, w in zip(values[gap], baseline[gap], strict=True)] for gap in values}
                draw_line(relative, change, color, marker, label)
        absolute.set_title(_title(panel) + f"\nERMAS: ε = {epsilon:g}", loc="left", fontsize=9)
        relative.set_title("relative to MARL, Q = 0", loc="left", fontsize=9)
        relative.set_xlabel("reality gap Q of the test")
        for axes in (absolute, relative):
            _draw_zero(axes)
            axes.spines[["top", "right"]].set_visible(False)
            axes.xaxis.set_major_locator(MultipleLocator(0.1))
    grid[0, 0].set_ylabel("planner return (payoff, mean per step)")
    grid[1, 0].set_ylabel("difference (payoff, mean per step)")
    draw_legend(figure, legend_entries([grid[0, 0]]), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    write_figure(figure, path)


def _plot_frontier(path: Path, panels: Sequence[tuple[str, bool]], summary: Rows, frontier: Rows) -> None:
    figure = Figure(figsize=(5.2 * len(panels), 5.6), dpi=130, layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        exact = [r for r in frontier if (r["payoffs"], r["planner_observes"]) == panel]
        if exact:
            places = [r["training_point"] for r in exact], [r["worst_case"] for r in exact]
            axes.plot(*places, ":", color="0.4", linewidth=1.4, label="best of all planners, exact", zorder=1)
        mine = [r for r in summary if (r["payoffs"], r["planner_observes"]) == panel]
        for family, (color, marker, label) in _FAMILIES.items():
            chosen = [r for r in mine if r["method"] == family]
            if chosen:
                _points(axes, chosen, color, marker, label, joined=family in ("ERMAS",))
        _name_epsilons(axes, [r for r in mine if r["method"] == "ERMAS"])
        axes.set_title(_title(panel), loc="left", fontsize=9)
        axes.set_xlabel("return at Q = 0 (payoff, mean per step)")
        _draw_zero(axes)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("worst return over Q of the test (mean per step)")
    draw_legend(figure, legend_entries(figure.axes[:1]), loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    write_figure(figure, path)


def _points(axes: Axes, rows: Rows, color: str, marker: str, label: str, joined: bool) -> None:
    rows = sorted(rows, key=lambda r: r["training_point"])
    axes.errorbar(
        [r["training_point"] for r in rows],
        [r["worst_case"] for r in rows],
        xerr=_bars(rows, "training_point"),
        yerr=_bars(rows, "worst_case"),
        color=color,
        marker=marker,
        linestyle="-" if joined else "",
        markersize=6,
        linewidth=1.4,
        elinewidth=0.8,
        label=label,
    )


def _name_epsilons(axes: Axes, rows: Rows) -> None:
    """ε beside its point; neighbours that are too close for that have one label together."""
    rows = sorted(rows, key=lambda r: r["epsilon"])
    places = [(r["training_point"], r["worst_case"]) for r in rows]
    groups: list[list[int]] = []
    for index, place in enumerate(axes.transData.transform(places) if places else ()):
        if groups and math.dist(place, axes.transData.transform(places[groups[-1][0]])) < _LABEL_DISTANCE:
            groups[-1].append(index)
        else:
            groups.append([index])
    for group in groups:
        ends = dict.fromkeys(f"{rows[index]['epsilon']:g}" for index in (group[0], group[-1]))
        axes.annotate(
            "ε = " + " … ".join(ends),
            places[group[0]],
            (5, 6),
            textcoords="offset points",
            fontsize=8,
            color=looks.ERMAS[0],
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def _draw_zero(axes: Axes) -> None:
    """Where it is in view already: it would stretch the axis of returns that are far from it."""
    low, high = axes.get_ylim()
    if low <= 0.0 <= high:
        axes.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)


def _bars(rows: Rows, column: str) -> list[list[float]]:
    """Distances of the interval's ends; 0 where a single seed has none."""
    ends = (f"{column}_low", f"{column}_high")
    return [[0.0 if r[end] is None else abs(r[end] - r[column]) for r in rows] for end in ends]


def _by_gap(rows: Rows, method: Method) -> dict[float, list[float]]:
    """Returns of all seeds, in the order of the seeds, by gap."""
    mine = sorted((r for r in rows if (r["method"], r["epsilon"], r["parameter"]) == method), key=lambda r: r["seed"])
    gaps = sorted({r["q_test"] for r in mine})
    return {gap: [r["planner_return"] for r in mine if r["q_test"] == gap] for gap in gaps}


def _title(panel: tuple[str, bool]) -> str:
    return f"{_TITLES.get(panel[0], panel[0])}, planner {'observing' if panel[1] else 'blind'}"
