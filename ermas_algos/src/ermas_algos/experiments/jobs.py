"""Jobs of an experiment in parallel processes: a repeated command does what is missing, a failed job stops no other.

Every finished job leaves one JSON file, written atomically: configuration, tables, versions, commit, seconds; and the
files that it produced, written before. A file is never written twice.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ermas_algos.algorithms.run import as_of_now
from ermas_algos.checkpoint import replace_file
from ermas_algos.experiments.backends import Backend, Failure
from ermas_algos.experiments.provenance import provenance
from ermas_envs.base.arguments import check_flag, check_integer, keep
from ermas_envs.base.text import parsed_json

Row: TypeAlias = dict[str, Any]
"""One row of a tidy table: column → number, text or None."""
Tables: TypeAlias = dict[str, list[Row]]
"""Rows by the table's name."""


@dataclass(frozen=True)
class Products:
    """What a job leaves that has files beside its tables."""

    tables: Tables
    """Rows by the table's name."""
    files: Mapping[str, bytes]
    """Content by name."""


class Job(Protocol):
    """A piece of an experiment that runs in one process; picklable."""

    @property
    def key(self) -> str:
        """Unique within the experiment; the name of its file. `run.data_key` makes one of names that are free."""

    def configuration(self) -> dict[str, Any]:
        """Everything that determines the result, as JSON types.

        `settings` are those of the trainer `algorithm` (`Run.as_options`). A result whose file lacks one of them is
        still this job's if it is at its default here: the setting was added since, and did not change what was done.
        """

    def run(self) -> Tables | Products:
        """Do it."""


@dataclass(frozen=True)
class Finished:
    """Result of a job as its file holds it."""

    key: str
    """The job's key."""
    configuration: Mapping[str, Any]
    """The job's configuration."""
    tables: Tables
    """What it returned."""
    provenance: Mapping[str, Any]
    """Versions and commit that ran it."""
    seconds: float
    """Wall-clock time that it took."""
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 (hex) of the files that it left, by name; `<key>.<name>` in the folder."""

    @classmethod
    def from_json(cls, values: Any) -> "Finished":
        """From JSON types; ValueError or TypeError for anything that cannot have been written."""
        found = cls(**values)
        tables = isinstance(found.tables, Mapping) and all(_is_table(rows) for rows in found.tables.values())
        named = {"configuration": found.configuration, "provenance": found.provenance, "files": found.files}
        wrong = [name for name, table in named.items() if not isinstance(table, Mapping)]
        wrong += [] if tables else ["tables"]
        wrong += [] if isinstance(found.key, str) else ["key"]
        wrong += [] if isinstance(found.seconds, int | float) else ["seconds"]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: not what a finished job writes")
        return found


@dataclass(frozen=True)
class Outcome:
    """What `run_jobs` leaves behind."""

    finished: list[Finished]
    """In the order of the jobs."""
    failed: dict[str, str]
    """Error by key of the jobs that raised."""


def check_keys(keys: Iterable[str]) -> None:
    """ValueError naming a key that two jobs share: one would be dropped, and the other's result taken for both."""
    for key, number in Counter(keys).items():
        if number > 1:
            raise ValueError(f"jobs must have distinct keys, got {key!r} {number} times.")


def run_jobs(
    jobs: Sequence[Job],
    folder: Path,
    backend: Backend,
    report: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Run the jobs whose file is missing; one torch thread each.

    Args:
        jobs: with distinct keys.
        folder: where the files are; created.
        backend: where they run.
        report: called with the number of jobs that are over, failed ones included, and of all jobs.

    Raises:
        ValueError: two jobs have one key; a file holds a result of another configuration (another `--out`
            is needed), or is damaged; Ray is wanted and not installed.
        RuntimeError: a worker of this machine was killed; the finished jobs are kept, and a repeated command goes on.
    """
    check_keys(job.key for job in jobs)
    folder.mkdir(parents=True, exist_ok=True)
    done = {job.key: found for job in jobs if (found := _read(folder, job)) is not None}
    missing = {job.key: job for job in jobs if job.key not in done}
    failed: dict[str, str] = {}
    if report is not None:
        report(len(done), len(jobs))
    with closing(backend.run(missing, _work)) as results:
        for key, result in results:
            if isinstance(result, Failure):
                failed[key] = result.message
            else:
                done[key] = _store(folder, key, *result)
            if report is not None:
                report(len(done) + len(failed), len(jobs))
    return Outcome([done[job.key] for job in jobs if job.key in done], failed)


def read_file(folder: Path, finished: Finished, name: str) -> bytes:
    """A file that a finished job left; ValueError if it is missing or not what the job wrote."""
    path = folder / f"{finished.key}.{name}"
    content = path.read_bytes() if path.exists() else None
    if content is None or hashlib.sha256(content).hexdigest() != finished.files[name]:
        raise ValueError(f"{path}: damaged; remove {_path(folder, finished.key)} to run the job again.")
    return content


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"


def _work(job: Job) -> tuple[bytes, Mapping[str, bytes]]:
    """What a worker does: the job's JSON and its files. Not written here: a cluster's worker may not see the folder.

    The JSON is made here, so that a table that JSON does not hold fails its own job only.
    """
    started = time.perf_counter()
    result = job.run()
    seconds = time.perf_counter() - started
    tables, files = (result.tables, result.files) if isinstance(result, Products) else (result, {})
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    finished = Finished(job.key, job.configuration(), tables, provenance(), round(seconds, 1), digests)
    return json.dumps(finished.__dict__, indent=1).encode(), files


def _store(folder: Path, key: str, text: bytes, files: Mapping[str, bytes]) -> Finished:
    for name, content in files.items():
        replace_file(folder / f"{key}.{name}", content)
    replace_file(_path(folder, key), text)
    return Finished(**json.loads(text))  # the same as a repeated command reads


def _is_table(rows: Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows)


def _read(folder: Path, job: Job) -> Finished | None:
    path = _path(folder, job.key)
    if not path.exists():
        return None
    try:
        found = Finished.from_json(parsed_json(path.read_bytes()))
        if found.key != job.key:
            raise ValueError(f"it is of the job {found.key}")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: damaged ({error}); remove it to run the job again.") from None
    wanted = json.loads(json.dumps(job.configuration()))
    if found.configuration != wanted and as_of_now(found.configuration) != as_of_now(wanted):
        raise ValueError(f"{path}: holds a result of other settings; choose another --out, or remove it.")
    for name in found.files:
        read_file(folder, found, name)
    return found


@dataclass(frozen=True)
class Scale:
    """Size of an experiment."""

    seeds: int = 10
    """Number of seeds of every point; none is ever dropped."""
    quick: bool = False
    """Few points and few iterations, to see that everything runs; the numbers mean nothing."""
    first_seed: int = 0
    """The first of them: those before were run earlier, or elsewhere."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        keep(
            self,
            seeds=check_integer("seeds", self.seeds, 1),
            quick=check_flag("quick", self.quick),
            first_seed=check_integer("first_seed", self.first_seed, 0),
        )

    @property
    def numbers(self) -> range:
        """The seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)


Stage: TypeAlias = Callable[[Sequence[Finished], Path], Sequence[Job]]
"""Jobs that can be listed once those of the stages before, whose files are in the folder, are finished."""
ScaledStage: TypeAlias = Callable[[Scale, Sequence[Finished], Path], Sequence[Job]]
"""A stage of an experiment that comes in several sizes."""


def run_stages(
    stages: Sequence[Stage],
    folder: Path,
    backend: Backend,
    report: Callable[[int, int], None] | None = None,
    earlier: Mapping[str, Finished] | None = None,
) -> Outcome:
    """`run_jobs` for every stage; a failed job stops neither its own stage nor the next.

    Args:
        stages: what is to be run, from what is finished.
        folder: of the jobs' files.
        backend: where jobs run.
        report: see `run_jobs`.
        earlier: results of other commands, by key; a job with one is not run, unless it leaves files.

    Raises:
        ValueError: two jobs have one key, be it in different stages; see `run_jobs` for the rest.
    """
    finished: list[Finished] = []
    failed: dict[str, str] = {}
    keys: list[str] = []
    known = {key: done for key, done in (earlier or {}).items() if not done.files}
    for stage in stages:
        jobs = stage(finished, folder)
        keys += [job.key for job in jobs]
        check_keys(keys)  # all stages have one folder
        outcome = run_jobs([job for job in jobs if job.key not in known], folder, backend, report)
        found = [known[job.key] for job in jobs if job.key in known]
        finished, failed = [*finished, *found, *outcome.finished], failed | outcome.failed
    return Outcome(finished, failed)
