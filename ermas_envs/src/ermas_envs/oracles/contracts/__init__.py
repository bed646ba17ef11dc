"""Exact oracles of contracts: worst responses, optimal and robust contracts by two definitions. No torch."""

from ermas_envs.oracles.contracts.certificate import (
    AgentUnder,
    ContractCertificate,
    ContractsCertificate,
    certify_contract,
    certify_contracts,
)
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

__all__ = [
    "AgentUnder",
    "ContractCertificate",
    "ContractProblem",
    "ContractsCertificate",
    "ExpectedWorst",
    "OptimalContract",
    "certify_contract",
    "certify_contracts",
    "chosen_without_deviation",
    "multiplier_range",
    "optimal_contract",
    "regret",
    "robust_expected",
    "robust_support",
    "value_without_deviation",
    "worst_expected",
    "worst_support",
]
