"""Figure 5 in the full economy: tax planners of every method, tested on fresh agents of another risk aversion.

The one-step economy, where all of it is known exactly, has `figure_5_one_step`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ermas_algos.algorithms.config import to_json
from ermas_algos.algorithms.run import Run
from ermas_algos.experiments.jobs import Finished, Job, Row, Scale, read_file
from ermas_algos.experiments.results import rows_of
from ermas_algos.experiments.sweep import PLANNER_FILE
from ermas_algos.number_cells import numbers_of
from ermas_algos.studies import figure_5_economy_jobs as jobs
from ermas_algos.studies.economy_sizes import Size
from ermas_algos.studies.figure_5_economy_cross_play import CROSS_PLAY, cross_plays
from ermas_algos.studies.figure_5_economy_jobs import FirstPhase, Method, Test, Training
from ermas_algos.studies.figure_5_economy_saez import SAEZ, SaezFormula
from ermas_algos.studies.figure_5_jobs import FREE_MARKET, FRESH, ORACLE, US_FEDERAL
from ermas_algos.studies.figure_5_jobs import SAEZ as SAEZ_METHOD
from ermas_algos.studies.figure_5_one_step import blocks_played
from ermas_algos.studies.figure_5_tables import (
    RANDOMISED,
    amortised_rows,
    choice_rows,
    claim_rows,
    economy_rows,
    means_over_sets,
    rank_rows,
    summary_rows,
)

RULES: Mapping[str, Mapping[str, Any]] = {FREE_MARKET: {"name": "free_market"}, US_FEDERAL: {"name": "us_federal"}}
"""Planners that need no training."""


def methods(size: Size) -> dict[str, Method]:
    """All methods that learn, by name."""
    found = {"MARL": Method("MARL", "MARL")}
    for epsilon in size.epsilons:
        found[f"ERMAS_epsilon-{epsilon:g}"] = Method("ERMAS", "ERMAS", {"epsilon": epsilon}, epsilon)
    if size.equal_compute:
        equal = {"num_envs": equal_envs(size)}
        found["MARL_equal-compute"] = Method("MARL, equal compute", "MARL", equal)
    if size.oracles:
        for eta in size.tests:
            if eta != size.home:
                found[f"MARL_eta-{eta:g}"] = Method(ORACLE, "MARL", eta=eta)
    if size.randomised:
        found["MARL_domain-randomisation"] = Method(RANDOMISED, "MARL", eta=None)
    return found


def equal_envs(size: Size) -> int:
    """Replicas with which MARL takes as many environment steps as ERMAS in as many iterations, after a first phase that
    is the same for both."""
    marl, ermas = (size.training(name, {}, size.home, 0) for name in ("MARL", "ERMAS"))
    blocks = (blocks_after_first_phase(size, run) for run in (ermas, marl))
    return round(ermas.config.num_envs * next(blocks) / next(blocks))


def blocks_after_first_phase(size: Size, run: Run) -> int:
    """Those that are the training's own (`blocks_played`)."""
    return blocks_played(run, size.iterations) - blocks_played(run, size.alone)


def sized(size: Size, scale: Scale) -> Size:
    """The size in which it runs."""
    return size.quick() if scale.quick else size


def first_phases(size: Size, scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
    """The first stage: Saez's schedule, which all seeds share; seed by seed agents who have met no planner, those of
    trainings and those of tests.

    Those of tests learn for every risk aversion at once, which they see: agents to whom coin is worth little from the
    beginning often learn to do nothing, although work would be worth it to them. They also meet random rates: where 200
    iterations under a planner were all that they knew of taxes, one of two sets earned half of what it could.
    """
    chosen = sized(size, scale)
    trained = dict.fromkeys(method.eta for method in methods(chosen).values())
    found = [FirstPhase(chosen, eta, seed) for seed in scale.numbers for eta in trained]
    fresh = [number for seed in scale.numbers for number in fresh_sets(chosen, seed)]
    formula = replace(SaezFormula(chosen), rounds=1) if scale.quick else SaezFormula(chosen)
    return [formula, *found, *(FirstPhase(chosen, None, number, fresh=True) for number in fresh)]


def fresh_sets(size: Size, seed: int) -> range:
    """Seeds of the sets of fresh agents who test what this seed has trained, and nothing else.

    Where seeds shared a set, intervals over seeds would be too narrow.
    """
    first = FRESH + seed * size.fresh_sets
    return range(first, first + size.fresh_sets)


def trainings(size: Size, scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
    """The second stage: planners that learn, seed by seed."""
    chosen = sized(size, scale)
    begun = _first_phases(finished, folder)
    found: list[Job] = []
    for seed in scale.numbers:
        for name, method in methods(chosen).items():
            first = begun.get((method.eta, seed))
            if first is not None:
                found.append(Training(chosen, first, name, method, seed))
    return found


def tests(size: Size, scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
    """The third stage, seed by seed: every planner at every value; one that was trained elsewhere at its own only.
    Rules and MARL are tested by amortised tests, too."""
    chosen = sized(size, scale)
    values, begun = tuple(sorted((*chosen.tests, *chosen.validation))), _first_phases(finished, folder)
    found: list[Job] = []

    def add(labels: Mapping[str, Any], planner: Mapping[str, Any] | bytes, etas: Sequence[float | None]) -> None:
        for fresh in fresh_sets(chosen, labels["seed"]):
            if (None, fresh) in begun:
                found.extend(Test(chosen, labels, planner, begun[None, fresh], eta, fresh) for eta in etas)

    for seed in scale.numbers:
        for name, rule in _rules(finished).items():
            labels = {"method": name, "epsilon": None, "seed": seed, "env_steps": 0}
            add(labels, rule, (*chosen.tests, *_amortised(chosen)))
        for training in finished:
            for row in training.tables.get(jobs.TRAINING, []):
                if row["seed"] == seed:
                    labels = {column: row[column] for column in ("method", "epsilon", "seed", "env_steps")}
                    where: Sequence[float | None] = values if row["method"] == "ERMAS" else chosen.tests
                    if row["method"] == "MARL":
                        where = (*where, *_amortised(chosen))
                    only = (row["eta_trained"],) if row["method"] == ORACLE else where
                    add(labels, read_file(folder, training, PLANNER_FILE), only)
    return found


def _amortised(size: Size) -> tuple[None, ...]:
    """Those of amortised tests (`Size.people`)."""
    return (None,) if size.amortised else ()


def _first_phases(finished: Sequence[Finished], folder: Path) -> dict[tuple[float | None, int], bytes]:
    """Checkpoints by risk aversion and seed; those that failed are missing, and what needs them is left out."""
    return {
        (row["eta"], row["seed"]): read_file(folder, job, PLANNER_FILE)
        for job in finished
        for row in job.tables.get(jobs.FIRST, [])
    }


def _rules(finished: Sequence[Finished]) -> dict[str, Mapping[str, Any]]:
    """Planners that need no training, Saez's if its schedule is known."""
    formula = rows_of(finished, SAEZ)
    saez = {SAEZ_METHOD: {"name": "fixed_brackets", "rates": numbers_of(formula[-1]["rates"])}} if formula else {}
    return {**RULES, **saez}


def between_sets(size: Size, scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
    """The last stage: one agent of a set among those of another."""
    return cross_plays(tests(size, scale, finished, folder), finished, folder)


STAGES = (first_phases, trainings, tests, between_sets)
"""One after the other."""
_PARTS = (
    "",
    "-validation",
    "-choice",
    "-summary",
    "-claims",
    "-ranks",
    "-amortised",
    "-sets",
    "-curves",
    "-skills",
    "-saez",
    "-cross-play",
    "-economies",
)


def tables(size: Size) -> tuple[str, ...]:
    """Names of the tables of results."""
    return tuple(f"{size.name}{part}" for part in _PARTS)


def collect(size: Size, finished: Sequence[Finished]) -> dict[str, list[Row]]:
    """See `Experiment.collect`."""
    sets = [{**row, "fresh_welfare": row["eq_times_prod"]} for row in rows_of(finished, jobs.TESTS)]
    rows = means_over_sets(size, sets)
    tested = [row for row in rows if row[size.column] not in size.validation]
    tested += [{**row, "method": ORACLE} for row in tested if row["method"] == "MARL" and row[size.column] == size.home]
    validated = [row for row in rows if row[size.column] in size.validation]
    choice = choice_rows(size, validated)
    found = (tested, validated, choice, summary_rows(size, tested), claim_rows(size, tested, validated))
    seen = means_over_sets(size, rows_of(finished, jobs.AMORTISED))
    ranks, amortised = rank_rows(size, tested, choice), amortised_rows(size, seen, tested)
    others = [rows_of(finished, name) for name in (jobs.CURVES, jobs.SKILLS, SAEZ, CROSS_PLAY)]
    economies = economy_rows(size, others[1])
    return dict(zip(tables(size), (*found, ranks, amortised, sets, *others, economies), strict=True))


def describe(size: Size, scale: Scale, finished: Sequence[Finished]) -> dict[str, Any]:
    """The economy, the methods and how fresh agents are trained."""
    chosen = sized(size, scale)
    run = chosen.training("MARL", {}, chosen.home, 0)
    return {
        "arguments": dict(run.environment.arguments),
        "settings": {name: to_json(chosen.training(name, {}, chosen.home, 0).config) for name in ("MARL", "ERMAS")},
        "methods": {name: asdict(method) for name, method in methods(chosen).items()},
        "iterations": chosen.iterations,
        "fresh_agents": to_json(chosen.fresh_agents()),
        "test_episodes": chosen.test_episodes,
        "fresh_sets": chosen.fresh_sets,
    }


def plot(size: Size, path: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write welfare over the gap, curves, rates, productivity against equality, skills, and ranks."""
    from ermas_algos.studies.figure_5_economy_picture import plot_figure_5  # Matplotlib takes a second to import

    main, _, choice, _, _, ranks, _, _, curves, skills, *_ = (rows[name] for name in tables(size))
    plot_figure_5(path, main, choice, ranks, curves, skills, size.home)
