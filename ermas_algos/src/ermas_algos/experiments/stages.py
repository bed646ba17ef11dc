"""Jobs in stages: what a later stage runs depends on what the earlier ones have left."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from ermas_algos.experiments.jobs import Finished, Job, Outcome, check_keys, run_jobs
from ermas_algos.experiments.scale import Scale

Stage: TypeAlias = Callable[[Sequence[Finished], Path], Sequence[Job]]
"""Jobs that can be listed once those of the stages before, whose files are in the folder, are finished."""
ScaledStage: TypeAlias = Callable[[Scale, Sequence[Finished], Path], Sequence[Job]]
"""A stage of an experiment that comes in several sizes."""


def run_stages(
    stages: Sequence[Stage],
    folder: Path,
    workers: int,
    report: Callable[[int, int], None] | None = None,
    address: str | None = None,
) -> Outcome:
    """`run_jobs` for every stage; a failed job stops neither its own stage nor the next.

    Raises:
        ValueError: two jobs have one key, be it in different stages; see `run_jobs` for the rest.
    """
    finished: list[Finished] = []
    failed: dict[str, str] = {}
    keys: list[str] = []
    for stage in stages:
        jobs = stage(finished, folder)
        keys += [job.key for job in jobs]
        check_keys(keys)  # all stages have one folder
        outcome = run_jobs(jobs, folder, workers, report, address)
        finished, failed = [*finished, *outcome.finished], failed | outcome.failed
    return Outcome(finished, failed)
