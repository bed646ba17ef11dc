"""Reproduces an experiment: its jobs, then one CSV per table, a PNG, and a JSON with configuration and versions."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from ermas_algos.checkpoint import replace_file
from ermas_algos.experiments import figure_2, figure_3, meta_gradient, mixing, multipliers, regret_estimators
from ermas_algos.experiments.jobs import Finished, Job, Outcome, Row, run_jobs
from ermas_algos.experiments.scale import Scale
from ermas_envs.registry import Registry


class Experiment(Protocol):
    """What a module of this package offers to be an experiment."""

    NAME: str
    """Name in the command, and of the PNG and JSON files."""
    TABLES: Sequence[str]
    """Names of the tables, and of the CSV files."""

    def jobs(self, scale: Scale) -> Sequence[Job]:
        """Everything that is to be run."""

    def plot(self, path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Draw the tables' rows into a PNG."""


experiment_registry: Registry[Any] = Registry("experiment")


def _register(module: ModuleType) -> None:
    experiment_registry.register(module.NAME, lambda: module)


for _module in (figure_2, figure_3, regret_estimators, meta_gradient, mixing, multipliers):
    _register(_module)


def reproduce(
    name: str, scale: Scale, out: Path, workers: int, report: Callable[[int, int], None] | None = None
) -> Outcome:
    """Run what is missing of an experiment; when nothing failed, write its tables, picture and configuration.

    Args:
        name: registered name of the experiment.
        scale: its size.
        out: directory of the results; `<name>.jobs` in it holds the jobs' files.
        workers: parallel processes.
        report: see `run_jobs`.
    """
    experiment: Experiment = experiment_registry.make(name)
    outcome = run_jobs(experiment.jobs(scale), out / f"{name}.jobs", workers, report)
    if not outcome.failed:
        tables = {
            table: [row for done in outcome.finished for row in done.tables.get(table, [])]
            for table in experiment.TABLES
        }
        for table, rows in tables.items():
            write_table(out / f"{table}.csv", rows)
        replace_file(out / f"{name}.json", json.dumps(_description(name, scale, outcome.finished), indent=1).encode())
        experiment.plot(out / f"{name}.png", tables)
    return outcome


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """A tidy CSV: the first row's columns; None is empty; floats by repr."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_file(path, text.getvalue().encode())


def _description(name: str, scale: Scale, finished: Sequence[Finished]) -> dict[str, Any]:
    """Scale, versions and commits; every job's configuration, settings that never differ only once (`shared`)."""
    flat = {done.key: _flat(done.configuration) for done in finished}
    values: dict[str, list[Any]] = {}
    for settings in flat.values():
        for setting, value in settings.items():
            values.setdefault(setting, []).append(value)
    shared = {setting: found[0] for setting, found in values.items() if found.count(found[0]) == len(found)}
    produced = [json.dumps(done.provenance, sort_keys=True) for done in finished]
    return {
        "experiment": name,
        "scale": scale.__dict__,
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
