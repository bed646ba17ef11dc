"""Ranges of all settings of both economies: at their ends everything stays finite, beyond them there is an error."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ermas_envs import economy_v0, one_step_economy_v0
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.games.economy.layouts import Layout, open_quadrant
from ermas_envs.games.economy.settings import (
    Build,
    Component,
    ContinuousDoubleAuction,
    EconomySettings,
    Gather,
    Resource,
    WealthRedistribution,
)
from ermas_envs.games.economy.state import STONE, WOOD
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.one_step.settings import OneStepSettings, SimpleLabor
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import FixedBrackets, FreeMarket, Saez, tax_rule
from ermas_envs.games.taxation.tax_schedule import bracket_cutoffs
from ermas_envs.perturbations import PlannerAdversity, RandomOffset, RiskAversion
from ermas_envs.testing.actions import BatchActionSource

SMALLEST = 5e-324
"""The smallest float above 0."""
MEANS_OF_NOTHING = ("/price", "avg_bracket_rate", "avg_effective_tax_rate")
"""Metrics that may be NaN, as their documentation says."""
AMOUNTS = st.sampled_from([0.0, SMALLEST, 1.0, 1e9])
ETAS = st.sampled_from([0.0, 0.23, np.nextafter(1.0, 0.0), 1.0, 3.0, 30.0])
FLAG = st.booleans()


# --- everything stays finite -------------------------------------------------------------------------------------

BUILD = st.builds(
    Build,
    st.sampled_from(["none", "pareto", "lognormal"]),
    AMOUNTS,
    st.sampled_from([1.0, np.nextafter(1.0, 2.0), 1000.0]),
    AMOUNTS,
)
MARKET = st.builds(
    ContinuousDoubleAuction,
    st.sampled_from([1, 10, 10_000]),
    AMOUNTS,
    st.sampled_from([1, 10_000]),
    st.sampled_from([None, 1, 10_000]),
)
GATHER = st.builds(Gather, AMOUNTS, AMOUNTS, st.sampled_from(["none", "pareto", "lognormal"]))
BRACKETS = st.one_of(
    st.fixed_dictionaries({"usd_scaling": st.sampled_from([5.2e-10, 1000.0, 9.6e12])}),
    st.fixed_dictionaries(
        {
            "bracket_spacing": st.just("linear"),
            "n_brackets": st.sampled_from([2, 100]),
            "top_bracket_cutoff": st.sampled_from([1e-7, 100.0, 1e15]),
        }
    ),
    st.fixed_dictionaries(
        {
            "bracket_spacing": st.just("log"),
            "n_brackets": st.sampled_from([2, 70]),
            "top_bracket_cutoff": st.just(1e15),
        }
    ),
)
ANNEALING = st.none() | st.lists(st.sampled_from([-1e9, -0.1, 0.0, 1e9]), min_size=2, max_size=2)


@st.composite
def taxes(draw: st.DrawFn) -> PeriodicBracketTax:
    low, high = sorted(draw(st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=2, max_size=2)))
    return PeriodicBracketTax(
        disable_taxes=draw(FLAG),
        period=draw(st.sampled_from([1, 2, 10**9])),
        rate_min=low,
        rate_max=high,
        rate_disc=draw(st.sampled_from([1e-3, 0.3, 1.0])),
        tax_annealing_schedule=draw(ANNEALING),
        **draw(BRACKETS),
    )


@st.composite
def planners(draw: st.DrawFn, tax: PeriodicBracketTax | None) -> Any:
    """Who sets the taxes."""
    kinds = ["learned", "free"] if tax is None else ["learned", "free", "fixed", "saez"]
    kind = draw(st.sampled_from(kinds))
    if kind == "saez":
        incomes = draw(st.sampled_from([[], [-1e30, 0.0, SMALLEST, 1e30], [1e30, 1e30, 1.0, 2.0]]))
        rates = [0.0, 0.5, np.nextafter(1.0, 0.0), 1.0]
        elasticity = draw(st.sampled_from([None, 0.0, 1.0, 1e308]))
        weights = draw(st.sampled_from(["inverse_income", "uniform"]))
        return Saez(weights, elasticity, [pair for pair in zip(incomes, rates, strict=False) for _ in range(130)])
    if kind == "fixed":
        assert tax is not None
        cutoffs = bracket_cutoffs(tax.bracket_spacing, tax.n_brackets, tax.top_bracket_cutoff, tax.usd_scaling)
        return FixedBrackets([draw(st.sampled_from([0.0, 1.0]))] * len(cutoffs))
    return "learned" if kind == "learned" else FreeMarket()


PERTURBATIONS: st.SearchStrategy[Any] = st.sampled_from(
    [None, RiskAversion(0.0), RiskAversion(30.0), PlannerAdversity(1e9), PlannerAdversity(-1e9), RandomOffset(1e30)]
)
RESOURCES = st.builds(
    Resource, st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0, 1, 1000]), st.sampled_from([1, 254])
)
LAYOUTS = st.sampled_from([["WSWS", "....", "SWSW"], ["W.S.W"] * 5])


@st.composite
def economies(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `economy_v0.batched_env`, every one at an end of its range or in its middle."""
    parts: list[Component] = draw(
        st.permutations([draw(BUILD), draw(MARKET), draw(GATHER), draw(taxes()), WealthRedistribution()])
    )
    parts = parts[: draw(st.integers(2, 5))]
    tax = next((part for part in parts if isinstance(part, PeriodicBracketTax)), None)
    observations = draw(st.sampled_from(["original", "compact"]))
    return {
        "num_agents": draw(st.sampled_from([2, 3, 12])),
        "horizon": draw(st.sampled_from([1, 7, 10**9])),
        "components": parts,
        "planner": draw(planners(tax)),
        "layout": draw(LAYOUTS),
        "wood": draw(RESOURCES),
        "stone": draw(RESOURCES),
        "starting_agent_coin": draw(AMOUNTS),
        "fixed_four_skill_and_loc": False,
        "isoelastic_eta": draw(ETAS),
        "energy_cost": draw(AMOUNTS),
        "energy_warmup_constant": draw(AMOUNTS),
        "energy_warmup_method": draw(st.sampled_from(["decay", "auto"])),
        "planner_reward_type": draw(
            st.sampled_from(
                [
                    "coin_eq_times_productivity",
                    "inv_income_weighted_coin_endowments",
                    "inv_income_weighted_utility",
                ]
            )
        ),
        "mixing_weight_gini_vs_coin": draw(st.sampled_from([0.0, 1.0])),
        "multi_action_mode_agents": draw(FLAG),
        "multi_action_mode_planner": draw(FLAG),
        "observations": observations,
        "full_observability": draw(FLAG),
        "mobile_agent_observation_range": draw(st.sampled_from([0, 1, 20])),
        "planner_gets_spatial_info": draw(FLAG),
        "allow_observation_scaling": draw(FLAG),
        "perturbation": draw(PERTURBATIONS),
    }


def numbers_of(seen: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Arrays by role, and by key where a role sees several."""
    for role, values in seen.items():
        for key, array in (values if isinstance(values, Mapping) else {"": values}).items():
            yield f"{role} {key}", array


def check_finite(env: Any, seen: Any) -> None:
    """All that a step gives is finite; metrics are, or a mean of nothing."""
    for role, array in numbers_of(seen.observations):
        assert np.isfinite(array).all(), role
    for kind in (seen.rewards, seen.payoffs):
        for role, values in kind.items():
            assert np.isfinite(values).all(), role
    for name, values in env.engine.metrics().items():
        empty = any(mark in name for mark in MEANS_OF_NOTHING)
        assert (np.isfinite(values) | (np.isnan(values) & empty)).all(), (name, values)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(arguments=economies(), seed=st.integers(0, 2**20))
def test_everything_is_finite_at_the_ends_of_the_ranges(arguments: dict[str, Any], seed: int) -> None:
    env = economy_v0.batched_env(2, **arguments)
    source = BatchActionSource(env, [seed, seed + 1])
    seen: Any = env.reset(seed)
    for _, array in numbers_of(seen.observations):
        assert np.isfinite(array).all()
    env.engine.state.agents.inventory[:, :, [STONE, WOOD]] = 3.0  # as if gathered, so that there is building and trade
    for _ in range(8):
        seen = env.step(source.draw(seen))
        check_finite(env, seen)
        rates = env.engine.state.taxes.rates
        assert ((rates >= 0.0) & (rates <= 1.0)).all()


@st.composite
def one_step_economies(draw: st.DrawFn) -> tuple[OneStepSettings, Any]:
    """Settings, wages drawn or given among them, and a planner."""
    labor = SimpleLabor(
        draw(FLAG), draw(st.sampled_from([1.0, 1000.0])), draw(st.sampled_from([SMALLEST, 0.01, 4.0, 1e308]))
    )
    tax = draw(st.none() | taxes())
    agents = draw(st.sampled_from([2, 40]))
    wages = draw(st.sampled_from([None, SMALLEST, labor.payment_max_skill_multiplier]))
    chosen = OneStepSettings(
        num_agents=agents,
        skills=None if wages is None else [SMALLEST] + [wages] * (agents - 1),
        horizon=draw(st.sampled_from([1, 3, 10**9])),
        components=(labor,) if tax is None else (labor, tax),
        agent_reward_type=draw(st.sampled_from(["coin_minus_labor_cost", "isoelastic_coin_minus_labor"])),
        labor_cost=draw(AMOUNTS),
        labor_exponent=draw(st.sampled_from([0.0, SMALLEST, 2.0, 10.0])),
        isoelastic_eta=draw(ETAS),
        planner_reward_type=draw(st.sampled_from(["coin_eq_times_productivity", "inv_income_weighted_utility"])),
        mixing_weight_gini_vs_coin=draw(st.sampled_from([0.0, 1.0])),
        observations=draw(st.sampled_from(["original", "compact"])),
        allow_observation_scaling=draw(FLAG),
    )
    return chosen, draw(planners(tax))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(game=one_step_economies(), perturbation=PERTURBATIONS, seed=st.integers(0, 2**20))
def test_everything_is_finite_at_the_ends_of_the_ranges_of_the_one_step_economy(
    game: tuple[OneStepSettings, Any], perturbation: Any, seed: int
) -> None:
    chosen, planner = game
    if isinstance(perturbation, RiskAversion) and chosen.agent_reward_type != "isoelastic_coin_minus_labor":
        perturbation = None
    engine = OneStepEngine("one_step_economy_v0", 2, chosen, tax_rule(planner, chosen.taxes))
    env = EngineBatch(engine, planner, perturbation=perturbation)
    source = BatchActionSource(env, [seed, seed + 1])
    seen: Any = env.reset(seed)
    assert np.isfinite(engine.rules.skills).all()
    for _ in range(5):
        seen = env.step(source.draw(seen))
        check_finite(env, seen)


def test_many_agents_and_the_widest_market_are_finite() -> None:
    """Sizes at their ends, where the arrays are large."""
    env = economy_v0.batched_env(
        1,
        num_agents=250,
        layout=["." * 25] * 10,
        components=[ContinuousDoubleAuction(100, 1e9, 40, 40), PeriodicBracketTax(period=1), WealthRedistribution()],
        fixed_four_skill_and_loc=False,
        starting_agent_coin=1e9,
        observations="compact",
        allow_observation_scaling=False,
    )
    source = BatchActionSource(env, [0])
    seen: Any = env.reset(0)
    env.engine.state.agents.inventory[:, :, [STONE, WOOD]] = 3.0
    for _ in range(5):
        seen = env.step(source.draw(seen))
        check_finite(env, seen)


# --- beyond the ranges -------------------------------------------------------------------------------------------

MAKERS: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "Build: payment": (lambda x: Build(payment=x), 1e9, 1.1e9),
    "Build: payment_max_skill_multiplier": (lambda x: Build(payment_max_skill_multiplier=x), 1000, 1001),
    "Build: build_labor": (lambda x: Build(build_labor=x), 1e9, 1e308),
    "ContinuousDoubleAuction: max_bid_ask": (lambda x: ContinuousDoubleAuction(max_bid_ask=x), 10_000, 10_001),
    "ContinuousDoubleAuction: order_labor": (lambda x: ContinuousDoubleAuction(order_labor=x), 1e9, 1e10),
    "ContinuousDoubleAuction: order_duration": (lambda x: ContinuousDoubleAuction(order_duration=x), 10_000, 2**31),
    "ContinuousDoubleAuction: max_num_orders": (lambda x: ContinuousDoubleAuction(max_num_orders=x), 10_000, 10**20),
    "Gather: move_labor": (lambda x: Gather(move_labor=x), 1e9, 1e10),
    "Gather: collect_labor": (lambda x: Gather(collect_labor=x), 1e9, 1e10),
    "PeriodicBracketTax: period": (lambda x: PeriodicBracketTax(period=x), 10**9, 2**31),
    "PeriodicBracketTax: n_brackets": (lambda x: PeriodicBracketTax(n_brackets=x), 100, 10**20),
    "PeriodicBracketTax: tax_annealing_schedule": (
        lambda x: PeriodicBracketTax(tax_annealing_schedule=[-x, x]),
        1e9,
        1e308,
    ),
    "usd_scaling": (lambda x: bracket_cutoffs(usd_scaling=x), 9.7e12, 1e13),
    "n_brackets and top_bracket_cutoff": (lambda x: bracket_cutoffs("log", 5, x), 1e15, 1e16),
    "regen_halfwidth": (lambda x: Resource(regen_halfwidth=x), 1000, 10**20),
    "max_health": (lambda x: Resource(max_health=x), 254, 255),
    "num_agents": (lambda x: EconomySettings(num_agents=x), 250, 10**20),
    "horizon": (lambda x: EconomySettings(horizon=x), 10**9, 2**63 - 1),
    "world_size": (lambda x: EconomySettings(world_size=(x, 2)), 1000, 10**20),
    "mobile_agent_observation_range": (lambda x: EconomySettings(mobile_agent_observation_range=x), 1000, 10**20),
    "starting_agent_coin": (lambda x: EconomySettings(starting_agent_coin=x), 1e9, 1e308),
    "energy_cost": (lambda x: EconomySettings(energy_cost=x), 1e9, 1e308),
    "energy_warmup_constant": (lambda x: EconomySettings(energy_warmup_constant=x), 1e9, 1e308),
    "isoelastic_eta": (lambda x: EconomySettings(isoelastic_eta=x), 30, 30.5),
    "one step: num_agents": (lambda x: OneStepSettings(num_agents=x), 10_000, 10**20),
    "one step: horizon": (lambda x: OneStepSettings(horizon=x), 10**9, 10**20),
    "one step: labor_cost": (lambda x: OneStepSettings(labor_cost=x), 1e9, 1e308),
    "one step: labor_exponent": (lambda x: OneStepSettings(labor_exponent=x), 10, 1000),
    "SimpleLabor: payment_max_skill_multiplier": (lambda x: SimpleLabor(payment_max_skill_multiplier=x), 1000, 1e308),
    "skills": (
        lambda x: OneStepSettings(num_agents=2, components=[SimpleLabor(True, 1000)], skills=[SMALLEST, x]),
        1000,
        1000.1,
    ),
    "samples: income": (lambda x: Saez(samples=[(x, 0.5)]), 1e30, 1e308),
    "height": (lambda x: open_quadrant(x, 3, 2) if x > 1000 else open_quadrant(x, 9), 1000, 10**20),
    "q": (PlannerAdversity, 1e9, 1e10),
    "scale": (RandomOffset, 1e30, 1e31),
    "eta": (RiskAversion, 30, 31),
}


@pytest.mark.parametrize("name", list(MAKERS))
def test_the_ends_are_taken_and_what_lies_beyond_is_refused_by_name(name: str) -> None:
    make, last, beyond = MAKERS[name]
    make(last)
    with pytest.raises(
        ValueError, match=f"^{name.removeprefix('one step: ')} (must be|must give|must lie within) .*, got "
    ):
        make(beyond)


NO_AXIS: dict[str, tuple[Callable[[], Any], str]] = {
    "layout": (lambda: economy_v0.batched_env(1, layout=np.array(3)), r"layout: an array must be .* got shape \(\)"),
    "layout of words": (lambda: economy_v0.batched_env(1, layout=np.array("W.S")), "layout: an array must be"),
    "layout of three axes": (lambda: economy_v0.batched_env(1, layout=np.zeros((2, 2, 2), int)), "layout: an array"),
    "rows": (lambda: Layout.of_text(3), "layout: rows must be a sequence such as .*, got 3"),  # type: ignore[arg-type]
    "rows without axis": (lambda: Layout.of_text(np.array("W.S")), "layout: rows must be a sequence"),  # type: ignore[arg-type]
    "skills": (
        lambda: OneStepSettings(num_agents=2, skills=np.array(3.0)),
        "skills must be a sequence such as",
    ),
    "skills as a number": (
        lambda: OneStepSettings(num_agents=2, skills=3.0),  # type: ignore[arg-type]
        "skills must be a sequence such as",
    ),
    "rates": (
        lambda: economy_v0.batched_env(1, planner=FixedBrackets(np.array(0.5))),
        "must be a list of 7 rates, one per bracket",
    ),
    "samples": (lambda: Saez(samples=np.array(1.0)), r"samples must be pairs .* shape \(\)"),
    "samples of nothing": (lambda: Saez(samples=[[]]), r"samples must be pairs .* shape \(1, 0\)"),  # type: ignore[list-item]
    "eta": (lambda: economy_v0.batched_env(1, isoelastic_eta=np.array("a")), "isoelastic_eta must be a finite number"),
    "world_size": (lambda: economy_v0.batched_env(1, world_size=np.array(9)), "world_size must be a sequence"),
    "compatibility": (lambda: economy_v0.batched_env(1, compatibility=np.array("x")), "compatibility must be a seq"),
    "annealing": (
        lambda: PeriodicBracketTax(tax_annealing_schedule=np.array(1.0)),  # type: ignore[arg-type]
        "tax_annealing_schedule must be a sequence",
    ),
    "components": (lambda: economy_v0.batched_env(1, components=np.array("Build")), "components must be a sequence"),
    "one step": (lambda: one_step_economy_v0.batched_env(1, components=np.array(1)), "components must be a sequence"),
}


@pytest.mark.parametrize("case", list(NO_AXIS))
def test_arrays_without_the_right_axes_are_refused_by_name(case: str) -> None:
    make, message = NO_AXIS[case]
    with pytest.raises(ValueError, match=message):
        make()
