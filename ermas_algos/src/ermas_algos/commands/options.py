"""Options that several commands have: environments by name, and how --help shows what may be left out."""

from collections.abc import Mapping
from typing import Any

import tyro

from ermas_algos.commands.configuration_file import json_value
from ermas_algos.environment_arguments import check_arguments
from ermas_envs import EnvironmentSpec


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
