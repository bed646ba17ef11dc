"""The paper's Figure 3: planner's and agents' payoff over training by β, and the exact regret it leaves out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ermas_algos.plots.intervals import mean_and_bar
from ermas_algos.plots.verbatim import draw_legend, legend_entries, write_figure

Rows = Sequence[Mapping[str, Any]]

_COLORS = {0.0: "0.35", 0.2: "#1f5fa8", 0.5: "#15803d", 1.0: "#c2410c"}
_LINES = {0.0: "-", 0.2: "--", 0.5: "-.", 1.0: ":"}
_PANELS = {
    "planner_payoff": "planner payoff",
    "agent_0_payoff": "agent_0 payoff",
    "agent_1_payoff": "agent_1 payoff",
    "exact_regret_0": "exact regret of agent_0",
}


def plot_figure_3(path: Path, rows: Rows) -> None:
    """Write the figure: a row per learner and arm; means over seeds, 95 % t-intervals, payoff and regret per step."""
    arms = list(dict.fromkeys((r["learner"], r["deviation"], r["meta_gradient"]) for r in rows))
    figure = Figure(figsize=(13, 2.3 * len(arms)), dpi=130, layout="constrained")
    grid = figure.subplots(len(arms), len(_PANELS), sharex=True, sharey="col", squeeze=False)
    for line, arm in zip(grid, arms, strict=True):
        chosen = [r for r in rows if (r["learner"], r["deviation"], r["meta_gradient"]) == arm]
        for axes, (column, title) in zip(line, _PANELS.items(), strict=True):
            _curves(axes, chosen, column)
            axes.set_title(title, fontsize=9, loc="left")
        epsilon = chosen[0]["epsilon"]
        line[-1].axhline(epsilon, color="0.7", linewidth=0.8, zorder=0)
        line[-1].set_ylim(-0.01, 0.3)
        line[-1].text(0.98, epsilon + 0.005, "ε", ha="right", color="0.4", transform=line[-1].get_yaxis_transform())
        line[0].set_ylabel("\n".join([arm[0], f"{arm[1]} deviations", f"{arm[2]} meta-gradient"]), fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("outer iteration")
    entries = dict(sorted(legend_entries(grid.flat).items()))
    draw_legend(figure, entries, loc="outside upper center", ncols=len(entries), frameon=False)
    write_figure(figure, path)


def _curves(axes: Axes, rows: Rows, column: str) -> None:
    for beta in sorted({r["beta"] for r in rows}):
        mine = [r for r in rows if r["beta"] == beta]
        iterations = sorted({r["iteration"] for r in mine})
        summaries = [mean_and_bar([r[column] for r in mine if r["iteration"] == i]) for i in iterations]
        means = [mean for mean, _, _ in summaries]
        low, high = [mean - below for mean, below, _ in summaries], [mean + above for mean, _, above in summaries]
        color = _COLORS.get(beta, "black")
        axes.plot(iterations, means, color=color, linestyle=_LINES.get(beta, "-"), linewidth=1.3, label=f"β = {beta:g}")
        axes.fill_between(iterations, low, high, color=color, alpha=0.15, linewidth=0)
    axes.spines[["top", "right"]].set_visible(False)
