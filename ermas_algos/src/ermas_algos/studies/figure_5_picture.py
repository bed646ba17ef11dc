"""Figure 5: welfare over the gap, also relative to MARL; worst cases; schedules; equality, productivity; hours."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ermas_algos.number_cells import numbers_of
from ermas_algos.plots import looks
from ermas_algos.plots.intervals import draw_line
from ermas_algos.plots.tax_methods import ORACLE, STYLES, Key, Rows, draw_equal_welfare, draw_gains, label_of, values_of
from ermas_algos.plots.verbatim import draw_legend, legend_entries, named, write_figure
from ermas_envs.games.taxation.tax_schedule import US_FEDERAL_CUTOFFS_USD

_ROBUST = "exact robust"
_STYLES = {**STYLES, "exact best": looks.NAIVE_OPTIMUM, _ROBUST: looks.ROBUST_OPTIMUM}
"""Colour and marker of the methods that are drawn; all others are in the table."""
_CUTOFFS = [usd / 1000.0 for usd in US_FEDERAL_CUTOFFS_USD]


class GapAxis(NamedTuple):
    """The fact about people that differs between training and test, as drawn."""

    column: str
    """Of the main table: its value."""
    words: str
    """What it is."""
    home: float
    """Its value in training."""


def plot_figure_5(path: Path, gap: GapAxis, rows: Rows, choice: Rows, learned: Rows, worst: Rows) -> None:
    """Write the figure.

    Args:
        path: file to write.
        gap: that the tables are of.
        rows: main table; welfare is equality times mean coin at the end of an episode.
        choice: table of the choice of ε; ERMAS is drawn at the chosen one.
        learned: table of the trainings.
        worst: table of the worst cases.
    """
    drawn = _drawn(rows, choice)
    figure = Figure(figsize=(17.0, 9.5), dpi=110, layout="constrained")
    grid = figure.subplots(2, 3)
    _welfare(grid[0, 0], gap, rows, drawn)
    _relative(grid[0, 1], gap, rows, drawn)
    for axes in grid[0, :2]:
        axes.axvline(gap.home, color="0.85", linewidth=6, zorder=0)
    _worst_cases(grid[0, 2], worst)
    _schedules(grid[1, 0], rows, drawn)
    _trade_off(grid[1, 1], gap, rows, drawn)
    _adversaries(grid[1, 2], learned)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    entries = legend_entries(grid[:, :2].flat)
    draw_legend(figure, entries, loc="outside lower center", ncols=5, frameon=False)
    write_figure(figure, path)


def _drawn(rows: Rows, choice: Rows) -> list[Key]:
    """Methods with a style; ERMAS at the chosen ε, exact robust schedules at the largest ε that is not above it."""
    epsilon = next((row["epsilon"] for row in choice if row["chosen"]), None)
    keys = list(dict.fromkeys((row["method"], row["epsilon"]) for row in rows if row["method"] in _STYLES))
    robust = [e for name, e in keys if name == _ROBUST and e is not None and (epsilon is None or e <= epsilon)]
    wanted = {"ERMAS": epsilon, _ROBUST: max(robust, default=None)}
    return [key for key in keys if key[1] == wanted.get(key[0])]


def _welfare(axes: Axes, gap: GapAxis, rows: Rows, drawn: Sequence[Key]) -> None:
    """Lines of the exact equilibrium; hollow marks of fresh agents."""
    oracle = sorted((row[gap.column], row["exact_welfare"]) for row in rows if row["method"] == ORACLE)
    if oracle:
        axes.plot(*zip(*oracle, strict=True), ":", color="0.2", label=named("best schedule for each value (oracle)"))
    for key in drawn:
        color, marker = _STYLES[key[0]]
        draw_line(axes, values_of(rows, key, "exact_welfare", gap.column), color, marker, label_of(key))
        fresh = values_of(rows, key, "fresh_welfare", gap.column)
        means = [float(np.mean(fresh[place])) for place in sorted(fresh)]
        axes.plot(sorted(fresh), means, marker, color=color, markersize=9, fillstyle="none", linestyle="none")
    axes.set_title("Welfare: lines exact equilibria, hollow marks fresh agents", loc="left", fontsize=10)
    axes.set_xlabel(f"{gap.words} (bar: training)")
    axes.set_ylabel("equality × productivity (coin per agent)")


def _relative(axes: Axes, gap: GapAxis, rows: Rows, drawn: Sequence[Key]) -> None:
    draw_gains(axes, rows, drawn, "exact_welfare", gap.column, _STYLES)
    axes.set_xlabel(gap.words)


def _schedules(axes: Axes, rows: Rows, drawn: Sequence[Key]) -> None:
    """Median over seeds; brackets drawn equally wide. The top bracket, which no income reaches, is left out."""
    for key in drawn:
        texts = {row["seed"]: row["schedule"] for row in rows if (row["method"], row["epsilon"]) == key}
        rates = np.median([numbers_of(text) for text in texts.values()], axis=0)[:-1]
        places = np.arange(len(rates) + 1)
        axes.step(places, np.append(rates, rates[-1]), where="post", color=_STYLES[key[0]][0])
    axes.set_xticks(np.arange(len(_CUTOFFS) - 1), [f"{cutoff:.4g}" for cutoff in _CUTOFFS[:-1]])
    axes.set_title("Tax schedules, median over seeds", loc="left", fontsize=10)
    axes.set_xlabel("income (coin; brackets drawn equally wide)")
    axes.set_ylabel("marginal tax rate")


def _trade_off(axes: Axes, gap: GapAxis, rows: Rows, drawn: Sequence[Key]) -> None:
    """Exact equilibria in training (full) and at the next value above (hollow), with lines of equal welfare."""
    values = sorted({row[gap.column] for row in rows})
    away = next((value for value in values if value > gap.home), values[-1])
    points = []
    for key in drawn:
        color, marker = _STYLES[key[0]]
        for value, fill in ((gap.home, "full"), (away, "none")):
            equal, productive = (
                values_of(rows, key, name, gap.column).get(value, []) for name in ("equality", "productivity")
            )
            points += list(zip(equal, productive, strict=True))
            axes.plot(equal, productive, marker, color=color, fillstyle=fill, markersize=7)
    if points:
        left, right = min(p[0] for p in points) - 0.02, max(p[0] for p in points) + 0.02
        low, high = min(p[1] for p in points) - 8.0, max(p[1] for p in points) + 8.0
        draw_equal_welfare(axes, (left, right), (low, high))
    axes.set_title(
        f"Full marks at {gap.home:g} (training), hollow at {away:g}; grey: equal welfare", loc="left", fontsize=10
    )
    axes.set_xlabel("equality (1 − Gini index)")
    axes.set_ylabel("productivity (mean coin of an agent)")


_FOR_EVERY_EPSILON = {"ERMAS": "ERMAS, trained for this ε", _ROBUST: "exact robust, best for this ε"}
"""Names of lines whose schedules differ from ε to ε."""


def _worst_cases(axes: Axes, worst: Rows) -> None:
    """Welfare found in the worst ε-equilibrium where the gap is 0; ERMAS's and robust schedules at their own ε."""
    for name in ("US federal", "MARL", "ERMAS", "exact best", _ROBUST):
        values: dict[float, list[float]] = {}
        for row in worst:
            epsilon = row["epsilon_of_agents"]
            if row["method"] == name and row["epsilon"] in (None, epsilon):
                values.setdefault(epsilon, []).append(row["worst_case_found"])
        if values:
            draw_line(axes, values, *_STYLES[name], _FOR_EVERY_EPSILON.get(name, name))
    axes.set_title("What agents with a regret of at most ε can leave of it", loc="left", fontsize=10)
    axes.set_xlabel("ε of the agents (payoff per step)")
    axes.set_ylabel("worst equality × productivity found (coin per agent)")
    draw_legend(axes, legend_entries([axes]), frameon=False, fontsize=8)


def _adversaries(axes: Axes, learned: Rows) -> None:
    """Hours of the trained adversarial agents less those of the equilibrium, at the end of the trainings."""
    last = max((row["iteration"] for row in learned), default=0)
    epsilons = sorted({row["epsilon"] for row in learned if row["epsilon"] is not None})
    keys: list[Key] = [("MARL", None), *(("ERMAS", epsilon) for epsilon in epsilons)]
    for key, color in zip(keys, (_STYLES["MARL"][0], *looks.EPSILON_SHADES), strict=False):
        found: dict[float, list[float]] = {}
        for row in learned:
            if (row["method"], row["epsilon"]) == key and row["iteration"] == last:
                apart = np.subtract(numbers_of(row["trained_hours"]), numbers_of(row["equilibrium_hours"]))
                for agent, hours in enumerate(apart):
                    found.setdefault(agent, []).append(float(hours))
        if found:
            draw_line(axes, found, color, ".", label_of(key))
    axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    axes.set_title("What adversarial agents do: hours beside the equilibrium's", loc="left", fontsize=10)
    axes.set_xlabel("agent (ascending wage)")
    axes.set_ylabel("hours more than in the equilibrium (hours)")
    draw_legend(axes, legend_entries([axes]), frameon=False, fontsize=8)
