"""Train a tax planner with Stable-Baselines3 PPO in the one-step economy; its taxes beside two that people know.

Ten people with wages of 1.05 to 2.66 coin choose their hours; the planner trades equality against productivity. What a
schedule is worth is exact: the equilibrium of the people who live under it.

    python examples/train_tax_planner.py --out runs/train_tax_planner
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ermas_algos.algorithms.run import Run
from ermas_algos.evaluation.tax_certificate import likeliest_play
from ermas_algos.plots.tax_schedule import plot_tax_schedule
from ermas_envs import one_step_economy_v0
from ermas_envs.base.text import replace_what_cannot_be_shown
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.taxation.tax_schedule import US_FEDERAL_2018_RATES
from ermas_envs.oracles.taxes import Population, TaxedPopulation, best_schedule, equilibrium


@dataclass(frozen=True)
class Settings:
    """Train a tax planner, and write its schedule, a picture of it and a checkpoint."""

    out: Path = Path("runs/train_tax_planner")
    """Directory for schedules.png and the checkpoint."""
    seed: int = 0
    """Everything random follows from it."""
    iterations: int = 220
    """Outer iterations; in the first 120 people learn what to answer to any schedule, and the planner waits."""
    quick: bool = False
    """A few iterations only, to see that everything runs; the numbers mean nothing."""


def main(settings: Settings) -> None:
    """Train, evaluate, report."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    console = Console(markup=False, emoji=False)  # a path may hold [brackets]
    run = Run.from_options(
        {
            "environment": one_step_economy_v0.NAME,
            "preset": "one-step",
            "algorithm": "MARL",
            "settings": {"seed": settings.seed, **({"planner_warmup": 1, "num_envs": 16} if settings.quick else {})},
            "iterations": 3 if settings.quick else settings.iterations,
        }
    )
    trainer = run.trainer()
    horizon = trainer.env.horizon or 1  # metrics are per step
    columns = (TextColumn("{task.description:<12}"), BarColumn(bar_width=12), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[news]}"), console=console) as progress:
        bar = progress.add_task("train MARL", total=run.iterations, news="")

        def report(iteration: int, metrics: Mapping[str, float]) -> None:
            progress.update(
                bar, completed=iteration, news=f"equality × mean coin {metrics['payoff/planner'] * horizon:6.1f}"
            )

        trainer.learn(run.iterations, settings.out, progress=report)
    people = Population.of(OneStepSettings(**run.environment.arguments))
    learned = likeliest_play(trainer)
    schedules = {
        "free market": np.zeros(len(people.cutoffs)),
        "US federal": np.array(US_FEDERAL_2018_RATES),
        "MARL": learned.rates,
        "best, exact": best_schedule(people, starts=1 if settings.quick else 3).rates,
    }
    plot_tax_schedule(settings.out / "schedules.png", schedules, people.cutoffs)
    console.print(table(people, schedules))
    console.print(f"Wrote schedules.png and a checkpoint to {settings.out}", soft_wrap=True)
    console.print(f"Took {time.perf_counter() - started:.0f} s")


def table(people: Population, schedules: Mapping[str, np.ndarray]) -> Table:
    """What every schedule is worth, exactly, and its rates."""
    result = Table(title="People who answer as well as they can: equality × mean coin of a person, per episode")
    for column in ("taxes", "equality × mean coin", "rates, % by bracket"):
        result.add_column(column, justify="left" if column == "taxes" else "right")
    for name, rates in schedules.items():
        worth = equilibrium(TaxedPopulation(people, rates)).welfare
        result.add_row(name, f"{worth:.1f}", " ".join(f"{100 * rate:.0f}" for rate in rates))
    return result


if __name__ == "__main__":
    replace_what_cannot_be_shown()
    settings = tyro.cli(Settings)
    try:
        main(settings)
    except ValueError as error:
        sys.exit(f"train_tax_planner: {error}")
