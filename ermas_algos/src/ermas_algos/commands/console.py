"""What several commands print: tables of numbers, and the progress bar of long work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table


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
def job_progress(console: Console, what: str, then: str = "") -> Iterator[Callable[[int, int], None]]:
    """A bar over jobs, in stages or not; gives the callback for `run_jobs`: (jobs that are over, all jobs). While all
    are over, it says `then`: something else takes its time."""
    with progress_bar(console) as progress:
        bar = progress.add_task(what, total=None, news="")

        def report(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total, news=then if done == total else "")

        yield report


_ANY_WIDTH = 100_000


def print_table(console: Console, table: Table) -> None:
    """Print `table` as wide as it is, however narrow the console: a number cut short would be another one."""
    table.width = Measurement.get(console, console.options.update(width=_ANY_WIDTH), table).maximum
    console.print(table, crop=False)
