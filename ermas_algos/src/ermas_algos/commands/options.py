"""Options that several commands have: environments by name, places of files, and what --help shows for them."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tyro

from ermas_algos.algorithms.trainer import CHECKPOINT
from ermas_algos.commands.configuration_file import json_value
from ermas_envs import EnvironmentSpec
from ermas_envs.make import check_arguments


def optional(metavar: str, default: str = "") -> Any:
    """For `Annotated`: --help shows `metavar`, and `default` (which may be empty) instead of None."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})" if default else "")


def environment_spec(name: str, arguments: Mapping[str, Any]) -> EnvironmentSpec:
    """An environment as data; ValueError, with the nearest match, for an unknown name or argument."""
    check_arguments("argument", name, arguments)
    return EnvironmentSpec(name, dict(arguments))


def json_values(texts: Mapping[str, str]) -> dict[str, Any]:
    """Arguments as the command line has them: each value in JSON, or bare text."""
    return {name: json_value(name, text) for name, text in texts.items()}


def checkpoint_file(path: Path) -> Path:
    """The checkpoint of a run's directory; any other path as it is."""
    return path / CHECKPOINT if path.is_dir() else path


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
