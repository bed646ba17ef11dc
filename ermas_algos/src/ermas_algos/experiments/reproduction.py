"""Reproduces an experiment: its jobs, then one CSV per table, a PNG, and a JSON with configuration and versions."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ermas_algos.checkpoint import replace_file
from ermas_algos.experiments import figure_2, figure_3, figure_4, meta_gradient, mixing, multipliers, regret_estimators
from ermas_algos.experiments.jobs import Finished, Job, Outcome, Row, run_jobs
from ermas_algos.experiments.scale import Scale
from ermas_envs.registry import Registry


Stage = Callable[[Scale, Sequence[Finished], Path], Sequence[Job]]
"""Jobs that can be listed once those of the stages before, whose files are in the folder, are finished."""
PlotTables = Callable[[Path, Mapping[str, Sequence[Mapping[str, Any]]]], None]
"""Draws the rows of the tables into a PNG."""


@dataclass(frozen=True)
class Experiment:
    """What `ermas reproduce` can run."""

    name: str
    """Name in the command, and of the PNG and JSON files."""
    stages: Sequence[Stage]
    """One after the other; a failed job stops no stage."""
    tables: Callable[[Sequence[Finished]], Mapping[str, Sequence[Row]]]
    """The result's tables by the name of their CSV file."""
    plot: PlotTables
    """Draws them."""


experiment_registry: Registry[Experiment] = Registry("experiment")


def _register(module: Any) -> None:
    """An experiment of one stage: a module with NAME, TABLES, jobs(scale) and plot(path, tables)."""

    def jobs(scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
        found: Sequence[Job] = module.jobs(scale)
        return found

    def tables(finished: Sequence[Finished]) -> Mapping[str, Sequence[Row]]:
        return {name: rows_of(finished, name) for name in module.TABLES}

    experiment = Experiment(module.NAME, (jobs,), tables, module.plot)
    experiment_registry.register(module.NAME, lambda: experiment)


for _module in (figure_2, figure_3, regret_estimators, meta_gradient, mixing, multipliers):
    _register(_module)


def reproduce(
    name: str,
    scale: Scale,
    out: Path,
    workers: int,
    report: Callable[[int, int], None] | None = None,
    address: str | None = None,
) -> Outcome:
    """Run what is missing of an experiment; when nothing failed, write its tables, picture and configuration.

    Args:
        name: registered name of the experiment.
        scale: its size.
        out: directory of the results; `<name>.jobs` in it holds the jobs' files.
        workers: parallel processes.
        report: see `run_jobs`.
        address: see `run_jobs`.
    """
    experiment = experiment_registry.make(name)
    folder = out / f"{name}.jobs"
    outcome = run_stages([partial(stage, scale) for stage in experiment.stages], folder, workers, report, address)
    if not outcome.failed:
        write_results(out, name, scale.__dict__, outcome.finished, experiment.tables(outcome.finished))
        experiment.plot(out / f"{name}.png", experiment.tables(outcome.finished))
    return outcome


def run_stages(
    stages: Sequence[Callable[[Sequence[Finished], Path], Sequence[Job]]],
    folder: Path,
    workers: int,
    report: Callable[[int, int], None] | None = None,
    address: str | None = None,
) -> Outcome:
    """`run_jobs` for every stage, with what the stages before it have finished."""
    finished: list[Finished] = []
    failed: dict[str, str] = {}
    for stage in stages:
        outcome = run_jobs(stage(finished, folder), folder, workers, report)
        finished, failed = [*finished, *outcome.finished], failed | outcome.failed
    return Outcome(finished, failed)


def rows_of(finished: Sequence[Finished], table: str) -> list[Row]:
    """All rows of a table, job by job."""
    return [row for done in finished for row in done.tables.get(table, [])]


def write_results(
    out: Path,
    name: str,
    settings: Mapping[str, Any],
    finished: Sequence[Finished],
    tables: Mapping[str, Sequence[Row]],
) -> None:
    """One CSV per table, and `<name>.json` with the settings, every job's configuration, versions and commits."""
    for table, rows in tables.items():
        write_table(out / f"{table}.csv", rows)
    replace_file(out / f"{name}.json", json.dumps(_description(name, settings, finished), indent=1).encode())


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """A tidy CSV: the first row's columns; None is empty; floats by repr."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_file(path, text.getvalue().encode())


def _description(name: str, settings: Mapping[str, Any], finished: Sequence[Finished]) -> dict[str, Any]:
    """Settings, versions and commits; every job's configuration, settings that never differ only once (`shared`)."""
    flat = {done.key: _flat(done.configuration) for done in finished}
    values: dict[str, list[Any]] = {}
    for settings in flat.values():
        for setting, value in settings.items():
            values.setdefault(setting, []).append(value)
    shared = {setting: found[0] for setting, found in values.items() if found.count(found[0]) == len(found)}
    produced = [json.dumps(done.provenance, sort_keys=True) for done in finished]
    return {
        "experiment": name,
        "settings": dict(settings),
        "provenance": [json.loads(text) for text in dict.fromkeys(produced)],
        "seconds": round(sum(done.seconds for done in finished), 1),
        "shared": shared,
        "jobs": {
            key: {setting: value for setting, value in settings.items() if setting not in shared}
            for key, settings in flat.items()
        },
    }


def _flat(configuration: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in configuration.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
