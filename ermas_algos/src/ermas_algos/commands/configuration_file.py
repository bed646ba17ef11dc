"""Configurations as TOML or YAML files, and settings on the command line as names and JSON values."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
import yaml

from ermas_algos.checkpoint import replace_file


def read_configuration(path: Path) -> dict[str, Any]:
    """A TOML file (`.toml`) or a YAML file (`.yaml`, `.yml`) as JSON types.

    Raises:
        OSError: the file cannot be read.
        ValueError: another suffix, a malformed file, or a value that JSON does not have (a date); names the file and,
            where the parser knows it, the line.
    """
    kinds = {".toml": tomllib.loads, ".yaml": yaml.safe_load, ".yml": yaml.safe_load}
    if path.suffix not in kinds:
        raise ValueError(f"{path}: a configuration is a .toml, .yaml or .yml file.")
    try:
        found = kinds[path.suffix](path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: malformed: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: must hold a table of settings, not {type(found).__name__}.")
    try:
        json.dumps(found)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: may hold tables, lists, text, numbers and true or false only ({error}).") from None
    return found


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


def json_value(text: str) -> Any:
    """A JSON value; what is no JSON is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def nested(settings: Mapping[str, str]) -> dict[str, Any]:
    """`{"agent_learner.learning_rate": "0.01"}` as `{"agent_learner": {"learning_rate": 0.01}}`."""
    found: dict[str, Any] = {}
    for name, text in settings.items():
        *tables, last = name.split(".")
        inner = found
        for table in tables:
            inner = inner.setdefault(table, {})
            if not isinstance(inner, dict):
                raise ValueError(f"{name}: {table!r} was given as a value and as a table.")
        inner[last] = json_value(text)
    return found


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`, table by table."""
    result = dict(base)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = merged(result[name], value) if both else value
    return result


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list | tuple):
        return [_without_none(entry) for entry in value]
    return value
