"""From settings to the constants that kernels take (`step.Rules`, `reset.ResetParameters`)."""

from typing import Any

import numpy as np

from ermas_envs.arguments import check_integer
from ermas_envs.arrays import Array
from ermas_envs.economy.actions import action_table
from ermas_envs.economy.build import BuildParameters
from ermas_envs.economy.gather import GatherParameters
from ermas_envs.economy.layouts import Layout, as_layout
from ermas_envs.economy.objectives import AUTO, DECAY, ObjectiveParameters
from ermas_envs.economy.observation_entries import planner_sees_inventories
from ermas_envs.economy.observe import ObservationParameters
from ermas_envs.economy.regeneration import RegenerationParameters
from ermas_envs.economy.reset import ResetParameters
from ermas_envs.economy.saez import SaezParameters, saez_parameters
from ermas_envs.economy.settings import (
    COMPONENTS,
    PLANNER_OBJECTIVES,
    Build,
    ContinuousDoubleAuction,
    EconomySettings,
    Gather,
    PeriodicBracketTax,
    as_resource,
    as_uniform_layout,
)
from ermas_envs.economy.skills import NONE, fixed_four_skills, fixed_four_tiles, skill_distribution_code
from ermas_envs.economy.state import INSIDE, NUM_PLANES, STONE_SOURCE, STONE_UNITS, WATER, WOOD_SOURCE, WOOD_UNITS
from ermas_envs.economy.step import Rules
from ermas_envs.economy.tax_planners import FreeMarket, Saez, TaxPlanner
from ermas_envs.economy.tax_schedule import bracket_cutoffs, check_annealing, check_bracket_rates, discretised_rates
from ermas_envs.economy.taxes import FIXED, LEARNED, SAEZ, TaxParameters
from ermas_envs.economy.trade import TradeParameters
from ermas_envs.economy.uniform_layout import UniformLayoutSettings


def tax_parameters(component: PeriodicBracketTax | None, planner: object, stale_rates: bool) -> TaxParameters:
    """Constants of taxes under a planner: a `TaxPlanner`, or anything else that acts."""
    if component is None:
        if isinstance(planner, TaxPlanner) and not isinstance(planner, FreeMarket):
            raise ValueError(f"the planner {type(planner).__name__} sets taxes; components have no PeriodicBracketTax.")
        nothing = np.zeros(0)
        return TaxParameters(LEARNED, 1, nothing, np.zeros(1), nothing, 0.0, 0.0, -np.inf, 1.0, False)
    cutoffs = bracket_cutoffs(
        component.bracket_spacing, component.n_brackets, component.top_bracket_cutoff, component.usd_scaling
    )
    low, high = (0.0, 0.0) if component.disable_taxes else (float(component.rate_min), float(component.rate_max))
    warmup, slope = check_annealing(component.tax_annealing_schedule)
    setter, fixed = LEARNED, np.zeros(len(cutoffs))
    if isinstance(planner, TaxPlanner):
        rates = planner.rates(cutoffs, component.bracket_spacing)
        if rates is None and not isinstance(planner, Saez):
            raise ValueError(f"{type(planner).__name__}.rates must give one rate per bracket; only Saez gives None.")
        setter = SAEZ if rates is None else FIXED
        fixed = fixed if rates is None else check_bracket_rates("rates of the planner", rates, len(cutoffs))
    choices = np.zeros(1) if component.disable_taxes else discretised_rates(low, high, component.rate_disc)
    period = int(component.period)
    return TaxParameters(setter, period, cutoffs, choices, fixed, low, high, warmup, slope, stale_rates)


def planner_choices(component: PeriodicBracketTax | None, planner: object) -> tuple[int, int]:
    """(brackets, rates) that the planner chooses; (0, 0) where it has no choice."""
    if component is None or component.disable_taxes or isinstance(planner, TaxPlanner):
        return 0, 0
    taxes = tax_parameters(component, planner, False)
    return len(taxes.cutoffs), len(taxes.choices)


def saez_constants(component: PeriodicBracketTax | None, planner: object) -> SaezParameters:
    """Constants of Saez's formula; its defaults where another planner sets the rates."""
    low = 0.0 if component is None or component.disable_taxes else component.rate_min
    if isinstance(planner, Saez):
        return saez_parameters(
            pareto_weight_type=planner.pareto_weight_type, saez_fixed_elas=planner.fixed_elasticity, rate_min=low
        )
    return saez_parameters(buffer_size=1)


def economy_rules(settings: EconomySettings, planner: object, size: tuple[int, int], water: bool) -> Rules:
    """All constants of a step on a map of a size (rows, columns); `water`: whether the map has that plane."""
    components = settings.component_list()
    kinds = list(COMPONENTS.values())
    build = settings.component(Build) or Build()
    market = settings.component(ContinuousDoubleAuction) or ContinuousDoubleAuction()
    gather = settings.component(Gather) or Gather()
    taxes = settings.component(PeriodicBracketTax)
    brackets, rates = planner_choices(taxes, planner)
    resources = [as_resource("stone", settings.stone), as_resource("wood", settings.wood)]
    return Rules(
        components=np.array([kinds.index(type(component)) for component in components], dtype=np.int64),
        horizon=int(settings.horizon),
        actions=action_table(settings),
        planner_multi=bool(settings.multi_action_mode_planner),
        planner_brackets=max(brackets, 1),
        planner_rates=rates,
        build=BuildParameters(float(build.build_labor)),
        trade=TradeParameters(
            num_prices(settings),
            float(market.order_labor),
            int(market.order_duration),
            int(market.max_num_orders or market.order_duration),
        ),
        gather=GatherParameters(float(gather.move_labor), float(gather.collect_labor)),
        tax=tax_parameters(
            settings.component(PeriodicBracketTax), planner, "stale_first_rates" in settings.compatibility
        ),
        saez=saez_constants(taxes, planner),
        regeneration=RegenerationParameters(
            np.array([float(resource.regen_weight) for resource in resources]),
            np.array([resource.regen_halfwidth for resource in resources], dtype=np.int64),
            np.array([resource.max_health for resource in resources], dtype=np.int64),
        ),
        objectives=ObjectiveParameters(
            np.array(settings.etas(), dtype=np.float64),
            float(settings.energy_cost),
            float(settings.energy_warmup_constant),
            AUTO if settings.energy_warmup_method == "auto" else DECAY,
            PLANNER_OBJECTIVES.index(settings.planner_reward_type),
            1.0 - settings.mixing_weight_gini_vs_coin,
        ),
        observations=_observation_parameters(settings, size, water),
    )


def num_prices(settings: EconomySettings) -> int:
    """Number of prices, 0 without a market."""
    market = settings.component(ContinuousDoubleAuction)
    return 0 if market is None else int(market.max_bid_ask) + 1


def padding(settings: EconomySettings) -> int:
    """Tiles of padding: what a window needs, at least one."""
    return 1 if settings.full_observability else max(1, int(settings.mobile_agent_observation_range))


def _observation_parameters(settings: EconomySettings, size: tuple[int, int], water: bool) -> ObservationParameters:
    taxes = settings.component(PeriodicBracketTax)
    build = settings.component(Build)
    all_planes = [plane for plane in range(INSIDE) if water or plane != WATER]
    agent_planes = all_planes if settings.full_observability else [*all_planes, INSIDE]
    scaled = settings.allow_observation_scaling
    return ObservationParameters(
        builds=build is not None,
        gathers=settings.component(Gather) is not None,
        prices=num_prices(settings),
        brackets=0 if taxes is None else len(tax_parameters(taxes, None, False).cutoffs),
        period=1 if taxes is None else int(taxes.period),
        payment=float(build.payment) if build is not None and build.payment > 0 else 1.0,
        scale=0.01 if scaled else 1.0,
        time_scale=float(settings.horizon) if scaled else 1.0,
        pad=padding(settings),
        height=size[0],
        width=size[1],
        full=bool(settings.full_observability),
        halfwidth=int(settings.mobile_agent_observation_range),
        planner_inventories=planner_sees_inventories(settings),
        planner_spatial=bool(settings.planner_gets_spatial_info),
        agent_planes=np.array(agent_planes, dtype=np.int64),
        planner_planes=np.array(all_planes, dtype=np.int64),
    )


def map_of(settings: EconomySettings) -> tuple[Layout | None, tuple[int, int]]:
    """The layout, None where it is drawn in every episode, and its size (rows, columns).

    Raises:
        ValueError: a malformed layout, or more agents than free tiles.
    """
    if as_uniform_layout(settings.layout) is not None:
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
    drawn = as_uniform_layout(settings.layout)
    build, gather = settings.component(Build), settings.component(Gather)
    payment = 0.0 if build is None else float(build.payment)
    most = 1.0 if build is None else float(build.payment_max_skill_multiplier)
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
        coin=float(settings.starting_agent_coin),
        taxed=settings.component(PeriodicBracketTax) is not None,
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
