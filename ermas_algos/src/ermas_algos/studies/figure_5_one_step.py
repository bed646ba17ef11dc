"""Figure 5 in the one-step economy: tax schedules of every method at other risk aversions than the one of training.

A planner is trained at η = .23. Of the schedules that it has been at, the one is kept that is worth most to fresh,
converged agents at η = .23; neither exact values nor another η take part in the choice. It is then tested at every η by
the exact equilibrium and by fresh agents. Exact schedules stand beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ermas_algos.algorithms.callbacks import Callback
from ermas_algos.algorithms.config import ERMASConfig, TrainerConfig
from ermas_algos.algorithms.run import Run, data_key
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.evaluation.schedule_transfer import FRESH_TAXPAYERS, evaluate_schedule
from ermas_algos.evaluation.tax_certificate import likeliest_play
from ermas_algos.experiments.jobs import Finished, Job, Row, Scale, Tables
from ermas_algos.experiments.results import rows_of
from ermas_algos.presets import preset_registry
from ermas_algos.studies.figure_5_tables import ORACLE, TRAINING_ETA, choice_rows, claim_rows, summary_rows
from ermas_envs import one_step_economy_v0
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.taxation.tax_schedule import US_FEDERAL_2018_RATES
from ermas_envs.oracles.taxes import (
    BestSchedule,
    Population,
    best_schedule,
    equilibrium,
    expected_welfare,
    mean_welfare,
    reform_elasticity,
    regrets,
    saez_fixed_point,
    worst_case,
    worst_welfare,
)

NAME = "figure-5-one-step"
TEST_ETAS = (0.11, 0.15, 0.19, 0.23, 0.27, 0.31, 0.35)
VALIDATION_ETAS = (0.17, 0.29)
"""Where ε is chosen; never a test η."""
EPSILONS = (0.25, 0.5, 1.0)
"""ε of ERMAS, payoff per step."""
ROBUST_EPSILONS = (0.5, 1.0)
"""ε of the exact robust schedules, payoff per step."""
ITERATIONS, QUICK_ITERATIONS = 220, 24
SNAPSHOT_EVERY = 20
"""Outer iterations between two schedules of a training that may be kept."""
STARTS = 6
"""Of the search for exact schedules."""
ROBUST_STARTS = 2
"""Of the search for robust ones, in which every schedule takes a search for its worst case."""


def arguments(eta: float) -> dict[str, Any]:
    """The economy of the environment's preset at a risk aversion."""
    return {**preset_registry.make("one-step").arguments, "isoelastic_eta": eta}


@dataclass(frozen=True)
class Method:
    """A way to train a planner."""

    algorithm: str
    """Name of a trainer."""
    epsilon: float | None = None
    """ε of ERMAS."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the environment's preset."""
    family: str | None = None
    """Name in the tables; None: the trainer's."""


def methods(quick: bool) -> dict[str, Method]:
    """All methods that learn, by name."""
    short = {"planner_warmup": 4, "num_envs": 32} if quick else {}
    robust = {**short, "warmup_iterations": 3} if quick else {}
    found = {"MARL": Method("MARL", None, short)}
    for epsilon in EPSILONS[1:2] if quick else EPSILONS:
        found[f"ERMAS_epsilon-{epsilon:g}"] = Method("ERMAS", epsilon, {**robust, "epsilon": epsilon})
    if not quick:
        found["MARL_equal-compute"] = Method("MARL", None, {"num_envs": _equal_envs()}, "MARL, equal compute")
    return found


def _equal_envs() -> int:
    """Replicas with which MARL takes as many environment steps as ERMAS in as many iterations."""
    marl, ermas = (_run(Method(name), 0, ITERATIONS).config for name in ("MARL", "ERMAS"))
    return round(ermas.num_envs * blocks_played(ermas, ITERATIONS) / blocks_played(marl, ITERATIONS))


def blocks_played(config: TrainerConfig, iterations: int) -> int:
    """Blocks of `num_envs` replicas that so many outer iterations of MARL or ERMAS play, an episode each; deviations
    that are not synchronised before the first practice after the warm-up are counted there nevertheless."""
    practice = config.practice_updates
    if not isinstance(config, ERMASConfig):
        return iterations * (practice + 1)
    warm, blocks = min(config.warmup_iterations, iterations), (config.deviating_agents or 1) + 1
    measured = practice * blocks + (config.deviation_updates - 1) * (blocks - 1) + blocks
    return warm * (practice + 1) + (iterations - warm) * measured


def _run(method: Method, seed: int, iterations: int) -> Run:
    return Run.from_options(
        {
            "environment": one_step_economy_v0.NAME,
            "arguments": arguments(TRAINING_ETA),
            "algorithm": method.algorithm,
            "settings": {**method.settings, "seed": seed},
            "iterations": iterations,
        }
    )


class Snapshots(Callback):
    """Keeps the planner's most likely schedule every so many iterations after its warm-up."""

    def __init__(self, every: int, population: Population) -> None:
        self.every, self.population = every, population
        self.rows: list[Row] = []
        self._estimates: list[list[float]] = []

    def on_iteration(self, trainer: Trainer[Any], metrics: Mapping[str, Any]) -> None:
        """One row: iteration, environment steps, sampled welfare of an episode, schedule and its probability; expected
        welfare with the trained agents, the mean and the largest exact regret of these, and the mean of what was
        estimated since the row before (payoff per step; None where nothing is)."""
        names = [f"estimated_regret/{agent}" for agent in trainer.env.agents]
        self._estimates.append([float(metrics.get(name, np.nan)) for name in names])
        if trainer.iteration % self.every or trainer.iteration <= trainer.config.planner_warmup:
            return
        play, steps = likeliest_play(trainer), trainer.env.horizon or 1
        taxed = self.population.under(play.rates)
        regret, estimates = regrets(taxed, play.profile), np.array(self._estimates)
        self._estimates = []
        self.rows.append(
            {
                "iteration": trainer.iteration,
                "env_steps": trainer.env_steps,
                "sampled_welfare": float(metrics[f"payoff/{trainer.env.planner}"]) * steps,
                "probability": play.probability,
                "trained_welfare": expected_welfare(taxed, play.profile),
                "trained_regret": float(regret.mean()),
                "trained_regret_largest": float(regret.max()),
                "estimated_regret": None if np.isnan(estimates).all() else float(np.nanmean(estimates)),
                "schedule": schedule_text(play.rates),
            }
        )


def schedule_text(rates: Sequence[float] | np.ndarray) -> str:
    """Rates as one cell of a table."""
    return " ".join(f"{rate:.6g}" for rate in rates)


def rates_of(text: str) -> list[float]:
    """What `schedule_text` wrote."""
    return [float(rate) for rate in text.split()]


@dataclass(frozen=True)
class Training:
    """Trains one planner and chooses its schedule."""

    method_name: str
    """Name of the method."""
    method: Method
    """How."""
    seed: int
    """Training seed, also that of the fresh agents of the choice."""
    iterations: int
    """Outer iterations."""
    every: int
    """Between two snapshots."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"training_{self.method.algorithm}_seed-{self.seed}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        run = _run(self.method, self.seed, self.iterations)
        return {**run.as_options(), "method": self.method_name, "every": self.every}

    def run(self) -> Tables:
        """Rows of all snapshots, with what they are worth to fresh agents at η = .23; the best is `chosen`."""
        population = Population.of(OneStepSettings(**arguments(TRAINING_ETA)))
        snapshots = Snapshots(self.every, population)
        _run(self.method, self.seed, self.iterations).trainer().learn(self.iterations, callbacks=[snapshots])
        worth = {
            text: evaluate_schedule(arguments(TRAINING_ETA), rates_of(text), FRESH_TAXPAYERS, self.seed)
            for text in dict.fromkeys(row["schedule"] for row in snapshots.rows)
        }
        best = max(worth, key=lambda text: worth[text].fresh_welfare or 0.0)
        labels = {
            "method": self.method.family or self.method.algorithm,
            "epsilon": self.method.epsilon,
            "seed": self.seed,
        }
        worst = {} if self.method.epsilon is None else _worst(population, best, self.method.epsilon)
        rows = []
        for row in snapshots.rows:
            found = worth[row["schedule"]]
            values = {"fresh_welfare": found.fresh_welfare, "exact_welfare": found.exact_welfare}
            kept = row["schedule"] == best
            rows.append({**labels, **row, **values, "chosen": kept, **(worst if kept else {})})
        return {TRAINING: rows}


def _worst(population: Population, schedule: str, epsilon: float) -> Row:
    """The worst ε-equilibrium of a schedule: welfare found, and its proven lower bound."""
    taxed = population.under(rates_of(schedule))
    found = worst_case(taxed, epsilon, equilibrium(taxed).profile)
    return {"worst_case_found": found.found, "worst_case_bound": found.bound}


TRAINING, SCHEDULES, TESTS = f"{NAME}-training", f"{NAME}-schedules", f"{NAME}-tests"


@dataclass(frozen=True)
class Exact:
    """A schedule that needs no learning, or that is exactly best for something."""

    method: str
    """`free market`, `US federal`, `Saez` (the formula's fixed point, at the elasticity that a reform of the US federal
    schedule reveals), `per-η oracle`, `exact best`, `exact, told the range`, `exact robust`."""
    eta: float = TRAINING_ETA
    """η that it is best at."""
    epsilon: float | None = None
    """ε of a robust one."""
    starts: int = STARTS
    """Of the search."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"exact_eta-{self.eta:g}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        return {**asdict(self), "arguments": arguments(self.eta)}

    def run(self) -> Tables:
        """One row: the schedule."""
        rates, found = self._search()
        row = {"method": self.method, "epsilon": self.epsilon, "eta": self.eta, "schedule": schedule_text(rates)}
        searched = {"value": found.value, "starts": found.starts, "agreed": found.agreed} if found else {}
        return {SCHEDULES: [row | searched]}

    def _search(self) -> tuple[Sequence[float], BestSchedule | None]:
        """Rates, and how they were found if by a search."""
        population = Population.of(OneStepSettings(**arguments(self.eta)))
        if self.method == "free market":
            return [0.0] * len(population.cutoffs), None
        if self.method == "US federal":
            return US_FEDERAL_2018_RATES, None
        if self.method == "Saez":
            elasticity = reform_elasticity(population, np.array(US_FEDERAL_2018_RATES))
            return saez_fixed_point(population, elasticity).rates.tolist(), None
        value = None
        if self.method == "exact, told the range":
            value = mean_welfare([Population.of(OneStepSettings(**arguments(eta))) for eta in TEST_ETAS])
        elif self.epsilon is not None:
            value = worst_welfare(population, self.epsilon)
        found = best_schedule(population, value, starts=self.starts)
        return found.rates.tolist(), found


@dataclass(frozen=True)
class Test:
    """Tests one schedule at several η."""

    labels: Mapping[str, Any]
    """Method, ε, seed, environment steps of the training."""
    schedule: str
    """Its rates."""
    etas: tuple[float, ...]
    """Where."""
    fresh: bool
    """With fresh agents."""
    seed: int
    """Of the fresh agents."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"test_seed-{self.seed}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        return asdict(self)

    def run(self) -> Tables:
        """A row per η."""
        rows = []
        for eta in self.etas:
            fresh = FRESH_TAXPAYERS if self.fresh else None
            found = asdict(evaluate_schedule(arguments(eta), rates_of(self.schedule), fresh, self.seed))
            rows.append({**self.labels, "eta_test": eta, **found, "schedule": self.schedule})
        return {TESTS: rows}


def trainings(scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
    """The first stage: planners that learn, seed by seed, and exact schedules."""
    iterations, every = (QUICK_ITERATIONS, 10) if scale.quick else (ITERATIONS, SNAPSHOT_EVERY)
    starts = 1 if scale.quick else STARTS
    exact: list[Job] = [Exact("free market"), Exact("US federal"), Exact("Saez"), Exact("exact best", starts=starts)]
    if not scale.quick:
        exact += [Exact(ORACLE, eta) for eta in TEST_ETAS]
        exact += [Exact("exact, told the range")]
    learned = [
        Training(name, method, seed, iterations, every)
        for seed in range(scale.seeds)
        for name, method in methods(scale.quick).items()
    ]
    robust = [Exact("exact robust", epsilon=epsilon, starts=ROBUST_STARTS) for epsilon in ROBUST_EPSILONS]
    return [*exact, *learned, *(() if scale.quick else robust)]


def tests(scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
    """The second stage: what was chosen, at every η; an oracle that has been told η is tested there only."""
    etas = (0.17, 0.23, 0.29, 0.31) if scale.quick else tuple(sorted((*TEST_ETAS, *VALIDATION_ETAS)))
    jobs = []
    for row in rows_of(finished, SCHEDULES):
        told = row["method"] == ORACLE
        labels = {name: row[name] for name in ("method", "epsilon")} | {"seed": 0, "env_steps": 0}
        jobs.append(Test(labels, row["schedule"], (row["eta"],) if told else etas, not scale.quick, 0))
    for row in rows_of(finished, TRAINING):
        if row["chosen"] and not _seen(jobs, row):
            labels = {name: row[name] for name in ("method", "epsilon", "seed", "env_steps")}
            jobs.append(Test(labels, row["schedule"], etas, not scale.quick, row["seed"]))
    return jobs


def _seen(jobs: Sequence[Test], row: Row) -> bool:
    """Whether a schedule that several snapshots share is tested already."""
    return any(all(job.labels[name] == row[name] for name in ("method", "epsilon", "seed")) for job in jobs)


TABLES = (NAME, f"{NAME}-validation", f"{NAME}-choice", f"{NAME}-summary", f"{NAME}-claims", TRAINING, SCHEDULES)


def collect(finished: Sequence[Finished]) -> dict[str, list[Row]]:
    """See `Experiment.collect`."""
    rows = [{"num_agents": arguments(TRAINING_ETA)["num_agents"], **row} for row in rows_of(finished, TESTS)]
    tested = [row for row in rows if row["eta_test"] in TEST_ETAS]
    validated = [row for row in rows if row["eta_test"] in VALIDATION_ETAS]
    choice = choice_rows(validated)
    found = (tested, validated, choice, summary_rows(tested), claim_rows(tested, choice))
    return dict(zip(TABLES, (*found, rows_of(finished, TRAINING), rows_of(finished, SCHEDULES)), strict=True))


def describe(scale: Scale, finished: Sequence[Finished]) -> dict[str, Any]:
    """The economy, the methods and how fresh agents are trained."""
    return {
        "arguments": arguments(TRAINING_ETA),
        "methods": {name: asdict(method) for name, method in methods(scale.quick).items()},
        "iterations": QUICK_ITERATIONS if scale.quick else ITERATIONS,
        "fresh_agents": asdict(FRESH_TAXPAYERS),
    }


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write welfare over η, schedules, and productivity against equality."""
    from ermas_algos.studies.figure_5_picture import plot_figure_5  # Matplotlib takes a second to import

    plot_figure_5(path, tables[NAME], tables[f"{NAME}-choice"], TRAINING_ETA)
