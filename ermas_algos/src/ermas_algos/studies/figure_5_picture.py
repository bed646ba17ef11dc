"""Figure 5: welfare over risk aversion, absolute and relative to MARL; the schedules; productivity against equality."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ermas_algos.plots.intervals import draw_line
from ermas_algos.plots.verbatim import draw_legend, legend_entries, named, write_figure
from ermas_envs.games.taxation.tax_schedule import US_FEDERAL_CUTOFFS_USD

Rows = Sequence[Mapping[str, Any]]
Key = tuple[str, float | None]

_STYLES: Mapping[str, tuple[str, str]] = {
    "free market": ("#6b7280", "v"),
    "US federal": ("#b45309", "P"),
    "Saez": ("#db2777", "<"),
    "MARL": ("#15803d", "s"),
    "MARL, equal compute": ("#65a30d", "D"),
    "ERMAS": ("#1f5fa8", "o"),
    "exact best": ("#be123c", "x"),
    "exact robust": ("#7c3aed", "^"),
}
"""Colour and marker of the methods that are drawn; all others are in the table."""
_ORACLE = "per-η oracle"
_CUTOFFS = [usd / 1000.0 for usd in US_FEDERAL_CUTOFFS_USD]


def plot_figure_5(path: Path, rows: Rows, choice: Rows, training_eta: float) -> None:
    """Write the figure.

    Args:
        path: file to write.
        rows: table `figure-5-one-step`; welfare is equality times mean coin at the end of an episode.
        choice: table of the choice of ε; ERMAS is drawn at the chosen one.
        training_eta: η of the training.
    """
    drawn = _drawn(rows, choice)
    figure = Figure(figsize=(12.5, 9.0), dpi=120, layout="constrained")
    grid = figure.subplots(2, 2)
    _welfare(grid[0, 0], rows, drawn)
    _relative(grid[0, 1], rows, drawn)
    for axes in grid[0]:
        axes.axvline(training_eta, color="0.85", linewidth=6, zorder=0)
    _schedules(grid[1, 0], rows, drawn)
    _trade_off(grid[1, 1], rows, drawn, training_eta)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    entries = legend_entries(grid.flat)
    draw_legend(figure, entries, loc="outside lower center", ncols=4, frameon=False)
    write_figure(figure, path)


def _drawn(rows: Rows, choice: Rows) -> list[Key]:
    """Methods with a style; ERMAS at the chosen ε, exact robust schedules at the largest ε that is not above it."""
    epsilon = next((row["epsilon"] for row in choice if row["chosen"]), None)
    keys = list(dict.fromkeys((row["method"], row["epsilon"]) for row in rows if row["method"] in _STYLES))
    robust = [e for name, e in keys if name == "exact robust" and e is not None and (epsilon is None or e <= epsilon)]
    wanted = {"ERMAS": epsilon, "exact robust": max(robust, default=None)}
    return [key for key in keys if key[1] == wanted.get(key[0])]


def _label(key: Key) -> str:
    return key[0] if key[1] is None else f"{key[0]}, ε = {key[1]:g}"


def _by_eta(rows: Rows, key: Key, column: str) -> dict[float, list[float]]:
    """Values of a column at each η, one per seed."""
    found: dict[float, list[float]] = {}
    for row in rows:
        if (row["method"], row["epsilon"]) == key and row[column] is not None:
            found.setdefault(row["eta_test"], []).append(row[column])
    return found


def _welfare(axes: Axes, rows: Rows, drawn: Sequence[Key]) -> None:
    """Lines of the exact equilibrium; hollow marks of fresh agents."""
    oracle = sorted((row["eta_test"], row["exact_welfare"]) for row in rows if row["method"] == _ORACLE)
    if oracle:
        axes.plot(*zip(*oracle, strict=True), ":", color="0.2", label=named("best schedule for each η (told η)"))
    for key in drawn:
        color, marker = _STYLES[key[0]]
        draw_line(axes, _by_eta(rows, key, "exact_welfare"), color, marker, _label(key))
        fresh = _by_eta(rows, key, "fresh_welfare")
        means = [float(np.mean(fresh[eta])) for eta in sorted(fresh)]
        axes.plot(sorted(fresh), means, marker, color=color, markersize=9, fillstyle="none", linestyle="none")
    axes.set_title("Welfare: lines exact equilibria, hollow marks fresh agents", loc="left", fontsize=10)
    axes.set_xlabel("risk aversion η of the agents (bar: η of training)")
    axes.set_ylabel("equality × productivity (coin per agent)")


def _relative(axes: Axes, rows: Rows, drawn: Sequence[Key]) -> None:
    base = {eta: float(np.mean(values)) for eta, values in _by_eta(rows, ("MARL", None), "exact_welfare").items()}
    for key in drawn if base else ():
        values = _by_eta(rows, key, "exact_welfare")
        gains = {eta: [100.0 * (value / base[eta] - 1.0) for value in values[eta]] for eta in values}
        draw_line(axes, gains, *_STYLES[key[0]], _label(key))
    axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    axes.set_title("The same relative to MARL", loc="left", fontsize=10)
    axes.set_xlabel("risk aversion η of the agents")
    axes.set_ylabel("welfare compared with MARL's mean (%)")


def _schedules(axes: Axes, rows: Rows, drawn: Sequence[Key]) -> None:
    """Median over seeds; brackets drawn equally wide. The top bracket, which no income reaches, is left out."""
    for key in drawn:
        texts = {row["seed"]: row["schedule"] for row in rows if (row["method"], row["epsilon"]) == key}
        rates = np.median([[float(rate) for rate in text.split()] for text in texts.values()], axis=0)[:-1]
        places = np.arange(len(rates) + 1)
        axes.step(places, np.append(rates, rates[-1]), where="post", color=_STYLES[key[0]][0])
    axes.set_xticks(np.arange(len(_CUTOFFS) - 1), [f"{cutoff:.4g}" for cutoff in _CUTOFFS[:-1]])
    axes.set_title("Tax schedules, median over seeds", loc="left", fontsize=10)
    axes.set_xlabel("income (coin; brackets drawn equally wide)")
    axes.set_ylabel("marginal tax rate")


def _trade_off(axes: Axes, rows: Rows, drawn: Sequence[Key], home: float) -> None:
    """Exact equilibria at the η of training (full) and at the largest but one (hollow), with lines of equal welfare."""
    etas = sorted({row["eta_test"] for row in rows})
    away = next((eta for eta in etas if eta > home), etas[-1])
    points = []
    for key in drawn:
        color, marker = _STYLES[key[0]]
        for eta, fill in ((home, "full"), (away, "none")):
            equal, productive = (_by_eta(rows, key, name).get(eta, []) for name in ("equality", "productivity"))
            points += list(zip(equal, productive, strict=True))
            axes.plot(equal, productive, marker, color=color, fillstyle=fill, markersize=7)
    if points:
        left, right = min(p[0] for p in points) - 0.02, max(p[0] for p in points) + 0.02
        low, high = min(p[1] for p in points) - 8.0, max(p[1] for p in points) + 8.0
        across = np.linspace(left, right, 50)
        for welfare in range(60, 160, 10):
            axes.plot(across, welfare / across, color="0.85", linewidth=0.8, zorder=0)
            if low < welfare / right < high:
                axes.text(right, welfare / right, f" {welfare}", color="0.5", fontsize=8, va="center")
        axes.set_xlim(left, right)
        axes.set_ylim(low, high)
    axes.set_title(f"Full marks η = {home:g}, hollow η = {away:g}; grey: equal welfare", loc="left", fontsize=10)
    axes.set_xlabel("equality (1 − Gini index)")
    axes.set_ylabel("productivity (mean coin of an agent)")
