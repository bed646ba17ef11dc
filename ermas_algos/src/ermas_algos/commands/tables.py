"""Tables of numbers on the console."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_ANY_WIDTH = 100_000


def print_table(console: Console, table: Table) -> None:
    """Print `table` as wide as it is, however narrow the console: a number cut short would be another one."""
    table.width = Measurement.get(console, console.options.update(width=_ANY_WIDTH), table).maximum
    console.print(table, crop=False)
