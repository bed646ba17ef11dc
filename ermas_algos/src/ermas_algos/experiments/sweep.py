"""A sweep as data: task × method × seed × gap. Planners are trained first, then tested on fresh agents across the gap.

One training per task, method and seed; then one test per task, seed and gap, in which fresh agents meet all planners of
that seed (one test per planner where agents can tell planners apart and cannot be shared).
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ermas_algos.algorithms.config import check_writable, to_json
from ermas_algos.algorithms.run import OPTIONS, Run, data_key, merged, trainer_type, with_preset
from ermas_algos.directory_lock import locked_directory
from ermas_algos.evaluation.fresh_agents import FreshAgentsConfig
from ermas_algos.evaluation.transfer import TransferRow, transfer_evaluation
from ermas_algos.experiments.backends import Backend
from ermas_algos.experiments.checkpoint_bytes import checkpoint_of, planner_of
from ermas_algos.experiments.jobs import Finished, Outcome, Products, Row, Tables, read_file, run_stages
from ermas_algos.experiments.results import read_table, rows_of, write_results
from ermas_algos.file_errors import file_errors
from ermas_algos.learners.protocol import num_seeds
from ermas_envs import BatchedEnv, EnvironmentSpec
from ermas_envs.base.arguments import check_integer, check_json, check_number, keep
from ermas_envs.make import check_arguments
from ermas_envs.oracles import agents_ignore_planner
from ermas_envs.planners import Planner

TRAINING, TRANSFER = "training", "transfer"
"""Tables of a sweep: a row per planner; a row per planner and gap."""
PLANNER_FILE = "planner.safetensors"
"""Checkpoint that a training leaves."""
COLUMNS = {"task", "method_name", "planner_payoff", *(column.name for column in dataclasses.fields(TransferRow))}
"""Columns of the tables that labels cannot have."""
SEED = "$seed"
"""Stands for the training seed in a method's arguments."""


@dataclass(frozen=True)
class Task:
    """A game to train planners for; what it says beside gap and labels is as in a file of `ermas train`."""

    environment: str
    """Registered name."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Its arguments, in training and test."""
    gap_argument: str = "q"
    """Name of the argument that the reality gap changes in the test; a dotted name is one inside a hook."""
    labels: Mapping[str, Any] = field(default_factory=dict)
    """Further columns of the task's rows; names that no column and no method's label has."""
    algorithm: str | None = None
    """Name of a trainer, for methods that name none."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of every method's trainer, beneath the method's own; another algorithm takes those that it has."""
    iterations: int | None = None
    """Outer iterations of its trainings; None: those of the sweep."""
    preset: str | None = None
    """As in `Run.from_options`: None takes that of the environment."""
    checkpoint_every: int | None = None
    """Accepted as in a file of `ermas train`, and without effect: a sweep keeps the last checkpoint of a training."""

    def __post_init__(self) -> None:
        """ValueError for what JSON cannot hold."""
        for name in ("arguments", "labels", "settings"):
            keep(self, **{name: check_json(name, getattr(self, name))})

    def spec(self) -> EnvironmentSpec:
        """The environment of its tests; ValueError for an unknown preset."""
        chosen = with_preset({**OPTIONS, "environment": self.environment, "preset": self.preset})
        return EnvironmentSpec(self.environment, merged(chosen["arguments"], self.arguments))

    def at(self, gap: float) -> EnvironmentSpec:
        """The environment of a test at a reality gap."""
        return self.spec().changed(self.gap_argument, gap)


@dataclass(frozen=True)
class Method:
    """A way to train a planner."""

    algorithm: str | None = None
    """Name of a trainer, such as MARL, ERMAS or Population; None: the task's."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of its configuration that differ from the defaults."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the environment that training changes, such as a perturbation; "$seed" is the training seed."""
    labels: Mapping[str, Any] = field(default_factory=dict)
    """Further columns of the method's rows."""

    def __post_init__(self) -> None:
        """ValueError for what JSON cannot hold."""
        for name in ("settings", "arguments", "labels"):
            keep(self, **{name: check_json(name, getattr(self, name))})


def run_of(task: Task, method: Method, seed: int, iterations: int) -> Run:
    """The training of a planner; ValueError for what does not exist."""
    algorithm = method.algorithm or task.algorithm
    if algorithm is None:
        raise ValueError("algorithm: neither the method nor the task names one.")
    return Run.from_options(
        {
            "environment": task.environment,
            "arguments": {**task.arguments, **_seeded(method.arguments, seed)},
            "algorithm": algorithm,
            "settings": {**merged(_settings_for(task, algorithm), method.settings), "seed": seed},
            "iterations": task.iterations or iterations,
            "preset": task.preset,
        }
    )


def _settings_for(task: Task, algorithm: str) -> dict[str, Any]:
    """The task's settings; for another algorithm than its own, those that this has, too."""
    if task.algorithm in (None, algorithm):
        return dict(task.settings)
    known = {entry.name for entry in dataclasses.fields(trainer_type(algorithm).config_type)}
    return {name: value for name, value in task.settings.items() if name in known}


@dataclass(frozen=True)
class Sweep:
    """Everything that is run, and nothing else that matters for the results."""

    tasks: Mapping[str, Task]
    """By name."""
    methods: Mapping[str, Method]
    """By name."""
    seeds: tuple[int, ...]
    """Training seeds; the fresh agents of a test have the seed of the planner's training."""
    gaps: tuple[float, ...]
    """Reality gaps of the test."""
    iterations: int = 300
    """Outer iterations of every training."""
    fresh_agents: FreshAgentsConfig = field(default_factory=FreshAgentsConfig)
    """How the test's agents are trained and measured."""

    def __post_init__(self) -> None:
        """ValueError naming the field; environments and configurations are made once, so that mistakes show at once."""
        for name in ("tasks", "methods", "seeds", "gaps"):
            if not len(getattr(self, name)):
                raise ValueError(f"{name} must name at least one.")
        keep(
            self,
            seeds=tuple(check_integer("seeds", seed, 0) for seed in self.seeds),
            gaps=tuple(check_number("gaps", gap) for gap in self.gaps),
            iterations=check_integer("iterations", self.iterations, 1),
        )
        check_writable(self)
        for name, values in (("seeds", self.seeds), ("gaps", self.gaps)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} must not repeat, got {list(values)}.")
        for name in (*self.tasks, *self.methods):
            if not name or not all(c.isalnum() or c in "._=-" for c in name):
                raise ValueError(f"tasks and methods: a name has letters, digits, '.', '_', '=' and '-', got {name!r}.")
        self._check_labels()
        for task in self.tasks.values():
            check_arguments("argument", task.environment, task.arguments)
            check_arguments("gap_argument", task.environment, [task.gap_argument.partition(".")[0]])
            for gap in self.gaps:
                task.at(gap)(1)
        for training in self.trainings():
            check_arguments("argument", training.task.environment, training.method.arguments)
            training.check_testable()

    def _check_labels(self) -> None:
        """A row has one column of each name: ValueError for a label that would take another's place."""
        for what, things, others in (
            ("tasks", self.tasks, set[str]()),
            ("methods", self.methods, {label for task in self.tasks.values() for label in task.labels}),
        ):
            for name, thing in things.items():
                for label in thing.labels:
                    if label in COLUMNS or label in others:
                        taken = "is a column of the results" if label in COLUMNS else "is a label of a task, too"
                        raise ValueError(f"{what}.{name}.labels: {label!r} {taken}; choose another name.")

    def trainings(self) -> list["Training"]:
        """One job per task, method and seed; seed by seed, so that early results are about every method."""
        return [
            Training(task_name, self.tasks[task_name], method_name, method, seed, self.iterations)
            for task_name in self.tasks
            for seed in self.seeds
            for method_name, method in self.methods.items()
        ]

    def transfers(self, trained: Sequence[Finished], folder: Path) -> list["Transfer"]:
        """One job per task, seed and gap over the planners that were trained; one per planner if agents are not shared.

        Args:
            trained: finished trainings.
            folder: where their files are.
        """
        found = {done.key: done for done in trained}
        planners: dict[tuple[str, int], dict[str, bytes]] = {}
        for job in self.trainings():
            if job.key in found:
                state = read_file(folder, found[job.key], PLANNER_FILE)
                planners.setdefault((job.task_name, job.seed), {})[job.method_name] = state
        together = {name: self._shares_agents(task) for name, task in self.tasks.items()}
        return [
            self._transfer(name, seed, gap, group)
            for (name, seed), states in planners.items()
            for group in ([states] if together[name] else [{method: state} for method, state in states.items()])
            for gap in self.gaps
        ]

    def _shares_agents(self, task: Task) -> bool:
        """Whether fresh agents of one seed and gap serve all planners."""
        games = [task.at(gap)(1).tabular_game() for gap in self.gaps]
        return all(game is not None and agents_ignore_planner(game) for game in games)

    def _transfer(self, task_name: str, seed: int, gap: float, planners: Mapping[str, bytes]) -> "Transfer":
        labels = {name: self.methods[name].labels for name in planners}
        return Transfer(task_name, self.tasks[task_name], seed, gap, planners, labels, self.fresh_agents)


@dataclass(frozen=True)
class Training:
    """Trains one planner."""

    task_name: str
    """Name of the task."""
    task: Task
    """The game."""
    method_name: str
    """Name of the method."""
    method: Method
    """How it is trained."""
    seed: int
    """Training seed."""
    iterations: int
    """Outer iterations."""

    @property
    def key(self) -> str:
        """See `Job.key`; not of the settings, so that other settings under the same names are a conflict."""
        words = f"{TRAINING}_{self.task_name}_{self.method_name}_seed-{self.seed}"
        return data_key(words, TRAINING, self.task_name, self.method_name, self.seed)

    @property
    def run_settings(self) -> Run:
        """All that determines the planner."""
        return run_of(self.task, self.method, self.seed, self.iterations)

    def check_testable(self) -> None:
        """ValueError unless what it leaves is one planner that a test can make from the checkpoint alone; makes the
        environment once."""
        run = self.run_settings
        env, seeds = run.environment(1), num_seeds(run.config.planner_learner)
        inside = env.planner not in env.possible_agents
        if inside and not isinstance(run.environment.arguments.get("planner"), Mapping):
            raise ValueError(f"methods.{self.method_name}: its planner plays inside {env.name}, and no table names it.")
        if not inside and seeds > 1:
            raise ValueError(f"methods.{self.method_name}: num_seeds must be 1 to be tested, got {seeds}.")

    def configuration(self) -> dict[str, Any]:
        return {**self.run_settings.as_options(), "labels": {**self.task.labels, **self.method.labels}}

    def run(self) -> Products:
        """Train; one row, and the checkpoint as a file."""
        run, last = self.run_settings, dict[str, Any]()
        trainer = run.trainer()
        trainer.learn(run.iterations, progress=lambda _, metrics: last.update(metrics))
        row: Row = {
            "task": self.task_name,
            **self.task.labels,
            "method_name": self.method_name,
            **self.method.labels,
            "seed": self.seed,
            "env_steps": trainer.env_steps,
            "planner_payoff": float(last[f"payoff/{trainer.env.planner}"]),
        }
        return Products({TRAINING: [row]}, {PLANNER_FILE: checkpoint_of(trainer)})


@dataclass(frozen=True)
class Transfer:
    """Tests planners of one training seed at one gap."""

    task_name: str
    """Name of the task."""
    task: Task
    """The game."""
    seed: int
    """Seed of the fresh agents, and of the planners' training."""
    gap: float
    """The reality gap."""
    planners: Mapping[str, bytes]
    """Checkpoints by method."""
    labels: Mapping[str, Mapping[str, Any]]
    """Labels by method."""
    fresh_agents: FreshAgentsConfig
    """How the agents are trained and measured."""

    @property
    def key(self) -> str:
        """See `Job.key`; of the planners too, so that further methods mean further jobs, not a conflict."""
        words = f"{TRANSFER}_{self.task_name}_{self.task.gap_argument}-{self.gap:g}_seed-{self.seed}"
        return data_key(words, TRANSFER, self.task_name, self.configuration())

    def configuration(self) -> dict[str, Any]:
        return {
            "environment": dataclasses.asdict(self.task.at(self.gap)),
            "fresh_agents": to_json(self.fresh_agents),
            "gap": self.gap,
            "seed": self.seed,
            "planners": {name: hashlib.sha256(state).hexdigest() for name, state in self.planners.items()},
            "labels": {**self.task.labels, "methods": self.labels},
        }

    def run(self) -> Tables:
        """Train fresh agents and measure; a row per planner."""
        spec = self.task.at(self.gap)

        def game(num_envs: int, gap: float, planner: Planner) -> BatchedEnv:
            return spec(num_envs, planner=planner)

        planners = {name: planner_of(state) for name, state in self.planners.items()}
        rows = transfer_evaluation(planners, game, [self.gap], [self.seed], self.fresh_agents)
        found = []
        for row in rows:
            columns = dataclasses.asdict(row)
            name = columns.pop("planner")
            labels = {**self.task.labels, "method_name": name, **self.labels[name]}
            found.append({"task": self.task_name, **labels, **columns})
        return {TRANSFER: found}


def run_sweep(
    sweep: Sweep,
    out: Path,
    backend: Backend,
    report: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Run what is missing of a sweep and write the tables of what is finished, even if a job failed.

    `sweep.csv` has a row per planner, gap and seed, `sweep-training.csv` one per planner, `sweep.json` the settings,
    `sweep.png` a picture.

    Args:
        sweep: what is run.
        out: directory of the results; `sweep.jobs` in it holds the jobs' files.
        backend: where jobs run; `report` as in `run_jobs`.

    Raises:
        ValueError: another command is using the directory; see `run_jobs` for the rest.
    """
    stages = (lambda finished, folder: sweep.trainings(), sweep.transfers)
    with locked_directory(out):
        outcome = run_stages(stages, out / "sweep.jobs", backend, report)
        tables = {"sweep": rows_of(outcome.finished, TRANSFER), "sweep-training": rows_of(outcome.finished, TRAINING)}
        filled = {name: rows for name, rows in tables.items() if rows}
        write_results(out, "sweep", {"sweep": to_json(sweep)}, outcome.finished, filled)
        if tables["sweep"]:
            redraw_sweep(out, out / "sweep.png")
    return outcome


def redraw_sweep(results: Path, path: Path) -> None:
    """Draw a picture, in the format of its suffix, from `sweep.csv` in a directory; OSError if it is missing."""
    rows = read_table(results / "sweep.csv")
    with file_errors(path):
        from ermas_algos.plots.sweep import plot_sweep  # Matplotlib takes a second to import

        plot_sweep(path, rows)


def _seeded(value: Any, seed: int) -> Any:
    """`value` with every "$seed" in it replaced."""
    if isinstance(value, Mapping):
        return {key: _seeded(entry, seed) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_seeded(entry, seed) for entry in value]
    return seed if value == SEED else value
