"""The reference of a public module: what its `__all__` names, with signatures as written and docstrings as Markdown."""

import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
import types
from pathlib import Path
from typing import Any

SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises):\s*$", re.MULTILINE)
TITLES = {"Args": "Arguments", "Attributes": "Attributes", "Returns": "Returns", "Yields": "Yields", "Raises": "Raises"}
ENTRY = re.compile(r"^(\*{0,2}\w[\w.]*): ", re.MULTILINE)


def of_module(name: str) -> str:
    """All public objects of a module: functions, classes with their public members, and data."""
    module = importlib.import_module(name)
    names = [public for public in module.__all__ if not public.startswith("__")]
    parts = [f"(api-{name})=", as_markdown(module.__doc__), f"::::::{{py:module}} {name}\n::::::"]
    return "\n\n".join(parts + [of_object(module, public) for public in sorted(names, key=str.lower)])


def of_object(module: types.ModuleType, name: str) -> str:
    """One object under the name by which users import it."""
    found = getattr(module, name)
    if inspect.isclass(found):
        return of_class(name, found)
    if inspect.isfunction(found):
        return directive("py:function", name + arguments_of(found), inspect.getdoc(found))
    return directive("py:data", name, documentation_of_data(module, name))


def of_class(name: str, found: type) -> str:
    """A class: its arguments, or the fields of a dataclass as a table, then its methods that say what they do."""
    fields = dataclasses.is_dataclass(found)
    no_arguments = fields or getattr(found, "_is_protocol", False) or not inspect.isfunction(found.__init__)
    signature = name if no_arguments else name + arguments_of(found.__init__)
    inner = [table_of_fields(found)] if fields else []
    for member, value in sorted(vars(found).items()):
        text = None if member.startswith("_") else inspect.getdoc(value)
        if isinstance(value, property) and text:
            inner.append(directive("py:property", member, text, colons=4))
        elif isinstance(value, (staticmethod, classmethod, types.FunctionType)) and text:
            function = getattr(value, "__func__", value)
            inner.append(directive("py:method", member + arguments_of(function), text, colons=4))
    text = inspect.getdoc(found) if "__doc__" in vars(found) else ""
    return directive("py:class", signature, text, inner)


def directive(kind: str, signature: str, text: str | None, inner: list[str] = [], colons: int = 5) -> str:  # noqa: B006
    """A description of Sphinx's Python domain, so that objects are in the index and in the search."""
    fence = ":" * colons
    return "\n\n".join([f"{fence}{{{kind}}} {signature}", as_markdown(text or ""), *inner, fence])


def arguments_of(function: Any) -> str:
    """The arguments as they stand in the source, without `self`; empty brackets where there is no source."""
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return "()"
    for arguments in (node.args.posonlyargs, node.args.args):
        arguments[:] = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and function.__name__ != "__init__" else ""
    return f"({ast.unparse(node.args)}){returns}"


def table_of_fields(found: type) -> str:
    """Name, default and meaning of every field; the meaning is the text below the field, in the class that has it."""
    meanings: dict[str, str] = {}
    for base in reversed(found.__mro__[:-1]):
        if dataclasses.is_dataclass(base):
            meanings |= texts_below(ast.parse(textwrap.dedent(inspect.getsource(base))).body[0])
    rows = ["| field | default | meaning |", "|---|---|---|"]
    for field in dataclasses.fields(found):
        meaning = " ".join(meanings.get(field.name, "").split()).replace("|", "\\|")
        rows.append(f"| `{field.name}` | {default_of(field)} | {meaning} |")
    return "\n".join(rows)


def default_of(field: dataclasses.Field[Any]) -> str:
    """The default as Python writes it; objects of settings by their class."""
    if field.default is dataclasses.MISSING:
        return "" if field.default_factory is dataclasses.MISSING else "a new one"
    if dataclasses.is_dataclass(field.default):
        return f"`{type(field.default).__name__}(…)`"
    return f"`{field.default!r}`".replace("|", "\\|")


def texts_below(node: ast.AST) -> dict[str, str]:
    """Texts that stand directly below the assignments of a class or module, by the name that is assigned."""
    found = {}
    for before, after in zip(node.body, node.body[1:], strict=False):
        is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        targets = [before.target] if isinstance(before, ast.AnnAssign) else getattr(before, "targets", [])
        for target in targets if is_text and isinstance(after.value.value, str) else []:
            found[ast.unparse(target)] = inspect.cleandoc(after.value.value)
    return found


def documentation_of_data(module: types.ModuleType, name: str) -> str:
    """The text below the assignment, in the module that has it."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            return documentation_of_data(importlib.import_module(node.module), name)
    return texts_below(tree).get(name, "")


def as_markdown(docstring: str) -> str:
    """Google's sections as lists; all else is Markdown already."""
    pieces = SECTION.split(docstring.strip())
    parts = [pieces[0].strip()]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        indented, _, rest = body.strip("\n").partition("\n\n")
        text = inspect.cleandoc("\n" + indented)
        entries = ENTRY.sub(r"* `\1`: ", text) if title != "Returns" else text
        parts += [f"**{TITLES[title]}**", re.sub(r"\n(?!\* )\s*", "\n  ", entries), rest.strip()]
    return "\n\n".join(part for part in parts if part)
