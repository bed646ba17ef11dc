"""One agent's hidden-action problem, and what contracts make of its actions: utilities, regret, best response."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.contract.instances import Instances
from ermas_envs.games.contract.settings import ContractSettings

ROUNDING = 1e-9
"""Utilities that differ by less than this, in units of the largest payment of a contract, count as equal."""


@dataclass(frozen=True, eq=False)
class ContractProblem:
    """n actions, O outcomes; all amounts are payoffs of one contract, in one currency."""

    probabilities: FloatArray
    """(n, O) of every outcome under every action, F."""
    rewards: FloatArray
    """(O,) what an outcome is worth to the principal, r."""
    costs: FloatArray
    """(n,) what an action costs the agent, c."""
    largest_payment: float
    """Most that an outcome may be paid, > 0."""

    @classmethod
    def all_of(cls, settings: ContractSettings) -> list["ContractProblem"]:
        """Those of a game, one per agent."""
        return cls.each(settings.problems, settings.most_paid)

    @classmethod
    def each(cls, instances: Instances, largest_payment: float | None = None) -> list["ContractProblem"]:
        """One per instance; the largest payment is, unless it is given, an instance's largest reward."""
        parts = zip(instances.probabilities, instances.rewards, instances.costs, strict=True)
        return [cls(F, r, c, float(r.max()) if largest_payment is None else largest_payment) for F, r, c in parts]

    @property
    def welfare(self) -> FloatArray:
        """(n,) what actions are worth to both sides together, W_a = F_a · r − c_a; payments do not change it."""
        return self.probabilities @ self.rewards - self.costs

    @property
    def unit(self) -> float:
        """The largest reward: no contract earns more, and what is found is as accurate as numbers of this size are. A
        cost or a largest payment that is far above it says only what nobody does."""
        return float(self.rewards.max()) or self.largest_payment

    def worth_paying(self, best: int) -> FloatArray:
        """(O,) most that a contract need pay for each outcome if the action `best` is best under it.

        One that pays more earns less than nothing with that action, and so less than no payments; what is paid for an
        outcome that never follows it can only make others better.
        """
        chances = self.probabilities[best]
        most = np.zeros_like(chances)
        np.divide(chances @ self.rewards, chances, out=most, where=chances > 0.0)
        return np.asarray(np.minimum(most, self.largest_payment))

    def utilities(self, payments: FloatArray) -> FloatArray:
        """(…, n) u_a = F_a · p − c_a under payments (…, O)."""
        return np.asarray(payments @ self.probabilities.T - self.costs)

    def regrets(self, payments: FloatArray) -> FloatArray:
        """(…, n) what every action costs an agent who could play the best one, max u − u_a."""
        own = payments @ self.probabilities.T - (self.costs - self.costs.min())
        return np.asarray(own.max(axis=-1, keepdims=True) - own)

    def kept(self, payments: FloatArray) -> FloatArray:
        """(…, n) what the principal keeps of every action, W_a − u_a = F_a · (r − p)."""
        return np.asarray((self.rewards - payments) @ self.probabilities.T)

    def checked_payments(self, given: Any) -> FloatArray:
        """(O,) payments; ValueError unless there is one per outcome, each in [0, largest payment]."""
        payments = list(given) if isinstance(given, Sequence | np.ndarray) else [given]
        if len(payments) != len(self.rewards):
            raise ValueError(
                f"a contract must have {len(self.rewards)} payments, one per outcome, got {len(payments)}."
            )
        return np.array([check_number("payment", value, 0.0, self.largest_payment) for value in payments])


def chosen_without_deviation(problem: ContractProblem, payments: FloatArray) -> int:
    """The agent's best action; among equally good ones that which the principal likes best, as is usual."""
    best = problem.regrets(payments) <= ROUNDING * payments.max()
    return int(np.where(best, problem.kept(payments), -np.inf).argmax())


def regret(problem: ContractProblem, payments: FloatArray, mixture: FloatArray) -> float:
    """What an agent that mixes its actions, (n,), loses in expectation; payoff of one contract."""
    return float(mixture @ problem.regrets(payments))
