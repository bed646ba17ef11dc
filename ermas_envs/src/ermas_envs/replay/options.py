"""From the configuration of a recording to the settings of our economy (SPEC sections 3 to 12, 18)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ermas_envs.games.economy.layouts import Layout
from ermas_envs.games.economy.settings import (
    COMPATIBILITY,
    Build,
    Component,
    ContinuousDoubleAuction,
    EconomySettings,
    Gather,
    Resource,
    WealthRedistribution,
)
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import FixedBrackets, Saez, USFederal

US_FEDERAL = "us-federal-single-filer-2018-scaled"


def economy_settings(config: Mapping[str, Any], maps: Mapping[str, Any]) -> EconomySettings:
    """Settings of a recording; `maps` are those of its first episode's start.

    Skills and places come from the recording, so that their distributions do not matter. ValueError for an option that
    this engine does not have.
    """
    kwargs = config["kwargs"]
    specs = config["layout_specs"]
    planner_reward = config["planner_reward_type"]
    return EconomySettings(
        num_agents=config["n_agents"],
        horizon=config["episode_length"],
        components=tuple(_component(name, config) for name in config["component_order"]),
        layout=layout_of(maps, config["world_size"]),
        wood=_resource(specs["Wood"]),
        stone=_resource(specs["Stone"]),
        starting_agent_coin=0.0,
        fixed_four_skill_and_loc=False,
        isoelastic_eta=config["isoelastic_eta"],
        energy_cost=config["energy_cost"],
        energy_warmup_constant=config["energy_warmup_constant"],
        energy_warmup_method=config["energy_warmup_method"],
        planner_reward_type=planner_reward,
        mixing_weight_gini_vs_coin=config["mixing_weight_gini_vs_coin"],
        multi_action_mode_agents=config["multi_action_mode_agents"],
        multi_action_mode_planner=config["multi_action_mode_planner"],
        full_observability=kwargs.get("full_observability", False),
        mobile_agent_observation_range=kwargs.get("mobile_agent_observation_range", 5),
        planner_gets_spatial_info=kwargs.get("planner_gets_spatial_info", True),
        allow_observation_scaling=kwargs.get("allow_observation_scaling", True),
        compatibility=COMPATIBILITY,
    )


def layout_of(maps: Mapping[str, Any], size: tuple[int, int]) -> Layout:
    """The map of an episode's start."""

    def plane(name: str) -> Any:
        tiles = np.zeros(size[0] * size[1], dtype=bool)
        tiles[[index for index, _ in maps.get(name, [])]] = True
        return tiles.reshape(size)

    return Layout(plane("WoodSourceBlock"), plane("StoneSourceBlock"), plane("Water"))


def tax_setter(options: Mapping[str, Any] | None) -> object:
    """Who sets the taxes of a recording."""
    model = "model_wrapper" if options is None else options["tax_model"]
    if model == US_FEDERAL:
        return USFederal()
    if options is not None and model == "fixed-bracket-rates":
        return FixedBrackets(options["fixed_bracket_rates"])
    if options is not None and model == "saez":
        return Saez(options["pareto_weight_type"], options["saez_fixed_elas"])
    if model != "model_wrapper":
        raise ValueError(f"tax_model {model!r} is not known.")
    return "learned"


def tax_component(options: Mapping[str, Any], kwargs: Mapping[str, Any]) -> PeriodicBracketTax:
    """The tax component of a recording: effective values, and the spacing's arguments, which are in the kwargs only."""
    given = next(dict(entry["PeriodicBracketTax"]) for entry in kwargs["components"] if "PeriodicBracketTax" in entry)
    spacing = {
        name: given[name]
        for name in ("bracket_spacing", "n_brackets", "top_bracket_cutoff", "usd_scaling")
        if name in given
    }
    effective = {name: options[name] for name in ("disable_taxes", "period", "rate_disc")}
    disabled = options["disable_taxes"]  # its effective rates are zero, whatever was given
    limits = {name: given[name] if disabled and name in given else options[name] for name in ("rate_min", "rate_max")}
    return PeriodicBracketTax(
        **effective, **limits, **spacing, tax_annealing_schedule=options["tax_annealing_schedule"]
    )


def _component(name: str, config: Mapping[str, Any]) -> Component:
    options = config.get(name, {})
    if name == "Build":
        return Build("none", options["payment"], options["payment_max_skill_multiplier"], options["build_labor"])
    if name == "ContinuousDoubleAuction":
        return ContinuousDoubleAuction(
            options["max_bid_ask"], options["order_labor"], options["order_duration"], options["max_num_orders"]
        )
    if name == "Gather":
        return Gather(options["move_labor"], options["collect_labor"])
    if name == "PeriodicBracketTax":
        return tax_component(options, config["kwargs"])
    if name == "WealthRedistribution":
        return WealthRedistribution()
    raise ValueError(f"component {name!r} is not known.")


def _resource(spec: Mapping[str, Any]) -> Resource:
    return Resource(spec["regen_weight"], spec["regen_halfwidth"], spec["max_health"])
