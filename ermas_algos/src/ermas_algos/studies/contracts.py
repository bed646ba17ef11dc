"""Contracts: planners trained by MARL and ERMAS beside exact naive and robust contracts, on the 30 reference instances.

Every planner ends at a contract, and all of them are judged exactly (`ermas_envs.oracles.contracts`), by ERMAS's own
definition of a deviation, `expected`. ERMAS plays in two versions: its planner learns from its payoff (paper), or from
the Lagrangian. MARL and the latter start three times per seed; the first start counts as one method, the best of the
three as another. The exact contracts of the other definition, `support`, are in the table, too. ε, λ and values are per
contract.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ermas_algos.algorithms.callbacks import Callback
from ermas_algos.algorithms.run import Run, data_key
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.evaluation.contract_certificate import likeliest_contracts
from ermas_algos.experiments.jobs import Job, Row, Scale, Tables
from ermas_algos.learners.jax_config import JaxLearnerConfig
from ermas_algos.number_cells import numbers_of, numbers_text
from ermas_algos.studies.contracts_tables import NAIVE, best_starts, summary_rows
from ermas_algos.studies.learner_kinds import learning_with
from ermas_envs import contract_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.contract.engine import HORIZON
from ermas_envs.games.contract.instances import REFERENCE_INSTANCES
from ermas_envs.games.contract.settings import ContractSettings
from ermas_envs.oracles.contracts import (
    ContractProblem,
    OptimalContract,
    multiplier_range,
    optimal_contract,
    robust_expected,
    robust_support,
    value_without_deviation,
    worst_expected,
    worst_support,
)

NAME = "contracts"
STARTS = "contracts-starts"
SUMMARY = "contracts-summary"
TABLES = (NAME, STARTS, SUMMARY)
EXPECTED, SUPPORT = "expected", "support"
"""Names of the definitions."""
EPSILONS: Mapping[str, Sequence[float]] = {EXPECTED: (0.02, 0.05, 0.1), SUPPORT: (0.05, 0.2)}
"""ε, or δ, of every definition, payoff per contract."""
SEEDS = 3
"""Most seeds of a training."""
STARTS_PER_SEED = {"MARL": 3, "ERMAS, Lagrangian planner": 3}
"""Trainings of one seed, of which the best is chosen, by method; one of all others."""
START_SEEDS = 1000
"""Distance of the training seeds of two starts of one seed."""
LAST_SHARE = 0.25
"""Of the iterations, over whose end payments and λ are averaged: both move around the saddle point."""
METHODS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "MARL": ("MARL", {}),
    "ERMAS": ("ERMAS", {"planner_objective": "payoff"}),
    "ERMAS, Lagrangian planner": ("ERMAS", {"planner_objective": "lagrangian"}),
}
"""Trainer and settings by the method's name."""


@dataclass(frozen=True)
class Exact:
    """The naive and the robust contract of an instance, which no training finds."""

    instance: int
    """Number of the reference instance."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"exact_{self.instance}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "largest_payment": problem_of(self.instance).largest_payment,
            "epsilons": {definition: list(values) for definition, values in EPSILONS.items()},
        }

    def run(self) -> Tables:
        """Two rows per definition and ε."""
        problem = problem_of(self.instance)
        rows = []
        for definition, epsilon in ((d, e) for d, values in EPSILONS.items() for e in values):
            named = {
                NAIVE: optimal_contract(problem),
                "exact, robust": optimum(self.instance, definition, epsilon),
            }
            for method, found in named.items():
                place = (definition, epsilon, self.instance)
                rows.append(judged(*place, method, None, found.payments, None))
        return {NAME: rows}


@dataclass(frozen=True)
class Trained:
    """A planner's training on one instance."""

    instance: int
    """Number of the reference instance."""
    method: str
    """Key of `METHODS`."""
    epsilon: float | None
    """ε of ERMAS, per contract."""
    seed: int
    """Seed of the study."""
    start: int
    """Number of the training of this seed, from 0."""
    iterations: int | None
    """Outer iterations; None: as many as the preset says."""

    def run_settings(self) -> Run:
        """The training: the preset's, with learners of the faster kind."""
        algorithm, settings = METHODS[self.method]
        given: dict[str, Any] = {**settings, "seed": self.seed + START_SEEDS * self.start}
        if self.epsilon is not None:
            given["epsilon"] = self.epsilon / HORIZON
        if self.iterations is not None:
            given |= {"planner_warmup": self.iterations // 4}
            given |= {"warmup_iterations": self.iterations // 4} if self.epsilon is not None else {}
        options: dict[str, Any] = {
            "environment": contract_v0.NAME,
            "arguments": {"first_instance": self.instance},
            "algorithm": algorithm,
            "settings": given,
        }
        if self.iterations is not None:
            options["iterations"] = self.iterations
        return learning_with(JaxLearnerConfig.kind, Run.from_options(options))

    @property
    def key(self) -> str:
        """See `Job.key`."""
        algorithm = METHODS[self.method][0]
        return data_key(f"{algorithm}_{self.instance}_seed-{self.seed}_start-{self.start}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        return self.run_settings().as_options()

    def run(self) -> Tables:
        """A row per ε that the contract is judged at: ERMAS's own, or for MARL all."""
        run = self.run_settings()
        seen = LastContracts(int(run.iterations * (1.0 - LAST_SHARE)))
        run.trainer().learn(run.iterations, callbacks=[seen])
        judgements = EPSILONS[EXPECTED] if self.epsilon is None else (self.epsilon,)
        place, found = (self.instance, self.method, self.seed), (seen.payments, seen.multiplier)
        own = {"start": self.start, "training_payoff": seen.payoff}
        return {STARTS: [judged(EXPECTED, epsilon, *place, *found) | own for epsilon in judgements]}


class LastContracts(Callback):
    """Means of the likeliest contract, of λ and of the planner's payoff over the end of a training of one agent.

    Args:
        first: iterations that do not count.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self._payments: list[FloatArray] = []
        self._multipliers: list[float] = []
        self._payoffs: list[float] = []

    def on_iteration(self, trainer: Trainer[Any], metrics: Mapping[str, Any]) -> None:
        """Remember, once enough are done."""
        if trainer.iteration <= self.first:
            return
        self._payments.append(likeliest_contracts(trainer)[0][0])
        self._payoffs.append(HORIZON * float(metrics[f"payoff/{trainer.env.planner}"]))
        agent = trainer.env.agents[0]
        if (price := metrics.get(f"multiplier/{agent}")) is not None:
            scales = trainer.scales.values
            self._multipliers.append(float(price) * scales[trainer.env.planner] / scales[agent])

    @property
    def payments(self) -> FloatArray:
        """(O,)."""
        return np.asarray(np.mean(self._payments, axis=0))

    @property
    def payoff(self) -> float:
        """Per contract, under the training's own agents: ERMAS's are adversaries."""
        return float(np.mean(self._payoffs))

    @property
    def multiplier(self) -> float | None:
        """In payoffs; None where there is no λ."""
        return float(np.mean(self._multipliers)) if self._multipliers else None


@cache
def problem_of(instance: int) -> ContractProblem:
    """A reference instance, in the game that planners are trained in."""
    options = {"environment": contract_v0.NAME, "algorithm": "MARL", "arguments": {"first_instance": instance}}
    (problem,) = ContractProblem.all_of(ContractSettings(**Run.from_options(options).environment.arguments))
    return problem


@cache
def optimum(instance: int, definition: str, epsilon: float) -> OptimalContract:
    """The exact robust contract."""
    find = robust_expected if definition == EXPECTED else robust_support
    return find(problem_of(instance), epsilon)


def judged(
    definition: str,
    epsilon: float,
    instance: int,
    method: str,
    seed: int | None,
    payments: FloatArray,
    multiplier: float | None,
) -> Row:
    """One row: a contract at home and in its worst case, beside the robust optimum."""
    problem, best = problem_of(instance), optimum(instance, definition, epsilon)
    expected = definition == EXPECTED
    worst = (
        worst_expected(problem, payments, epsilon).value if expected else worst_support(problem, payments, epsilon)[0]
    )
    return {
        "definition": definition,
        "epsilon": epsilon,
        "instance": instance,
        "method": method,
        "seed": seed,
        "payments": numbers_text(payments),
        "value_at_home": value_without_deviation(problem, payments),
        "worst_value": worst,
        "robust_optimum": best.value,
        "multiplier": multiplier,
        "exact_multiplier": best.multiplier,
    }


def jobs(scale: Scale) -> Sequence[Job]:
    """Exact contracts, then trainings: seeds × starts × instances × methods × ε, a seed after the other."""
    instances = range(2 if scale.quick else REFERENCE_INSTANCES)
    epsilons = EPSILONS[EXPECTED][1:2] if scale.quick else EPSILONS[EXPECTED]
    iterations = 8 if scale.quick else None
    return [
        *(Exact(instance) for instance in instances),
        *(
            Trained(instance, method, epsilon, seed, start, iterations)
            for seed in scale.numbers[:SEEDS]
            for start in range(max(STARTS_PER_SEED.values()))
            for instance in instances
            for method in METHODS
            if start < STARTS_PER_SEED.get(method, 1)
            for epsilon in ((None,) if method == "MARL" else epsilons)
        ),
    ]


def derived(tables: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """All contracts, with first and best starts beside the exact ones that jobs leave, and their summary."""
    contracts = [*tables[NAME], *best_starts(tables[STARTS])]
    expected = [row for row in contracts if row["definition"] == EXPECTED]
    return {NAME: contracts, SUMMARY: summary_rows(expected, multipliers_at)}


def multipliers_at(row: Row) -> tuple[float, float]:
    """The least and the largest exact λ at the contract of a row, by `expected`."""
    return multiplier_range(problem_of(row["instance"]), np.array(numbers_of(row["payments"])), row["epsilon"])


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Draw worst cases of all methods as shares of the robust optimum, and learned against exact λ."""
    from ermas_algos.studies.contracts_picture import plot_contracts  # Matplotlib takes a second to import

    plot_contracts(path, [row for row in tables[NAME] if row["definition"] == EXPECTED])
