"""`ermas certify`: what is exactly true of a checkpoint's agents and planner."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from ermas_algos.commands.configuration_file import json_value
from ermas_algos.commands.exit_status import DONE, FAILED
from ermas_algos.evaluation.certificate import certify_checkpoint
from ermas_envs import EnvironmentSpec
from ermas_envs.oracles import Certificate


@dataclass(frozen=True)
class Certify:
    """Exact regret of the agents in a checkpoint, the planner's payoff, and the worst ε-equilibrium for this planner.

    Example: ermas certify runs/ermas/checkpoint.safetensors

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
            spec = EnvironmentSpec(self.environment, {name: json_value(text) for name, text in self.arguments.items()})
        certificates = certify_checkpoint(self.checkpoint, spec, self.epsilon)
        if self.json:
            print(json.dumps([certificate.as_dict() for certificate in certificates], indent=1))
        else:
            for member, certificate in enumerate(certificates):
                title = f"{self.checkpoint}" + (f", seed {member} of the batch" if len(certificates) > 1 else "")
                _print(console, title, certificate)
        exceeded = any(certificate.certified_epsilon > certificate.epsilon for certificate in certificates)
        return FAILED if exceeded else DONE


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
