"""Figure 5 in the one-step economy: tax schedules of every method for other people than those of the training.

Exact schedules stand beside those of planners that learn (`figure_5_jobs`); the gaps are in `one_step_gaps`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ermas_algos.algorithms.config import ERMASConfig
from ermas_algos.algorithms.run import Run
from ermas_algos.experiments.jobs import Finished, Job, Row, Scale
from ermas_algos.experiments.results import rows_of
from ermas_algos.learners.jax_config import JaxLearnerConfig
from ermas_algos.studies import figure_5_jobs as jobs
from ermas_algos.studies.figure_5_jobs import Exact, Method, Test, Training, training_run
from ermas_algos.studies.figure_5_tables import RANDOMISED, choice_rows, claim_rows, summary_rows
from ermas_algos.studies.one_step_gaps import Gap

EPSILONS = (0.25, 0.5, 1.0)
"""ε of ERMAS, payoff per step."""
ROBUST_EPSILONS = (0.5, 1.0)
"""ε of the exact robust schedules, payoff per step."""
ITERATIONS, QUICK_ITERATIONS = 220, 24
SNAPSHOT_EVERY = 20
"""Outer iterations between two schedules of a training that may be kept."""


def methods(gap: Gap, quick: bool) -> dict[str, Method]:
    """All methods that learn, by name."""
    short = {"planner_warmup": 4, "num_envs": 32} if quick else {}
    marl, robust = ({**gap.settings, **short}, {**gap.settings, **gap.ermas_settings, **short})
    if quick:
        robust["warmup_iterations"] = 3
    found = {"MARL": Method("MARL", None, marl)}
    for epsilon in EPSILONS[1:2] if quick else EPSILONS:
        found[f"ERMAS_epsilon-{epsilon:g}"] = Method("ERMAS", epsilon, {**robust, "epsilon": epsilon})
    if gap.equal_compute and not quick:
        equal = {**marl, "num_envs": equal_envs(gap, marl, robust)}
        found["MARL_equal-compute"] = Method("MARL", None, equal, "MARL, equal compute")
    if gap.randomised and not quick:
        found["MARL_domain-randomisation"] = Method("MARL", None, marl, RANDOMISED, gap.tests, JaxLearnerConfig.kind)
    return found


def equal_envs(gap: Gap, marl: Mapping[str, Any], robust: Mapping[str, Any]) -> int:
    """Replicas with which MARL takes as many environment steps as ERMAS in as many iterations."""
    own = training_run(gap, Method("MARL", None, marl), 0, ITERATIONS)
    ermas = training_run(gap, Method("ERMAS", None, robust), 0, ITERATIONS)
    return round(ermas.config.num_envs * blocks_played(ermas, ITERATIONS) / blocks_played(own, ITERATIONS))


def blocks_played(run: Run, iterations: int) -> int:
    """Blocks of `num_envs` replicas that so many outer iterations of MARL or ERMAS play, an episode each; deviations
    that are not synchronised before the first practice after the warm-up are counted there nevertheless."""
    config, agents = run.config, len(run.environment(1).agents)
    practice = config.practice_updates
    if not isinstance(config, ERMASConfig):
        return iterations * (practice + 1)
    warm, blocks = min(config.warmup_iterations, iterations), min(config.deviating_agents or agents, agents) + 1
    measured = practice * blocks + (config.deviation_updates - 1) * (blocks - 1) + blocks
    return warm * (practice + 1) + (iterations - warm) * measured


def trainings(gap: Gap, scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
    """The first stage: planners that learn, seed by seed, and exact schedules."""
    iterations, every = (QUICK_ITERATIONS, 10) if scale.quick else (ITERATIONS, SNAPSHOT_EVERY)
    starts = 1 if scale.quick else jobs.STARTS
    exact: list[Job] = [Exact(gap, name, gap.home) for name in (jobs.FREE_MARKET, jobs.US_FEDERAL, jobs.SAEZ)]
    exact += [Exact(gap, jobs.BEST, gap.home, starts=starts)]
    robust: list[Job] = []
    if not scale.quick:
        exact += [Exact(gap, jobs.ORACLE, value) for value in gap.tests]
        exact += [Exact(gap, jobs.TOLD_THE_RANGE, gap.home)]
        robust += [Exact(gap, jobs.ROBUST, gap.home, epsilon, gap.robust_starts) for epsilon in ROBUST_EPSILONS]
    learned = [
        Training(gap, name, method, seed, iterations, every)
        for seed in scale.numbers
        for name, method in methods(gap, scale.quick).items()
    ]
    return [*exact, *learned, *robust]


def tests(gap: Gap, scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
    """The second stage: what was chosen, at every value; an oracle that was told the value is tested there only."""
    everywhere = tuple(sorted((*gap.tests, *gap.validation)))
    values = (*gap.validation, gap.home, gap.tests[-2]) if scale.quick else everywhere
    found = []
    for row in rows_of(finished, jobs.SCHEDULES):
        labels = {name: row[name] for name in ("method", "epsilon")} | {"seed": 0, "env_steps": 0}
        told = row["method"] == jobs.ORACLE
        where, epsilons = ((row[gap.symbol],), ()) if told else (values, EPSILONS)
        found.append(Test(gap, labels, row["schedule"], where, epsilons, not scale.quick, jobs.FRESH))
    kinds = {method.family: method.learner for method in methods(gap, scale.quick).values()}
    for row in rows_of(finished, jobs.TRAINING):
        if row["chosen"] and not _seen(found, row):
            labels = {name: row[name] for name in ("method", "epsilon", "seed", "env_steps")}
            kind = kinds.get(row["method"])
            found.append(
                Test(gap, labels, row["schedule"], values, EPSILONS, not scale.quick, jobs.FRESH + row["seed"], kind)
            )
    return found


def _seen(found: Sequence[Test], row: Row) -> bool:
    """Whether a schedule that several snapshots share is tested already."""
    return any(all(job.labels[name] == row[name] for name in ("method", "epsilon", "seed")) for job in found)


STAGES = (trainings, tests)
"""One after the other."""


def tables(gap: Gap) -> tuple[str, ...]:
    """Names of the tables of results."""
    parts = ("validation", "choice", "summary", "claims", "training", "schedules", "worst-cases")
    return (gap.name, *(f"{gap.name}-{part}" for part in parts))


def collect(gap: Gap, finished: Sequence[Finished]) -> dict[str, list[Row]]:
    """See `Experiment.collect`."""
    rows = [{"num_agents": gap.arguments(gap.home)["num_agents"], **row} for row in rows_of(finished, jobs.TESTS)]
    tested = [row for row in rows if row[gap.column] in gap.tests]
    validated = [row for row in rows if row[gap.column] in gap.validation]
    choice = choice_rows(gap, validated)
    found = (tested, validated, choice, summary_rows(gap, tested), claim_rows(gap, tested, validated))
    others = (rows_of(finished, name) for name in (jobs.TRAINING, jobs.SCHEDULES, jobs.WORST))
    return dict(zip(tables(gap), (*found, *others), strict=True))


def describe(gap: Gap, scale: Scale, finished: Sequence[Finished]) -> dict[str, Any]:
    """The economy, the methods and how fresh agents are trained."""
    return {
        "arguments": gap.arguments(gap.home),
        "methods": {name: asdict(method) for name, method in methods(gap, scale.quick).items()},
        "learner": gap.learner,
        "iterations": QUICK_ITERATIONS if scale.quick else ITERATIONS,
        "fresh_agents": asdict(jobs.fresh_agents(gap)),
    }


def plot(gap: Gap, path: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write welfare over the gap, schedules, productivity against equality, and what adversarial agents do."""
    from ermas_algos.studies.figure_5_picture import GapAxis, plot_figure_5  # Matplotlib takes a second to import

    main, _, choice, *_, learned, _, worst = (rows[name] for name in tables(gap))
    plot_figure_5(path, GapAxis(gap.column, gap.words, gap.home), main, choice, learned, worst)
