"""Tolls on Pigou's roads: planners trained by MARL and ERMAS, and tolls by rule, beside the exact robust optimum.

Every planner ends at tolls, and all of them are judged exactly (`ermas_envs.oracles.tolls`): without gap, in the worst
ε-coarse-correlated equilibrium, and at an unknown value of time. ε and latencies are per drive.
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
from ermas_algos.evaluation.toll_certificate import certify_toll_run
from ermas_algos.experiments.jobs import Job, Row, Scale, Tables
from ermas_algos.learners.jax_config import JaxLearnerConfig
from ermas_algos.number_cells import numbers_text
from ermas_algos.studies.learner_kinds import learning_with
from ermas_envs import toll_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.toll.settings import TollSettings
from ermas_envs.oracles.tolls import (
    BestTolls,
    Traffic,
    best_tolls,
    marginal_cost_tolls,
    per_step,
    robust_objective,
    unknown_value_objective,
)

NAME = "tolls"
TRAINING = "tolls-training"
CURVES = "tolls-curves"
TABLES = (NAME, TRAINING, CURVES)
CURVE_STEP = 0.02
"""Between the tolls of a curve."""
NUMBERS = (20, 100)
"""Drivers."""
EPSILONS = (0.05, 0.1, 0.2)
"""ε of the gap, cost per drive."""
VALUES = (0.5, 1.0, 2.0)
"""Values of time that drivers may have, where it is unknown."""
VALUE_EPSILON = 0.45
"""ε of ERMAS for an unknown value of time, |1 − 1/v| · toll for v = ½ and a toll of .45."""
ITERATIONS, SNAPSHOT_EVERY = 240, 40
DRIVERS_IN_ALL = 2560
"""Drivers times replicas, for every number of drivers; with a quarter, planners of a hundred drivers learned chance."""
OWN, OTHERS, WHOLE = "ERMAS", "ERMAS, others' regret", "ERMAS, whole gradient"
SEARCHES: Mapping[str, str] = {"UCB1": "ucb1", "Thompson sampling": "thompson", "GP-UCB": "gp_ucb"}
"""Rule of each method that searches for the best fixed tolls (`CommitmentSearch.rule`)."""
METHODS: Mapping[str, str] = {
    "MARL": "MARL",
    **dict.fromkeys((OWN, OTHERS, WHOLE), "ERMAS"),
    **dict.fromkeys(SEARCHES, "Commitment"),
}
"""Trainer of each method. In `OTHERS`, the preset's, drivers count what they do to each other's regret
(`ERMASConfig.regret_of_others`); in `WHOLE` everybody follows the whole gradient of the Lagrangian, the planner
too, who counts what drivers can lose (`planner_objective`)."""
EPSILON_GAP, VALUE_GAP = "epsilon", "value of time"
"""Names of the gaps."""


@dataclass(frozen=True)
class Rules:
    """Tolls that no training finds: exact optima and rules, for one number of drivers."""

    num_drivers: int
    """n."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"rules_{self.num_drivers}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        return {"num_drivers": self.num_drivers, "epsilons": list(EPSILONS), "values": list(VALUES)}

    def run(self) -> Tables:
        """Rows of all rules in all gaps, and of the worst latency over tolls."""
        traffic = traffic_of(self.num_drivers)
        rules = {
            "no toll": np.zeros(2),
            "marginal cost": marginal_cost_tolls(traffic.roads),
            "exact, naive": optimum(self.num_drivers, EPSILON_GAP, 0.0).tolls,
        }
        rows = [row for name, tolls in rules.items() for row in judged(self.num_drivers, name, None, tolls)]
        for gap, epsilon in gaps():
            best = optimum(self.num_drivers, gap, epsilon)
            rows.append(judged_in(self.num_drivers, "exact, robust", None, best.tolls, gap, epsilon))
        return {NAME: rows, CURVES: [row for gap, epsilon in gaps() for row in self._curve(gap, epsilon)]}

    def _curve(self, gap: str, epsilon: float | None) -> list[Row]:
        sizes = np.arange(0.0, 1.0 + CURVE_STEP / 2, CURVE_STEP).round(9).tolist()
        place = {"num_drivers": self.num_drivers, "gap": gap, "epsilon": epsilon}
        return [
            {**place, "toll": size, "worst_latency": worst(self.num_drivers, gap, epsilon, np.array([0.0, size]))}
            for size in sizes
        ]


@dataclass(frozen=True)
class Trained:
    """A planner's training."""

    num_drivers: int
    """n."""
    method: str
    """Key of `METHODS`."""
    epsilon: float | None
    """ε of ERMAS, per drive."""
    seed: int
    """Training seed."""
    iterations: int
    """Outer iterations."""
    every: int
    """Between two rows of the training's table."""

    def run_settings(self) -> Run:
        """The training."""
        settings: dict[str, Any] = {
            "seed": self.seed,
            "num_envs": max(2, DRIVERS_IN_ALL // self.num_drivers),
            "planner_warmup": min(40, self.iterations // 2),
        }
        if self.epsilon is not None:
            settings |= {
                "epsilon": per_step(toll_settings(self.num_drivers), self.epsilon),
                "regret_of_others": self.method in (OTHERS, WHOLE),
                "planner_objective": "lagrangian" if self.method == WHOLE else "payoff",
                "warmup_iterations": min(5, self.iterations // 2),
                # One driver of n has 1/n of the effect on the planner's payoff, and so λ is of that order.
                "multiplier": {name: value / self.num_drivers for name, value in MULTIPLIER.items()},
            }
        if self.method in SEARCHES:
            settings |= {"search": {"rule": SEARCHES[self.method]}}
        run = Run.from_options(
            {
                "environment": toll_v0.NAME,
                "arguments": {"num_drivers": self.num_drivers},
                "algorithm": METHODS[self.method],
                "settings": settings,
                "iterations": self.iterations,
            }
        )
        return learning_with(JaxLearnerConfig.kind, run)

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"{METHODS[self.method]}_{self.num_drivers}_seed-{self.seed}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        return {**self.run_settings().as_options(), "every": self.every}

    def run(self) -> Tables:
        """Rows of the last tolls in the gaps that they are for, and a row per snapshot of the training."""
        run, seen = self.run_settings(), Snapshots(self)
        run.trainer().learn(run.iterations, callbacks=[seen])
        rows = judged(self.num_drivers, self.method, self.seed, seen.tolls, self.epsilon)
        return {NAME: rows, TRAINING: seen.rows}


MULTIPLIER = {"initial": 4.0, "step_size": 2.0, "proportional": 30.0, "maximum": 100.0}
"""λ times the number of drivers: the defaults of two agents."""


class Snapshots(Callback):
    """Keeps the planner's likeliest tolls and the drivers' exact regret under them."""

    def __init__(self, job: Trained) -> None:
        self.job = job
        self.rows: list[Row] = []
        self.tolls: FloatArray = np.zeros(2)

    def on_iteration(self, trainer: Trainer[Any], metrics: Mapping[str, Any]) -> None:
        """A row now and then; see `TABLES`."""
        if trainer.iteration % self.job.every and trainer.iteration < self.job.iterations:
            return
        found = certify_toll_run(trainer)
        drivers = found.certificate.drivers
        assert drivers is not None
        self.tolls = found.certificate.tolls
        prices = [float(metrics[name]) for name in metrics if name.startswith("multiplier/")]
        job = self.job
        self.rows.append(
            {
                "num_drivers": job.num_drivers,
                "method": job.method,
                "epsilon": job.epsilon,
                "seed": job.seed,
                "iteration": trainer.iteration,
                "env_steps": trainer.env_steps,
                "tolls": numbers_text(self.tolls),
                "probability": found.probability,
                "trained_latency": drivers.mean_latency,
                "trained_regret": float(drivers.regrets.mean()),
                "multiplier": float(np.mean(prices)) if prices else None,
            }
        )


def toll_settings(num_drivers: int) -> TollSettings:
    """The game that planners are trained in."""
    run = Run.from_options(
        {"environment": toll_v0.NAME, "arguments": {"num_drivers": num_drivers}, "algorithm": "MARL", "iterations": 1}
    )
    return TollSettings(**run.environment.arguments)


def traffic_of(num_drivers: int) -> Traffic:
    """Its roads and drivers."""
    return Traffic.of(TollSettings(num_drivers=num_drivers))


def gaps() -> list[tuple[str, float | None]]:
    """All gaps: ε-equilibria, and the unknown value of time."""
    return [*((EPSILON_GAP, epsilon) for epsilon in EPSILONS), (VALUE_GAP, None)]


def worst(num_drivers: int, gap: str, epsilon: float | None, tolls: FloatArray) -> float:
    """Largest mean latency of tolls in a gap."""
    traffic = traffic_of(num_drivers)
    if gap == VALUE_GAP:
        return unknown_value_objective(traffic, VALUES)(tolls)
    assert epsilon is not None
    return robust_objective(traffic, epsilon)(tolls)


@cache
def optimum(num_drivers: int, gap: str, epsilon: float | None) -> BestTolls:
    """The best tolls in a gap, on the second road."""
    return best_tolls(lambda tolls: worst(num_drivers, gap, epsilon, tolls), 2, [1])


def judged(
    num_drivers: int, method: str, seed: int | None, tolls: FloatArray, epsilon: float | None = None
) -> list[Row]:
    """Rows of tolls in all gaps; tolls that were trained for an ε in those of this ε, and at an unknown value of time.

    There `epsilon` is that of the training.
    """
    kinds = gaps() if epsilon is None else [(gap, e) for gap, e in gaps() if gap == VALUE_GAP or e == epsilon]
    rows = []
    for gap, of_gap in kinds:
        row = judged_in(num_drivers, method, seed, tolls, gap, of_gap)
        rows.append({**row, "epsilon": epsilon} if gap == VALUE_GAP else row)
    return rows


def judged_in(
    num_drivers: int, method: str, seed: int | None, tolls: FloatArray, gap: str, epsilon: float | None
) -> Row:
    """One row."""
    return {
        "num_drivers": num_drivers,
        "gap": gap,
        "epsilon": epsilon,
        "method": method,
        "seed": seed,
        "tolls": numbers_text(tolls),
        "latency_at_home": worst(num_drivers, EPSILON_GAP, 0.0, tolls),
        "worst_latency": worst(num_drivers, gap, epsilon, tolls),
        "robust_optimum": optimum(num_drivers, gap, epsilon).value,
    }


def jobs(scale: Scale) -> Sequence[Job]:
    """Rules, then trainings: seeds × methods × numbers of drivers; the paper's gradient and searches with the fewest
    alone."""
    iterations, every = (6, 3) if scale.quick else (ITERATIONS, SNAPSHOT_EVERY)
    bounds = (*EPSILONS, VALUE_EPSILON)
    methods: list[tuple[str, Sequence[float | None], Sequence[int]]]
    methods = [(WHOLE, bounds, NUMBERS), (OTHERS, bounds, NUMBERS), (OWN, EPSILONS, NUMBERS[:1])]
    methods += [("MARL", (None,), NUMBERS)]
    methods += [(search, (None,), NUMBERS[:1]) for search in SEARCHES]
    trained = [
        Trained(number, method, epsilon, seed, iterations, every)
        for seed in scale.numbers
        for method, epsilons, numbers in methods
        for epsilon in (epsilons[:1] if scale.quick else epsilons)
        for number in numbers
    ]
    return [*(Rules(number) for number in NUMBERS), *trained]


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Draw worst latencies over tolls, with the tolls that methods have found."""
    from ermas_algos.studies.tolls_picture import plot_tolls  # Matplotlib takes a second to import

    plot_tolls(path, tables[NAME], tables[CURVES])
