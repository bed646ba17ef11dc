"""Colour and marker of methods and of exact solutions: the same in every picture."""

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
