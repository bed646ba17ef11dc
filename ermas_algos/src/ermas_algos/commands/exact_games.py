"""The games with oracles of their own, as `ermas certify` knows them: taxes, tolls and contracts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console

from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.commands.contract_text import print_contract_certificate
from ermas_algos.commands.tax_schedule import print_tax_certificate
from ermas_algos.commands.toll_text import print_toll_certificate
from ermas_algos.evaluation.contract_certificate import certify_contract_run, certify_given_contracts, has_contracts
from ermas_algos.evaluation.tax_certificate import certify_given_schedule, certify_taxes, is_one_step
from ermas_algos.evaluation.toll_certificate import certify_given_tolls, certify_toll_run, has_tolls
from ermas_envs import BatchedEnv


class Found(Protocol):
    """A certificate of such a game."""

    @property
    def holds(self) -> bool:
        """Whether the bound ε does."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""


@dataclass(frozen=True)
class ExactGame:
    """A game in which a run is certified exactly, and what its planner does also without a run."""

    option: str
    """Of the command: what the planner does, as numbers or a file of them."""
    numbers: str
    """Their name in a file."""
    title: str
    """Of a certificate without a run."""
    knows: Callable[[BatchedEnv], bool]
    """Whether an environment is this game."""
    of_run: Callable[[Trainer[Any], float | None], Found]
    """Certificate of a run, for an ε."""
    of_given: Callable[[BatchedEnv, Any, float | None], Found]
    """Certificate of given numbers, for an ε."""
    show: Callable[[Console, str, Any], None]
    """Prints a certificate under a title."""


EXACT_GAMES = (
    ExactGame(
        "schedule", "rates", "tax schedule", is_one_step, certify_taxes, certify_given_schedule, print_tax_certificate
    ),
    ExactGame(
        "contract",
        "payments",
        "contracts",
        has_contracts,
        certify_contract_run,
        certify_given_contracts,
        print_contract_certificate,
    ),
    ExactGame("tolls", "tolls", "tolls", has_tolls, certify_toll_run, certify_given_tolls, print_toll_certificate),
)
