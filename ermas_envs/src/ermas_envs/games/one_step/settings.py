"""What a user can set in the one-step economy (SPEC section 17): dataclasses with the original's option names."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ermas_envs.base.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_positive,
    check_sequence,
    keep,
)
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.ranges import LARGEST_MULTIPLIER, LARGEST_STEPS, check_amount
from ermas_envs.games.taxation.settings import (
    OBSERVATIONS,
    PeriodicBracketTax,
    as_components,
    checked_compatibility,
    checked_risk_aversion,
    risk_aversions,
)

AGENT_OBJECTIVES = ("coin_minus_labor_cost", "isoelastic_coin_minus_labor")
COMPATIBILITY = ("stale_first_rates",)
LARGEST_POPULATION = 10_000
"""Most agents."""
LARGEST_EXPONENT = 10.0
"""Largest δ: 100 hours then cost 10²⁰ c."""
PLANNER_OBJECTIVES = ("coin_eq_times_productivity", "inv_income_weighted_utility")


@dataclass(frozen=True)
class SimpleLabor:
    """Hours of work, 0 to 100 in a step, paid by skill."""

    mask_first_step: bool = True
    """Whether the masks of an episode's first step leave agents no choice but not to work (masks bind nobody)."""
    payment_max_skill_multiplier: float = 3.0
    """Largest wage, coin per hour; the smallest possible one is 1."""
    pareto_param: float = 4.0
    """Shape of the Lomax distribution of wages; the original takes this option and always draws with 4."""

    def __post_init__(self) -> None:
        """ValueError naming the option."""
        name = "SimpleLabor: payment_max_skill_multiplier"
        most = check_amount(name, self.payment_max_skill_multiplier, LARGEST_MULTIPLIER, 1.0)
        keep(
            self,
            mask_first_step=check_flag("SimpleLabor: mask_first_step", self.mask_first_step),
            payment_max_skill_multiplier=most,
            pareto_param=check_positive("SimpleLabor: pareto_param", self.pareto_param),
        )


FLAGS = ("multi_action_mode_planner", "flatten_observations", "allow_observation_scaling")
"""Arguments that are True or False."""
DEFAULT_COMPONENTS: tuple[Any, ...] = (SimpleLabor(), PeriodicBracketTax(period=2))
COMPONENTS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in (SimpleLabor, PeriodicBracketTax)}


@dataclass(frozen=True)
class OneStepSettings:
    """Arguments of `one_step_economy_v0`; ValueError names the argument that is out of range."""

    num_agents: int = 100
    """Agents, 2 to 10 000."""
    horizon: int = 2
    """Steps in an episode; in the original's game the planner acts before the first one and agents in the second."""
    components: Sequence[Any] = DEFAULT_COMPONENTS
    """SimpleLabor, then PeriodicBracketTax or nothing: objects, names, or {name: options}; or one mapping {name:
    options}, which changes options of the default ones."""
    agent_reward_type: str = "coin_minus_labor_cost"
    """Utility of coin C and the hours L last worked: C − c·L^δ (coin_minus_labor_cost), or isoelastic utility of C
    less c·L (isoelastic_coin_minus_labor). Rewards are its changes."""
    labor_cost: float = 1.0
    """c."""
    labor_exponent: float = 2.0
    """δ; coin_minus_labor_cost only."""
    isoelastic_eta: float | Sequence[float] | FloatArray = 0.23
    """Relative risk aversion η in [0, 30], of all agents or of each; isoelastic_coin_minus_labor only; 1 is log
    utility."""
    planner_reward_type: str = "inv_income_weighted_utility"
    """Objective of the planner: utilities weighted by 1 / production (at least 1), or coin_eq_times_productivity."""
    mixing_weight_gini_vs_coin: float = 0.0
    """Weight, in [0, 1], of productivity alone in coin_eq_times_productivity."""
    multi_action_mode_planner: bool = True
    """True: the planner sets all brackets at once (MultiDiscrete actions); False: one of them per period."""
    observations: str = "original"
    """original: as the original defines them; compact: vectors whose length does not grow with the number of agents."""
    flatten_observations: bool = True
    """True: one vector `flat`; False: one entry per quantity. Original observations only."""
    allow_observation_scaling: bool = True
    """True: time runs from 0 to 1; compact observations also give coin in hundreds."""
    compatibility: Sequence[str] = ()
    """Defects of the original to be reproduced: stale_first_rates; see `economy.settings.COMPATIBILITY`."""
    skill_seed: int = 0
    """Seed of the agents' wages, which are drawn once; agent 0 has the lowest. Where `skills` are given it has no
    effect."""
    skills: Sequence[float] | FloatArray | None = None
    """Wages of the agents, coin per hour, one each in ascending order, above 0 and up to SimpleLabor's
    payment_max_skill_multiplier; None draws them."""

    def __post_init__(self) -> None:
        """ValueError naming the argument."""
        weight = check_number("mixing_weight_gini_vs_coin", self.mixing_weight_gini_vs_coin, 0.0, 1.0)
        keep(
            self,
            num_agents=check_integer("num_agents", self.num_agents, 2, LARGEST_POPULATION),
            horizon=check_integer("horizon", self.horizon, 1, LARGEST_STEPS),
            components=_as_components(self.components),
            labor_cost=check_amount("labor_cost", self.labor_cost),
            labor_exponent=check_amount("labor_exponent", self.labor_exponent, LARGEST_EXPONENT),
            mixing_weight_gini_vs_coin=weight,
            compatibility=checked_compatibility(self.compatibility, COMPATIBILITY),
            skill_seed=check_integer("skill_seed", self.skill_seed, 0),
            **{name: check_flag(name, getattr(self, name)) for name in FLAGS},
        )
        keep(self, isoelastic_eta=checked_risk_aversion(self.isoelastic_eta, self.num_agents))
        if self.skills is not None:
            most = self.labor.payment_max_skill_multiplier
            keep(self, skills=_checked_skills(self.skills, self.num_agents, most))
        check_choice("agent_reward_type", self.agent_reward_type, AGENT_OBJECTIVES)
        check_choice("planner_reward_type", self.planner_reward_type, PLANNER_OBJECTIVES)
        check_choice("observations", self.observations, OBSERVATIONS)

    @property
    def labor(self) -> SimpleLabor:
        """The component of labor."""
        component: SimpleLabor = self.components[0]
        return component

    @property
    def taxes(self) -> PeriodicBracketTax | None:
        """The component of taxes, or None."""
        return next(iter(self.components[1:]), None)

    def etas(self) -> tuple[float, ...]:
        """η of each agent."""
        return risk_aversions(self.isoelastic_eta, self.num_agents)


def _checked_skills(given: object, num_agents: int, most: float) -> tuple[float, ...]:
    """Wages in plain numbers; ValueError naming `skills` unless there is one per agent, ascending in (0, most]."""
    wages = tuple(check_positive("skills", wage) for wage in check_sequence("skills", given, "[1.0, 2.5]"))
    if len(wages) != num_agents:
        raise ValueError(f"skills must be {num_agents} wages, one per agent, got {len(wages)}.")
    for lower, higher in itertools.pairwise(wages):
        if higher < lower:
            raise ValueError(f"skills must be in ascending order, got {higher!r} after {lower!r}.")
    if wages[-1] > most * (1.0 + 1e-12):  # means of drawn wages that are all the largest one may round to above it
        name = "payment_max_skill_multiplier of SimpleLabor"
        raise ValueError(f"skills must be at most {most:g}, the {name}, got {wages[-1]!r}.")
    return wages


def _as_components(given: Any) -> tuple[Any, ...]:
    """The components as objects."""
    found = as_components(given, COMPONENTS, DEFAULT_COMPONENTS, "('SimpleLabor', 'PeriodicBracketTax')")
    names = [type(component).__name__ for component in found]
    if names not in (["SimpleLabor"], ["SimpleLabor", "PeriodicBracketTax"]):
        raise ValueError(f"components must be SimpleLabor, and PeriodicBracketTax or nothing after it, got {names}.")
    return found
