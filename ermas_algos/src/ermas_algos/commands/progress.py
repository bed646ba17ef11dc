"""The progress bar of long commands: done of all, time so far, estimate of the time left, news."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def progress_bar(console: Console) -> Progress:
    """A bar; tasks need a field `news`."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[news]}", markup=False),
        console=console,
    )


@contextmanager
def job_progress(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar over jobs, in stages or not; gives the callback for `run_jobs`: (jobs that are over, all jobs)."""
    with progress_bar(console) as progress:
        bar = progress.add_task(what, total=None, news="")

        def report(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        yield report
