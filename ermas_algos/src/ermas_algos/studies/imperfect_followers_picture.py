"""Exact welfare of planners' last schedules, and regret of their followers, over the quality of the followers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ermas_algos.plots import looks
from ermas_algos.plots.intervals import mean_and_bar
from ermas_algos.plots.verbatim import draw_legend, legend_entries, named, write_figure

Rows = Sequence[Mapping[str, Any]]
Key = tuple[str, float | None]

_COLORS = (looks.MARL[0], looks.EPSILON_SHADES[0], looks.ERMAS[0])


def plot_followers(path: Path, rows: Rows, followers: Sequence[str]) -> None:
    """Write the figure.

    Args:
        path: file to write.
        rows: of the table; those at the end of a training are drawn.
        followers: names in the order of drawing.
    """
    last = [row for row in rows if row["last"]]
    keys: list[Key] = list(dict.fromkeys((row["method"], row["epsilon"]) for row in last))
    known = [name for name in followers if any(row["followers"] == name for row in last)]
    figure = Figure(figsize=(12.5, 4.4), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    for panel, column in ((left, "exact_welfare"), (right, "trained_regret")):
        for place, key in enumerate(keys):
            own = [row for row in last if (row["method"], row["epsilon"]) == key]
            _draw(panel, own, column, known, (place - 1) * 0.22, _COLORS[place], key)
        panel.set_xticks(range(len(known)), known, fontsize=8)
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_xlabel("followers in training")
    left.set_title("Last schedule, exact equilibrium; small dots: seeds", loc="left", fontsize=10)
    left.set_ylabel("equality × productivity (coin per agent)")
    right.set_title("Followers under the last schedule (adversaries for ERMAS)", loc="left", fontsize=10)
    right.set_ylabel("exact regret, mean over agents (payoff per step)")
    draw_legend(figure, legend_entries([left]), loc="outside lower center", ncols=3, frameon=False)
    write_figure(figure, path)


def _draw(axes: Axes, rows: Rows, column: str, followers: Sequence[str], shift: float, color: str, key: Key) -> None:
    """Means with bars (`mean_and_bar`), and every seed."""
    label = key[0] if key[1] is None else f"{key[0]}, ε = {key[1]:g}"
    for place, name in enumerate(followers):
        values = [row[column] for row in rows if row["followers"] == name]
        if not values:
            continue
        mean, below, above = mean_and_bar(values)
        axes.plot([place + shift + 0.07] * len(values), values, ".", color=color, markersize=4, alpha=0.6)
        axes.errorbar(
            place + shift, mean, yerr=[[below], [above]], color=color, marker="o", markersize=5, label=named(label)
        )
