"""What is seen, named as recordings name it, and its comparison (SPEC sections 13 and 14)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.taxation.observations import Entries, slices
from ermas_envs.replay.comparison import EXACT, FLOAT32, Comparison

Seen = dict[str, Any]
"""Arrays by name; of the planner also such a table per agent, `p0` …"""


def masks(engine: EconomyEngine) -> dict[str, str]:
    """Masks of all roles as texts of 0 and 1."""
    views = engine.views
    rows = {str(index): row for index, row in enumerate(views.agent_mask[0])} | {"p": views.planner_mask[0]}
    return {role: mask_text(row) for role, row in rows.items()}


def mask_text(mask: Any) -> str:
    """A mask as a text of 0 and 1."""
    return "".join("1" if allowed else "0" for allowed in mask)


def raw(engine: EconomyEngine, role: str) -> Seen:
    """The unflattened observation of a role."""
    seen, views = engine.observer, engine.views
    if role == "p":
        found = named(views.planner_vector[0], seen.planner_entries)
        maps = seen.maps_of_planner(views)
        of_agents = {
            f"p{index}": named(row, seen.agent_of_planner) for index, row in enumerate(views.planner_agents[0])
        }
        return {**found, **of_agents, **{name: values[0] for name, values in maps.items()}}
    found = named(views.agent_vector[0, int(role)], seen.agent_entries)
    return {**found, **{name: values[0, int(role)] for name, values in seen.maps_of_agents(views).items()}}


def flat(engine: EconomyEngine, role: str) -> Seen:
    """The flattened observation of a role, without maps."""
    seen, views = engine.observer, engine.views
    if role == "p":
        return flat_vector(views.planner_vector[0], seen.planner_entries, views.planner_agents[0])
    return flat_vector(views.agent_vector[0, int(role)], seen.agent_entries, ())


def flat_vector(vector: Any, entries: Entries, of_agents: Any) -> Seen:
    """A flattened observation from a vector, its entries, and what the planner sees of each agent."""
    found: Seen = {"flat": vector, "time": vector[slices(entries)["time"]]}
    return {**found, **{f"p{index}": row for index, row in enumerate(of_agents)}}


def named(vector: Any, entries: Entries) -> Seen:
    """The parts of a vector by their names."""
    return {name: vector[where] for name, where in slices(entries).items()}


def compare_masks(comparison: Comparison, ours: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """All recorded masks."""
    for role, mask in theirs.items():
        comparison.equal("planner's mask" if role == "p" else "agents' masks", ours[role], mask)


def compare_raw(comparison: Comparison, role: str, ours: Seen, theirs: Mapping[str, Any]) -> None:
    """A raw observation."""
    who = "planner sees" if role == "p" else "agents see"
    for name in comparison.keys(f"{who}: names", ours, theirs):
        if isinstance(theirs[name], Mapping):
            for inner in comparison.keys(f"{who} of agents: names", ours[name], theirs[name]):
                _compare(comparison, f"{who} of agents: {inner}", ours[name][inner], theirs[name][inner])
        else:
            _compare(comparison, f"{who}: {name}", ours[name], theirs[name])


def compare_flat(comparison: Comparison, role: str, ours: Seen, theirs: Mapping[str, Any]) -> None:
    """A flattened observation."""
    who = "planner" if role == "p" else "agents"
    for name in comparison.keys(f"{who}, flattened: names", ours, theirs):
        label = "p of agents" if name.startswith("p") else name
        comparison.numbers(f"{who}, flattened: {label}", ours[name], theirs[name], FLOAT32)


def _compare(comparison: Comparison, name: str, ours: Any, theirs: Any) -> None:
    if name.endswith("map"):
        comparison.numbers(name, ours, theirs, EXACT)
    else:
        comparison.numbers(name, np.ravel(ours), np.ravel(theirs), FLOAT32)
