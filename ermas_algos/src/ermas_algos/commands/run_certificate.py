"""What is certified of a run, exactly or by exploiters, ready to be printed by `ermas certify` and `ermas explain`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from ermas_algos.algorithms.config import from_json
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.commands.configuration_file import nested
from ermas_algos.commands.console import job_progress, print_table
from ermas_algos.commands.exact_games import EXACT_GAMES, ExactGame
from ermas_algos.commands.number_text import number
from ermas_algos.commands.regret_statements import check_epsilon, print_statements
from ermas_algos.evaluation.certificate import certify_trainer
from ermas_algos.evaluation.exploiters import ExploiterConfig, exploit_trainer
from ermas_envs.oracles import Certificate


@dataclass(frozen=True)
class Certified:
    """What is certified of a run."""

    told: list[dict[str, Any]]
    """Plain JSON types."""
    holds: bool
    """Whether the bound ε does, or is not shown to be exceeded."""
    show: Callable[[Console, str], None]
    """Prints it under a title."""


def exact_game(trainer: Trainer[Any]) -> ExactGame | None:
    """The game with an oracle of its own that a run was trained in."""
    return next((game for game in EXACT_GAMES if game.knows(trainer.env)), None)


def has_oracle(trainer: Trainer[Any]) -> bool:
    """Whether something is exactly known of a run."""
    return exact_game(trainer) is not None or trainer.env.tabular_game() is not None


def exact_certificate(trainer: Trainer[Any], epsilon: float | None) -> Certified:
    """What is exactly true of a run that `has_oracle`, for an ε, by default that of the training."""
    game, notices = exact_game(trainer), trainer.notices()
    if game is not None:
        found = game.of_run(trainer, epsilon)

        def show(console: Console, title: str) -> None:
            game.show(console, title, found)
            _print_notices(console, notices)

        return Certified([{**found.as_dict(), "training_notices": notices}], found.holds, show)
    certificates = certify_trainer(trainer, epsilon)
    asked = epsilon is not None or getattr(trainer.config, "epsilon", None) is not None

    def show_all(console: Console, title: str) -> None:
        for member, certificate in enumerate(certificates):
            whose = f", seed {member} of the batch" if len(certificates) > 1 else ""
            _print(console, title + whose, certificate, asked)
        _print_notices(console, notices)

    told = [{**certificate.as_dict(), "training_notices": notices} for certificate in certificates]
    return Certified(told, all(one.certified_epsilon <= one.epsilon for one in certificates), show_all)


def shown_by_exploiters(
    trainer: Trainer[Any], settings: Mapping[str, str], seed: int, epsilon: float | None, progress: Console
) -> Certified:
    """What exploiters show of a run.

    Args:
        trainer: the run.
        settings: of the exploiters that differ from the defaults, as the command line has them.
        seed: everything random follows from it.
        epsilon: None takes that of the training, if it has one.
        progress: where a bar is shown.
    """
    config: ExploiterConfig = from_json(ExploiterConfig, nested(settings))
    bound = check_epsilon(getattr(trainer.config, "epsilon", None) if epsilon is None else epsilon)
    progress.print(
        f"No oracle knows this game: {config.exploiters} exploiters of {config.updates} updates are trained "
        "(--exploiters changes that).",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    with job_progress(progress, "exploiters") as report:
        found = exploit_trainer(trainer, config, seed, report=report).statements
    statements, notices = list(found.values()), trainer.notices()

    def show(console: Console, title: str) -> None:
        print_statements(console, title, statements, bound)
        _print_notices(console, notices)

    told = {
        "epsilon": bound,
        "statements": [statement.as_dict() for statement in statements],
        "training_notices": notices,
    }
    exceeded = bound is not None and any(statement.lower > bound for statement in statements)
    return Certified([told], not exceeded, show)


def _print(console: Console, title: str, certificate: Certificate, asked: bool) -> None:
    """One certificate; `asked`: for an ε that somebody gave."""
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
        f"The bound ε = {certificate.epsilon:g} {held}." if asked else "No ε was given; what follows is for this one.",
        f"Worst planner payoff over all ε-equilibria, ε = {certificate.epsilon:g}: {found}",
        "All per step, undiscounted.",
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_notices(console: Console, notices: list[str]) -> None:
    """What the training had to say."""
    for notice in notices:
        console.print(f"Note from the training: {notice}", markup=False, highlight=False, soft_wrap=True)
