"""How pictures show tax planners: colours and marks of methods, values by seed, gains on MARL, lines of welfare."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ermas_algos.plots import looks
from ermas_algos.plots.intervals import draw_line

Rows = Sequence[Mapping[str, Any]]
Key = tuple[str, float | None]
"""Method and ε."""
ORACLE = "oracle"
"""Method that has been told what others must guess."""
STYLES: Mapping[str, looks.Look] = {
    "free market": looks.NOTHING,
    "US federal": ("#b45309", "P"),
    "Saez": ("#db2777", "<"),
    "MARL": looks.MARL,
    "MARL, equal compute": ("#65a30d", "D"),
    "MARL, domain randomisation": ("#0891b2", "d"),
    "ERMAS": looks.ERMAS,
}
"""Colour and marker of the methods that both economies have."""

_BESIDE = 0.04
"""Distance of two methods at one abscissa, as a share of the way to the next one."""


def label_of(key: Key) -> str:
    """Method and ε, for a legend."""
    return key[0] if key[1] is None else f"{key[0]}, ε = {key[1]:g}"


def values_of(rows: Rows, key: Key, column: str, over: str) -> dict[float, list[float]]:
    """A method's values of a column at each value of the column `over`, one per seed."""
    return {place: list(values.values()) for place, values in _by_seed(rows, key, column, over).items()}


def _by_seed(rows: Rows, key: Key, column: str, over: str) -> dict[float, dict[int, float]]:
    found: dict[float, dict[int, float]] = {}
    for row in rows:
        if (row["method"], row["epsilon"]) == key and row[column] is not None:
            found.setdefault(row[over], {})[row["seed"]] = row[column]
    return found


def beside(values: Mapping[float, Sequence[float]], key: Key, drawn: Sequence[Key]) -> dict[float, Sequence[float]]:
    """A method's values at abscissas of its own, next to those that all methods share, if there are several values: the
    bars of all would lie upon each other."""
    places = sorted(values)
    if all(len(found) < 2 for found in values.values()):
        return dict(values)
    apart = min((after - before for before, after in pairwise(places)), default=0.0)
    shift = _BESIDE * apart * (drawn.index(key) - (len(drawn) - 1) / 2)
    return {place + shift: values[place] for place in places}


def draw_gains(
    axes: Axes,
    rows: Rows,
    drawn: Sequence[Key],
    column: str,
    over: str,
    styles: Mapping[str, tuple[str, str]],
    name: Callable[[Key], str] = label_of,
    ends: bool = False,
) -> None:
    """Values of a column minus MARL's, in per cent of MARL's mean, under methods' names; nothing where that is not
    above 0, or missing. Methods with MARL's seeds are compared with MARL seed by seed, others with its mean. With
    `ends` bars show seeds, as in `draw_line`, beside each other."""
    marl = _by_seed(rows, ("MARL", None), column, over)
    means = {place: float(np.mean(list(values.values()))) for place, values in marl.items()}
    base = {place: mean for place, mean in means.items() if mean > 0.0}
    for key in drawn if base else ():
        gains = {}
        for place, values in _by_seed(rows, key, column, over).items():
            if place in base:
                others = marl[place] if values.keys() == marl[place].keys() else dict.fromkeys(values, base[place])
                gains[place] = [100.0 * (values[seed] - others[seed]) / base[place] for seed in values]
        draw_line(axes, beside(gains, key, drawn) if ends else gains, *styles[key[0]], name(key), ends)
    axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    axes.set_title("The same relative to MARL", loc="left", fontsize=10)
    axes.set_ylabel("welfare compared with MARL's mean (%)")


def draw_equal_welfare(axes: Axes, across: tuple[float, float], up: tuple[float, float]) -> None:
    """Lines of equal equality × productivity.

    Args:
        axes: equality to the right, productivity upwards.
        across: the least and the largest equality.
        up: the least and the largest productivity.
    """
    (left, right), (low, high) = across, up
    places = np.linspace(left, right, 50)
    for welfare in MaxNLocator(12).tick_values(low * left, high * right):
        axes.plot(places, welfare / places, color="0.85", linewidth=0.8, zorder=0)
        if low < welfare / right < high:
            axes.text(right, welfare / right, f" {welfare:g}", color="0.5", fontsize=8, va="center")
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
