"""What a user can set in the economy (SPEC sections 3 to 11, 13 and 18): with the original's option names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from ermas_envs.base.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_sequence,
    keep,
)
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.economy.skills import DISTRIBUTIONS
from ermas_envs.games.economy.uniform_layout import UniformLayoutSettings
from ermas_envs.games.taxation.ranges import (
    LARGEST_BOOK,
    LARGEST_MULTIPLIER,
    LARGEST_SIDE,
    LARGEST_STEPS,
    check_amount,
)
from ermas_envs.games.taxation.settings import (
    OBSERVATIONS,
    PeriodicBracketTax,
    as_components,
    checked_compatibility,
    checked_risk_aversion,
    from_options,
    risk_aversions,
)

Options = TypeVar("Options")

PLANNER_OBJECTIVES = (
    "coin_eq_times_productivity",
    "inv_income_weighted_coin_endowments",
    "inv_income_weighted_utility",
)
MAP_DTYPES = ("float32", "uint8")
COMPATIBILITY = ("stale_first_rates", "full_observability_hides_inventories")
"""Defects of the original that recordings of it contain: the first observation of an episode shows rates under the cap
of the episode before, or Saez's last ones (SPEC 11); with full observability the planner does not see the agents'
inventories (SPEC 13)."""


@dataclass(frozen=True)
class Build:
    """Houses from one wood and one stone (SPEC 6)."""

    skill_dist: str = "none"
    """Distribution of the agents' skills: none, pareto or lognormal (SPEC 4.4)."""
    payment: float = 10.0
    """Coin for a house at skill 1."""
    payment_max_skill_multiplier: float = 1.0
    """Largest multiple of the payment that a skilled agent gets."""
    build_labor: float = 10.0
    """Labor of building a house."""

    def __post_init__(self) -> None:
        """ValueError naming the option."""
        check_choice("Build: skill_dist", self.skill_dist, DISTRIBUTIONS)
        most = check_amount(
            "Build: payment_max_skill_multiplier", self.payment_max_skill_multiplier, LARGEST_MULTIPLIER, 1.0
        )
        keep(
            self,
            payment=check_amount("Build: payment", self.payment),
            payment_max_skill_multiplier=most,
            build_labor=check_amount("Build: build_labor", self.build_labor),
        )


@dataclass(frozen=True)
class ContinuousDoubleAuction:
    """A market for wood and one for stone (SPEC 9)."""

    max_bid_ask: int = 10
    """Largest price, in whole coin; prices are 0 … max_bid_ask."""
    order_labor: float = 0.25
    """Labor of an order."""
    order_duration: int = 50
    """Steps that an order stays open after the one that placed it."""
    max_num_orders: int | None = None
    """Open bids and asks that an agent may have in a market; None: as many as order_duration."""

    def __post_init__(self) -> None:
        """ValueError naming the option."""
        what = "ContinuousDoubleAuction"
        keep(
            self,
            max_bid_ask=check_integer(f"{what}: max_bid_ask", self.max_bid_ask, 1, LARGEST_BOOK),
            order_labor=check_amount(f"{what}: order_labor", self.order_labor),
            order_duration=check_integer(f"{what}: order_duration", self.order_duration, 1, LARGEST_BOOK),
        )
        if self.max_num_orders is not None:
            keep(self, max_num_orders=check_integer(f"{what}: max_num_orders", self.max_num_orders, 1, LARGEST_BOOK))


@dataclass(frozen=True)
class Gather:
    """Moving and collecting (SPEC 7)."""

    move_labor: float = 1.0
    """Labor of a move that succeeds."""
    collect_labor: float = 1.0
    """Labor of collecting from a tile."""
    skill_dist: str = "none"
    """Distribution of the probability of a bonus unit: none, pareto or lognormal (SPEC 4.4)."""

    def __post_init__(self) -> None:
        """ValueError naming the option."""
        keep(
            self,
            move_labor=check_amount("Gather: move_labor", self.move_labor),
            collect_labor=check_amount("Gather: collect_labor", self.collect_labor),
        )
        check_choice("Gather: skill_dist", self.skill_dist, DISTRIBUTIONS)


@dataclass(frozen=True)
class WealthRedistribution:
    """All agents get the same coin, in every step (SPEC 17). Escrow stays, so that coin at hand may become negative,
    and what `PeriodicBracketTax` takes of it, too."""


Component: TypeAlias = Build | ContinuousDoubleAuction | Gather | PeriodicBracketTax | WealthRedistribution
COMPONENTS: Mapping[str, type[Component]] = {
    kind.__name__: kind for kind in (Build, ContinuousDoubleAuction, Gather, PeriodicBracketTax, WealthRedistribution)
}


@dataclass(frozen=True)
class Resource:
    """How a resource grows back (SPEC 8)."""

    regen_weight: float = 0.01
    """Probability per step that a source with one unit's worth in its neighbourhood gains a unit."""
    regen_halfwidth: int = 0
    """Half width of the neighbourhood whose mean multiplies regen_weight."""
    max_health: int = 1
    """Largest number of units on a tile, at most 254."""

    def __post_init__(self) -> None:
        """ValueError naming the option."""
        keep(
            self,
            regen_weight=check_number("regen_weight", self.regen_weight, 0.0, 1.0),
            regen_halfwidth=check_integer("regen_halfwidth", self.regen_halfwidth, 0, LARGEST_SIDE),
            max_health=check_integer("max_health", self.max_health, 1, 254),
        )


PAPER_COMPONENTS: tuple[Component, ...] = (
    Build("pareto", 10.0, 3.0),
    ContinuousDoubleAuction(max_num_orders=5),
    Gather(skill_dist="pareto"),
    PeriodicBracketTax(),
)
"""Those of the original's second phase of training, without annealing (SPEC 18)."""


FLAGS = (
    "fixed_four_skill_and_loc",
    "multi_action_mode_agents",
    "multi_action_mode_planner",
    "flatten_observations",
    "full_observability",
    "planner_gets_spatial_info",
    "allow_observation_scaling",
)
"""Arguments that are True or False."""


@dataclass(frozen=True)
class EconomySettings:
    """Arguments of `economy_v0`; ValueError naming the argument for what is out of range."""

    num_agents: int = 4
    """Agents, 2 to 250."""
    horizon: int = 1000
    """Steps in an episode."""
    components: Sequence[Any] = PAPER_COMPONENTS
    """In the order in which they act: objects of this module, names, or {name: options}; or one mapping {name:
    options}, which changes options of the default ones. Kept as objects."""
    layout: Any = "open_quadrant"
    """Where sources and water are: see `layouts.as_layout`; a `UniformLayoutSettings`, or a mapping of its fields, for
    layouts that are drawn anew in every episode."""
    world_size: Sequence[int] = (25, 25)
    """Rows and columns of layouts that are drawn; other layouts have their own."""
    wood: Resource = Resource()
    """How wood grows back."""
    stone: Resource = Resource()
    """How stone grows back."""
    starting_agent_coin: float = 0.0
    """Coin of every agent at the start."""
    fixed_four_skill_and_loc: bool = True
    """Fixed skills, and start tiles in the corners by skill (SPEC 4.3); needs Build with skill_dist pareto."""
    isoelastic_eta: float | Sequence[float] | FloatArray = 0.23
    """Relative risk aversion η in [0, 30], of all agents or of each; 1 is log utility."""
    energy_cost: float = 0.21
    """Utility of a unit of labor."""
    energy_warmup_constant: float = 0.0
    """Time constant of the warm-up of energy_cost; 0: none (SPEC 10)."""
    energy_warmup_method: str = "decay"
    """decay: by episodes; auto: by steps whose mean reward was positive."""
    planner_reward_type: str = "coin_eq_times_productivity"
    """Objective of the planner (SPEC 10)."""
    mixing_weight_gini_vs_coin: float = 0.0
    """Weight, in [0, 1], of productivity alone in coin_eq_times_productivity."""
    multi_action_mode_agents: bool = False
    """True: an agent may build, trade and move in one step (MultiDiscrete actions)."""
    multi_action_mode_planner: bool = True
    """True: the planner sets all brackets at once (MultiDiscrete actions); False: one of them per period."""
    observations: str = "original"
    """original: as the original defines them; compact: vectors for small networks."""
    flatten_observations: bool = True
    """True: one vector `flat` and the maps; False: one entry per quantity. Original observations only."""
    full_observability: bool = False
    """True: agents see the whole map instead of a window. Original observations only."""
    mobile_agent_observation_range: int = 5
    """Half width of the window that an agent sees."""
    planner_gets_spatial_info: bool = False
    """True: the planner sees the map and where agents are."""
    allow_observation_scaling: bool = True
    """True: inventories and price histories are multiplied by 0.01, time runs from 0 to 1."""
    map_dtype: str = "float32"
    """dtype of the maps: float32 and int16 for the map of ids, as the original, or small integers: uint8."""
    compatibility: Sequence[str] = field(default_factory=tuple)
    """Defects of the original to be reproduced; see `COMPATIBILITY`."""

    def __post_init__(self) -> None:
        """ValueError naming the argument."""
        keep(
            self,
            num_agents=check_integer("num_agents", self.num_agents, 2, 250),
            horizon=check_integer("horizon", self.horizon, 1, LARGEST_STEPS),
            mobile_agent_observation_range=check_integer(
                "mobile_agent_observation_range", self.mobile_agent_observation_range, 0, LARGEST_SIDE
            ),
            components=_as_components(self.components),
            wood=_as_resource("wood", self.wood),
            stone=_as_resource("stone", self.stone),
            layout=_without_mapping(self.layout),
        )
        size = check_sequence("world_size", self.world_size, "(25, 25)")
        if len(size) != 2:
            raise ValueError(f"world_size must be rows and columns, got {self.world_size!r}.")
        keep(self, world_size=tuple(check_integer("world_size", side, 1, LARGEST_SIDE) for side in size))
        keep(self, **{name: check_flag(name, getattr(self, name)) for name in FLAGS})
        keep(self, isoelastic_eta=checked_risk_aversion(self.isoelastic_eta, self.num_agents))
        for name in ("starting_agent_coin", "energy_cost", "energy_warmup_constant"):
            keep(self, **{name: check_amount(name, getattr(self, name))})
        weight = check_number("mixing_weight_gini_vs_coin", self.mixing_weight_gini_vs_coin, 0.0, 1.0)
        keep(self, mixing_weight_gini_vs_coin=weight)
        check_choice("energy_warmup_method", self.energy_warmup_method, ("decay", "auto"))
        check_choice("planner_reward_type", self.planner_reward_type, PLANNER_OBJECTIVES)
        check_choice("observations", self.observations, OBSERVATIONS)
        check_choice("map_dtype", self.map_dtype, MAP_DTYPES)
        keep(self, compatibility=checked_compatibility(self.compatibility, COMPATIBILITY))
        build = self.component(Build)
        if self.fixed_four_skill_and_loc and (build is None or build.skill_dist != "pareto"):
            raise ValueError("fixed_four_skill_and_loc needs the component Build with skill_dist 'pareto'.")

    @property
    def taxes(self) -> PeriodicBracketTax | None:
        """The component of taxes, or None."""
        return self.component(PeriodicBracketTax)

    def etas(self) -> tuple[float, ...]:
        """η of each agent."""
        return risk_aversions(self.isoelastic_eta, self.num_agents)

    def component(self, kind: type[Options]) -> Options | None:
        """The component of a kind, or None."""
        return next((found for found in self.components if isinstance(found, kind)), None)


def _as_components(given: Any) -> tuple[Component, ...]:
    """The components as objects, each kind at most once."""
    found = as_components(given, COMPONENTS, PAPER_COMPONENTS, "('Build', {'Gather': {'move_labor': 2}})")
    for kind in COMPONENTS.values():
        if sum(isinstance(component, kind) for component in found) > 1:
            raise ValueError(f"components: {kind.__name__} stands there twice.")
    return found


def _as_resource(what: str, given: Any) -> Resource:
    """A `Resource` from an object or a mapping of its fields."""
    return given if isinstance(given, Resource) else from_options(Resource, given, what)


def _without_mapping(layout: Any) -> Any:
    """The settings of a layout that is drawn anew in every episode, if it is the mapping of their fields."""
    return from_options(UniformLayoutSettings, layout, "layout") if isinstance(layout, Mapping) else layout
