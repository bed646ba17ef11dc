"""`ermas certify`: what is exactly true of a checkpoint's agents and planner."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from ermas_algos.commands.console import print_table
from ermas_algos.commands.exit_status import DONE, FAILED, FROM_THE_BEGINNING
from ermas_algos.commands.options import checkpoint_file, environment_spec, json_values, optional
from ermas_algos.evaluation.certificate import certify_trainer, load_trainer
from ermas_envs.oracles import Certificate


@dataclass(frozen=True)
class Certify:
    """Exact regret of the agents in a checkpoint, the planner's payoff, and the worst ε-equilibrium for this planner.

    Example: ermas certify runs/ermas

    For tabular games. Payoffs and regrets are undiscounted means per step; best responses see the whole state and the
    clock. Exit status: 0 if every agent's exact regret is at most ε, 1 if not, 2 if nothing could be certified.
    """

    checkpoint: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run's directory, or its checkpoint.safetensors."""
    epsilon: Annotated[float | None, optional("EPSILON", "ε of the training; for MARL the largest regret found")] = None
    """Bound ε on every agent's regret that is asked about, payoff per step."""
    environment: Annotated[str | None, optional("NAME", "what the checkpoint names")] = None
    """Registered environment that the agents were trained in."""
    arguments: Annotated[dict[str, str], optional("NAME VALUE ...")] = field(default_factory=dict)
    """Arguments of that environment: names, each followed by its value in JSON (text may be bare)."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> int:
        """Exit status."""
        if self.arguments and self.environment is None:
            raise ValueError("arguments: they are those of --environment; name it, too.")
        spec = None if self.environment is None else environment_spec(self.environment, json_values(self.arguments))
        path = checkpoint_file(self.checkpoint)
        trainer = load_trainer(path, spec)
        certificates, notices = certify_trainer(trainer, self.epsilon), trainer.notices()
        if self.json:
            told = [{**certificate.as_dict(), "training_notices": notices} for certificate in certificates]
            print(json.dumps(told, indent=1))
        else:
            for member, certificate in enumerate(certificates):
                title = f"{path}" + (f", seed {member} of the batch" if len(certificates) > 1 else "")
                _print(console, title, certificate)
            for notice in notices:
                console.print(f"Note from the training: {notice}", markup=False, highlight=False, soft_wrap=True)
        exceeded = any(certificate.certified_epsilon > certificate.epsilon for certificate in certificates)
        return FAILED if exceeded else DONE

    def after_interrupt(self) -> str:
        """What the same command does next."""
        return FROM_THE_BEGINNING


def _print(console: Console, title: str, certificate: Certificate) -> None:
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    table = Table()
    for column in ("role", "payoff", "exact regret"):
        table.add_column(column, justify="left" if column == "role" else "right")
    for role, value in certificate.values.items():
        regret = certificate.regrets.get(role)
        table.add_row(role, _number(value), "" if regret is None else _number(regret))
    print_table(console, table)
    held = "holds" if certificate.certified_epsilon <= certificate.epsilon else "does NOT hold"
    worst = certificate.worst_planner_payoff
    found = _number(worst) if worst is not None else f"not known ({certificate.worst_reason})"
    lines = (
        f"These agents are an ε-equilibrium for ε = {_number(certificate.certified_epsilon)}.",
        f"The bound ε = {certificate.epsilon:g} {held}.",
        f"Worst planner payoff over all ε-equilibria, ε = {certificate.epsilon:g}: {found}",
        "All per step, undiscounted.",
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _number(value: float) -> str:
    """Four decimals; of payoffs in a small unit, which would all be 0.0000, four digits instead."""
    return f"{value:z.4f}" if value == 0 or abs(value) >= 0.001 else f"{value:.4g}"
