"""The command `ermas`: reproduces the experiments and certifies checkpoints."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ermas_algos.evaluation.certificate import certify_checkpoint
from ermas_algos.experiments.reproduction import reproduce
from ermas_algos.experiments.scale import Scale
from ermas_envs import EnvironmentSpec
from ermas_envs.oracles import Certificate

ExperimentName = Literal["figure-2", "figure-3", "regret-estimators", "meta-gradient", "mixing", "multipliers"]


@dataclass(frozen=True)
class Reproduce:
    """Run an experiment and write its CSV tables, PNG and JSON (configuration, versions, commit).

    A repeated command does only what is missing. Exit status: 0 when all is done, 1 when a job failed.
    """

    experiment: tyro.conf.Positional[ExperimentName]
    """The paper's Figure 2 or 3, or a measurement behind a default."""
    out: Path = Path("runs/reproduce")
    """Directory for the results."""
    seeds: int = 10
    """Seeds of every point."""
    workers: int = 2
    """Parallel processes, one torch thread each."""
    quick: bool = False
    """Few points, 2 seeds and few iterations, to see that everything runs; the numbers mean nothing."""

    def run(self, console: Console) -> int:
        """Exit status."""
        scale = Scale(min(self.seeds, 2) if self.quick else self.seeds, self.quick)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, TextColumn("left:"), TimeRemainingColumn(), console=console) as progress:
            bar = progress.add_task(self.experiment, total=None)

            def report(done: int, total: int) -> None:
                progress.update(bar, completed=done, total=total)

            outcome = reproduce(self.experiment, scale, self.out, self.workers, report)
        for key, error in outcome.failed.items():
            console.print(f"failed: {key}: {error}", style="red", markup=False, soft_wrap=True)
        if outcome.failed:
            return 1
        console.print(f"Wrote {self.experiment}.csv, .png and .json to {self.out}", soft_wrap=True)
        return 0


@dataclass(frozen=True)
class Certify:
    """Exact regret of the agents in a checkpoint, the planner's payoff, and the worst ε-equilibrium for this planner.

    For tabular games. Payoffs and regrets are undiscounted means per step; best responses see the whole state and the
    clock. Exit status: 0 if every agent's exact regret is at most ε, 1 if not, 2 if nothing could be certified.
    """

    checkpoint: tyro.conf.Positional[Path]
    """File checkpoint.safetensors of a run."""
    epsilon: float | None = None
    """ε, payoff per step; default: that of the training, or the largest regret found where there was none."""
    environment: str | None = None
    """Registered environment, where the checkpoint does not name its own."""
    arguments: dict[str, str] = field(default_factory=dict)
    """Arguments of that environment: names, each followed by its value in JSON (text may be bare)."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> int:
        """Exit status."""
        spec = None
        if self.environment is not None:
            spec = EnvironmentSpec(self.environment, {name: _value(text) for name, text in self.arguments.items()})
        try:
            certificates = certify_checkpoint(self.checkpoint, spec, self.epsilon)
        except (ValueError, TypeError, OSError) as error:
            Console(stderr=True).print(f"ermas certify: {error}", markup=False, soft_wrap=True)
            return 2
        if self.json:
            print(json.dumps([certificate.as_dict() for certificate in certificates], indent=1))
        else:
            for member, certificate in enumerate(certificates):
                title = f"{self.checkpoint}" + (f", seed {member} of the batch" if len(certificates) > 1 else "")
                _print(console, title, certificate)
        return int(any(certificate.certified_epsilon > certificate.epsilon for certificate in certificates))


def _value(text: str) -> Any:
    """A JSON value; what is no JSON is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _print(console: Console, title: str, certificate: Certificate) -> None:
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    table = Table()
    for column in ("role", "payoff", "exact regret"):
        table.add_column(column, justify="left" if column == "role" else "right")
    for role, value in certificate.values.items():
        regret = certificate.regrets.get(role)
        table.add_row(role, f"{value:.4f}", "" if regret is None else f"{regret:.4f}")
    console.print(table)
    held = "holds" if certificate.certified_epsilon <= certificate.epsilon else "does NOT hold"
    worst = certificate.worst_planner_payoff
    found = f"{worst:.4f}" if worst is not None else f"not known ({certificate.worst_reason})"
    lines = (
        f"These agents are an ε-equilibrium for ε = {certificate.certified_epsilon:.4f}.",
        f"The bound ε = {certificate.epsilon:g} {held}.",
        f"Worst planner payoff over all ε-equilibria, ε = {certificate.epsilon:g}: {found}",
        "All per step, undiscounted.",
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


Command = Annotated[Reproduce, tyro.conf.subcommand("reproduce")] | Annotated[Certify, tyro.conf.subcommand("certify")]


def main() -> None:
    """Entry point of the command `ermas`."""
    command: Reproduce | Certify = tyro.cli(Command, prog="ermas", description=__doc__)
    try:
        sys.exit(command.run(Console()))
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"ermas: {error}")


if __name__ == "__main__":
    main()
