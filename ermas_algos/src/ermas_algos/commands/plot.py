"""`ermas plot`: draw the picture of an experiment or a sweep again from its tables."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from ermas_algos.commands.exit_status import DONE, FROM_THE_BEGINNING
from ermas_algos.experiments.sweep import redraw_sweep
from ermas_algos.studies.reproduction import experiment_registry, redraw
from ermas_envs.base.arguments import check_choice

FORMATS = (".png", ".svg", ".pdf")
"""Suffixes of pictures' files."""


@dataclass(frozen=True)
class Plot:
    """Draw the picture of an experiment, or of a sweep, from its CSV tables.

    Example: ermas plot figure-2 --results docs/results --out figure-2.svg

    Exit status: 0 done, 2 unusable input (such as a missing table).
    """

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
    """An experiment (`ermas info` lists them), or sweep."""
    results: Path = Path("runs/reproduce")
    """Directory with the CSV tables."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The picture: .png, .svg or .pdf. Without it, NAME.png beside the tables."""

    def run(self, console: Console) -> int:
        """Exit status."""
        if Path(self.name).is_dir():
            raise ValueError(
                f"{self.name}: is a directory; name the experiment whose tables it has, and the directory after "
                "--results. What a single training logged is shown by `tensorboard --logdir DIRECTORY`."
            )
        check_choice("name", self.name, ("sweep", *experiment_registry.names()))
        path = self.results / f"{self.name}.png" if self.out is None else self.out
        if path.suffix not in FORMATS:
            raise ValueError(f"--out {path}: a picture's name ends in {', '.join(FORMATS)}.")
        try:
            if self.name == "sweep":
                redraw_sweep(self.results, path)
            else:
                redraw(self.name, self.results, path)
        except FileNotFoundError as error:
            if error.filename == str(path):
                raise
            raise ValueError(
                f"{error.filename}: {error.strerror}; --results names the directory of the tables."
            ) from error
        except (LookupError, TypeError, ValueError, AttributeError, csv.Error) as error:
            raise ValueError(
                f"{self.results}: its tables are not those of {self.name}, or they are damaged "
                f"({type(error).__name__}: {error})."
            ) from error
        console.print(f"Wrote {path}", soft_wrap=True)
        return DONE

    def after_interrupt(self) -> str:
        """What the same command does next."""
        return FROM_THE_BEGINNING
