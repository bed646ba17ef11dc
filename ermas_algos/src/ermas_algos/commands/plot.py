"""`ermas plot`: draw the picture of an experiment or a sweep again from its tables."""

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from ermas_algos.commands.exit_status import DONE
from ermas_algos.experiments.reproduction import redraw
from ermas_algos.experiments.sweep import redraw_sweep


@dataclass(frozen=True)
class Plot:
    """Draw the picture of an experiment, or of a sweep, from its CSV tables.

    Example: ermas plot figure-2 --results docs/results

    Exit status: 0 done, 2 unusable input (such as a missing table).
    """

    name: tyro.conf.Positional[str]
    """An experiment (`ermas info` lists them), or sweep."""
    results: Path = Path("runs/reproduce")
    """Directory with the CSV tables; the PNG goes there, too."""

    def run(self, console: Console) -> int:
        """Exit status."""
        path = redraw_sweep(self.results) if self.name == "sweep" else redraw(self.name, self.results)
        console.print(f"Wrote {path}", soft_wrap=True)
        return DONE
