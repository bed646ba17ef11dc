"""`ermas sweep`: task × method × seed × gap from a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from ermas_algos.algorithms.config import from_json, to_json
from ermas_algos.commands.configuration_file import read_configuration, values_of, write_toml
from ermas_algos.commands.console import job_progress
from ermas_algos.commands.exit_status import DONE, FAILED, FROM_FINISHED_JOBS
from ermas_algos.commands.options import optional, prepare_directory
from ermas_algos.commands.reproduce import print_failures
from ermas_algos.directory_lock import locked_directory
from ermas_algos.experiments.backends import backend_of
from ermas_algos.experiments.sweep import Sweep as SweepData
from ermas_algos.experiments.sweep import run_sweep


@dataclass(frozen=True)
class Sweep:
    """Train every method on every task with every seed, and test all planners on fresh agents at every gap.

    Example: ermas sweep examples/sweep.toml --out runs/sweep

    Writes sweep.csv (a row per planner, gap and seed), sweep-training.csv, sweep.png, sweep.json and the resolved
    sweep.toml. A repeated command does only what is missing, also after methods, seeds or gaps were added to the file.
    Exit status: 0 when all is done, 1 when a job failed (the others are kept), 2 unusable input, 130 interrupted.
    """

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """TOML or YAML file: tasks, methods, seeds, gaps, iterations, fresh_agents (docs/command-line.md)."""
    out: Path
    """Directory for the results."""
    workers: int = 2
    """Parallel processes on this machine, one torch thread each."""
    address: Annotated[str | None, optional("ADDRESS")] = None
    """Run on Ray instead: the address of a cluster, such as auto or ray://host:10001, or local to start one here."""

    def run(self, console: Console) -> int:
        """Exit status."""
        with values_of(self.file):
            sweep: SweepData = from_json(SweepData, read_configuration(self.file))
        prepare_directory(self.out)
        with locked_directory(self.out):
            with job_progress(console, "training, then tests", "tables and pictures …") as report:
                outcome = run_sweep(sweep, self.out, backend_of(self.workers, self.address), report)
            write_toml(self.out / "sweep.toml", to_json(sweep))
        if outcome.failed:
            print_failures(console, outcome)
            return FAILED
        console.print(f"Wrote sweep.csv, sweep-training.csv, sweep.png and sweep.json to {self.out}", soft_wrap=True)
        return DONE

    def after_interrupt(self) -> str:
        """What the same command does next."""
        return FROM_FINISHED_JOBS
