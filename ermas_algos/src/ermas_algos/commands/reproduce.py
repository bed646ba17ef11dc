"""`ermas reproduce`: an experiment of the paper, or a measurement behind a default."""

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from ermas_algos.commands.exit_status import DONE, FAILED
from ermas_algos.commands.progress import progress_bar
from ermas_algos.experiments.jobs import Outcome
from ermas_algos.experiments.reproduction import reproduce
from ermas_algos.experiments.scale import Scale


@dataclass(frozen=True)
class Reproduce:
    """Run an experiment and write its CSV tables, PNG and JSON (configuration, versions, commit).

    Example: ermas reproduce figure-4 --quick --out runs/figure-4

    A repeated command does only what is missing. Exit status: 0 when all is done, 1 when a job failed (the others are
    kept), 2 unusable input, 130 interrupted.
    """

    experiment: tyro.conf.Positional[str]
    """figure-2, figure-3, figure-4, or a measurement behind a default; `ermas info` lists them."""
    out: Path = Path("runs/reproduce")
    """Directory for the results."""
    seeds: int = 10
    """Seeds of every point."""
    workers: int = 2
    """Parallel processes, one torch thread each."""
    quick: bool = False
    """Few points, 2 seeds and few iterations, to see that everything runs; the numbers mean nothing."""
    address: str | None = None
    """Run on Ray instead: the address of a cluster, such as auto or ray://host:10001, or local."""

    def run(self, console: Console) -> int:
        """Exit status."""
        scale = Scale(min(self.seeds, 2) if self.quick else self.seeds, self.quick)
        with progress_bar(console) as progress:
            bar = progress.add_task(self.experiment, total=None, news="")

            def report(done: int, total: int) -> None:
                progress.update(bar, completed=done, total=total)

            outcome = reproduce(self.experiment, scale, self.out, self.workers, report, self.address)
        if outcome.failed:
            print_failures(console, outcome)
            return FAILED
        console.print(f"Wrote {self.experiment}.csv, .png and .json to {self.out}", soft_wrap=True)
        return DONE


def print_failures(console: Console, outcome: Outcome) -> None:
    """A line per failed job."""
    for key, error in outcome.failed.items():
        console.print(f"failed: {key}: {error}", style="red", markup=False, soft_wrap=True)
    console.print(f"{len(outcome.failed)} jobs failed; a repeated command tries them again.", soft_wrap=True)
