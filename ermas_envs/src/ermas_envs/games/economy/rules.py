"""From settings to the constants that kernels take (`step.Rules`, `reset.ResetParameters`)."""

from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_integer
from ermas_envs.base.arrays import Array
from ermas_envs.games.economy.actions import action_table
from ermas_envs.games.economy.build import BuildParameters
from ermas_envs.games.economy.gather import GatherParameters
from ermas_envs.games.economy.layouts import Layout, as_layout
from ermas_envs.games.economy.objectives import AUTO, DECAY, ObjectiveParameters
from ermas_envs.games.economy.observation_entries import planner_sees_inventories
from ermas_envs.games.economy.observe import ObservationParameters
from ermas_envs.games.economy.regeneration import RegenerationParameters
from ermas_envs.games.economy.reset import ResetParameters
from ermas_envs.games.economy.settings import (
    COMPONENTS,
    PLANNER_OBJECTIVES,
    Build,
    ContinuousDoubleAuction,
    EconomySettings,
    Gather,
)
from ermas_envs.games.economy.skills import (
    NONE,
    fixed_four_skills,
    fixed_four_tiles,
    skill_distribution_code,
)
from ermas_envs.games.economy.state import (
    INSIDE,
    NUM_PLANES,
    STONE_SOURCE,
    STONE_UNITS,
    WATER,
    WOOD_SOURCE,
    WOOD_UNITS,
)
from ermas_envs.games.economy.step import Rules
from ermas_envs.games.economy.trade import TradeParameters
from ermas_envs.games.economy.uniform_layout import UniformLayoutSettings
from ermas_envs.games.taxation.tax_planners import TaxRule, planner_choices, saez_constants, tax_parameters
from ermas_envs.games.taxation.taxes import TaxParameters


def economy_rules(settings: EconomySettings, rule: TaxRule | None, size: tuple[int, int], water: bool) -> Rules:
    """All constants of a step on a map of a size (rows, columns); `water`: whether the map has that plane."""
    kinds = list(COMPONENTS.values())
    build = settings.component(Build) or Build()
    market = settings.component(ContinuousDoubleAuction) or ContinuousDoubleAuction()
    gather = settings.component(Gather) or Gather()
    constants = tax_parameters(settings.taxes, rule, "stale_first_rates" in settings.compatibility)
    brackets, rates = planner_choices(settings.taxes, constants)
    resources = [settings.stone, settings.wood]
    return Rules(
        components=np.array([kinds.index(type(component)) for component in settings.components], dtype=np.int64),
        horizon=settings.horizon,
        actions=action_table(settings),
        planner_multi=settings.multi_action_mode_planner,
        planner_brackets=max(brackets, 1),
        planner_rates=rates,
        build=BuildParameters(build.build_labor),
        trade=TradeParameters(
            num_prices(settings),
            market.order_labor,
            market.order_duration,
            market.max_num_orders or market.order_duration,
        ),
        gather=GatherParameters(gather.move_labor, gather.collect_labor),
        tax=constants,
        saez=saez_constants(rule),
        regeneration=RegenerationParameters(
            np.array([resource.regen_weight for resource in resources]),
            np.array([resource.regen_halfwidth for resource in resources], dtype=np.int64),
            np.array([resource.max_health for resource in resources], dtype=np.int64),
        ),
        objectives=ObjectiveParameters(
            np.array(settings.etas(), dtype=np.float64),
            settings.energy_cost,
            settings.energy_warmup_constant,
            AUTO if settings.energy_warmup_method == "auto" else DECAY,
            PLANNER_OBJECTIVES.index(settings.planner_reward_type),
            1.0 - settings.mixing_weight_gini_vs_coin,
        ),
        observations=_observation_parameters(settings, constants, size, water),
    )


def num_prices(settings: EconomySettings) -> int:
    """Number of prices, 0 without a market."""
    market = settings.component(ContinuousDoubleAuction)
    return 0 if market is None else market.max_bid_ask + 1


def padding(settings: EconomySettings) -> int:
    """Tiles of padding: what a window needs, at least one."""
    return 1 if settings.full_observability else max(1, settings.mobile_agent_observation_range)


def _observation_parameters(
    settings: EconomySettings, taxes: TaxParameters, size: tuple[int, int], water: bool
) -> ObservationParameters:
    build = settings.component(Build)
    all_planes = [plane for plane in range(INSIDE) if water or plane != WATER]
    agent_planes = all_planes if settings.full_observability else [*all_planes, INSIDE]
    scaled = settings.allow_observation_scaling
    return ObservationParameters(
        builds=build is not None,
        gathers=settings.component(Gather) is not None,
        prices=num_prices(settings),
        brackets=len(taxes.cutoffs),
        period=taxes.period,
        payment=build.payment if build is not None and build.payment > 0 else 1.0,
        scale=0.01 if scaled else 1.0,
        time_scale=float(settings.horizon) if scaled else 1.0,
        pad=padding(settings),
        height=size[0],
        width=size[1],
        full=settings.full_observability,
        halfwidth=settings.mobile_agent_observation_range,
        planner_inventories=planner_sees_inventories(settings),
        planner_spatial=settings.planner_gets_spatial_info,
        agent_planes=np.array(agent_planes, dtype=np.int64),
        planner_planes=np.array(all_planes, dtype=np.int64),
    )


def map_of(settings: EconomySettings) -> tuple[Layout | None, tuple[int, int]]:
    """The layout, None where it is drawn in every episode, and its size (rows, columns).

    Raises:
        ValueError: a malformed layout, or more agents than free tiles.
    """
    if isinstance(settings.layout, UniformLayoutSettings):
        size = (
            check_integer("world_size", settings.world_size[0], 2),
            check_integer("world_size", settings.world_size[1], 2),
        )
        free = size[0] * size[1]
        layout = None
    else:
        layout = as_layout(settings.layout)
        size = (layout.height, layout.width)
        free = int((~layout.water).sum())
    if settings.num_agents > free:
        raise ValueError(f"num_agents: {settings.num_agents} agents do not fit on the {free} free tiles of the layout.")
    return layout, size


def first_map(settings: EconomySettings, layout: Layout | None, size: tuple[int, int]) -> Array:
    """(7, H + 2 pad, W + 2 pad) uint8 map at the start of an episode; see `map_of`."""
    pad = padding(settings)
    planes = np.zeros((NUM_PLANES, size[0] + 2 * pad, size[1] + 2 * pad), dtype=np.uint8)
    inside = planes[:, pad : pad + size[0], pad : pad + size[1]]
    inside[INSIDE] = 1
    if layout is not None:
        for plane, values in (
            (STONE_UNITS, layout.stone_source),
            (WOOD_UNITS, layout.wood_source),
            (STONE_SOURCE, layout.stone_source),
            (WOOD_SOURCE, layout.wood_source),
            (WATER, layout.water),
        ):
            inside[plane] = values
    return planes


def reset_parameters(settings: EconomySettings, layout: Layout | None, size: tuple[int, int]) -> ResetParameters:
    """All constants of a reset; see `map_of`."""
    drawn = settings.layout if isinstance(settings.layout, UniformLayoutSettings) else None
    build, gather = settings.component(Build), settings.component(Gather)
    payment = 0.0 if build is None else build.payment
    most = 1.0 if build is None else build.payment_max_skill_multiplier
    fixed: dict[str, Any] = {
        "fixed_payments": np.zeros(settings.num_agents),
        "fixed_tiles": np.zeros((settings.num_agents, 2), dtype=np.int64),
    }
    if settings.fixed_four_skill_and_loc:
        fixed["fixed_payments"] = fixed_four_skills(settings.num_agents, payment, most).copy()  # read-only is a type
        fixed["fixed_tiles"] = fixed_four_tiles(settings.num_agents, *size)
        _check_start_tiles(fixed["fixed_tiles"], layout)
    return ResetParameters(
        pad=padding(settings),
        drawn=drawn is not None,
        layout=drawn.parameters(*size) if drawn is not None else UniformLayoutSettings().parameters(25, 25),
        coin=settings.starting_agent_coin,
        taxed=settings.taxes is not None,
        build_distribution=NONE if build is None else skill_distribution_code("skill_dist", build.skill_dist),
        payment=payment,
        max_multiplier=most,
        gather_distribution=NONE if gather is None else skill_distribution_code("skill_dist", gather.skill_dist),
        fixed=settings.fixed_four_skill_and_loc,
        **fixed,
    )


def _check_start_tiles(tiles: Any, layout: Layout | None) -> None:
    for row, column in tiles:
        if layout is not None and layout.water[row, column]:
            raise ValueError(f"fixed_four_skill_and_loc: the start tile in row {row}, column {column} is water.")
