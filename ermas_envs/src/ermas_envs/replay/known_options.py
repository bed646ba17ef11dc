"""What the original can be configured with: scenarios, components and options that recordings may have."""

from collections.abc import Mapping
from typing import Any

ONE_STEP = "one-step-economy"
SCENARIOS = (
    ONE_STEP,
    *(
        f"{kind}/simple_wood_and_stone"
        for kind in ("layout_from_file", "uniform", "multi_zone", "quadrant", "split_layout")
    ),
)
"""Scenarios of the original that can be replayed. Maps, places and skills come from the recording."""
OPTIONS = frozenset(
    {
        "agent_reward_type",
        "allow_observation_scaling",
        "checker_source_blocks",
        "collate_agent_step_and_reset_data",
        "components",
        "dense_log_frequency",
        "energy_cost",
        "energy_warmup_constant",
        "energy_warmup_method",
        "env_layout_file",
        "episode_length",
        "fixed_four_skill_and_loc",
        "flatten_masks",
        "flatten_observations",
        "full_observability",
        "gradient_steepness",
        "isoelastic_eta",
        "labor_cost",
        "labor_exponent",
        "mixing_weight_gini_vs_coin",
        "mobile_agent_observation_range",
        "multi_action_mode_agents",
        "multi_action_mode_planner",
        "n_agents",
        "num_partitions_col",
        "num_partitions_row",
        "num_stone_zones",
        "num_wood_and_stone_zones",
        "num_wood_zones",
        "planner_gets_spatial_info",
        "planner_reward_type",
        "resource_regen_prob",
        "scenario_name",
        "seed",
        "skill_rank_of_top_agents",
        "starting_agent_coin",
        "starting_stone_coverage",
        "starting_wood_coverage",
        "stone_clumpiness",
        "stone_max_health",
        "stone_regen_halfwidth",
        "stone_regen_weight",
        "water_row",
        "wood_clumpiness",
        "wood_max_health",
        "wood_regen_halfwidth",
        "wood_regen_weight",
        "world_dense_log_frequency",
        "world_size",
    }
)
"""Their options."""
COMPONENT_OPTIONS = {
    "Build": {"build_labor", "payment", "payment_max_skill_multiplier", "skill_dist"},
    "ContinuousDoubleAuction": {"max_num_orders", "order_labor", "max_bid_ask", "order_duration"},
    "Gather": {"move_labor", "collect_labor", "skill_dist"},
    "PeriodicBracketTax": {
        *("disable_taxes", "tax_model", "period", "rate_min", "rate_max", "rate_disc", "n_brackets", "usd_scaling"),
        *("top_bracket_cutoff", "bracket_spacing", "fixed_bracket_rates", "pareto_weight_type", "saez_fixed_elas"),
        "tax_annealing_schedule",
    },
    "SimpleLabor": {"payment_max_skill_multiplier", "mask_first_step", "pareto_param"},
    "WealthRedistribution": set(),
}
"""Options of the original's components."""


def check_options(kwargs: Mapping[str, Any]) -> None:
    """ValueError for a scenario, a component or an option that is not known."""
    if kwargs["scenario_name"] not in SCENARIOS:
        raise ValueError(f"scenario_name {kwargs['scenario_name']!r} is not known.")
    unknown = sorted(set(kwargs) - OPTIONS)
    for entry in kwargs["components"]:
        for name, options in entry.items():
            if name not in COMPONENT_OPTIONS:
                raise ValueError(f"component {name!r} is not known.")
            unknown += [f"{name}: {option}" for option in sorted(set(options) - COMPONENT_OPTIONS[name])]
    if unknown:
        raise ValueError(f"option {unknown[0]!r} is not known.")
