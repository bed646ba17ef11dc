"""What a user can set in `contract_v0`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ermas_envs.base.arguments import check_choice, check_integer, check_number, keep
from ermas_envs.games.contract.instances import (
    LARGEST_AMOUNT,
    REFERENCE_SEED,
    Instances,
    as_instances,
    drawn_instances,
)

PAYMENTS = ("continuous", "grid")
OUTCOMES = ("drawn", "expected")
MOST_AGENTS, MOST_ACTIONS, MOST_OUTCOMES, MOST_LEVELS = 1000, 64, 64, 1001
MOST_PASSED_OVER = 10_000
SMALLEST_LARGEST_PAYMENT = 1e-6


@dataclass(frozen=True)
class ContractSettings:
    """Arguments of `contract_v0`; ValueError names the argument that is out of range."""

    instances: int | Mapping[str, Any] | Instances = REFERENCE_SEED
    """A seed ≥ 0, from whose sequence they are drawn (`drawn_instances`); or arrays by name: `probabilities` (N, n, O),
    `rewards` (N, O) and `costs` (N, n), for one agent also without the first axis."""
    num_agents: int | None = None
    """N, 1 to `MOST_AGENTS`; None: as many as arrays have instances, or one."""
    first_instance: int = 0
    """Of a seed's sequence: the first agent has this instance, the next the next one."""
    num_actions: int = 5
    """n of drawn instances, 2 to `MOST_ACTIONS`."""
    num_outcomes: int = 4
    """O of drawn instances, 2 to `MOST_OUTCOMES`."""
    payments: str = "continuous"
    """The planner's action: `continuous`, a Box of numbers in [−1, 1], from no payment to the largest, so that Gaussian
    policies begin in the middle; `grid`, a MultiDiscrete of levels."""
    payment_levels: int = 21
    """Levels of a payment on the grid, 2 to `MOST_LEVELS`: evenly spread, from 0 to the largest payment."""
    largest_payment: float | None = None
    """Most that an outcome may be paid; None takes the largest reward."""
    outcomes: str = "drawn"
    """`drawn`: outcomes are random, and payoffs are those of the outcome. `expected`: payoffs are their means given the
    actions: the same game for whoever counts in means, without the noise."""

    def __post_init__(self) -> None:
        """ValueError naming the argument and the allowed range."""
        keep(
            self,
            first_instance=check_integer("first_instance", self.first_instance, 0, MOST_PASSED_OVER),
            num_actions=check_integer("num_actions", self.num_actions, 2, MOST_ACTIONS),
            num_outcomes=check_integer("num_outcomes", self.num_outcomes, 2, MOST_OUTCOMES),
            payments=check_choice("payments", self.payments, PAYMENTS),
            payment_levels=check_integer("payment_levels", self.payment_levels, 2, MOST_LEVELS),
            outcomes=check_choice("outcomes", self.outcomes, OUTCOMES),
        )
        if self.num_agents is not None:
            keep(self, num_agents=check_integer("num_agents", self.num_agents, 1, MOST_AGENTS))
        keep(self, instances=self._checked_instances())
        if self.largest_payment is not None:
            keep(
                self,
                largest_payment=check_number(
                    "largest_payment", self.largest_payment, SMALLEST_LARGEST_PAYMENT, LARGEST_AMOUNT
                ),
            )

    def _checked_instances(self) -> Instances:
        if isinstance(self.instances, Mapping | Instances):
            given = as_instances(self.instances)
            if given.number != (self.num_agents or given.number):
                raise ValueError(f"instances must be {self.num_agents}, one per agent, got {given.number}.")
            for name, number, most in (
                ("instances", given.number, MOST_AGENTS),
                ("actions", given.num_actions, MOST_ACTIONS),
                ("outcomes", given.num_outcomes, MOST_OUTCOMES),
            ):
                check_integer(f"the number of {name}", number, 1, most)
            return given
        seed = check_integer("instances (a seed, or arrays by name)", self.instances, 0)
        return drawn_instances(seed, self.num_agents or 1, self.num_actions, self.num_outcomes, self.first_instance)

    @property
    def problems(self) -> Instances:
        """The instances."""
        assert isinstance(self.instances, Instances)  # `__post_init__` has made them
        return self.instances

    @property
    def most_paid(self) -> float:
        """Largest payment of an outcome, > 0."""
        if self.largest_payment is not None:
            return self.largest_payment
        return max(float(self.problems.rewards.max()), SMALLEST_LARGEST_PAYMENT)
