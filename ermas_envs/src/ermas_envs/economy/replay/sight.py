"""Comparison of observations and masks with recorded ones, raw and flattened (SPEC sections 13 and 14)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ermas_envs.economy.engine import EconomyEngine
from ermas_envs.economy.observation_entries import Entries, slices
from ermas_envs.economy.replay.comparison import EXACT, FLOAT32, Comparison


def compare_masks(comparison: Comparison, engine: EconomyEngine, recorded: Mapping[str, str]) -> None:
    """Masks as texts of 0 and 1."""
    for role, theirs in recorded.items():
        mask = engine.views.planner_mask[0] if role == "p" else engine.views.agent_mask[0, int(role)]
        who = "planner's mask" if role == "p" else "agents' masks"
        comparison.equal(who, "".join(str(int(allowed)) for allowed in mask), theirs)


def compare_observations(comparison: Comparison, engine: EconomyEngine, recorded: Mapping[str, Any]) -> None:
    """The raw observation, and the flattened one where it is recorded."""
    for role, theirs in recorded.get("raw", {}).items():
        if role == "p":
            _compare_raw_planner(comparison, engine, theirs)
        else:
            ours = _raw_agent(engine, int(role))
            for name in comparison.keys("agents see: names", ours, theirs):
                _compare(comparison, f"agents see: {name}", ours[name], theirs[name])
    for role, theirs in (recorded.get("flat") or {}).items():
        _compare_flat(comparison, engine, role, theirs)


def _raw_agent(engine: EconomyEngine, index: int) -> dict[str, Any]:
    seen, views = engine.sight, engine.views
    vector = views.agent_vector[0, index]
    maps = seen.maps_of_agent(views, index)
    return {**_named(vector, seen.agent_entries), **{name: values[0] for name, values in maps.items()}}


def _compare_raw_planner(comparison: Comparison, engine: EconomyEngine, theirs: Mapping[str, Any]) -> None:
    seen, views = engine.sight, engine.views
    ours: dict[str, Any] = _named(views.planner_vector[0], seen.planner_entries)
    if views.planner_maps.shape[1]:
        ours |= {name: values[0] for name, values in seen.maps_of_planner(views).items()}
    for index in range(views.planner_agents.shape[1]):
        ours[f"p{index}"] = _named(views.planner_agents[0, index], seen.agent_of_planner)
    for name in comparison.keys("planner sees: names", ours, theirs):
        if isinstance(theirs[name], Mapping):
            for inner in comparison.keys("planner sees of agents: names", ours[name], theirs[name]):
                _compare(comparison, f"planner sees of agents: {inner}", ours[name][inner], theirs[name][inner])
        else:
            _compare(comparison, f"planner sees: {name}", ours[name], theirs[name])


def _compare_flat(comparison: Comparison, engine: EconomyEngine, role: str, theirs: Mapping[str, Any]) -> None:
    seen, views = engine.sight, engine.views
    planner = role == "p"
    vector = views.planner_vector[0] if planner else views.agent_vector[0, int(role)]
    entries = seen.planner_entries if planner else seen.agent_entries
    who = "planner" if planner else "agents"
    ours: dict[str, Any] = {"flat": vector, "time": vector[slices(entries)["time"]]}
    if planner:
        ours |= {f"p{index}": row for index, row in enumerate(views.planner_agents[0])}
    for name in comparison.keys(f"{who}, flattened: names", ours, theirs):
        label = "p of agents" if name.startswith("p") else name
        comparison.numbers(f"{who}, flattened: {label}", ours[name], theirs[name], FLOAT32)


def _named(vector: Any, entries: Entries) -> dict[str, Any]:
    return {name: vector[where] for name, where in slices(entries).items()}


def _compare(comparison: Comparison, name: str, ours: Any, theirs: Any) -> None:
    tolerance = EXACT if name.endswith("map") else FLOAT32
    flat = ours if name.endswith("map") else np.ravel(ours)
    comparison.numbers(name, flat, theirs if name.endswith("map") else np.ravel(theirs), tolerance)
