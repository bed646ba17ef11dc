"""Every bad input to `economy_v0` is refused, at construction or step, by an error that names the argument."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ermas_envs import economy_v0, one_step_economy_v0
from ermas_envs.games.economy.settings import (
    Build,
    ContinuousDoubleAuction,
    EconomySettings,
    Gather,
    Resource,
)
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import FixedBrackets, Saez, TaxPlanner, USFederal
from ermas_envs.planners import ConstantPlanner, planner_registry

NAN, INF = float("nan"), float("inf")
SMALL: dict[str, Any] = {"num_agents": 2, "layout": ["W.S", "...", ".@."], "observations": "compact"}
CORNERS: dict[str, Any] = {"num_agents": 4, "layout": ["...", "...", "..."], "observations": "compact"}
ANYWHERE = {"fixed_four_skill_and_loc": False}


def economy(**arguments: Any) -> Any:
    return economy_v0.batched_env(2, **{**SMALL, **ANYWHERE, **arguments})


def with_tax(planner: Any = "learned", **options: Any) -> Any:
    return economy(components=["Gather", {"PeriodicBracketTax": options}], planner=planner)


def number(name: str, bounds: str = "") -> str:
    return f"{name} must be a finite number{bounds}, got"


# --- numbers -----------------------------------------------------------------------------------------------------

COUNTS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "num_envs": (lambda bad: economy_v0.batched_env(bad, **SMALL), 1),
    "num_threads": (lambda bad: economy(num_threads=bad), 1),
    "num_agents": (lambda bad: economy(num_agents=bad), 2),
    "horizon": (lambda bad: economy(horizon=bad), 1),
    "mobile_agent_observation_range": (lambda bad: economy(mobile_agent_observation_range=bad), 0),
    "world_size": (lambda bad: economy(world_size=(bad, 25)), 1),
    "PeriodicBracketTax: period": (lambda bad: PeriodicBracketTax(period=bad), 1),
    "n_brackets": (lambda bad: with_tax(bracket_spacing="linear", n_brackets=bad), 2),
    "ContinuousDoubleAuction: max_bid_ask": (lambda bad: ContinuousDoubleAuction(max_bid_ask=bad), 1),
    "ContinuousDoubleAuction: order_duration": (lambda bad: ContinuousDoubleAuction(order_duration=bad), 1),
    "ContinuousDoubleAuction: max_num_orders": (lambda bad: ContinuousDoubleAuction(max_num_orders=bad), 1),
    "regen_halfwidth": (lambda bad: Resource(regen_halfwidth=bad), 0),
    "max_health": (lambda bad: Resource(max_health=bad), 1),
}

OPTIONAL = ("num_threads", "ContinuousDoubleAuction: max_num_orders")


@pytest.mark.parametrize("bad", [-1, 1.5, 3.0, True, np.True_, "3", NAN, None, [3]], ids=repr)
@pytest.mark.parametrize("name", list(COUNTS))
def test_what_is_no_count_is_refused(name: str, bad: Any) -> None:
    make, least = COUNTS[name]
    if bad is None and name in OPTIONAL:
        make(None)
        return
    with pytest.raises(ValueError, match=f"{name} must be an integer >= {least}, got"):
        make(bad)


NUMBERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "Build: payment": (lambda bad: Build(payment=bad), " >= 0"),
    "Build: payment_max_skill_multiplier": (lambda bad: Build(payment_max_skill_multiplier=bad), " >= 1"),
    "Build: build_labor": (lambda bad: Build(build_labor=bad), " >= 0"),
    "ContinuousDoubleAuction: order_labor": (lambda bad: ContinuousDoubleAuction(order_labor=bad), " >= 0"),
    "Gather: move_labor": (lambda bad: Gather(move_labor=bad), " >= 0"),
    "Gather: collect_labor": (lambda bad: Gather(collect_labor=bad), " >= 0"),
    "PeriodicBracketTax: rate_min": (lambda bad: PeriodicBracketTax(rate_min=bad), " >= 0 and <= 1"),
    "PeriodicBracketTax: rate_max": (lambda bad: PeriodicBracketTax(rate_max=bad), " >= 0 and <= 1"),
    "PeriodicBracketTax: rate_disc": (lambda bad: PeriodicBracketTax(rate_disc=bad), " >= 1e-06 and <= 1"),
    "PeriodicBracketTax: tax_annealing_schedule": (
        lambda bad: PeriodicBracketTax(tax_annealing_schedule=[1.0, INF if bad == -0.1 else bad]),
        "",
    ),
    "usd_scaling": (lambda bad: with_tax(usd_scaling=bad), " >= 0"),
    "top_bracket_cutoff": (lambda bad: with_tax(bracket_spacing="log", top_bracket_cutoff=bad), " >= 0"),
    "regen_weight": (lambda bad: economy(wood={"regen_weight": bad}), " >= 0 and <= 1"),
    "starting_agent_coin": (lambda bad: economy(starting_agent_coin=bad), " >= 0"),
    "isoelastic_eta": (lambda bad: economy(isoelastic_eta=[0.1, bad]), " >= 0 and <= 30"),
    "energy_cost": (lambda bad: economy(energy_cost=bad), " >= 0"),
    "energy_warmup_constant": (lambda bad: economy(energy_warmup_constant=bad), " >= 0"),
    "mixing_weight_gini_vs_coin": (lambda bad: economy(mixing_weight_gini_vs_coin=bad), " >= 0 and <= 1"),
    "action_noise": (lambda bad: economy(action_noise=bad), " >= 0 and <= 1"),
    r"rates of the planner fixed_brackets\[1\]": (lambda bad: with_tax(FixedBrackets([0, bad, *[0] * 5])), " >= 0"),
    "samples: income": (lambda bad: Saez(samples=[(INF if bad == -0.1 else bad, 0.5)]), ""),
    "samples: marginal rate": (lambda bad: Saez(samples=[(1.0, bad)]), " >= 0 and <= 1"),
}


@pytest.mark.parametrize("bad", [-0.1, NAN, INF, True, np.True_, "0.5", b"1", None, [0.5]], ids=repr)
@pytest.mark.parametrize("name", list(NUMBERS))
def test_what_is_no_number_is_refused(name: str, bad: Any) -> None:
    make, bounds = NUMBERS[name]
    with pytest.raises(ValueError, match=number(name, bounds).replace(", got", "")):
        make(bad)


FLAGS = (
    "fixed_four_skill_and_loc",
    "multi_action_mode_agents",
    "multi_action_mode_planner",
    "flatten_observations",
    "full_observability",
    "planner_gets_spatial_info",
    "allow_observation_scaling",
)


@pytest.mark.parametrize("bad", ["False", "no", 0, 1.0, None], ids=repr)
@pytest.mark.parametrize("name", [*FLAGS, "PeriodicBracketTax: disable_taxes"])
def test_what_is_neither_true_nor_false_is_refused(name: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be True or False, got {bad!r}"):
        economy(**{name: bad}) if name in FLAGS else PeriodicBracketTax(disable_taxes=bad)


# --- names and kinds ---------------------------------------------------------------------------------------------

CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "unknown setting": (
        lambda: economy(starting_coin=1),
        "economy_v0: option: unknown name 'starting_coin'. Did you mean 'starting_agent_coin'",
    ),
    "unknown component": (
        lambda: economy(components=["Bild"]),
        "components: unknown name 'Bild'. Did you mean 'Build'",
    ),
    "component of the other game": (lambda: economy(components=["SimpleLabor"]), "components: unknown name 'SimpleL"),
    "unknown option": (
        lambda: economy(components=[{"Gather": {"move_labour": 1}}]),
        "Gather: option: unknown name 'move_labour'. Did you mean 'move_labor'",
    ),
    "twice": (lambda: economy(components=["Gather", Gather(2.0)]), "components: Gather stands there twice"),
    "components as a word": (
        lambda: economy(components="Build"),
        "components must be a sequence such as .* got 'Build'",
    ),
    "components as nothing": (lambda: economy(components=None), "components must be a sequence such as .* got None"),
    "a component as a number": (
        lambda: economy(components=[3]),
        "components: each is a name or {name: options}, got 3",
    ),
    "a component's name as a number": (lambda: economy(components=[(3, {})]), "components: unknown name 3"),
    "two components in one": (
        lambda: economy(components=[{"Build": {}, "Gather": {}}]),
        "components: each is a name or {name: options}",
    ),
    "options as a number": (lambda: economy(components=[{"Build": 3}]), "Build must be a mapping .* got 3"),
    "options as a word": (
        lambda: economy(components=[("Build", "payment")]),
        "Build must be a mapping .* got 'payment'",
    ),
    "skills": (lambda: Build(skill_dist="paretto"), "Build: skill_dist: .* Did you mean 'pareto'"),
    "skills as an array": (lambda: Gather(skill_dist=np.zeros(2)), "Gather: skill_dist: unknown name"),  # type: ignore[arg-type]
    "resource option": (lambda: economy(wood={"regen": 1}), "wood: option: unknown name 'regen'"),
    "resource as a number": (lambda: economy(stone=0.1), "stone must be a mapping .* got 0.1"),
    "units": (lambda: economy(stone={"max_health": 255}), "max_health must be at most 254, got 255"),
    "observations": (lambda: economy(observations="compakt"), "observations: .* Did you mean 'compact'"),
    "map_dtype": (lambda: economy(map_dtype="float16"), "map_dtype: unknown name 'float16'. .* Known: float32, uint8"),
    "map_dtype as a type": (lambda: economy(map_dtype=np.uint8), "map_dtype: unknown name"),
    "compatibility": (
        lambda: economy(compatibility=["stale_rates"]),
        "compatibility: unknown name 'stale_rates'. Did you mean 'stale_first_rates'",
    ),
    "compatibility as a word": (lambda: economy(compatibility="stale_first_rates"), "compatibility must be a sequence"),
    "compatibility as nothing": (lambda: economy(compatibility=None), "compatibility must be a sequence .* got None"),
    "warm-up": (lambda: economy(energy_warmup_method="linear"), "energy_warmup_method: unknown name 'linear'"),
    "planner's objective": (
        lambda: economy(planner_reward_type="inv_income_weighted_coin_endowment"),
        "planner_reward_type: .* Did you mean 'inv_income_weighted_coin_endowments'",
    ),
    "etas": (lambda: economy(isoelastic_eta=(0.1,) * 3), "isoelastic_eta must be a number or 2 numbers, got 3"),
    "etas as an array": (
        lambda: economy(isoelastic_eta=np.zeros(5)),
        "isoelastic_eta must be a number or 2 numbers, got 5",
    ),
    "eta as a table": (lambda: economy(isoelastic_eta=np.zeros((2, 2))), number("isoelastic_eta", " >= 0 and <= 30")),
    "eta too large": (lambda: economy(isoelastic_eta=31), "isoelastic_eta must be .* <= 30, got 31"),
    "world_size as a number": (lambda: economy(world_size=25), "world_size must be a sequence such as .* got 25"),
    "world_size as a word": (lambda: economy(world_size="25"), "world_size must be a sequence such as"),
    "world_size of three": (lambda: economy(world_size=(5, 5, 5)), "world_size must be rows and columns, got"),
    "world_size too small": (
        lambda: economy(layout={}, world_size=(1, 30)),
        "world_size must be an integer >= 2, got 1",
    ),
    "too many agents": (lambda: economy(num_agents=251), "num_agents must be at most 250, got 251"),
    # layouts
    "symbol": (lambda: economy(layout=["W.", ".X"]), "layout: unknown symbol 'X' in row 1, column 1"),
    "ragged": (lambda: economy(layout=["W..", ".."]), "layout: row 1 has 2 tiles, row 0 has 3"),
    "no rows": (lambda: economy(layout=[]), "layout: there are no rows"),
    "no layout": (lambda: economy(layout=None), "layout must be a Layout, .* got None"),
    "layout as a number": (lambda: economy(layout=3), "layout must be a Layout, .* got 3"),
    "layout's name": (lambda: economy(layout="open_quadrent"), "layout: .* Did you mean 'open_quadrant'"),
    "layout's file": (lambda: economy(layout=Path("nowhere.txt")), "layout file 'nowhere.txt'"),
    "layout's option": (lambda: economy(layout={"clumpiness": 0.5}), "layout: option: unknown name 'clumpiness'"),
    "layout's coverage": (
        lambda: economy(layout={"starting_wood_coverage": 1.5}),
        "starting_wood_coverage must be > 0",
    ),
    "layout's tiles": (lambda: economy(layout=np.zeros((2, 2))), "layout: an array must be"),
    "full": (lambda: economy(layout="..@", num_agents=3), "num_agents: 3 agents do not fit on the 2 free tiles"),
    "full drawn": (
        lambda: economy(
            layout={"starting_wood_coverage": 0.2, "starting_stone_coverage": 0.2}, world_size=(3, 3), num_agents=10
        ),
        "num_agents: 10 agents do not fit on the 9 free tiles",
    ),
    # fixed places
    "corners without Build": (
        lambda: economy_v0.batched_env(1, **SMALL, components=["Gather"]),
        "fixed_four_skill_and_loc needs the component Build with skill_dist 'pareto'",
    ),
    "corners with other skills": (
        lambda: economy_v0.batched_env(1, **SMALL, components=[{"Build": {"skill_dist": "lognormal"}}]),
        "fixed_four_skill_and_loc needs the component Build",
    ),
    "corner of water": (
        lambda: economy_v0.batched_env(1, **{**CORNERS, "layout": ["...", "...", "..@"]}),
        "fixed_four_skill_and_loc: the start tile in row 2, column 2 is water",
    ),
    "no corners": (
        lambda: economy_v0.batched_env(1, **{**CORNERS, "layout": ["....."]}),
        "a 1×5 map is too small for the fixed start tiles of 4 agents",
    ),
    # taxes
    "rates the wrong way round": (
        lambda: PeriodicBracketTax(rate_min=0.6, rate_max=0.5),
        r"PeriodicBracketTax: rate_max must be .* >= 0.6 and <= 1, got 0.5",
    ),
    "spacing": (lambda: with_tax(bracket_spacing="us_federal"), "bracket_spacing: .* Did you mean 'us-federal'"),
    "brackets at one income": (
        lambda: with_tax(bracket_spacing="linear", top_bracket_cutoff=1e-322, n_brackets=100),
        "n_brackets and top_bracket_cutoff must give bracket cutoffs strictly ascending from 0",
    ),
    "brackets at zero": (lambda: with_tax(usd_scaling=0.0), "usd_scaling must be > 0, got 0"),
    "brackets beyond all incomes": (lambda: with_tax(usd_scaling=1e-320), "usd_scaling must give .* finite"),
    "annealing as a number": (
        lambda: PeriodicBracketTax(tax_annealing_schedule=5),  # type: ignore[arg-type]
        "tax_annealing_schedule must be a sequence such as .* got 5",
    ),
    "annealing of three": (
        lambda: PeriodicBracketTax(tax_annealing_schedule=[1, 2, 3]),
        "tax_annealing_schedule must be .warm-up episodes, slope., got 3",
    ),
    # planners
    "planner's name": (lambda: economy(planner="saez"), "planner .*unknown name 'saez'. .*Known: learned"),
    "planner as a number": (lambda: economy(planner=3), 'planner must be "learned" or a planner object, got 3'),
    "planner as nothing": (lambda: economy(planner=None), 'planner must be "learned" or a planner object, got None'),
    "planner's class": (
        lambda: economy(planner=USFederal),
        'planner must be "learned" or a planner object, got <class',
    ),
    "constant outside": (
        lambda: with_tax(ConstantPlanner([22] * 7)),
        "action of the constant planner must lie in Multi",
    ),
    "constant of one number": (
        lambda: with_tax(ConstantPlanner(3)),
        "action of the constant planner must lie in Multi",
    ),
    "US federal elsewhere": (
        lambda: with_tax(USFederal(), bracket_spacing="linear"),
        "the planner us_federal needs bracket_spacing 'us-federal', got 'linear'",
    ),
    "a rule without taxes": (
        lambda: economy(components=["Gather"], planner=Saez()),
        "the planner Saez sets taxes; components have no PeriodicBracketTax",
    ),
    "fixed: too few": (
        lambda: with_tax(FixedBrackets([0.1] * 5)),
        "fixed_brackets must hold one rate per bracket, .* 7",
    ),
    "fixed: a number": (lambda: with_tax(FixedBrackets(0.1)), "fixed_brackets must be a list of 7 rates"),  # type: ignore[arg-type]
    "fixed: a word": (lambda: with_tax(FixedBrackets("0.1")), "fixed_brackets must be a list of 7 rates"),  # type: ignore[arg-type]
    "fixed: a rate above 1": (
        lambda: with_tax(FixedBrackets([0.1] * 6 + [1.1])),
        r"fixed_brackets\[6\] must be .* <= 1",
    ),
    "weights": (lambda: Saez("inverse"), "pareto_weight_type: .* Did you mean 'inverse_income'"),
    "elasticity": (lambda: Saez(fixed_elasticity=-1.0), number("fixed_elasticity", " >= 0")),
    "samples as a number": (lambda: Saez(samples=5), "samples must be pairs"),  # type: ignore[arg-type]
    "samples of three": (lambda: Saez(samples=[(1, 2, 3)]), "samples must be pairs"),  # type: ignore[list-item]
    "samples alone": (lambda: Saez(samples=[1, 2]), "samples must be pairs"),  # type: ignore[list-item]
    "a rule's unknown name": (lambda: planner_registry.make("us_federl"), "planner: .* Did you mean 'us_federal'"),
    # the one-step economy shares most checks
    "one step: components": (
        lambda: one_step_economy_v0.batched_env(1, num_agents=2, components="SimpleLabor"),
        "components must be a sequence such as",
    ),
    "one step: flags": (
        lambda: one_step_economy_v0.batched_env(1, num_agents=2, flatten_observations="no"),
        "flatten_observations must be True or False, got 'no'",
    ),
    "one step: component's flags": (
        lambda: one_step_economy_v0.batched_env(1, num_agents=2, components=[("SimpleLabor", {"mask_first_step": 1})]),
        "SimpleLabor: mask_first_step must be True or False, got 1",
    ),
    "one step: compatibility": (
        lambda: one_step_economy_v0.batched_env(1, num_agents=2, compatibility="stale_first_rates"),
        "compatibility must be a sequence",
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_bad_input_is_refused_by_name(case: str) -> None:
    make, message = CASES[case]
    with pytest.raises(ValueError, match=message):
        make()


GOOD: dict[str, Callable[[], Any]] = {
    "components as a list of everything": lambda: economy(
        components=[Build(), "Gather", ("ContinuousDoubleAuction", {"max_bid_ask": 2}), ["PeriodicBracketTax", None]]
    ),
    "etas as an array": lambda: economy(isoelastic_eta=np.array([0.1, 1.0])),
    "eta as a NumPy number": lambda: economy(isoelastic_eta=np.float32(0.5)),
    "world_size as an array": lambda: economy(layout={}, world_size=np.array([9, 12])),
    "NumPy flags and counts": lambda: economy(
        multi_action_mode_agents=np.True_, horizon=np.int32(7), components=[{"Gather": {}}]
    ),
    "rates as an array": lambda: with_tax(FixedBrackets(np.full(7, 0.1))),  # type: ignore[arg-type]
    "samples as an array": lambda: with_tax(Saez(samples=np.ones((3, 2)))),  # type: ignore[arg-type]
    "resources as objects": lambda: economy(wood=Resource(0.5), stone={"max_health": 2}),
}


@pytest.mark.parametrize("case", list(GOOD))
def test_good_input_of_many_kinds_is_taken(case: str) -> None:
    batch = GOOD[case]()
    batch.reset(0)
    batch.step({agent: np.zeros((2, *space.shape), np.int64) for agent, space in batch.action_spaces.items()})


def test_a_rule_for_taxes_is_no_planner_of_other_games() -> None:
    from ermas_envs import augmented_bimatrix_v0

    with pytest.raises(ValueError, match="USFederal sets taxes by a rule; it needs an economy"):
        augmented_bimatrix_v0.batched_env(1, planner=USFederal())
    with pytest.raises(NotImplementedError):
        TaxPlanner().rates(np.zeros(2), "linear")


# --- actions -----------------------------------------------------------------------------------------------------

GOOD_ACTIONS: dict[str, Any] = {"agent_0": [0, 49], "agent_1": [0, 0], "planner": [[0] * 7, [21] * 7]}
BAD_ACTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "too large": ({"agent_1": [0, 50]}, r"actions\['agent_1'\] must lie in Discrete\(50\)"),
    "negative": ({"agent_1": np.array([-1, 0])}, r"actions\['agent_1'\] must lie in Discrete\(50\)"),
    "huge": ({"agent_1": np.array([2**64 - 1, 0], np.uint64)}, r"actions\['agent_1'\] must lie in Discrete\(50\)"),
    "one replica": ({"agent_1": [0]}, r"actions\['agent_1'\] must have shape \(2,\), got \(1,\)"),
    "a column": ({"agent_1": [[0], [0]]}, r"actions\['agent_1'\] must have shape \(2,\), got \(2, 1\)"),
    "floats": ({"agent_0": [1.0, 2.0]}, r"actions\['agent_0'\] must be integers .* dtype float64"),
    "bools": ({"agent_0": [True, False]}, r"actions\['agent_0'\] must be integers .* dtype bool"),
    "words": ({"agent_0": ["1", "2"]}, r"actions\['agent_0'\] must be integers"),
    "nothing": ({"agent_0": [None, None]}, r"actions\['agent_0'\] must be integers"),
    "planner too large": ({"planner": [[22] * 7] * 2}, r"actions\['planner'\] must lie in MultiDiscrete"),
    "planner negative": ({"planner": [[-1] * 7] * 2}, r"actions\['planner'\] must lie in MultiDiscrete"),
    "planner's brackets": ({"planner": [[0] * 6] * 2}, r"actions\['planner'\] must have shape \(2, 7\), got \(2, 6\)"),
    "planner's floats": ({"planner": np.zeros((2, 7))}, r"actions\['planner'\] must be integers"),
    "stranger": ({"agent_2": [0, 0]}, "actions must name exactly .*agent_2"),
}


@pytest.mark.parametrize("case", list(BAD_ACTIONS))
def test_bad_actions_are_refused_and_change_nothing(case: str) -> None:
    batch = economy_v0.batched_env(2, **SMALL, **ANYWHERE)
    batch.reset(0)
    before = batch.engine.state.progress.timestep.copy()
    bad, message = BAD_ACTIONS[case]
    with pytest.raises(ValueError, match=message):
        batch.step({**GOOD_ACTIONS, **bad})
    np.testing.assert_array_equal(batch.engine.state.progress.timestep, before)
    batch.step(GOOD_ACTIONS)


def test_missing_actions_are_refused() -> None:
    batch = economy_v0.batched_env(2, **SMALL, **ANYWHERE)
    with pytest.raises(RuntimeError, match="call reset"):
        batch.step(GOOD_ACTIONS)
    batch.reset(0)
    with pytest.raises(ValueError, match="actions must name exactly"):
        batch.step({"agent_0": [0, 0], "agent_1": [0, 0]})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[0, 0, 0, 0, 0, 5]] * 2, "must lie in MultiDiscrete"),
        ([[0, 12, 0, 0, 0, 0]] * 2, "must lie in MultiDiscrete"),
        ([[0, 0, 0, 0, 0, -1]] * 2, "must lie in MultiDiscrete"),
        ([0, 0], r"must have shape \(2, 6\), got \(2,\)"),
        (np.zeros((2, 6)), "must be integers"),
    ],
)
def test_bad_actions_of_several_parts(bad: Any, message: str) -> None:
    batch = economy_v0.batched_env(2, **SMALL, **ANYWHERE, multi_action_mode_agents=True)
    batch.reset(0)
    good = np.zeros((2, 6), np.int64)
    with pytest.raises(ValueError, match=rf"actions\['agent_1'\] {message}"):
        batch.step({"agent_0": good, "agent_1": bad, "planner": GOOD_ACTIONS["planner"]})


def test_settings_alone_are_checked_too() -> None:
    with pytest.raises(ValueError, match="horizon must be an integer >= 1, got 0"):
        EconomySettings(horizon=0)
    with pytest.raises(ValueError, match=r"render_mode: unknown name 'rgb'\. Did you mean 'rgb_array'"):
        economy_v0.parallel_env(**SMALL, **ANYWHERE, render_mode="rgb")
    with pytest.raises(ValueError, match="action_noise needs Discrete actions; 'agent_0' has MultiDiscrete"):
        economy(multi_action_mode_agents=True, action_noise=0.1)
