"""Comparison of an episode's metrics with recorded ones, whose names differ from ours (SPEC section 16)."""

from collections.abc import Mapping
from typing import Any

from ermas_envs.base.arrays import PLANNER, FloatArray, agent_id
from ermas_envs.replay.brackets import PREFIX, bracket_metrics
from ermas_envs.replay.comparison import FLOAT64, Comparison

ELASTICITY = f"{PREFIX}/saez/estimated_elasticity"
NOTHING = {f"endow/p/{resource}": 0.0 for resource in ("Coin", "Stone", "Wood")}
"""What the original's planner holds."""


def compare_metrics(
    comparison: Comparison, ours: Mapping[str, float], recorded: Mapping[str, Any], last_elasticity: float
) -> None:
    """Metrics under the original's names; Saez's estimate before the last, `last_elasticity`, is what it reports."""
    named = dict(ours)
    if ELASTICITY in named:
        named[ELASTICITY] = last_elasticity
    for name in comparison.keys("metrics: names", named, recorded):
        comparison.numbers(f"metrics: {name.split('/')[0]}", named[name], recorded[name], FLOAT64)


def original_names(metrics: Mapping[str, FloatArray], cutoffs: FloatArray, num_agents: int) -> dict[str, float]:
    """Our metrics, per name (1,), under the original's names; it has prices three times."""
    roles = {agent_id(index): str(index) for index in range(num_agents)} | {PLANNER: "p"}
    ours = {name: float(values[0]) for name, values in metrics.items()}
    found = bracket_metrics(ours, cutoffs)
    for name, value in ours.items():
        parts = [roles.get(part, part) for part in name.split("/")]
        if parts[0] == PREFIX and parts[-1].isdigit():
            continue
        found["/".join(parts)] = value
        if parts[-1] == "price":
            found |= {"/".join([*parts[:-1], other]): value for other in ("cost", "income")}
    return found
