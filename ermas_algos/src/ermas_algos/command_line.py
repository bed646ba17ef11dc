"""The command `ermas`: reproduces the experiments and certifies checkpoints."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ermas_algos.experiments.reproduction import reproduce
from ermas_algos.experiments.scale import Scale

ExperimentName = Literal["figure-2", "figure-3"]


@dataclass(frozen=True)
class Reproduce:
    """Run an experiment and write its CSV tables, PNG and JSON (configuration, versions, commit).

    A repeated command does only what is missing.
    """

    experiment: tyro.conf.Positional[ExperimentName]
    """What to reproduce."""
    out: Path = Path("runs/reproduce")
    """Directory for the results."""
    seeds: int = 10
    """Seeds of every point."""
    workers: int = 2
    """Parallel processes, one torch thread each."""
    quick: bool = False
    """Few points, 2 seeds and few iterations, to see that everything runs; the numbers mean nothing."""

    def run(self, console: Console) -> int:
        """Exit status: 0 if every job is done."""
        scale = Scale(min(self.seeds, 2) if self.quick else self.seeds, self.quick)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, TextColumn("left:"), TimeRemainingColumn(), console=console) as progress:
            bar = progress.add_task(self.experiment, total=None)

            def report(key: str, before: bool) -> None:
                progress.update(bar, advance=1)

            outcome = reproduce(self.experiment, scale, self.out, self.workers, report)
        for key, error in outcome.failed.items():
            console.print(f"failed: {key}: {error}", style="red", markup=False, soft_wrap=True)
        if outcome.failed:
            return 1
        console.print(f"Wrote {self.experiment}.csv, .png and .json to {self.out}", soft_wrap=True)
        return 0


Command = Annotated[Reproduce, tyro.conf.subcommand("reproduce")]


def main() -> None:
    """Entry point."""
    command = tyro.cli(Command, prog="ermas")
    try:
        sys.exit(command.run(Console()))
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"ermas: {error}")


if __name__ == "__main__":
    main()
