"""`ermas reproduce`: an experiment of the paper, or a measurement behind a default."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from ermas_algos.commands.console import job_progress
from ermas_algos.commands.exit_status import DONE, FAILED, FROM_FINISHED_JOBS
from ermas_algos.commands.options import optional, prepare_directory
from ermas_algos.experiments.backends import backend_of
from ermas_algos.experiments.jobs import Outcome, Scale
from ermas_algos.studies.reproduction import experiment_registry, reproduce
from ermas_envs.base.arguments import check_choice


@dataclass(frozen=True)
class Reproduce:
    """Run an experiment and write its CSV tables, PNG and JSON (configuration, versions, commit).

    Example: ermas reproduce figure-4 --quick --out runs/figure-4

    Exit status: 0 when all is done, 1 when a job failed (the others are kept), 2 unusable input, 130 interrupted. A
    repeated command does only what is missing.
    """

    experiment: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="EXPERIMENT")]
    """Its name; `ermas info` lists all experiments."""
    out: Path = Path("runs/reproduce")
    """Directory for the results."""
    seeds: int = 10
    """Number of seeds of every point; at most 2 with --quick."""
    first_seed: int = 0
    """The first of them: 3 where --earlier brings seeds 0, 1 and 2."""
    earlier: Annotated[tuple[Path, ...], optional("FILE [FILE ...]")] = ()
    """Results of other seeds, of commands that have run before or elsewhere: their <experiment>.finished.json.gz.
    Tables and pictures show all seeds."""
    workers: int = 2
    """Parallel processes on this machine, one torch thread each."""
    quick: tyro.conf.FlagCreatePairsOff[bool] = False
    """Few points, 2 seeds and few iterations, to see that everything runs; the numbers mean nothing."""
    address: Annotated[str | None, optional("ADDRESS")] = None
    """Run on Ray instead: the address of a cluster, such as auto or ray://host:10001, or local to start one here."""

    def run(self, console: Console) -> int:
        """Exit status."""
        scale = Scale(min(self.seeds, 2) if self.quick else self.seeds, self.quick, self.first_seed)
        check_choice("experiment", self.experiment, experiment_registry.names())
        prepare_directory(self.out)
        with job_progress(console, self.experiment, "tables and pictures …") as report:
            backend = backend_of(self.workers, self.address)
            outcome = reproduce(self.experiment, scale, self.out, backend, report, self.earlier)
        if outcome.failed:
            print_failures(console, outcome)
            return FAILED
        console.print(f"Wrote {self.experiment}.csv, .png and .json to {self.out}", soft_wrap=True)
        return DONE

    def after_interrupt(self) -> str:
        """What the same command does next."""
        return FROM_FINISHED_JOBS


def print_failures(console: Console, outcome: Outcome) -> None:
    """A line per error, with the first job that failed by it."""
    by_error: dict[str, list[str]] = {}
    for key, error in outcome.failed.items():
        by_error.setdefault(error, []).append(key)
    for error, (key, *others) in by_error.items():
        also = f" and {len(others)} more" if others else ""
        console.print(f"failed: {key}{also}: {error}", style="red", markup=False, soft_wrap=True)
    console.print(f"{len(outcome.failed)} jobs failed; a repeated command tries them again.", soft_wrap=True)
