"""Jobs of an experiment in parallel processes: a repeated command does what is missing, a failed job stops no other.

Every finished job leaves one JSON file, written atomically: configuration, tables, versions, commit, seconds.
"""

import concurrent.futures
import hashlib
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch

from ermas_algos.checkpoint import replace_file
from ermas_algos.experiments.provenance import provenance

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
        """Unique within the experiment; the name of its file."""

    def configuration(self) -> dict[str, Any]:
        """Everything that determines the result, as JSON types."""

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
    """SHA-256 of the files that it left, by name."""


@dataclass(frozen=True)
class Outcome:
    """What `run_jobs` leaves behind."""

    finished: list[Finished]
    """In the order of the jobs."""
    failed: dict[str, str]
    """Error by key of the jobs that raised."""


def run_jobs(
    jobs: Sequence[Job], folder: Path, workers: int, report: Callable[[int, int], None] | None = None
) -> Outcome:
    """Run the jobs whose file is missing, `workers` at a time; one torch thread each.

    Args:
        jobs: with distinct keys.
        folder: where the files are; created.
        workers: processes, ≥ 1.
        report: called with the number of jobs that are over, failed ones included, and of all jobs.

    Raises:
        ValueError: a file holds a result of another configuration (another `--out` is needed), or is damaged.
        RuntimeError: a worker was killed; the finished jobs are kept, and a repeated command goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = {job.key: found for job in jobs if (found := _read(folder, job)) is not None}
    missing = [job for job in jobs if job.key not in done]
    failed: dict[str, str] = {}
    if report is not None:
        report(len(done), len(jobs))
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context, _start_worker) as pool:
        running = {pool.submit(_run, job, folder): job for job in missing}
        try:
            for future in concurrent.futures.as_completed(running):
                job = running[future]
                try:
                    done[job.key] = future.result()
                except BrokenProcessPool:
                    raise RuntimeError(f"a worker was killed, perhaps at {job.key}; repeat the command.") from None
                except Exception as error:
                    failed[job.key] = f"{type(error).__name__}: {error}"
                if report is not None:
                    report(len(done) + len(failed), len(jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return Outcome([done[job.key] for job in jobs if job.key in done], failed)


def _start_worker() -> None:
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    torch.set_num_threads(1)
    # A fifth of the time of small updates goes into checks of arguments that are right.
    torch.distributions.Distribution.set_default_validate_args(False)


def _end_with_parent(parent: int) -> None:
    """Without it, the workers of a killed command would wait for jobs for ever."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _path(folder: Path, job: Job) -> Path:
    return folder / f"{job.key}.json"


def _run(job: Job, folder: Path) -> Finished:
    started = time.perf_counter()
    result = job.run()
    tables, files = (result.tables, result.files) if isinstance(result, Products) else (result, {})
    seconds = time.perf_counter() - started
    configuration = json.loads(json.dumps(job.configuration()))  # as a file gives it back
    for name, content in files.items():
        replace_file(folder / f"{job.key}.{name}", content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    finished = Finished(job.key, configuration, tables, provenance(), round(seconds, 1), digests)
    replace_file(_path(folder, job), json.dumps(finished.__dict__, indent=1).encode())
    return finished


def _read(folder: Path, job: Job) -> Finished | None:
    path = _path(folder, job)
    if not path.exists():
        return None
    try:
        found = Finished(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: damaged ({error}); remove it to run the job again.") from None
    if found.configuration != json.loads(json.dumps(job.configuration())):
        raise ValueError(f"{path}: holds a result of other settings; choose another --out, or remove it.")
    return found


def read_file(folder: Path, finished: Finished, name: str) -> bytes:
    """A file that a finished job left; ValueError if it is missing or changed."""
    path = folder / f"{finished.key}.{name}"
    content = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(content).hexdigest() != finished.files[name]:
        raise ValueError(f"{path}: damaged; remove {folder / finished.key}.json to run the job again.")
    return content
