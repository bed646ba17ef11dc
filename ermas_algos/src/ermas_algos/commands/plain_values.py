"""Settings from files and the command line are plain: JSON types, of bounded depth and number."""

from typing import Any

DEEPEST = 50
"""Lists and tables within each other."""
MOST_VALUES = 10**5
"""Values of a file or an option, lists and tables included."""
ALLOWED = "may hold tables, lists, text, numbers and true or false only"
TOO_DEEP = f"{ALLOWED}, at most {DEEPEST} within each other"


def check_plain(value: Any) -> None:
    """Check a value of a setting, or a table of them, before anything else walks it.

    Raises:
        ValueError: names the setting that JSON has no type for (a date) or that is nested more than `DEEPEST` deep.
    """
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    count = 0
    while waiting:
        name, found, depth = waiting.pop()
        count += 1
        where = name or "the value"
        if count > MOST_VALUES:
            raise ValueError(f"{where}: more than {MOST_VALUES} values.")
        if isinstance(found, (dict, list, tuple)) and depth == DEEPEST:
            raise ValueError(f"{TOO_DEEP}: {_cut(where)}.")
        if isinstance(found, dict):
            waiting += [(f"{name}.{key}" if name else str(key), entry, depth + 1) for key, entry in found.items()]
        elif isinstance(found, (list, tuple)):
            waiting += [(name, entry, depth + 1) for entry in found]
        elif not isinstance(found, (str, bool, int, float, type(None))):
            raise ValueError(f"{ALLOWED}: {where} is a {type(found).__name__} (quote it to make it text).")


def _cut(name: str) -> str:
    return name if len(name) <= 100 else f"{name[:100]}…"
