"""Configurations as TOML or YAML files, and settings on the command line as names and JSON values."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomli_w

from ermas_algos.checkpoint import replace_file
from ermas_algos.commands.plain_values import TOO_DEEP, check_plain
from ermas_algos.commands.yaml_text import parse_yaml
from ermas_envs.base.text import read_text


def read_configuration(path: Path) -> dict[str, Any]:
    """A TOML file (`.toml`) or a YAML file (`.yaml`, `.yml`), with or without a byte order mark, as JSON types.

    Raises:
        OSError: the file cannot be read.
        ValueError: another suffix; a pipe or a device; a file that is too large, malformed or too deeply nested, or has
            a value that JSON does not have (a date), or a name that is no text. Names the file and, where it is known,
            the line or the setting.
    """
    kinds: Mapping[str, Callable[[str], Any]] = {".toml": _parse_toml, ".yaml": parse_yaml, ".yml": parse_yaml}
    if path.suffix not in kinds:
        raise ValueError(f"{path}: a configuration is a .toml, .yaml or .yml file.")
    with values_of(path):
        found = kinds[path.suffix](read_text(path))
        check_plain(found)
    if not isinstance(found, dict):
        raise ValueError(f"{path}: must hold a table of settings, not {type(found).__name__}.")
    return found


@contextmanager
def values_of(path: Path | None) -> Iterator[None]:
    """For code that uses what a file holds, and nothing else: its ValueErrors name the file. None changes nothing."""
    try:
        yield
    except ValueError as error:
        if path is None or str(error).startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: {error}") from error


_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_LONG_NAME = re.compile(rf"(?<![\w.-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{1000,}}+")
"""A dotted name of TOML on which the parser would spend time that grows with the square of its length."""


def _parse_toml(text: str) -> dict[str, Any]:
    if _LONG_NAME.search(text):
        raise ValueError(f"{TOO_DEEP}.")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"{TOO_DEEP}.") from None
    except ValueError as error:  # of a number, too, that Python does not convert
        raise ValueError(f"malformed: {error}") from None


def write_toml(path: Path, values: Mapping[str, Any], remark: str | None = None) -> None:
    """Write JSON types as TOML, atomically; None, which TOML lacks, is left out and comes back as the default.

    Args:
        path: file to write.
        values: by name.
        remark: a line that goes ahead of them as a comment.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "" if remark is None else f"# {remark}\n\n"
    replace_file(path, (head + tomli_w.dumps(_without_none(values))).encode())


def json_value(name: str, text: str) -> Any:
    """A JSON value; what is no JSON is text.

    ValueError naming the option `name` if it is nested too deeply, or a table in it has a name twice.
    """
    try:
        found = json.loads(text, object_pairs_hook=_without_repetition)
    except _RepeatedName as error:
        raise ValueError(f"{name}: {error}") from None
    except ValueError:
        return text
    except RecursionError:
        raise ValueError(f"{name}: {TOO_DEEP}.") from None
    check_plain({name: found})
    return found


class _RepeatedName(ValueError):
    """A table of JSON has a name twice."""


def _without_repetition(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in entries:
        if name in found:
            raise _RepeatedName(f"{name!r} stands there twice.")
        found[name] = value
    return found


def outermost_first(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Names and their texts, tables ahead of dotted names inside them."""
    return sorted(texts.items(), key=lambda pair: pair[0].count("."))


def nested(settings: Mapping[str, str]) -> dict[str, Any]:
    """`{"agent_learner.learning_rate": "0.01"}` as `{"agent_learner": {"learning_rate": 0.01}}`.

    A table and names inside it are put together, in whatever order they come.

    ValueError naming what is given twice, or as a value and as a table.
    """
    found: dict[str, Any] = {}
    for name, text in outermost_first(settings):
        *tables, last = name.split(".")
        inner = found
        for table in tables:
            inner = inner.setdefault(table, {})
            if not isinstance(inner, dict):
                raise ValueError(f"{name}: {table!r} was given as a value and as a table.")
        if last in inner:
            raise ValueError(f"{name}: {last!r} is given twice.")
        inner[last] = json_value(name, text)
    check_plain(found)  # names can be deep, too
    return found


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list | tuple):
        return [_without_none(entry) for entry in value]
    return value
