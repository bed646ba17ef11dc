"""Jobs of Figure 5 in the one-step economy: train a planner and choose its schedule, find an exact schedule, test one.

A planner is trained where the gap is 0, or by domain randomisation on people of the tests. Of the schedules that it has
been at, the one is kept that is worth most to fresh, converged agents there; exact values take no part in the choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ermas_algos.algorithms.callbacks import Callback
from ermas_algos.algorithms.config import to_json
from ermas_algos.algorithms.run import Run, data_key
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.evaluation.fresh_agents import FreshAgentsConfig
from ermas_algos.evaluation.schedule_transfer import evaluate_schedule, fresh_taxpayers
from ermas_algos.evaluation.tax_certificate import likeliest_play
from ermas_algos.experiments.jobs import Row, Tables
from ermas_algos.number_cells import numbers_of, numbers_text
from ermas_algos.studies.learner_kinds import learning_with, of_kind
from ermas_algos.studies.one_step_gaps import Gap
from ermas_envs import BatchedEnv, one_step_economy_v0
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
from ermas_envs.oracles.taxes.population import CHOICES
from ermas_envs.perturbations import RandomRiskAversion

TRAINING, SCHEDULES, TESTS, WORST = "training", "schedules", "tests", "worst-cases"
"""Tables of the jobs."""
STARTS = 6
"""Of the search for exact schedules."""
FREE_MARKET, US_FEDERAL, SAEZ = "free market", "US federal", "Saez"
BEST, TOLD_THE_RANGE, ROBUST = "exact best", "exact, told the range", "exact robust"
ORACLE = "oracle"
"""Exact best schedules that have been told the value of the gap's fact, each tested there only."""


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
    etas: tuple[float, ...] = ()
    """Risk aversions of which people draw one in every episode (domain randomisation); none: that of the gap's home."""
    learner: str | None = None
    """Kind of all learners, those of fresh agents too; None: the gap's."""


def training_run(gap: Gap, method: Method, seed: int, iterations: int) -> Run:
    """The training where the gap is 0."""
    run = Run.from_options(
        {
            "environment": one_step_economy_v0.NAME,
            "arguments": {**gap.arguments(gap.home), **_drawn(method.etas)},
            "algorithm": method.algorithm,
            "settings": {**method.settings, "seed": seed},
            "iterations": iterations,
        }
    )
    return learning_with(method.learner or gap.learner, run)


def _drawn(etas: Sequence[float]) -> dict[str, Any]:
    """Argument of the environment in which every episode draws one of these; nothing without any."""
    return {"perturbation": {"name": "random_risk_aversion", "etas": list(etas)}} if etas else {}


def fresh_agents(gap: Gap, learner: str | None = None) -> FreshAgentsConfig:
    """How fresh agents are trained; the kind of learner is the gap's unless another is given."""
    config = fresh_taxpayers(gap.arguments(gap.home)["num_agents"])
    return replace(config, agent_learner=of_kind(learner or gap.learner, config.agent_learner))


class Snapshots(Callback):
    """Keeps the planner's most likely schedule every so many iterations after its warm-up.

    Args:
        every: iterations between two.
        population: the trained agents, to whom it is to be worth something.
        env: where planner and agents are asked what they do (`likeliest_play`).
    """

    def __init__(self, every: int, population: Population, env: BatchedEnv | None = None) -> None:
        self.every, self.population, self.env = every, population, env
        self.rows: list[Row] = []
        self._estimates: list[list[float]] = []

    def on_iteration(self, trainer: Trainer[Any], metrics: Mapping[str, Any]) -> None:
        """One row: iteration, environment steps, sampled welfare of an episode, schedule and its probability; expected
        welfare with the trained agents, the mean and the largest exact regret of these, and the mean of what was
        estimated since the row before (payoff per step; None where nothing is); expected hours of every trained agent,
        and those in the schedule's equilibrium."""
        names = [f"estimated_regret/{agent}" for agent in trainer.env.agents]
        self._estimates.append([float(metrics.get(name, np.nan)) for name in names])
        if trainer.iteration % self.every or trainer.iteration <= trainer.config.planner_warmup:
            return
        play, steps = likeliest_play(trainer, self.env), trainer.env.horizon or 1
        taxed = self.population.under(play.rates)
        regret, estimates = regrets(taxed, play.profile), np.array(self._estimates)
        self._estimates = []
        hours = np.arange(CHOICES)
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
                "schedule": numbers_text(play.rates),
                "trained_hours": numbers_text(play.profile @ hours),
                "equilibrium_hours": numbers_text(equilibrium(taxed).profile @ hours),
            }
        )


def snapshots_of(gap: Gap, method: Method, seed: int, iterations: int, every: int) -> list[Row]:
    """Trains a planner; rows of its snapshots, which begin with method, ε and seed."""
    at_home = None
    if method.etas:
        arguments, drawn = gap.arguments(gap.home), RandomRiskAversion([gap.home])
        at_home = one_step_economy_v0.batched_env(1, **arguments, perturbation=drawn)
    snapshots = Snapshots(every, gap.people(gap.home), at_home)
    training_run(gap, method, seed, iterations).trainer().learn(iterations, callbacks=[snapshots])
    labels = {"method": method.family or method.algorithm, "epsilon": method.epsilon, "seed": seed}
    return [{**labels, **row} for row in snapshots.rows]


FRESH = 1000
"""Added to the seeds of the fresh agents of tests, who are others than agents of trainings and of choices."""


@dataclass(frozen=True)
class Training:
    """Trains one planner and chooses its schedule."""

    gap: Gap
    """Where it is trained."""
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
        run = training_run(self.gap, self.method, self.seed, self.iterations)
        fresh = {"fresh_agents": to_json(self._fresh_agents()), "chosen_at": list(self._chosen_at())}
        return {**run.as_options(), "method": self.method_name, "every": self.every, **fresh}

    def _fresh_agents(self) -> FreshAgentsConfig:
        return fresh_agents(self.gap, self.method.learner)

    def _chosen_at(self) -> tuple[float, ...]:
        return (self.gap.home, *(self.gap.validation if self.method.etas else ()))

    def run(self) -> Tables:
        """Rows of all snapshots, with what they are worth to fresh agents; the best is `chosen`. Fresh agents are those
        of the gap's home; a method that knows of others takes their mean with those at the values of the validation."""
        snapshots = snapshots_of(self.gap, self.method, self.seed, self.iterations, self.every)
        worth = {text: self._worth(numbers_of(text)) for text in dict.fromkeys(row["schedule"] for row in snapshots)}
        best = max(worth, key=lambda text: worth[text]["fresh_welfare"])
        return {TRAINING: [{**row, **worth[row["schedule"]], "chosen": row["schedule"] == best} for row in snapshots]}

    def _worth(self, rates: Sequence[float]) -> Row:
        """Of a schedule: to fresh agents, and exactly where the gap is 0."""
        places, fresh = self._chosen_at(), self._fresh_agents()
        found = [evaluate_schedule(self.gap.arguments(value), rates, fresh, self.seed) for value in places]
        welfare = float(np.mean([one.fresh_welfare or 0.0 for one in found]))
        return {"fresh_welfare": welfare, "exact_welfare": found[0].exact_welfare}


@dataclass(frozen=True)
class Exact:
    """A schedule that needs no learning, or that is exactly best for something."""

    gap: Gap
    """Whose people."""
    method: str
    """`FREE_MARKET`, `US_FEDERAL`, `SAEZ` (the formula's fixed point, at the elasticity that a reform of the US federal
    schedule reveals), `ORACLE` (best where it is tested), `BEST`, `TOLD_THE_RANGE` or `ROBUST`."""
    value: float
    """Of the gap's fact, that the schedule is best at."""
    epsilon: float | None = None
    """ε of a robust one."""
    starts: int = STARTS
    """Of the search."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"exact_{self.gap.symbol}-{self.value:g}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        known = asdict(self)
        del known["gap"]
        tests = list(self.gap.tests) if self.method == TOLD_THE_RANGE else None
        return {**known, "arguments": self.gap.arguments(self.value), "tests": tests}

    def run(self) -> Tables:
        """One row: the schedule."""
        rates, found = self._search()
        row = {"method": self.method, "epsilon": self.epsilon, self.gap.symbol: self.value}
        searched = {"value": found.value, "starts": found.starts, "agreed": found.agreed} if found else {}
        return {SCHEDULES: [{**row, "schedule": numbers_text(rates), **searched}]}

    def _search(self) -> tuple[Sequence[float], BestSchedule | None]:
        """Rates, and how they were found if by a search."""
        population = self.gap.people(self.value)
        if self.method == FREE_MARKET:
            return [0.0] * len(population.cutoffs), None
        if self.method == US_FEDERAL:
            return US_FEDERAL_2018_RATES, None
        if self.method == SAEZ:
            elasticity = reform_elasticity(population, np.array(US_FEDERAL_2018_RATES))
            return saez_fixed_point(population, elasticity).rates.tolist(), None
        value = None
        if self.method == TOLD_THE_RANGE:
            value = mean_welfare([self.gap.people(test) for test in self.gap.tests])
        elif self.epsilon is not None:
            value = worst_welfare(population, self.epsilon)
        found = best_schedule(population, value, starts=self.starts)
        return found.rates.tolist(), found


@dataclass(frozen=True)
class Test:
    """Tests one schedule at several values of the gap's fact, and finds its worst cases where the gap is 0."""

    gap: Gap
    """Whose people."""
    labels: Mapping[str, Any]
    """Method, ε, seed, environment steps of the training."""
    schedule: str
    """Its rates."""
    values: tuple[float, ...]
    """Where."""
    epsilons: tuple[float, ...]
    """ε of the worst cases, payoff per step."""
    fresh: bool
    """With fresh agents."""
    seed: int
    """Of the fresh agents."""
    learner: str | None = None
    """Kind of the fresh agents' learner; None: the gap's."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"test_seed-{self.seed}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        known = asdict(self)
        del known["gap"]
        fresh = self._fresh_agents()
        known["fresh_agents"] = None if fresh is None else to_json(fresh)
        return {**known, "arguments": self.gap.arguments(self.gap.home), "argument": self.gap.argument}

    def _fresh_agents(self) -> FreshAgentsConfig | None:
        return fresh_agents(self.gap, self.learner) if self.fresh else None

    def run(self) -> Tables:
        """A row per value, and a row per ε: welfare found in the worst ε-equilibrium, and its proven lower bound."""
        rows, worst = [], []
        rates, fresh = numbers_of(self.schedule), self._fresh_agents()
        for value in self.values:
            found = evaluate_schedule(self.gap.arguments(value), rates, fresh, self.seed)
            rows.append({**self.labels, self.gap.column: value, **asdict(found), "schedule": self.schedule})
        taxed = self.gap.people(self.gap.home).under(rates)
        start = equilibrium(taxed).profile
        for epsilon in self.epsilons:
            case = worst_case(taxed, epsilon, start)
            row = {"epsilon_of_agents": epsilon, "worst_case_found": case.found, "worst_case_bound": case.bound}
            worst.append({**self.labels, **row})
        return {TESTS: rows, WORST: worst}
