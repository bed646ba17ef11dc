"""`ermas explain`: a trained planner as a few rules that people can read, and what that costs."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from ermas_algos.checkpoint import replace_file
from ermas_algos.commands.console import print_table
from ermas_algos.commands.exit_status import DONE, FROM_THE_BEGINNING
from ermas_algos.commands.number_text import number
from ermas_algos.commands.options import (
    NamesAndValues,
    checkpoint_file,
    environment_spec,
    given_arguments,
    optional,
    prepare_file,
)
from ermas_algos.commands.run_certificate import Certified, exact_certificate, has_oracle, shown_by_exploiters
from ermas_algos.evaluation.certificate import load_trainer
from ermas_algos.evaluation.explanation import Explanation, Rule, explain_planner, with_planner
from ermas_envs.base.arguments import check_integer

PLAYERS = {
    "trained": "as trained, which draws its actions",
    "likeliest": "at its likeliest actions",
    "readable": "these rules",
    "random": "at random",
}
"""How planners are called whose payoffs are shown."""


@dataclass(frozen=True)
class Explain:
    """A decision tree of at most 16 leaves that plays like a run's planner, how much of its payoff it keeps, and its
    certificate.

    Examples: ermas explain runs/ermas; ermas explain runs/ermas --out planner.json, then
    ermas evaluate runs/ermas planner.json

    The tree imitates what the planner is likeliest to do. Then both play fresh episodes with the run's frozen agents
    and the same random numbers. Where the game has an oracle, the certificate is what `ermas certify` says of the run
    with the tree in the place of its planner; elsewhere --exploiters trains some. Exit status: 0 done, 2 unusable
    input.
    """

    checkpoint: Annotated[tyro.conf.Positional[Path], optional("RUN")]
    """A run's directory, or its checkpoint.safetensors."""
    episodes: int = 256
    """Rollouts that are played per round of imitation, to choose the best tree, and to measure it."""
    epsilon: Annotated[float | None, optional("EPSILON", "ε of the training; else the largest regret found")] = None
    """Bound ε of the certificate, payoff per step."""
    environment: Annotated[str | None, optional("NAME", "what the checkpoint names")] = None
    """Registered environment that the run was trained in."""
    arguments: NamesAndValues = field(default_factory=dict)
    """Arguments of that environment: names, each followed by its value in JSON (text may be bare)."""
    exploiters: NamesAndValues = field(default_factory=dict)
    """Where the game has no oracle: settings of exploiters as in `ermas certify`, which are then trained."""
    seed: int = 0
    """Everything random follows from it."""
    out: Annotated[Path | None, optional("FILE")] = None
    """JSON file for the tree, a planner that `ermas evaluate` takes."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON instead of tables."""

    def run(self, console: Console) -> int:
        """Exit status."""
        if self.arguments and self.environment is None:
            raise ValueError("arguments: they are those of --environment; name it, too.")
        name = self.environment
        spec = None if name is None else environment_spec(name, given_arguments(self.arguments, {}))
        if self.out is not None:
            prepare_file(self.out)
        seed = check_integer("seed", self.seed, 0)
        path = checkpoint_file(self.checkpoint)
        trainer = load_trainer(path, spec)
        exact = has_oracle(trainer)
        if self.exploiters and exact:
            raise ValueError("exploiters: this game has an exact oracle and needs none.")
        found = explain_planner(trainer, seed, check_integer("episodes", self.episodes, 2))
        explained = with_planner(trainer, found.planner)
        certified: Certified | None = None
        if exact:
            certified = exact_certificate(explained, self.epsilon)
        elif self.exploiters:
            progress = Console(quiet=True) if self.json else console
            certified = shown_by_exploiters(explained, self.exploiters, seed, self.epsilon, progress)
        if self.out is not None:
            planner = json.dumps(found.as_dict()["planner"], indent=1)
            replace_file(self.out, f"{planner}\n".encode())
        self._tell(console, f"{path}", found, certified)
        return DONE

    def _tell(self, console: Console, title: str, found: Explanation, certified: Certified | None) -> None:
        if self.json:
            told = None if certified is None else certified.told[0]
            print(json.dumps({**found.as_dict(), "certificate": told}, indent=1))
            return
        console.print(title, markup=False, highlight=False, soft_wrap=True)
        print_table(console, _rules(found.rules))
        print_table(console, _payoffs(found))
        for line in _lines(found):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        if certified is None:
            line = "No certificate: this game has no oracle; --exploiters exploiters 5 trains some."
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            certified.show(console, "Certificate, with these rules in the place of the planner:")
        if self.out is not None:
            console.print(f"Wrote {self.out}", soft_wrap=True)

    def after_interrupt(self) -> str:
        """What the same command does next."""
        return FROM_THE_BEGINNING


def _rules(rules: tuple[Rule, ...]) -> Table:
    """A row per leaf; what all of them leave out has no column."""
    table = Table()
    table.add_column("when")
    table.add_column("decisions", justify="right")
    names = list(rules[0].does)
    for name in names:
        table.add_column(name, justify="right")
    for rule in rules:
        cells: list[Any] = ["as it is" if rule.does[name] is None else f"{rule.does[name]:.4g}" for name in names]
        table.add_row("\n".join(rule.conditions) or "always", f"{100 * rule.share:.1f} %", *cells, end_section=True)
    return table


def _payoffs(found: Explanation) -> Table:
    table = Table()
    for column in ("planner", "payoff", "the rules earn more by (95 %)"):
        table.add_column(column, justify="left" if column == "planner" else "right")
    for who, name in PLAYERS.items():
        if who in found.payoffs:
            more = " to ".join(number(bound) for bound in found.differences.get(who, ()))
            table.add_row(name, number(found.payoffs[who]), more)
    return table


def _lines(found: Explanation) -> list[str]:
    """What follows, a sentence each."""
    lines = [f"With the run's agents in {found.rollouts} rollouts, means per step, undiscounted."]
    if found.share_of_return is not None:
        lines.append(f"The rules keep {100 * found.share_of_return:.1f} % of the trained planner's return.")
    if found.share_of_gain is not None:
        lines.append(
            f"They keep {100 * found.share_of_gain:.1f} % of what its likeliest actions earn more than random ones."
        )
    lines.append(f"In {100 * found.agreement:.1f} % of decisions they do just what it is likeliest to do.")
    return lines
