"""From the settings of our economies to the configuration of a recording: the inverse of `options`."""

from collections.abc import Mapping
from typing import Any

from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.observe import ObservationParameters
from ermas_envs.games.economy.state import (
    HOUSE,
    STONE_SOURCE,
    STONE_UNITS,
    WATER,
    WOOD_SOURCE,
    WOOD_UNITS,
)
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import FixedBrackets, FreeMarket, Saez, TaxPlanner, USFederal
from ermas_envs.replay.known_options import COMPONENT_OPTIONS, ONE_STEP
from ermas_envs.replay.options import US_FEDERAL

PLANES = {
    "Stone": STONE_UNITS,
    "Wood": WOOD_UNITS,
    "House": HOUSE,
    "Water": WATER,
    "StoneSourceBlock": STONE_SOURCE,
    "WoodSourceBlock": WOOD_SOURCE,
}
"""Planes of the map under the original's names."""
TAXES = PeriodicBracketTax.__name__


def economy_config(engine: EconomyEngine, planner: object) -> dict[str, Any]:
    """Configuration of the gather-trade-build economy."""
    settings = engine.settings
    names = ("isoelastic_eta", "energy_cost", "energy_warmup_constant", "energy_warmup_method", "planner_reward_type")
    more = ("mixing_weight_gini_vs_coin", "multi_action_mode_agents", "multi_action_mode_planner")
    kwargs = ("full_observability", "mobile_agent_observation_range", "planner_gets_spatial_info")
    components = _components(tuple(settings.components), planner)
    return {
        "kwargs": {
            "scenario_name": "layout_from_file/simple_wood_and_stone",
            "components": _given(components),
            **_fields(settings, *kwargs, "allow_observation_scaling"),
        },
        "n_agents": settings.num_agents,
        "episode_length": settings.horizon,
        "world_size": list(engine.size),
        "component_order": list(components),
        **_fields(settings, *names, *more),
        "map_channels": _channels(engine.rules.observations),
        "layout_specs": {
            name: _fields(given, "regen_weight", "regen_halfwidth", "max_health")
            for name, given in (("Wood", settings.wood), ("Stone", settings.stone))
        },
        **_effective(components),
    }


def one_step_config(engine: OneStepEngine, planner: object) -> dict[str, Any]:
    """Configuration of the one-step economy."""
    settings = engine.settings
    names = ("agent_reward_type", "labor_cost", "labor_exponent", "isoelastic_eta", "planner_reward_type")
    components = _components(tuple(settings.components), planner)
    return {
        "kwargs": {
            "scenario_name": ONE_STEP,
            "components": _given(components),
            "allow_observation_scaling": settings.allow_observation_scaling,
        },
        "n_agents": settings.num_agents,
        "episode_length": settings.horizon,
        **_fields(settings, *names, "mixing_weight_gini_vs_coin", "multi_action_mode_planner"),
        **_effective(components),
    }


def _channels(seen: ObservationParameters) -> list[str]:
    names = {plane: name for name, plane in PLANES.items()}
    return [names[plane] for plane in seen.planner_planes.tolist()]


def _components(components: tuple[Any, ...], planner: object) -> dict[str, dict[str, Any]]:
    found = {type(component).__name__: dict(vars(component)) for component in components}
    if TAXES in found:
        found[TAXES] |= _tax_model(planner)
    return found


def _effective(components: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the original's components make of their options."""
    if not components.get(TAXES, {}).get("disable_taxes", False):
        return dict(components)
    return {**components, TAXES: {**components[TAXES], "rate_min": 0.0, "rate_max": 0.0}}


def _tax_model(planner: object) -> dict[str, Any]:
    found: dict[str, Any] = {"tax_model": "model_wrapper"}
    found |= {"fixed_bracket_rates": None, "pareto_weight_type": "inverse_income", "saez_fixed_elas": None}
    kind = type(planner)
    if isinstance(planner, TaxPlanner) and kind not in (USFederal, FixedBrackets, Saez, FreeMarket):
        raise ValueError(
            f"planner: {kind.__name__} is no tax model of the original's; FixedBrackets can set the same rates."
        )
    if isinstance(planner, USFederal):
        return {**found, "tax_model": US_FEDERAL}
    if isinstance(planner, FixedBrackets):
        return {**found, "tax_model": "fixed-bracket-rates", "fixed_bracket_rates": list(planner.given)}
    if isinstance(planner, Saez):
        model = {"pareto_weight_type": planner.pareto_weight_type, "saez_fixed_elas": planner.fixed_elasticity}
        return {**found, "tax_model": "saez", **model}
    if isinstance(planner, FreeMarket):
        raise ValueError("planner: free_market is none of the original's; take disable_taxes.")
    return found


def _given(components: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Components as the original's arguments."""
    return [
        {name: {option: value for option, value in options.items() if option in COMPONENT_OPTIONS[name]}}
        for name, options in components.items()
    ]


def _fields(given: object, *names: str) -> dict[str, Any]:
    return {name: getattr(given, name) for name in names}
