"""Names of the numbers in a vector, from the names and sizes of its entries."""

from collections.abc import Iterable


def entry_names(entries: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    """A name for every number: that of its entry, or `name/0`, `name/1`, … where the entry has several.

    Args:
        entries: (name, size) in the order of the vector.
    """
    return tuple(name if size == 1 else f"{name}/{number}" for name, size in entries for number in range(size))
