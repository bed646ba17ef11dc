"""The paper's Figure 2: planner against agents' payoff, regret against ε, frozen against learned λ."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ermas_algos.plots import looks
from ermas_algos.plots.intervals import mean_and_bar
from ermas_algos.plots.verbatim import draw_legend, legend_entries, write_figure

Rows = Sequence[Mapping[str, Any]]

_COLORS = {"own": looks.ERMAS[0], "joint": "#c2410c"}
_KINDS = {
    "own": (_COLORS["own"], "o", "-", 8),
    "joint": (_COLORS["joint"], "s", "-", -34),
    "MARL": (looks.MARL[0], "*", "", 8),
    "frozen": ("#7c3aed", "D", "", -36),
}
"""Colour, marker, line and horizontal place of the annotation."""
_NAMES = {"SB3 PPO": "SB3 PPO", "exact": "exact learner"}
_FILLS = {"SB3 PPO": "full", "exact": "none"}


def plot_figure_2(path: Path, rows: Rows, frontier: Rows) -> None:
    """Write the figure: means over seeds with 95 % t-intervals, payoffs and regrets per step.

    Args:
        path: file to write.
        rows: table `figure-2`.
        frontier: table `figure-2-frontier`, the exact worst ε-equilibria.
    """
    figure = Figure(figsize=(13.5, 4.6), dpi=150, layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _frontier(left, frontier)
    _payoffs(left, rows)
    _regrets(middle, rows)
    _frontier(right, frontier)
    _multipliers(right, rows)
    write_figure(figure, path)


def _frontier(axes: Axes, rows: Rows) -> None:
    agents = [(r["agent_0_payoff"] + r["agent_1_payoff"]) / 2 for r in rows]
    label = 'exact frontier ("own")'
    axes.plot(agents, [r["planner_payoff"] for r in rows], color="0.3", linewidth=1.2, label=label, zorder=1)


def _payoffs(axes: Axes, rows: Rows) -> None:
    for learner, mode in _series(rows):
        chosen = [r for r in rows if (r["learner"], r["agents_observe"]) == (learner, mode)]
        learned = [r for r in chosen if r["multiplier"] == "learned"]
        named = (learner, mode) == ("SB3 PPO", "own")
        _points(axes, learned, "epsilon", mode, f'{_NAMES[learner]}, "{mode}"', "ε" if named else None)
    for learner in dict.fromkeys(r["learner"] for r in rows):
        vanilla = [r for r in rows if r["learner"] == learner and r["multiplier"] == "none"]
        _points(axes, vanilla, "agents_observe", "MARL", f"MARL, {_NAMES[learner]}")
    axes.set_title("a  ERMAS over ε, and MARL", loc="left")
    _payoff_axes(axes)


def _series(rows: Rows) -> list[tuple[str, str]]:
    return list(dict.fromkeys((r["learner"], r["agents_observe"]) for r in rows))


def _points(axes: Axes, rows: Rows, group: str, kind: str, label: str, symbol: str | None = None) -> None:
    """One point per group, with intervals in both directions; `symbol` names the group beside its point."""
    color, marker, line, side = _KINDS[kind]
    learner = rows[0]["learner"]
    points = []
    for place, value in enumerate(dict.fromkeys(r[group] for r in rows)):
        members = [r for r in rows if r[group] == value]
        agents = mean_and_bar([(r["agent_0_payoff"] + r["agent_1_payoff"]) / 2 for r in members])
        planner = mean_and_bar([r["planner_payoff"] for r in members])
        points.append((agents, planner))
        if symbol is not None:
            text, at = f"{symbol} = {float(value):g}", (agents[0], planner[0])
            # Neighbouring λ may lie on top of each other (0 and 1): every second text is higher.
            offset = (side, (-8 + 14 * (place % 2)) if kind == "frozen" else 10)
            axes.annotate(text, at, xytext=offset, textcoords="offset points", fontsize=7, color=color)
    x, y = ([pair[k][0] for pair in points] for k in (0, 1))
    bars_x, bars_y = ([[pair[k][side] for pair in points] for side in (1, 2)] for k in (0, 1))
    axes.errorbar(
        x, y, xerr=bars_x, yerr=bars_y, color=color, marker=marker, fillstyle=_FILLS[learner], label=label, zorder=3,
        markersize=9 if marker == "*" else 5, linewidth=0.9, elinewidth=0.8,
        linestyle=line if learner == "SB3 PPO" or not line else ":",
    )  # fmt: skip


def _payoff_axes(axes: Axes) -> None:
    axes.set_xlabel("agents' payoff (mean of both, per step)")
    axes.set_ylabel("planner payoff (per step)")
    axes.spines[["top", "right"]].set_visible(False)
    draw_legend(axes, legend_entries([axes]), frameon=False, fontsize=8)


def _regrets(axes: Axes, rows: Rows) -> None:
    learned = [r for r in rows if r["multiplier"] == "learned"]
    top = max(r["epsilon"] for r in learned)
    axes.plot([0, top], [0, top], color="0.3", linewidth=1.2, label="regret = ε")
    for learner, mode in _series(learned):
        chosen = [r for r in learned if (r["learner"], r["agents_observe"]) == (learner, mode)]
        for kind, line in (("exact", "-"), ("estimated", ":")):
            epsilons = sorted({r["epsilon"] for r in chosen})
            summaries = [
                mean_and_bar([r[f"{kind}_regret_{i}"] for r in chosen if r["epsilon"] == e for i in (0, 1)])
                for e in epsilons
            ]
            means, below, above = zip(*summaries, strict=True)
            axes.errorbar(
                epsilons, means, yerr=[below, above], color=_COLORS[mode], linestyle=line, linewidth=0.9,
                elinewidth=0.8,
                marker="o" if kind == "exact" else "x", markersize=5, fillstyle=_FILLS[learner],
                label=f'{kind}: {_NAMES[learner]}, "{mode}"',
            )  # fmt: skip
    axes.set_xticks(sorted({r["epsilon"] for r in learned}))
    axes.set_xlabel("ε (payoff per step)")
    axes.set_ylabel("regret (mean of both agents, payoff per step)")
    axes.set_title("b  Exact and estimated regret", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    draw_legend(axes, legend_entries([axes]), frameon=False, fontsize=7)


def _multipliers(axes: Axes, rows: Rows) -> None:
    chosen = [r for r in rows if r["agents_observe"] == "own"]
    for learner in dict.fromkeys(r["learner"] for r in chosen):
        mine = [r for r in chosen if r["learner"] == learner]
        learned = [r for r in mine if r["multiplier"] == "learned"]
        _points(axes, learned, "epsilon", "own", f"learned λ, {_NAMES[learner]}")
        frozen = [r for r in mine if r["multiplier"] not in ("learned", "none")]
        _points(
            axes, frozen, "multiplier", "frozen", f"frozen λ, {_NAMES[learner]}", "λ" if learner == "SB3 PPO" else None
        )
    axes.set_title('c  Frozen and learned λ ("own")', loc="left")
    _payoff_axes(axes)
