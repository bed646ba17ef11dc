"""Numbers on the command line: one after another, or in a file; tax schedules and tolls are given so."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ermas_algos.commands.configuration_file import json_value, read_configuration
from ermas_envs.base.arguments import shown
from ermas_envs.base.text import read_text


def numbers_given(given: Sequence[str], argument: str, key: str) -> list[Any]:
    """The numbers, which are not checked yet.

    Args:
        given: numbers as text, or the name of one file.
        argument: how errors call them.
        key: their name in a TOML or YAML file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file does not hold a list of them, or is none of .json, .toml, .yaml and .yml.
    """
    if len(given) == 1 and not isinstance(json_value(argument, given[0]), (int, float)):
        return _of_file(Path(given[0]), argument, key)
    return [json_value(argument, text) for text in given]


def _of_file(path: Path, argument: str, key: str) -> list[Any]:
    if path.suffix not in (".json", ".toml", ".yaml", ".yml"):
        raise ValueError(f"{argument}: {path} is neither a number nor a .json, .toml, .yaml or .yml file of them.")
    if path.suffix != ".json":
        table = read_configuration(path)
        if list(table) != [key]:
            raise ValueError(f"{path}: must hold `{key}` and nothing else, got {shown(list(table))}.")
        numbers = table[key]
    else:
        try:
            text = read_text(path)
            json.loads(text)
            numbers = json_value(key, text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: {error}") from None
    if not isinstance(numbers, list):
        raise ValueError(f"{path}: {key} must be a list of numbers, got {shown(numbers)}.")
    return numbers
