"""YAML as JSON types: what a file may not hold is refused, with its line, before it can grow or fail elsewhere."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from ermas_algos.commands.plain_values import DEEPEST, MOST_VALUES, TOO_DEEP

LONGEST_NUMBER = 1000
"""Characters of a number, a date or the like; text may be longer."""
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # which has no type information
    """Errors of a value's own tag, such as `!!int abc`, become errors that have its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.MarkedYAMLError(problem=f"this is no {kind}", problem_mark=node.start_mark) from error


def parse_yaml(text: str) -> Any:
    """What a YAML document holds; aliases are followed.

    Raises:
        ValueError: with the line where there is one: malformed YAML; a name that is no text, such as 2024 or on; a
            number of base 60, such as 1:20; values
            nested more than `DEEPEST` deep, or more than `MOST_VALUES` of them once aliases are followed.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _check(root)
        return loader.construct_document(root)
    except RecursionError:
        raise ValueError(f"{TOO_DEEP}.") from None
    except yaml.YAMLError as error:
        raise ValueError("malformed: " + re.sub(r'\s+in "<unicode string>",', ",", str(error))) from None


def _check(root: yaml.Node) -> None:
    """Walk the nodes as constructing them would, so that what a few aliases multiply, or a circle, is found first."""
    count = 0
    waiting: list[tuple[Iterator[tuple[str, yaml.Node]], int]] = [(iter([("", root)]), 0)]
    while waiting:
        entries, depth = waiting[-1]
        found = next(entries, None)
        if found is None:
            waiting.pop()
            continue
        name, node = found
        count += 1
        line = f"line {node.start_mark.line + 1}"
        if count > MOST_VALUES:
            raise ValueError(f"{line}: more than {MOST_VALUES} values, those that aliases repeat included.")
        if isinstance(node, yaml.ScalarNode):
            if node.tag != _TEXT and len(node.value) > LONGEST_NUMBER:
                raise ValueError(f"{line}: a number of more than {LONGEST_NUMBER} characters.")
            if node.tag in _NUMBERS and ":" in node.value:
                raise ValueError(f"{line}: {node.value} is a number of base 60 in YAML; quote what is text.")
        elif depth == DEEPEST:
            raise ValueError(f"{TOO_DEEP} ({line}).")
        else:
            waiting.append((_entries(name, node), depth + 1))


def _entries(table: str, node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """The values in a list or table, with their dotted names.

    ValueError for a table's name that is no text, or stands there twice: of these the parser would keep the last.
    """
    if not isinstance(node, yaml.MappingNode):
        yield from ((table, entry) for entry in node.value)
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag not in (_TEXT, _MERGE):
            where = f"line {key.start_mark.line + 1}: {table or 'the outermost table'}"
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError(f"{where}: a name must be text, not a list or a table.")
            kind = key.tag.rpartition(":")[2]
            raise ValueError(f'{where}: the name {key.value} is no text in YAML ({kind}); quote it: "{key.value}".')
        line, first = key.start_mark.line + 1, lines.get(key.value)
        if first is not None and key.tag == _TEXT:
            where = f"line {line}: {table or 'the outermost table'}"
            raise ValueError(f"{where}: {key.value!r} stands in line {first}, too.")
        lines[key.value] = line
        yield (f"{table}.{key.value}" if table else key.value), value
