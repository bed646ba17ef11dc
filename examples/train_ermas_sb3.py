"""Train a plain MARL planner and an ERMAS planner with Stable-Baselines3 PPO, then test both on fresh agents.

The game is `augmented_bimatrix_v0`: a blind planner picks a stake a, two agents walk on levels. Training knows no
adversity (Q = 0); the test trains fresh agents, from scratch, at Q = 0, 0.1, …, 0.6 against the frozen planners.

    python examples/train_ermas_sb3.py --out runs/train_ermas_sb3
"""

import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ermas_algos import ERMAS, MARL, ERMASConfig, MARLConfig
from ermas_algos.evaluation import FreshAgentsConfig, TransferRow, transfer_evaluation, write_rows
from ermas_algos.plots.transfer import plot_transfer
from ermas_envs import EnvironmentSpec, augmented_bimatrix_v0
from ermas_envs.base.arguments import check_integer
from ermas_envs.base.text import replace_what_cannot_be_shown
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.oracles import best_constant_planner
from ermas_envs.planners import Planner

SETTINGS = {"agents_observe": "own", "planner_observes": False}
"""A blind planner, and agents that see their own level."""
TRAIN_ENV = EnvironmentSpec(augmented_bimatrix_v0.NAME, SETTINGS)
"""Training: no adversity, the planner learns. As data, so that the checkpoints name their environment."""
GAPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


@dataclass(frozen=True)
class Settings:
    """Train MARL and ERMAS planners, test both on fresh agents, and write table, plot and checkpoints."""

    out: Path = Path("runs/train_ermas_sb3")
    """Directory for transfer.csv, transfer.png and the two checkpoints."""
    epsilon: float = 0.05
    """ERMAS: regret that an agent may have, payoff per step."""
    seed: int = 0
    """Everything random follows from it."""
    iterations: int = 300
    """Outer iterations of each planner's training."""
    test_iterations: int = 400
    """Outer iterations of each fresh pair of agents at most: training ends when they have converged."""
    quick: bool = False
    """A few iterations only, to see that everything runs; the numbers mean nothing."""


def main(settings: Settings) -> None:
    """Train, test, report."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    if settings.quick:
        settings = dataclasses.replace(settings, iterations=45, test_iterations=10)
    console = Console(markup=False, emoji=False)  # a path may hold [brackets]
    try:
        marl = MARL(TRAIN_ENV, MARLConfig(seed=settings.seed))
        ermas = ERMAS(TRAIN_ENV, ERMASConfig(seed=settings.seed, epsilon=settings.epsilon))
        check_integer("iterations", settings.iterations, 1)
        fresh = FreshAgentsConfig(
            window=min(50, settings.test_iterations // 2), max_iterations=settings.test_iterations
        )
    except ValueError as error:
        sys.exit(f"train_ermas_sb3: {error}")
    settings.out.mkdir(parents=True, exist_ok=True)
    with progress_bar(console) as progress:
        for trainer in (marl, ermas):
            train(trainer, settings, progress)
        rows = test({"MARL": marl.frozen_planner(), "ERMAS": ermas.frozen_planner()}, fresh, settings.seed, progress)
    optimum = {gap: best_constant_planner(game(1, q=gap).tabular_game()).planner_return for gap in GAPS}
    write_rows(settings.out / "transfer.csv", rows)
    plot_transfer(settings.out / "transfer.png", rows, optimum)
    console.print(table(rows, optimum, settings.epsilon))
    console.print(f"Wrote transfer.csv, transfer.png and two checkpoints to {settings.out}", soft_wrap=True)
    console.print(f"Took {time.perf_counter() - started:.0f} s")


def game(num_envs: int, q: float = 0.0, planner: Planner | str = "learned") -> EngineBatch:
    """The test: adversity, and a planner that plays inside."""
    return augmented_bimatrix_v0.batched_env(num_envs, q=q, planner=planner, **SETTINGS)


def progress_bar(console: Console) -> Progress:
    """Bar, count and time; a last column with what is known so far."""
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[news]}"),
        console=console,
    )


def train(trainer: MARL | ERMAS, settings: Settings, progress: Progress) -> None:
    """Train with a progress bar; logs and checkpoint go to <out>/<algorithm>."""
    bar = progress.add_task(f"train {trainer.name}", total=settings.iterations, news="")

    def report(iteration: int, metrics: Mapping[str, float]) -> None:
        news = f"J_p {metrics['payoff/planner']:6.2f}, {metrics['steps_per_second'] / 1000:4.0f}k steps/s"
        progress.update(bar, completed=iteration, news=news)

    trainer.learn(settings.iterations, settings.out / trainer.name.lower(), progress=report)


def test(planners: Mapping[str, Planner], fresh: FreshAgentsConfig, seed: int, progress: Progress) -> list[TransferRow]:
    """Fresh agents at every gap; in this game the same ones serve both planners, because they cannot see them."""
    bar = progress.add_task("fresh agents", total=len(planners) * len(GAPS), news="")

    def report(row: TransferRow) -> None:
        progress.update(bar, advance=1, news=f"{row.planner} at Q={row.gap:.1f}: J_p {row.planner_return:6.2f}")

    return transfer_evaluation(planners, game, GAPS, [seed], fresh, progress=report)


def table(rows: Sequence[TransferRow], optimum: Mapping[float, float], epsilon: float) -> Table:
    """The transfer table, one line per gap."""
    result = Table(title="Planner return against fresh agents (payoff, mean per step)")
    columns = ("Q", "MARL", f"ERMAS (ε = {epsilon:g})", "best constant planner, exact")
    for column in columns:
        result.add_column(column, justify="right")
    returns = {(row.planner, row.gap): row.planner_return for row in rows}
    capped = {row.gap for row in rows if not row.converged}
    for gap in GAPS:
        values = (returns["MARL", gap], returns["ERMAS", gap], optimum[gap])
        result.add_row(f"{gap:.1f}{'*' if gap in capped else ''}", *(f"{value:.2f}" for value in values))
    if capped:
        result.caption = "* the agents had not converged when the cap on their training ended it"
    return result


if __name__ == "__main__":
    replace_what_cannot_be_shown()
    main(tyro.cli(Settings))
