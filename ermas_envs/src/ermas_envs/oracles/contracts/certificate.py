"""Certificates of contracts: what is exactly true of given payments, their worst responses, and agents under them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_number, check_probabilities
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.contracts.optimum import (
    OptimalContract,
    optimal_contract,
    robust_support,
    value_without_deviation,
)
from ermas_envs.oracles.contracts.problem import ContractProblem, chosen_without_deviation, regret
from ermas_envs.oracles.contracts.robust import robust_expected
from ermas_envs.oracles.contracts.worst_response import (
    ExpectedWorst,
    multiplier_range,
    worst_expected,
    worst_support,
)


@dataclass(frozen=True)
class AgentUnder:
    """A given agent under its contract."""

    mixture: FloatArray
    """(n,) probabilities of its actions."""
    regret: float
    """Exact, payoff of one contract."""
    value: float
    """What the principal earns with it."""


@dataclass(frozen=True)
class ContractCertificate:
    """Facts about one agent's contract; all amounts are expected payoffs of one contract."""

    problem: ContractProblem
    """The instance."""
    payments: FloatArray
    """(O,)."""
    best_action: int
    """What an agent without deviation does."""
    value: float
    """What the principal then earns."""
    epsilon: float
    """ε that was asked about: the largest expected regret, and the width δ of `support`."""
    worst: ExpectedWorst
    """The worst response by `expected`."""
    multipliers: tuple[float, float]
    """Smallest and largest λ of it; they differ where ε lies at a kink."""
    support_value: float | None
    """The worst case by `support` with δ = ε; None where ε is 0, and nobody deviates."""
    optimum: OptimalContract
    """The best contract without deviation, the naive one."""
    naive_worst: float
    """Its worst case by `expected`."""
    robust: OptimalContract
    """The best contract by its worst case by `expected`."""
    support_robust: OptimalContract | None
    """The same by `support`; None where ε is 0."""
    agent: AgentUnder | None
    """The agent that was given; None where there was none."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        agent = self.agent
        return {
            "payments": self.payments.tolist(),
            "best_action": self.best_action,
            "value": self.value,
            "epsilon": self.epsilon,
            "worst_value": self.worst.value,
            "worst_mixture": self.worst.mixture.tolist(),
            "multiplier": self.worst.multiplier,
            "multipliers": [None if np.isinf(price) else price for price in self.multipliers],
            "support_value": self.support_value,
            "optimum": _contract(self.optimum),
            "naive_worst": self.naive_worst,
            "robust": _contract(self.robust),
            "support_robust": None if self.support_robust is None else _contract(self.support_robust),
            "agent": None
            if agent is None
            else {"mixture": agent.mixture.tolist(), "regret": agent.regret, "value": agent.value},
        }


@dataclass(frozen=True)
class ContractsCertificate:
    """The certificates of all agents of a game, who do not touch each other: the principal's values add up."""

    agents: tuple[ContractCertificate, ...]
    """In the order of the agents."""

    @property
    def epsilon(self) -> float:
        """Of every agent."""
        return self.agents[0].epsilon

    @property
    def largest_regret(self) -> float | None:
        """Of the given agents; None where there were none."""
        found = [certificate.agent.regret for certificate in self.agents if certificate.agent is not None]
        return max(found) if found else None

    @property
    def holds(self) -> bool:
        """Whether all given agents have a regret of at most ε; True where there were none."""
        return self.largest_regret is None or self.largest_regret <= self.epsilon

    @property
    def value(self) -> float:
        """What the principal earns from all agents, if nobody deviates."""
        return sum(certificate.value for certificate in self.agents)

    @property
    def worst_value(self) -> float:
        """The same in the worst case by `expected`."""
        return sum(certificate.worst.value for certificate in self.agents)

    @property
    def robust_value(self) -> float:
        """The worst case of the robust contracts."""
        return sum(certificate.robust.value for certificate in self.agents)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "epsilon": self.epsilon,
            "value": self.value,
            "worst_value": self.worst_value,
            "robust_value": self.robust_value,
            "largest_regret": self.largest_regret,
            "agents": [certificate.as_dict() for certificate in self.agents],
        }


def certify_contract(
    problem: ContractProblem, payments: Any, epsilon: float, mixture: FloatArray | None = None
) -> ContractCertificate:
    """The certificate of one contract, and of an agent under it.

    Args:
        problem: the instance.
        payments: (O,) in [0, largest payment].
        epsilon: ε ≥ 0, payoff of one contract.
        mixture: (n,) probabilities of an agent's actions.

    Raises:
        ValueError: payments that do not fit, ε < 0, or a mixture that is no probabilities.
        LinearProgramError: a solver's answer does not hold.
    """
    given, wanted = problem.checked_payments(payments), check_number("epsilon", epsilon, 0.0)
    if mixture is not None:
        mixture = check_probabilities("mixture", mixture, problem.costs.shape)
    naive = optimal_contract(problem)
    return ContractCertificate(
        problem,
        given,
        chosen_without_deviation(problem, given),
        value_without_deviation(problem, given),
        wanted,
        worst_expected(problem, given, wanted),
        multiplier_range(problem, given, wanted),
        worst_support(problem, given, wanted)[0] if wanted else None,
        naive,
        worst_expected(problem, naive.payments, wanted).value,
        robust_expected(problem, wanted) if wanted else naive,
        robust_support(problem, wanted) if wanted else None,
        None if mixture is None else _agent(problem, given, mixture),
    )


def certify_contracts(
    problems: Sequence[ContractProblem],
    payments: Any,
    epsilon: float | None = None,
    mixtures: FloatArray | None = None,
) -> ContractsCertificate:
    """The certificates of all agents' contracts.

    Args:
        problems: N, one per agent.
        payments: (N, O), or (N · O,) agent by agent.
        epsilon: ε ≥ 0 of every agent, payoff of one contract; None takes the largest regret of the given agents, or 0.
        mixtures: (N, n) probabilities of the agents' actions.

    Raises:
        ValueError: payments that do not fit, ε < 0, or mixtures that are no probabilities.
        LinearProgramError: a solver's answer does not hold.
    """
    outcomes = len(problems[0].rewards)
    numbers = list(np.asarray(payments, dtype=object).ravel())
    if len(numbers) != len(problems) * outcomes:
        raise ValueError(
            f"contracts must have {len(problems)} × {outcomes} payments, agent by agent and outcome by outcome, got "
            f"{len(numbers)}."
        )
    split = [numbers[k * outcomes : (k + 1) * outcomes] for k in range(len(problems))]
    given: list[FloatArray | None] = [None] * len(problems)
    if mixtures is not None:
        given = list(check_probabilities("mixtures", mixtures, (len(problems), len(problems[0].costs))))
    if epsilon is None:
        known = [
            regret(problem, problem.checked_payments(part), mixture)
            for problem, part, mixture in zip(problems, split, given, strict=True)
            if mixture is not None
        ]
        epsilon = max(0.0, *known) if known else 0.0
    wanted = epsilon
    return ContractsCertificate(
        tuple(certify_contract(*each[:2], wanted, each[2]) for each in zip(problems, split, given, strict=True))
    )


def _agent(problem: ContractProblem, payments: FloatArray, mixture: FloatArray) -> AgentUnder:
    return AgentUnder(mixture, regret(problem, payments, mixture), float(mixture @ problem.kept(payments)))


def _contract(found: OptimalContract) -> dict[str, Any]:
    return {
        "payments": found.payments.tolist(),
        "value": found.value,
        "bound": found.bound,
        "multiplier": found.multiplier,
    }
