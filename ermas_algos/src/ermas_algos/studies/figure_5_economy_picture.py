"""Figure 5 in the full economy: welfare over the gap, curves, rates, equality and productivity, skills, ranks.

Seeds are few and far apart, so that bars go from the least to the largest: their t-intervals would hide every line.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ermas_algos.number_cells import numbers_of
from ermas_algos.plots.intervals import draw_line
from ermas_algos.plots.tax_methods import (
    ORACLE,
    STYLES,
    Key,
    Rows,
    beside,
    draw_equal_welfare,
    draw_gains,
    label_of,
    values_of,
)
from ermas_algos.plots.verbatim import draw_legend, legend_entries, write_figure

_STYLES = {**STYLES, ORACLE: ("#111827", ".")}
"""Colour and marker of the methods."""
_draw_line = partial(draw_line, ends=True)
_WELFARE = {
    "eq_times_prod": "equality × productivity",
    "utilitarian": "mean utility",
    "rawls": "least utility (Rawls)",
    "atkinson_0.5": "Atkinson .5 of coin",
    "atkinson_1": "Atkinson 1 of coin",
    "atkinson_2": "Atkinson 2 of coin",
    "inverse_income_weighted_utility": "utility, poor weigh more",
}
_REPORTED = (
    ("productivity", "productivity (coin)"),
    ("trades", "trades"),
    ("houses", "houses"),
    ("utility", "utility"),
)


def plot_figure_5(path: Path, rows: Rows, choice: Rows, ranks: Rows, curves: Rows, skills: Rows, home: float) -> None:
    """Write the figure.

    Args:
        path: file to write.
        rows: main table.
        choice: table of the choice of ε; ERMAS is drawn at the chosen one.
        ranks: table of ranks by welfare function.
        curves: table of what is reported over training.
        skills: table of what people of each skill do.
        home: risk aversion of the training.
    """
    epsilon = next((row["epsilon"] for row in choice if row["chosen"]), None)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    drawn: list[Key] = [(name, epsilon if name == "ERMAS" else None) for name in _STYLES if name in methods]
    figure = Figure(figsize=(17.0, 13.5), dpi=110, layout="constrained")
    grid = figure.subplots(3, 3)
    _welfare(grid[0, 0], rows, drawn, home)
    _relative(grid[0, 1], rows, drawn, home)
    _rates(grid[0, 2], rows, drawn, home)
    _plane(grid[1, 0], rows, drawn, home, 1 + max(row["rank"] for row in skills))
    _reported(grid[1, 1], curves)
    _planner_curves(grid[1, 2], curves, drawn)
    _skills(grid[2, 0], skills, "houses", "houses built, by skill (least to greatest)", drawn)
    _skills(grid[2, 1], skills, "sold", "wood and stone sold (units), by skill", drawn)
    _ranks(grid[2, 2], ranks, drawn)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    draw_legend(figure, legend_entries(grid[:, :2].flat[:2]), loc="outside lower center", ncols=8, frameon=False)
    write_figure(figure, path)


def _label(key: Key) -> str:
    return "MARL trained at the test's η" if key[0] == ORACLE else label_of(key)


def _welfare(axes: Axes, rows: Rows, drawn: Sequence[Key], home: float) -> None:
    for key in drawn:
        values = values_of(rows, key, "fresh_welfare", "eta_test")
        _draw_line(axes, beside(values, key, drawn), *_STYLES[key[0]], _label(key))
    axes.axvline(home, color="0.85", linewidth=6, zorder=0)
    axes.set_title("Welfare with fresh agents", loc="left", fontsize=10)
    axes.set_xlabel("risk aversion η of the test (bar: training)")
    axes.set_ylabel("equality × mean coin of an agent (coin)")


def _relative(axes: Axes, rows: Rows, drawn: Sequence[Key], home: float) -> None:
    draw_gains(axes, rows, drawn, "fresh_welfare", "eta_test", _STYLES, _label, ends=True)
    axes.axvline(home, color="0.85", linewidth=6, zorder=0)
    axes.set_xlabel("risk aversion η of the test (bar: training)")


def _rates(axes: Axes, rows: Rows, drawn: Sequence[Key], home: float) -> None:
    """Mean over seeds of the rates that were played at home."""
    for key in drawn:
        found = [numbers_of(r["rates"]) for r in rows if (r["method"], r["epsilon"]) == key and r["eta_test"] == home]
        if found and key[0] != ORACLE:
            rates = np.mean(found, axis=0)
            axes.step(np.arange(len(rates) + 1), np.append(rates, rates[-1]), where="post", color=_STYLES[key[0]][0])
    axes.set_title("Mean marginal rates at home", loc="left", fontsize=10)
    axes.set_xlabel("tax bracket (from the lowest incomes up)")
    axes.set_ylabel("marginal tax rate")


def _plane(axes: Axes, rows: Rows, drawn: Sequence[Key], home: float, agents: int) -> None:
    """One point per seed at home, with lines of equal welfare."""
    points = []
    for key in drawn:
        mine = [r for r in rows if (r["method"], r["epsilon"]) == key and r["eta_test"] == home]
        if mine and key[0] != ORACLE:
            equal, productive = [r["equality"] for r in mine], [r["productivity"] / agents for r in mine]
            axes.plot(equal, productive, _STYLES[key[0]][1], color=_STYLES[key[0]][0], markersize=7)
            points += list(zip(equal, productive, strict=True))
    if points:
        left, right = min(p[0] for p in points) - 0.03, max(p[0] for p in points) + 0.03
        low, high = 0.95 * min(p[1] for p in points), 1.05 * max(p[1] for p in points)
        draw_equal_welfare(axes, (left, right), (low, high))
    axes.set_title("At home; grey lines: equal welfare", loc="left", fontsize=10)
    axes.set_xlabel("equality (1 − Gini index of coin)")
    axes.set_ylabel("productivity (mean coin of an agent)")


def _reported(axes: Axes, curves: Rows) -> None:
    """What an economy's reports show over MARL's training, each as a share of its largest mean."""
    mine = [row for row in curves if row["method"] == "MARL"]
    for (column, words), color in zip(_REPORTED, ("#b45309", "#1f5fa8", "#15803d", "#db2777"), strict=True):
        values = values_of(mine, ("MARL", None), column, "iteration")
        largest = max((abs(float(np.mean(v))) for v in values.values()), default=0.0)
        if largest > 0.0:
            shares = {place: [value / largest for value in found] for place, found in values.items()}
            _draw_line(axes, shares, color, "", f"{words}, largest {float(f'{largest:.3g}'):g}")
    axes.set_title("MARL at home: agents over training", loc="left", fontsize=10)
    axes.set_xlabel("outer iteration")
    axes.set_ylabel("share of the largest mean")
    axes.set_ylim(top=1.3)  # room for the legend
    draw_legend(axes, legend_entries([axes]), loc="upper left", frameon=False, fontsize=8, ncols=2)


def _planner_curves(axes: Axes, curves: Rows, drawn: Sequence[Key]) -> None:
    """Welfare with the agents of the training; ERMAS's are adversaries."""
    for key in drawn:
        mine = [row for row in curves if row["eta_trained"] == curves[0]["eta_trained"]]
        values = values_of(mine, key, "eq_times_prod", "env_steps")
        if values:
            millions = {steps / 1e6: found for steps, found in values.items()}
            _draw_line(axes, millions, _STYLES[key[0]][0], "", _label(key))
    axes.set_title("Welfare with the agents of the training", loc="left", fontsize=10)
    axes.set_xlabel("environment steps (million)")
    axes.set_ylabel("equality × mean coin of an agent (coin)")


def _skills(axes: Axes, skills: Rows, column: str, words: str, drawn: Sequence[Key]) -> None:
    found = means_by_rank(skills, column)
    for key in drawn:
        if key in found and key[0] != ORACLE:
            _draw_line(axes, beside(found[key], key, drawn), *_STYLES[key[0]], _label(key))
    axes.set_xticks(sorted({row["rank"] for row in skills if row.get("eta_test") is not None}))
    axes.set_title(f"Who does what (mean over tests): {column}", loc="left", fontsize=10)
    axes.set_xlabel("rank of skill")
    axes.set_ylabel(words)


def means_by_rank(skills: Rows, column: str) -> dict[Key, dict[float, list[float]]]:
    """Per planner and rank of skill one number per seed, the mean over its tests: tests of a seed are no seeds.

    Args:
        skills: rows of `figure-5-skills`; those of the training, without `eta_test`, do not count.
        column: whose mean it is.
    """
    by_seed: dict[Key, dict[float, dict[int, list[float]]]] = {}
    for row in skills:
        if row.get("eta_test") is not None:
            ranks = by_seed.setdefault((row["method"], row["epsilon"]), {})
            ranks.setdefault(row["rank"], {}).setdefault(row["seed"], []).append(row[column])
    return {
        key: {rank: [float(np.mean(values)) for values in seeds.values()] for rank, seeds in ranks.items()}
        for key, ranks in by_seed.items()
    }


def _ranks(axes: Axes, ranks: Rows, drawn: Sequence[Key]) -> None:
    """A table of ranks over the gap: methods by welfare functions, darker for better."""
    names = [key[0] for key in drawn if key[0] != ORACLE]
    mine = {(row["method"], row["welfare"]): row["rank"] for row in ranks if row["where"] == "over the gap"}
    welfare = [name for name in _WELFARE if any(column == name for _, column in mine)]
    table = np.array([[float(mine.get((name, column), np.nan)) for column in welfare] for name in names])
    if table.size:
        axes.imshow(table, cmap="Blues_r", aspect="auto", vmin=1, vmax=1.6 * len(names))
        for (row, column), rank in np.ndenumerate(table):
            color = "white" if rank <= len(names) / 2 else "black"
            axes.text(column, row, f"{rank:.0f}", ha="center", va="center", fontsize=10, color=color)
        axes.set_yticks(range(len(names)), names)
        axes.set_xticks(range(len(welfare)), [_WELFARE[name] for name in welfare], rotation=30, ha="right", fontsize=8)
    axes.set_title("Ranks over all η by welfare function (1: best)", loc="left", fontsize=10)
