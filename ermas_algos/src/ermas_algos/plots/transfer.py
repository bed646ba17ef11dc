"""The transfer plot: planner return against the reality gap Q, with the closed-form optimum (paper Figure 4)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from ermas_algos.evaluation.transfer import TransferRow

_STYLES = (("#1f5fa8", "o", "-"), ("#c2410c", "s", "-"), ("#15803d", "^", "-"), ("#7c3aed", "D", "-"))


def plot_transfer(path: Path | str, rows: Sequence[TransferRow], optimum: Mapping[float, float]) -> None:
    """Write a PNG: one line per (method, ε), mean over seeds, 95 % t-interval where there are several.

    Args:
        path: file to write.
        rows: the transfer table; planner return is mean per step.
        optimum: return of the best constant planner by gap, drawn as reference.
    """
    figure = Figure(figsize=(7.2, 4.4), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    gaps = sorted(optimum)
    axes.plot(gaps, [optimum[gap] for gap in gaps], color="0.35", linestyle=":", label="best constant planner (exact)")
    for (method, epsilon), style in zip(_groups(rows), _STYLES, strict=False):
        label = method if epsilon is None else f"{method}, ε = {epsilon:g} per step"
        _draw(axes, [row for row in rows if (row.method, row.epsilon) == (method, epsilon)], label, style)
    axes.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    axes.set_xlabel("reality gap Q of the test (training: Q = 0)")
    axes.set_ylabel("planner return (payoff, mean per step)")
    axes.set_title("Frozen planners against fresh agents", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left")
    figure.savefig(path)


def _groups(rows: Sequence[TransferRow]) -> list[tuple[str, float | None]]:
    return list(dict.fromkeys((row.method, row.epsilon) for row in rows))


def _draw(axes: Axes, rows: Sequence[TransferRow], label: str, style: tuple[str, str, str]) -> None:
    color, marker, line = style
    gaps = sorted({row.q_test for row in rows})
    returns = [np.array([row.planner_return for row in rows if row.q_test == gap]) for gap in gaps]
    means = np.array([values.mean() for values in returns])
    axes.plot(gaps, means, color=color, marker=marker, linestyle=line, label=label)
    if min(values.size for values in returns) > 1:
        half = [stats.t.ppf(0.975, v.size - 1) * v.std(ddof=1) / np.sqrt(v.size) for v in returns]
        axes.fill_between(gaps, means - half, means + half, color=color, alpha=0.15, linewidth=0)
