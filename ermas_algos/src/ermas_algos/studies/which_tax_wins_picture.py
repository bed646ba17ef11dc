"""The answers to the questions of the public study, a panel each; crosses are what was published."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from ermas_algos.plots.verbatim import draw_legend, legend_entries, named, write_figure

Rows = Sequence[Mapping[str, Any]]

_COLORS = ("#1f5fa8", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#475569", "#be185d")


def plot_which_tax_wins(path: Path, tables: Mapping[str, Rows]) -> None:
    """Write the figure from all tables of the experiment."""
    figure = Figure(figsize=(20, 10.5), dpi=100, layout="constrained")
    panels = figure.subplots(2, 4, width_ratios=(1.0, 1.0, 1.0, 1.45)).ravel()
    _schedules(panels[0], tables["which-tax-wins"])
    _rates(panels[1], tables["which-tax-wins-rates"])
    _summary(panels[2], tables["which-tax-wins-summary"])
    _welfare(panels[3], tables["which-tax-wins-welfare"])
    _periods(panels[4], tables["which-tax-wins-periods"])
    _people(panels[5], tables["which-tax-wins-people"])
    _weights(panels[6], tables["which-tax-wins-weights"])
    _elasticity(panels[7], tables["which-tax-wins-elasticity"])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(11)
    write_figure(figure, path)


def _plain_ticks(axes: Axes, x: Sequence[float] = (), y: Sequence[float] = ()) -> None:
    """Ticks of logarithmic axes as plain numbers: matplotlib's own are mathematics, and texts here are not."""
    for axis, ticks in ((axes.xaxis, x), (axes.yaxis, y)):
        if ticks:
            axis.set_minor_formatter(NullFormatter())
            axis.set_ticks(list(ticks), [f"{tick:,g}".replace(",", " ") for tick in ticks])


def _names(rows: Rows, column: str) -> list[Any]:
    return list(dict.fromkeys(row[column] for row in rows))


def _legend(axes: Axes, **options: Any) -> None:
    draw_legend(axes, legend_entries([axes]), frameon=False, fontsize=8, **options)


def _schedules(axes: Axes, rows: Rows) -> None:
    """The table: eq × prod by schedule."""
    names = _names(rows, "schedule")
    for shift, color, responses in ((-0.17, _COLORS[0], "exact"), (0.17, _COLORS[1], "price-taking")):
        values = {r["schedule"]: r["eq_times_prod"] for r in rows if r["responses"] == responses}
        places = np.arange(len(names)) + shift
        axes.barh(places, [values[name] for name in names], 0.32, color=color, label=f"{responses} agents")
        for place, name in zip(places, names, strict=True):
            axes.text(values[name] + 1, place, f"{values[name]:.1f}", va="center", fontsize=8)
    published = {r["schedule"]: r["eq_times_prod_published"] for r in rows}
    known = [(published[name], k) for k, name in enumerate(names) if published[name] is not None]
    if known:
        axes.plot(*zip(*known, strict=True), "kx", markersize=7, label="published")
    axes.set_yticks(range(len(names)), [name.replace(" on the ", "\non the ") for name in names], fontsize=8)
    axes.set_ylim(len(names) + 0.3, -0.6)
    axes.set_xlim(220, 325)
    axes.set_xlabel("equality × sum of coin (coin)")
    axes.set_title("Table: four agents, by schedule", loc="left")
    _legend(axes, loc="lower right", ncols=3)


def _rates(axes: Axes, rows: Rows) -> None:
    """E1: rates by bracket."""
    for color, name in zip(_COLORS, _names(rows, "distribution"), strict=False):
        mine = [r for r in rows if r["distribution"] == name]
        brackets = [r["bracket"] + 1 for r in mine]
        axes.plot(brackets, [100 * r["rate"] for r in mine], "o-", color=color, markersize=4, label=named(name))
        limit = [100 * r["rate_limit"] for r in mine]
        axes.plot(brackets, limit, ":", color=color, label=named(f"{name}, infinitely many people"))
        axes.plot(brackets, [100 * r["rate_published"] for r in mine], "kx", markersize=8, label="published")
    axes.set_xlabel("tax bracket (US federal)")
    axes.set_ylabel("marginal rate (%)")
    axes.set_ylim(0, 105)
    axes.set_title("E1: Saez's rates, 4 000 incomes, elasticity 0.5", loc="left")
    _legend(axes, loc="upper right")


def _summary(axes: Axes, rows: Rows) -> None:
    """E2: rates by elasticity."""
    elasticities = [r["elasticity"] for r in rows]
    for color, column, label in (
        (_COLORS[0], "mean_rate", "mean of the seven rates"),
        (_COLORS[1], "top_rate", "top rate"),
    ):
        axes.plot(elasticities, [100 * r[column] for r in rows], "o-", color=color, markersize=4, label=label)
        published = [100 * r[f"{column}_published"] for r in rows]
        axes.plot(elasticities, published, "kx", markersize=8, label="published")
    axes.set_xlabel("elasticity of income")
    axes.set_ylabel("marginal rate (%)")
    axes.set_ylim(0, 80)
    axes.set_title("E2: by elasticity, log-normal incomes", loc="left")
    _legend(axes)


def _welfare(axes: Axes, rows: Rows) -> None:
    """E3: value of each schedule in per cent of the best one's, exact agents."""
    mine = [r for r in rows if r["responses"] == "exact"]
    functions, schedules = _names(mine, "welfare"), _names(mine, "schedule")
    values = {(r["welfare"], r["schedule"]): r["value"] for r in mine}
    shares = np.array([[values[f, s] / max(values[f, o] for o in schedules) for s in schedules] for f in functions])
    axes.imshow(100 * shares, cmap="Blues", aspect="auto", vmin=60, vmax=150)
    of_four = {(r["welfare"], r["schedule"]) for r in mine if r["best_of_the_four"]}
    for row, function in enumerate(functions):
        for column, schedule in enumerate(schedules):
            mark = " ★" if (function, schedule) in of_four else ""
            axes.text(column, row, f"{100 * shares[row, column]:.1f}{mark}", ha="center", va="center", fontsize=8)
    labels = [name.replace(" ", "\n", 1).replace(" on the ", "\non the ") for name in schedules]
    axes.set_xticks(range(len(schedules)), labels, fontsize=7.5)
    axes.set_yticks(range(len(functions)), functions, fontsize=8)
    axes.set_xlabel("schedule, exact agents")
    axes.set_title("E3: welfare, % of the best; ★ best of the study's four", loc="left")


def _periods(axes: Axes, rows: Rows) -> None:
    """E4: what alternating costs more than smoothing."""
    for color, name in zip(_COLORS, _names(rows, "schedule"), strict=False):
        mine = [r for r in rows if r["schedule"] == name]
        extra = [50 * (r["tax_alternating"] - r["tax_smoothing"]) / r["mean_income"] for r in mine]
        label = named(f"{name} ({mine[0]['shape']})")
        axes.plot([r["mean_income"] for r in mine], extra, "o-", color=color, markersize=4, linewidth=1, label=label)
    axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    axes.set_xscale("log")
    _plain_ticks(axes, (5, 10, 20, 50, 100, 200, 500))
    axes.set_ylim(top=42)  # room for the legend
    axes.set_xlabel("mean income per period (coin)")
    axes.set_ylabel("tax when alternating − when smoothing\n(% of income)")
    axes.set_title("E4: income even, or all in one of two periods", loc="left")
    _legend(axes)


def _people(axes: Axes, rows: Rows) -> None:
    """E6: distance to the schedule of infinitely many people."""
    for color, name in zip(_COLORS, _names(rows, "distribution"), strict=False):
        mine = [r for r in rows if r["distribution"] == name]
        people = _names(mine, "people")
        for style, lowest, label in (("o-", False, "mean of the other brackets"), ("s:", True, "lowest bracket")):
            chosen = [r for r in mine if (r["bracket"] == 0) == lowest]
            distances = [100 * np.mean([r["distance_mean"] for r in chosen if r["people"] == n]) for n in people]
            axes.plot(people, distances, style, color=color, markersize=4, label=named(f"{name}, {label}"))
    axes.set_xscale("log")
    axes.set_yscale("log")
    _plain_ticks(axes, (4, 40, 400, 4_000, 40_000), (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100))
    axes.set_ylim(top=900)  # room for the legend
    axes.set_xlabel("people whose incomes the formula is given")
    axes.set_ylabel("mean distance of a rate to that of\ninfinitely many people (percentage points)")
    axes.set_title("E6: when Saez's formula settles", loc="left")
    _legend(axes, loc="upper right")


def _weights(axes: Axes, rows: Rows) -> None:
    """E7: the weights with the largest margin, against all schedules."""
    agents = sorted(int(name.removeprefix("weight_")) for name in rows[0] if name.startswith("weight_"))
    mine = [r for r in rows if r["against"] == "all schedules on the grid"]
    width = 0.8 / max(len(mine), 1)
    tallest = 0.0
    for k, row in enumerate(mine):
        places = np.array(agents) + 1 + (k - (len(mine) - 1) / 2) * width
        if row["wins"]:
            values, label = [row[f"weight_{i}"] for i in agents], "weights under which it is the best"
        else:
            values, label = [row[f"gain_{i}"] for i in agents], "no weights; a lottery over others gives more"
        axes.bar(places, values, 0.9 * width, color=_COLORS[k], label=named(f"{row['schedule']}\n({label})"))
        tallest = max(tallest, *values)
        for place, value in zip(places, values, strict=True):
            axes.text(place, value, f"{value:.2f}", ha="center", va="bottom", fontsize=8)
    axes.set_xticks(np.array(agents) + 1)
    axes.set_ylim(0, 1.5 * max(tallest, 1e-9))  # room for the legend
    axes.set_xlabel("agent, by wage")
    axes.set_ylabel("weight, or gain (utility, in coin)")
    axes.set_title("E7: weights of utilities, against all schedules", loc="left")
    _legend(axes, loc="upper left")


def _elasticity(axes: Axes, rows: Rows) -> None:
    """E8: the elasticity over rounds."""
    groups = list(dict.fromkeys((r["agents"], r["measure"]) for r in rows))
    for color, (agents, measure) in zip(_COLORS, groups, strict=False):
        mine = [r for r in rows if (r["agents"], r["measure"]) == (agents, measure)]
        for start in _names(mine, "start"):
            run = [r for r in mine if r["start"] == start]
            path = [r["elasticity"] for r in run] + [r["revealed"] for r in run[-1:] if r["revealed"] is not None]
            axes.plot(path, color=color, linewidth=1, label=named(f"{agents} agents, {measure}"))
    axes.set_yscale("symlog", linthresh=0.05)
    ticks = (0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-0.005, 1.6 * max([1.0, *(r["elasticity"] for r in rows)]))
    axes.set_xlabel("round")
    axes.set_ylabel("elasticity")
    axes.set_title("E8: Saez's schedule, the elasticity it reveals, and again", loc="left")
    _legend(axes, loc="lower right")
