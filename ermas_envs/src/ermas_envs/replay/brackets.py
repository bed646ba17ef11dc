"""Brackets under the original's names, the whole coins of their cutoffs, which several may share (usd_scaling 10000).

In the original such brackets are set, and counted in metrics, together. Our engine does not have that; a replay does
what the original did: it gives all of them the same action, and sums up their metrics.
"""

from collections.abc import Mapping

from ermas_envs.base.arrays import FloatArray, IntArray

PREFIX = "PeriodicTax"


def bracket_names(cutoffs: FloatArray) -> list[str]:
    """The original's names of the brackets."""
    return [f"{int(cutoff):03d}" for cutoff in cutoffs]


def brackets_by_name(cutoffs: FloatArray) -> dict[str, list[int]]:
    """Numbers of the brackets that have each name."""
    found: dict[str, list[int]] = {}
    for bracket, name in enumerate(bracket_names(cutoffs)):
        found.setdefault(name, []).append(bracket)
    return found


def share_actions(cutoffs: FloatArray, multi: bool, actions: IntArray) -> None:
    """Change decoded actions, (B,), to those that the original applied.

    Args:
        cutoffs: of the brackets.
        multi: whether the planner sets all brackets at once: the last of a name counts; else any of them.
        actions: 0 keeps a bracket's rate.
    """
    for brackets in brackets_by_name(cutoffs).values():
        actions[brackets] = actions[brackets[-1]] if multi else actions[brackets].max()


def bracket_metrics(ours: Mapping[str, float], cutoffs: FloatArray) -> dict[str, float]:
    """Our metrics of single brackets under the original's names."""
    found: dict[str, float] = {}
    for name, brackets in brackets_by_name(cutoffs).items():
        rate, share = f"{PREFIX}/avg_bracket_rate", f"{PREFIX}/bracket_occupancy"
        if f"{rate}/{brackets[0]}" in ours:
            found[f"{rate}/{name}"] = sum(ours[f"{rate}/{bracket}"] for bracket in brackets) / len(brackets)
            found[f"{share}/{name}"] = sum(ours[f"{share}/{bracket}"] for bracket in brackets)
    return found
