"""The command `ermas`: trains, evaluates and certifies planners, runs sweeps, reproduces the experiments."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args

import tyro
from rich.console import Console

from ermas_algos.commands.certify import Certify
from ermas_algos.commands.evaluate import Evaluate
from ermas_algos.commands.exit_status import FAILED, INTERRUPTED, UNUSABLE
from ermas_algos.commands.explain import Explain
from ermas_algos.commands.info import Info
from ermas_algos.commands.interrupts import one_interrupt
from ermas_algos.commands.plot import Plot
from ermas_algos.commands.reproduce import Reproduce
from ermas_algos.commands.sweep import Sweep
from ermas_algos.commands.train import Train
from ermas_envs.base.arguments import unknown_name
from ermas_envs.base.text import replace_what_cannot_be_shown

Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Certify, tyro.conf.subcommand("certify")]
    | Annotated[Explain, tyro.conf.subcommand("explain")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[Sweep, tyro.conf.subcommand("sweep")]
    | Annotated[Plot, tyro.conf.subcommand("plot")]
    | Annotated[Info, tyro.conf.subcommand("info")]
)

DESCRIPTION = """Planners that stay good when the agents are not the ones they were trained with.

First steps, a minute or two each:

ermas train --environment augmented_bimatrix_v0 --arguments agents_observe own planner_observes false --out runs/first

ermas certify runs/first

ermas evaluate runs/first --gaps 0 0.6

`ermas info` lists every environment, algorithm and experiment; `ermas COMMAND --help` has examples and all options.

Exit status of every command: 0 done, 1 a part failed, a training had to stop, or a bound does not hold, 2 unusable
input, 130 Ctrl-C. After Ctrl-C, the same command goes on (train from its last checkpoint, reproduce and sweep from what
is finished) or starts from the beginning (all others)."""


def _overview() -> Any:
    """The same commands, each with the first sentence of its help only: what fits on a screen."""
    short = []
    for command, setting in map(get_args, get_args(Command)):
        sentence = " ".join(command.__doc__.partition("\n\n")[0].split())
        short.append(Annotated[command, tyro.conf.subcommand(setting.name, description=sentence)])
    return Union[tuple(short)]  # noqa: UP007 (a union of a list)


TOO_LARGE = (
    "does not fit into memory: {}; less is needed with a smaller num_envs, horizon, rollout_steps or hidden_layers"
)
"""A line for sizes that the checks of single settings allow, but not this machine."""


def process() -> None:
    """All that the process of the command `ermas` does; always ends in SystemExit."""
    with one_interrupt():
        try:
            try:
                main()
            finally:
                sys.stdout.flush()
        except KeyboardInterrupt:  # outside the command's own work, or again while it was tidying up
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # who read, such as `head`, has ended; Python would flush, and complain, once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command `ermas` does, in any process; always ends in SystemExit. Without arguments it is its help."""
    replace_what_cannot_be_shown()
    given = (sys.argv[1:] if arguments is None else list(arguments)) or ["--help"]
    names = [setting.name for _, setting in map(get_args, get_args(Command))]
    if not given[0].startswith("-") and given[0] not in names:
        _say(f"ermas {given[0]}: {unknown_name('command', given[0], names)}")
        sys.exit(UNUSABLE)
    command: Train | Evaluate | Certify | Explain | Reproduce | Sweep | Plot | Info = tyro.cli(
        _overview() if given[0] in ("-h", "--help") else Command,
        prog="ermas",
        description=DESCRIPTION,
        args=given,
    )
    try:
        sys.exit(command.run(Console(markup=False, emoji=False)))
    except KeyboardInterrupt:
        _say(f"ermas {given[0]}: interrupted; {command.after_interrupt()}.")
        sys.exit(INTERRUPTED)
    except (ValueError, TypeError, OSError, RuntimeError, MemoryError) as error:
        too_large = _does_not_fit(error)
        _say(f"ermas {given[0]}: {TOO_LARGE.format(_reason(error)) if too_large else _reason(error)}")
        sys.exit(FAILED if isinstance(error, RuntimeError) and not too_large else UNUSABLE)


def _does_not_fit(error: Exception) -> bool:
    """Whether memory does not suffice for a size that was asked for, in the words of Python, NumPy or torch."""
    known = ("DefaultCPUAllocator", "not enough memory", "array is too big", "Maximum allowed dimension exceeded")
    return isinstance(error, MemoryError) or any(text in str(error) for text in known)


def _reason(error: Exception) -> str:
    """One line; an OSError names the file that was asked for rather than a temporary one."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename2 or error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _say(text: str) -> None:
    Console(stderr=True, markup=False, emoji=False).print(text, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    process()
