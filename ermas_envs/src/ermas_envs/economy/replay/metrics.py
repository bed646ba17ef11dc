"""Comparison of an episode's metrics with recorded ones, whose names differ from ours (SPEC section 16)."""

from collections.abc import Mapping
from typing import Any

from ermas_envs.economy.engine import EconomyEngine
from ermas_envs.economy.replay.comparison import FLOAT64, Comparison
from ermas_envs.economy.replay.taxes import bracket_names
from ermas_envs.ids import PLANNER, agent_id


def compare_metrics(
    comparison: Comparison, engine: EconomyEngine, recorded: Mapping[str, Any], last_elasticity: float
) -> None:
    """Metrics of the replica's episode; theirs of Saez is the estimate before the last one."""
    ours = {name: float(values[0]) for name, values in engine.metrics().items()}
    named = original_names(ours, engine)
    if "PeriodicTax/saez/estimated_elasticity" in named:
        named["PeriodicTax/saez/estimated_elasticity"] = last_elasticity
    for name in comparison.keys("metrics: names", named, recorded):
        family = name.split("/")[0]
        comparison.numbers(f"metrics: {family}", named[name], recorded[name], FLOAT64)


def original_names(ours: Mapping[str, float], engine: EconomyEngine) -> dict[str, float]:
    """Our metrics under the original's names; it has some twice, and a planner's inventory that stays 0."""
    roles = {agent_id(index): str(index) for index in range(engine.settings.num_agents)} | {PLANNER: "p"}
    names = bracket_names(engine.rules.tax.cutoffs)
    found: dict[str, float] = {f"endow/p/{resource}": 0.0 for resource in ("Coin", "Stone", "Wood")}
    for name, value in ours.items():
        parts = [roles.get(part, part) for part in name.split("/")]
        if parts[0] == "PeriodicTax" and parts[-1].isdigit():
            parts[-1] = names[int(parts[-1])]
        found["/".join(parts)] = value
        if parts[-1] == "price":
            found |= {"/".join([*parts[:-1], other]): value for other in ("cost", "income")}
    return found
