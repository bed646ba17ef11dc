"""Options that several commands have: environments by name, places of files, and what --help shows for them."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro

from ermas_algos.algorithms.trainer import CHECKPOINT
from ermas_algos.commands.configuration_file import json_value, outermost_first
from ermas_algos.commands.plain_values import check_plain
from ermas_envs import EnvironmentSpec
from ermas_envs.base.arguments import shown
from ermas_envs.make import check_arguments

RESOLVED = "train.toml"
"""The complete configuration that a training leaves beside its checkpoint."""
_NAMED_RUNS = 5  # a folder of sweeps has hundreds


def optional(metavar: str, default: str = "") -> Any:
    """For `Annotated`: --help shows `metavar`, and `default` (which may be empty) instead of None."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})" if default else "")


def _names_and_values(words: list[str]) -> dict[str, str]:
    """Names, each followed by its value; ValueError for a name without one, one that stands there twice, and for
    NAME=VALUE."""
    for name in words[::2]:
        if "=" in name:
            raise ValueError(f"a name and its value are two words: {' '.join(name.split('=', 1))}, not {name}.")
    if len(words) % 2:
        raise ValueError(f"every name is followed by its value; {words[-1]} has none.")
    found: dict[str, str] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        if name in found:
            raise ValueError(f"{name!r} stands there twice.")
        found[name] = value
    return found


NamesAndValues = Annotated[
    dict[str, str],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="NAME VALUE ...",
        instance_from_str=_names_and_values,
        is_instance=lambda value: isinstance(value, dict),
        str_from_instance=lambda values: [word for pair in values.items() for word in pair],
    ),
    optional("NAME VALUE ..."),
]
"""Arguments or settings by name, as text, which `given_arguments` and `configuration_file.nested` read."""


def environment_spec(name: str, arguments: Mapping[str, Any]) -> EnvironmentSpec:
    """An environment as data; ValueError, with the nearest match, for an unknown name or argument."""
    check_arguments("argument", name, arguments)
    return EnvironmentSpec(name, dict(arguments))


def given_arguments(texts: Mapping[str, str], beneath: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of an environment as the command line has them.

    Args:
        texts: by name, each value in JSON, or bare text; a dotted name is one inside a table: `perturbation.eta`.
        beneath: arguments that these are put on top of; a table of theirs keeps what no dotted name changes.

    Raises:
        ValueError: the part of a name before a dot is no table.
    """
    found = dict(beneath)
    for name, text in outermost_first(texts):
        first, _, rest = name.partition(".")
        inner = found.get(first, {})
        if rest and not isinstance(inner, Mapping):
            raise ValueError(f"{name}: {first!r} must be a table among the arguments, got {shown(inner)}.")
        found[first] = given_arguments({rest: text}, inner) if rest else json_value(name, text)
    check_plain(found)  # names can be deep, too
    return found


def checkpoint_file(path: Path) -> Path:
    """The checkpoint of a run's directory; any other path as it is; ValueError, with what to do, if there is none."""
    file = path / CHECKPOINT if path.is_dir() else path
    if not file.exists():
        raise ValueError(f"{file}: there is no such file; {_instead_of(path)}.")
    return file


def _instead_of(path: Path) -> str:
    """What to do where a run has no checkpoint, or is no run."""
    if (path / RESOLVED).exists():
        return "this training has not reached its first checkpoint: repeat its command"
    folder = path if path.is_dir() else path.parent
    runs = sorted(str(checkpoint.parent) for checkpoint in folder.glob(f"*/{CHECKPOINT}"))
    if runs:
        return f"runs in {folder}: {', '.join(runs[:_NAMED_RUNS])}{' and more' if len(runs) > _NAMED_RUNS else ''}"
    return "`ermas train` makes a run (`ermas train --help` has an example)"


def prepare_directory(path: Path) -> None:
    """Create a directory for results; ValueError if it cannot be created or written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        reason = "is not a directory" if isinstance(error, FileExistsError) else os.strerror(error.errno or 0)
        raise ValueError(f"out: {path} cannot be written: {reason}.") from None


def prepare_file(path: Path) -> None:
    """Create the directory of a file for results; ValueError if the file cannot be written."""
    if path.is_dir() or not path.name:
        raise ValueError(f"out: {path} is a directory; name a file.")
    if path.exists() and not path.is_file():  # such as /dev/null, which must not be replaced
        raise ValueError(f"out: {path} is no ordinary file.")
    prepare_directory(path.parent)
