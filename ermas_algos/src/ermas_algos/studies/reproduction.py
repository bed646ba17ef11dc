"""Reproduces an experiment: its jobs, then one CSV per table, a PNG, and a JSON with configuration and versions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ermas_algos.directory_lock import locked_directory
from ermas_algos.experiments.backends import Backend
from ermas_algos.experiments.jobs import Finished, Job, Outcome, Row, Scale, ScaledStage, run_stages
from ermas_algos.experiments.results import (
    job_settings,
    read_finished,
    read_table,
    rows_of,
    write_finished,
    write_results,
)
from ermas_algos.file_errors import file_errors
from ermas_algos.studies import (
    contracts,
    figure_2,
    figure_3,
    figure_4,
    figure_5_economy,
    figure_5_one_step,
    imperfect_followers,
    meta_gradient,
    mixing,
    multipliers,
    regret_estimators,
    tolls,
    which_tax_wins,
)
from ermas_algos.studies.economy_sizes import SIZES
from ermas_algos.studies.one_step_gaps import GAPS
from ermas_envs.base.registry import Registry

PlotTables = Callable[[Path, Mapping[str, Sequence[Mapping[str, Any]]]], None]
"""Draws the rows of the tables into a PNG."""


@dataclass(frozen=True)
class Experiment:
    """What `ermas reproduce` can run."""

    name: str
    """Name in the command, and of the PNG and JSON files."""
    stages: Sequence[ScaledStage]
    """One after the other; a failed job stops no stage."""
    tables: Sequence[str]
    """Names of the result's tables, and of the CSV files."""
    collect: Callable[[Sequence[Finished]], Mapping[str, Sequence[Row]]]
    """The tables' rows from finished jobs."""
    describe: Callable[[Scale, Sequence[Finished]], Mapping[str, Any]]
    """All settings that determine the result, as JSON types."""
    plot: PlotTables
    """Draws them."""


experiment_registry: Registry[Experiment] = Registry("experiment")


def _register(module: Any) -> None:
    """An experiment of one stage: a module with NAME, TABLES, jobs(scale) and plot(path, tables), and derived(tables)
    where tables follow from those that jobs leave."""

    def jobs(scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
        found: Sequence[Job] = module.jobs(scale)
        return found

    def collect(finished: Sequence[Finished]) -> Mapping[str, Sequence[Row]]:
        left = {name: rows_of(finished, name) for name in module.TABLES}
        return left | (module.derived(left) if hasattr(module, "derived") else {})

    def describe(scale: Scale, finished: Sequence[Finished]) -> Mapping[str, Any]:
        return job_settings(finished)

    experiment = Experiment(module.NAME, (jobs,), module.TABLES, collect, describe, module.plot)
    experiment_registry.register(module.NAME, lambda: experiment)


def _register_figure_4(name: str, payoffs: str) -> None:
    experiment = Experiment(
        name,
        (partial(figure_4.trainings, payoffs), partial(figure_4.transfers, payoffs)),
        figure_4.tables(name),
        partial(figure_4.collect, name),
        partial(figure_4.describe, payoffs),
        partial(figure_4.plot, name),
    )
    experiment_registry.register(name, lambda: experiment)


def _register_figure_5(module: Any, economy: Any) -> None:
    """An experiment in an economy, stage by stage."""
    experiment = Experiment(
        economy.name,
        tuple(partial(stage, economy) for stage in module.STAGES),
        module.tables(economy),
        partial(module.collect, economy),
        partial(module.describe, economy),
        partial(module.plot, economy),
    )
    experiment_registry.register(economy.name, lambda: experiment)


_MODULES = (
    contracts,
    figure_2,
    figure_3,
    imperfect_followers,
    meta_gradient,
    mixing,
    multipliers,
    regret_estimators,
    tolls,
    which_tax_wins,
)
for _module in _MODULES:
    _register(_module)
for _name, _payoffs in figure_4.EXPERIMENTS.items():
    _register_figure_4(_name, _payoffs)
for _gap in GAPS:
    _register_figure_5(figure_5_one_step, _gap)
for _size in SIZES:
    _register_figure_5(figure_5_economy, _size)


def reproduce(
    name: str,
    scale: Scale,
    out: Path,
    backend: Backend,
    report: Callable[[int, int], None] | None = None,
    earlier: Sequence[Path] = (),
) -> Outcome:
    """Run what is missing of an experiment; when nothing failed, write its tables, picture and configuration.

    `<name>.finished.json.gz` has everything that its jobs left but their files, so that a command for other seeds, on
    another machine perhaps, can add its own.

    Args:
        name: registered name of the experiment.
        scale: its size.
        out: directory of the results; `<name>.jobs` in it holds the jobs' files.
        backend: where jobs run.
        report: see `run_jobs`.
        earlier: such files, of other seeds; what they have is not run again (`run_stages`).

    Raises:
        OSError: a file of `earlier` cannot be read.
        ValueError: another command is using the directory; a file of `earlier` is of another kind or experiment; see
            `run_jobs` for the rest.
    """
    experiment = experiment_registry.make(name)
    folder = out / f"{name}.jobs"
    found = {done.key: done for path in earlier for done in read_finished(path, name)}
    with locked_directory(out):
        stages = [partial(stage, scale) for stage in experiment.stages]
        outcome = run_stages(stages, folder, backend, report, found)
        if not outcome.failed:
            finished = list((found | {done.key: done for done in outcome.finished}).values())
            description = {"scale": scale.__dict__, **experiment.describe(scale, finished)}
            write_results(out, name, description, finished, experiment.collect(finished))
            write_finished(out / f"{name}.finished.json.gz", name, finished)
            redraw(name, out, out / f"{name}.png")
    return outcome


def redraw(name: str, results: Path, path: Path) -> None:
    """Draw a picture, in the format of its suffix, from the CSV tables of an experiment in a directory; OSError if a
    table is missing."""
    experiment = experiment_registry.make(name)
    tables = {table: read_table(results / f"{table}.csv") for table in experiment.tables}
    with file_errors(path):
        experiment.plot(path, tables)
