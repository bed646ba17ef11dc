"""Colour and marker of methods and of exact solutions: the same in every picture."""

from collections.abc import Sequence
from itertools import cycle

Look = tuple[str, str]
"""Colour and marker."""

MARL: Look = ("#15803d", "s")
ERMAS: Look = ("#1f5fa8", "o")
PAPERS_GRADIENT: Look = ("#93c5fd", "o")
"""ERMAS by the paper's gradient, in pictures that have another one, too."""
NAIVE_OPTIMUM: Look = ("#be123c", "x")
"""Exactly best where nobody deviates."""
ROBUST_OPTIMUM: Look = ("#7c3aed", "^")
"""Exactly best in the worst case."""
NOTHING: Look = ("#6b7280", "v")
"""What a planner is worth who does nothing."""
EPSILON_SHADES = ("#93c5fd", "#3b82f6", "#1e3a8a", "#0f172a")
"""Of lines for one ε each, ascending."""
_OTHERS = ("#c2410c", "#7c3aed", "#b45309", "#0f766e", "#be123c", "#6b7280")
_MARKERS = ("^", "D", "v", "P", "X", "<", ">")


def looks_of(names: Sequence[str]) -> dict[str, Look]:
    """Of methods that a user has named: MARL and ERMAS look as everywhere, all others take what is left, in order."""
    known = {"MARL": MARL, "ERMAS": ERMAS}
    left = zip(cycle(_OTHERS), cycle(_MARKERS), strict=False)
    return {name: known[name] if name in known else next(left) for name in names}
