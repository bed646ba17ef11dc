"""`ermas certify`: what is exactly true of a checkpoint's agents and planner, or what exploiters show of them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from ermas_algos.algorithms.config import from_json
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.commands.configuration_file import nested
from ermas_algos.commands.console import job_progress, print_table
from ermas_algos.commands.exact_games import EXACT_GAMES, ExactGame, Found
from ermas_algos.commands.exit_status import DONE, FAILED, FROM_THE_BEGINNING
from ermas_algos.commands.number_text import number
from ermas_algos.commands.numbers_given import numbers_given
from ermas_algos.commands.options import checkpoint_file, environment_spec, given_arguments, optional
from ermas_algos.commands.regret_statements import check_epsilon, print_statements
from ermas_algos.evaluation.certificate import certify_trainer, load_trainer
from ermas_algos.evaluation.exploiters import ExploiterConfig, exploit_trainer
from ermas_envs import EnvironmentSpec
from ermas_envs.base.arguments import check_integer
from ermas_envs.oracles import Certificate


@dataclass(frozen=True)
class Certify:
    """Exact regret of the agents in a checkpoint, the planner's payoff, and the worst ε-equilibrium for this planner.

    Examples: ermas certify runs/ermas; ermas certify --environment one_step_economy_v0 --schedule 0.1 0.1 0.2 0.2 0.3
    0.3 0.4; ermas certify --environment toll_v0 --tolls 0 0.65 --epsilon 0.05; ermas certify --environment contract_v0
    --contract 0 0 0.12 0 --epsilon 0.05; ermas certify runs/economy --exploiters exploiters 5 updates 200

    Exact for tabular games, and for the one-step economy, the toll game and the contract game, there also of a tax
    schedule, tolls or contracts alone; best responses see the whole state and the clock. In any other game exploiters
    are trained against the frozen others, and what they gain in fresh episodes states with 95 % how large each agent's
    regret is at least. Payoffs and regrets are undiscounted means per step, in the toll game per drive, in the contract
    game per contract. Exit status: 0 if every agent's exact regret is at most ε, or none is shown to be larger, 1 if
    not, 2 if nothing could be certified.
    """

    checkpoint: Annotated[tyro.conf.Positional[Path | None], optional("RUN")] = None
    """A run's directory, or its checkpoint.safetensors."""
    schedule: Annotated[tuple[str, ...], optional("RATE ... | FILE")] = ()
    """Tax schedule to be certified in the place of a run: one marginal rate per bracket of --environment, or a file of
    them, a list in JSON (.json) or `rates = [...]` in TOML or YAML."""
    contract: Annotated[tuple[str, ...], optional("PAYMENT ... | FILE")] = ()
    """Contracts to be certified in the place of a run: a payment per outcome, agent by agent, or a file of them, a list
    in JSON (.json) or `payments = [...]` in TOML or YAML."""
    tolls: Annotated[tuple[str, ...], optional("TOLL ... | FILE")] = ()
    """Tolls to be certified in the place of a run: one per road of --environment, or a file of them, a list in JSON
    (.json) or `tolls = [...]` in TOML or YAML."""
    epsilon: Annotated[float | None, optional("EPSILON", "ε of the training; else the largest regret found")] = None
    """Bound ε on every agent's regret that is asked about, payoff per step."""
    environment: Annotated[str | None, optional("NAME", "what the checkpoint names")] = None
    """Registered environment that the agents were trained in, or that is taxed."""
    arguments: Annotated[dict[str, str], optional("NAME VALUE ...")] = field(default_factory=dict)
    """Arguments of that environment: names, each followed by its value in JSON (text may be bare); dots reach into
    tables: perturbation.eta 0.5."""
    exploiters: Annotated[dict[str, str], optional("NAME VALUE ...")] = field(default_factory=dict)
    """Where the game has no oracle: settings that differ from the defaults of exploiters (5), updates of each (100),
    num_envs (64), episodes (1024), start (policy, or scratch) and learner, as in exploiters 5 episodes 2048."""
    seed: int = 0
    """Everything random in exploiters follows from it."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> int:
        """Exit status."""
        if self.arguments and self.environment is None:
            raise ValueError("arguments: they are those of --environment; name it, too.")
        spec = (
            None
            if self.environment is None
            else environment_spec(self.environment, given_arguments(self.arguments, {}))
        )
        given = [game for game in EXACT_GAMES if getattr(self, game.option)]
        if len(given) + (self.checkpoint is not None) != 1:
            raise ValueError(
                "name a run or its checkpoint, or give a --schedule, --tolls or a --contract: one of them."
            )
        if self.checkpoint is None:
            self._require_no_exploiters()
            return self._given(console, given[0], spec)
        path = checkpoint_file(self.checkpoint)
        trainer = load_trainer(path, spec)
        notices = trainer.notices()
        game = next((game for game in EXACT_GAMES if game.knows(trainer.env)), None)
        if game is None and trainer.env.tabular_game() is None:
            return self._exploited(console, f"{path}", trainer)
        self._require_no_exploiters()
        if game is not None:
            found = game.of_run(trainer, self.epsilon)
            return self._exact(console, game, f"{path}", found, {"training_notices": notices})
        certificates = certify_trainer(trainer, self.epsilon)
        if self.json:
            told = [{**certificate.as_dict(), "training_notices": notices} for certificate in certificates]
            print(json.dumps(told, indent=1))
        else:
            for member, certificate in enumerate(certificates):
                title = f"{path}" + (f", seed {member} of the batch" if len(certificates) > 1 else "")
                _print(console, title, certificate)
            _print_notices(console, notices)
        exceeded = any(certificate.certified_epsilon > certificate.epsilon for certificate in certificates)
        return FAILED if exceeded else DONE

    def _require_no_exploiters(self) -> None:
        if self.exploiters:
            raise ValueError("exploiters: this game has an exact oracle and needs none.")

    def _given(self, console: Console, game: ExactGame, spec: EnvironmentSpec | None) -> int:
        """Exit status for what a planner does, without a run."""
        if spec is None:
            raise ValueError(f"{game.option}: in which game? Name its --environment, too.")
        numbers = numbers_given(getattr(self, game.option), game.option, game.numbers)
        return self._exact(console, game, game.title, game.of_given(spec(1), numbers, self.epsilon), {})

    def _exact(self, console: Console, game: ExactGame, title: str, found: Found, notices: dict[str, list[str]]) -> int:
        """Exit status for an exact certificate, which is shown."""
        if self.json:
            print(json.dumps([{**found.as_dict(), **notices}], indent=1))
        else:
            game.show(console, title, found)
            _print_notices(console, notices.get("training_notices", []))
        return DONE if found.holds else FAILED

    def _exploited(self, console: Console, title: str, trainer: Trainer[Any]) -> int:
        """Exit status for what exploiters show, which is printed."""
        config: ExploiterConfig = from_json(ExploiterConfig, nested(self.exploiters))
        epsilon = check_epsilon(getattr(trainer.config, "epsilon", None) if self.epsilon is None else self.epsilon)
        with job_progress(Console(quiet=True) if self.json else console, "exploiters") as report:
            found = exploit_trainer(trainer, config, check_integer("seed", self.seed, 0), report=report).statements
        if self.json:
            statements = [statement.as_dict() for statement in found.values()]
            told = {"epsilon": epsilon, "statements": statements, "training_notices": trainer.notices()}
            print(json.dumps([told], indent=1))
        else:
            print_statements(console, title, list(found.values()), epsilon)
            _print_notices(console, trainer.notices())
        exceeded = epsilon is not None and any(statement.lower > epsilon for statement in found.values())
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
        table.add_row(role, number(value), "" if regret is None else number(regret))
    print_table(console, table)
    held = "holds" if certificate.certified_epsilon <= certificate.epsilon else "does NOT hold"
    worst = certificate.worst_planner_payoff
    found = number(worst) if worst is not None else f"not known ({certificate.worst_reason})"
    lines = (
        f"These agents are an ε-equilibrium for ε = {number(certificate.certified_epsilon)}.",
        f"The bound ε = {certificate.epsilon:g} {held}.",
        f"Worst planner payoff over all ε-equilibria, ε = {certificate.epsilon:g}: {found}",
        "All per step, undiscounted.",
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_notices(console: Console, notices: list[str]) -> None:
    """What the training had to say."""
    for notice in notices:
        console.print(f"Note from the training: {notice}", markup=False, highlight=False, soft_wrap=True)
