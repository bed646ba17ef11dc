"""Random constructions and steps of all environments, boundary sizes and nonsense included: right, or a clear error.

    make fuzz ARGS="--constructions 20000 --seed 0"

runs it with the kernels' bounds checks on. Every construction takes random arguments, most of them valid. It must be
made, or refused by an error that names an argument. What was made plays some steps, which must keep all numbers finite,
observations inside their spaces, a choice in every mask, and what belongs to agents not negative. Prints a line per
environment and every failure with the arguments that repeat it; status 1 if there was one.
"""

import argparse
import collections
import math
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs import batched_env
from ermas_envs.base.spaces import split_mask
from ermas_envs.behaviours import Habit
from ermas_envs.games.taxation.tax_planners import FixedBrackets, FreeMarket, Saez, USFederal
from ermas_envs.perturbations import (
    Bounded,
    PlannerAdversity,
    RandomOffset,
    RandomRiskAversion,
    RandomTables,
    RiskAversion,
)
from ermas_envs.planners import ConstantPlanner, FunctionPlanner

Draw = Callable[[np.random.Generator], Any]

STRANGE: list[Any] = [
    *(None, True, "x", b"1", "", (), [], {}, [1], {"a": 1}, object(), -1, 0, -0.5, 1e308, -1e308, 1e-320),
    *(math.nan, math.inf, -math.inf, 10**20, -(10**20), 10**400, 2**31, 2**63 - 1, 2**64, 1.5, "3", 3 + 0j),
    *(np.uint8(200), np.int8(-3), np.float16(0.5), np.array(3), np.array([]), np.array([[1]]), np.nan, np.bool_(True)),
]


def pick(*values: Any) -> Draw:
    """One of these."""
    return lambda generator: values[generator.integers(len(values))]


def integers(low: int, high: int, *more: Any) -> Draw:
    """The ends, what lies between, also as small NumPy integers, and further values."""

    def draw(generator: np.random.Generator) -> Any:
        value = int(pick(low, high, int(generator.integers(low, high + 1)), *more)(generator))
        kind = generator.integers(6)
        return np.min_scalar_type(value).type(value) if kind == 0 else np.int64(value) if kind == 1 else value

    return draw


def numbers(low: float, high: float, *more: float) -> Draw:
    """The ends, what lies between, also as float32."""

    def draw(generator: np.random.Generator) -> Any:
        value = float(pick(low, high, float(generator.uniform(low, high)), *more)(generator))
        return np.float32(value) if generator.integers(6) == 0 else value

    return draw


def lowest(seen: Any) -> int:
    """A planner's function."""
    return 0


FLAG = pick(True, False, np.bool_(True))
TAX: Mapping[str, Draw] = {
    "disable_taxes": FLAG,
    "period": integers(1, 12),
    "rate_min": pick(0.0, 0.1, 1.0),
    "rate_max": pick(1.0, 0.3, 0.0, 0.35),
    "rate_disc": pick(0.05, 0.1, 1.0, 0.01, 0.3),
    "n_brackets": integers(2, 12),
    "top_bracket_cutoff": numbers(1e-3, 1e3, 1e9),
    "usd_scaling": numbers(1e-3, 1e4),
    "bracket_spacing": pick("us-federal", "linear", "log"),
    "tax_annealing_schedule": pick(None, [0, 1], [-100, 0.001], (3, 0.5)),
}
COMPONENTS: Mapping[str, Mapping[str, Draw]] = {
    "Build": {
        "skill_dist": pick("none", "pareto", "lognormal"),
        "payment": numbers(0.0, 100.0, 1e6),
        "payment_max_skill_multiplier": numbers(1.0, 10.0),
        "build_labor": numbers(0.0, 100.0),
    },
    "ContinuousDoubleAuction": {
        "max_bid_ask": integers(1, 30),
        "order_labor": numbers(0.0, 1.0),
        "order_duration": integers(1, 60),
        "max_num_orders": pick(None, 1, 2, 5, np.uint8(5), 50),
    },
    "Gather": {
        "move_labor": numbers(0.0, 2.0),
        "collect_labor": numbers(0.0, 2.0),
        "skill_dist": pick("none", "pareto", "lognormal"),
    },
    "PeriodicBracketTax": TAX,
    "WealthRedistribution": {},
}
RESOURCE: Mapping[str, Draw] = {
    "regen_weight": numbers(0.0, 1.0),
    "regen_halfwidth": integers(0, 4),
    "max_health": integers(1, 254),
}
LABOR: Mapping[str, Draw] = {
    "mask_first_step": FLAG,
    "payment_max_skill_multiplier": numbers(1.0, 10.0),
    "pareto_param": numbers(0.1, 10.0),
}


def options(draws: Mapping[str, Draw], share: float = 0.4) -> Draw:
    """A mapping of some of these options; now and then one of them is strange."""

    def draw(generator: np.random.Generator) -> dict[str, Any]:
        chosen = {name: one(generator) for name, one in draws.items() if generator.random() < share}
        if draws and generator.random() < 0.02:
            chosen[pick(*draws)(generator)] = pick(*STRANGE)(generator)
        return chosen

    return draw


def components(generator: np.random.Generator) -> Any:
    """A random list of the economy's components, in any order."""
    names = [name for name in COMPONENTS if generator.random() < (0.3 if name == "WealthRedistribution" else 0.95)]
    return [{name: options(COMPONENTS[name])(generator)} for name in generator.permutation(names)]


def layouts(generator: np.random.Generator) -> Any:
    """Registered names, drawn ones, text."""
    rows, columns = generator.integers(1, 9, size=2)
    text = ["".join(generator.choice(list("....WS~"), columns)).replace("~", "@") for _ in range(rows)]
    drawn = {"checker_source_blocks": bool(generator.integers(2))}
    return pick("open_quadrant", "no_water", drawn, [row.replace("@", ".") for row in text])(generator)


HOOKS: Mapping[str, Draw] = {
    "perturbation": lambda generator: pick(
        *(None, None, None, PlannerAdversity(0.3), RandomOffset(1.0, 2), Bounded(RandomOffset(), 0.1), RandomTables()),
        RiskAversion(pick(0.0, 1.0, 2.5, 30.0)(generator)),
        RandomRiskAversion([0.0, 0.23, 30.0]),
    )(generator),
    "action_noise": pick(0.0, 0.0, 0.3, 1.0),
    "behaviour": pick(None, None, Habit(0.3), Habit(1.0)),
    "autoreset": pick(True, True, False),
}
ECONOMY: Mapping[str, Draw] = {
    **HOOKS,
    "planner": lambda generator: pick(
        *(
            "learned",
            "learned",
            FreeMarket(),
            USFederal(),
            Saez(),
            Saez(fixed_elasticity=0.5),
        ),
        *(["learned"] * 4),
        FixedBrackets([0.5] * 7),
    )(generator),
    "reuse_arrays": FLAG,
    "num_threads": pick(None, 1, 2),
    "multi_action_mode_planner": FLAG,
    "observations": pick("compact", "compact", "original"),
    "flatten_observations": FLAG,
    "allow_observation_scaling": FLAG,
    "mixing_weight_gini_vs_coin": numbers(0.0, 1.0),
    "isoelastic_eta": pick(*[0.23] * 5, [0.1, 0.2, 0.3, 0.4], 0.0, 0.5, 1.0, 1.0 + 1e-12, 2.5, 30.0, np.float32(0.5)),
}
ARGUMENTS: Mapping[str, Mapping[str, Draw]] = {
    "bimatrix_v0": {
        **HOOKS,
        "payoffs": pick("tragedy_of_commons", "strategically_robust_2022"),
        "horizon": integers(1, 40),
        "agents_observe": pick("joint", "own"),
        "planner_observes": FLAG,
        "planner": lambda generator: pick("learned", ConstantPlanner(0), FunctionPlanner(lowest))(generator),
    },
    "augmented_bimatrix_v0": {
        **HOOKS,
        "q": numbers(-2.0, 2.0, 1e6),
        "planner_gain": numbers(-20.0, 20.0),
        "max_action": integers(1, 30, 300),
        "payoffs": pick("tragedy_of_commons", "strategically_robust_2022"),
        "horizon": integers(1, 40),
        "agents_observe": pick("joint", "own"),
        "planner_observes": FLAG,
        "planner": lambda generator: pick("learned", ConstantPlanner(0), FunctionPlanner(lowest))(generator),
    },
    "one_step_economy_v0": {
        **ECONOMY,
        "num_agents": integers(2, 30, 2, 4, 4, 300),
        "horizon": integers(1, 12),
        "components": lambda generator: [
            {"SimpleLabor": options(LABOR)(generator)},
            *([{"PeriodicBracketTax": options(TAX)(generator)}] if generator.random() < 0.95 else []),
        ],
        "agent_reward_type": pick("coin_minus_labor_cost", "isoelastic_coin_minus_labor"),
        "labor_cost": numbers(0.0, 2.0),
        "labor_exponent": numbers(0.0, 4.0),
        "planner_reward_type": pick("inv_income_weighted_utility", "coin_eq_times_productivity"),
        "skill_seed": integers(0, 100),
        "skills": pick(None, None, None, None, [1.0, 2.0, 3.0, 4.0], np.array([1, 2]), np.array(3.0)),
    },
    "contract_v0": {
        **HOOKS,
        "instances": integers(0, 100),
        "num_agents": pick(None, 1, 2, 7),
        "first_instance": integers(0, 20),
        "num_actions": integers(2, 8),
        "num_outcomes": integers(2, 8),
        "payments": pick("continuous", "grid"),
        "payment_levels": integers(2, 30),
        "largest_payment": pick(None, 1.0, 1e-3, 1e5),
        "outcomes": pick("drawn", "expected"),
    },
    "toll_v0": {
        **HOOKS,
        "roads": pick("pigou", "linear_pigou", "three_roads"),
        "num_drivers": integers(1, 30, 300),
        "drives": integers(1, 10),
        "periods": integers(1, 4),
        "tolled": pick(None, [0], [1], [0, 1]),
        "max_toll": numbers(0.01, 2.0, 1e5),
        "toll_levels": lambda generator: None if generator.random() < 0.5 else integers(2, 30)(generator),
        "value_of_time": numbers(0.0, 2.0, 100.0),
        "drivers_see_loads": FLAG,
    },
    "economy_v0": {
        **ECONOMY,
        "num_agents": integers(2, 12, 2, 4, 4, 4, 60, 250),
        "horizon": integers(1, 60),
        "components": components,
        "layout": layouts,
        "world_size": lambda generator: generator.integers(1, 14, size=2).tolist(),
        "wood": options(RESOURCE),
        "stone": options(RESOURCE),
        "starting_agent_coin": numbers(0.0, 1e3, 1e9),
        "fixed_four_skill_and_loc": pick(False, False, True),
        "energy_cost": numbers(0.0, 2.0),
        "energy_warmup_constant": numbers(0.0, 1e4),
        "energy_warmup_method": pick("decay", "auto"),
        "planner_reward_type": pick(
            "coin_eq_times_productivity", "inv_income_weighted_coin_endowments", "inv_income_weighted_utility"
        ),
        "multi_action_mode_agents": FLAG,
        "full_observability": FLAG,
        "mobile_agent_observation_range": integers(0, 8),
        "planner_gets_spatial_info": FLAG,
        "map_dtype": pick("float32", "uint8"),
        "compatibility": pick((), ["stale_first_rates"], ("full_observability_hides_inventories",)),
    },
}
NAMED_ELSEWHERE = ("num_envs", "eta", "seed", "PeriodicBracketTax", "SimpleLabor", "risk_aversion", "RandomTables")
"""Words by which an error may name what was wrong beside the arguments: options of hooks."""


class Wrong(Exception):
    """An invariant that does not hold."""


def drawn(name: str, generator: np.random.Generator) -> tuple[int, dict[str, Any]]:
    """Replicas and arguments of one construction."""
    arguments = {key: draw(generator) for key, draw in ARGUMENTS[name].items() if generator.random() < 0.5}
    if generator.random() < 0.15:
        arguments[pick(*ARGUMENTS[name])(generator)] = pick(*STRANGE)(generator)
    agents = arguments.get("num_agents", 4)
    many = isinstance(agents, int | np.integer) and agents > 20
    return int(pick(1, 2, 3, *([] if many else [33, 40]))(generator)), arguments


def sampled(env: Any, seen: Any, generator: np.random.Generator) -> dict[str, Any]:
    """Actions inside the spaces; half of the time those that masks allow."""
    actions, masked = {}, generator.random() < 0.7
    for role in env.possible_agents:
        space = env.action_spaces[role]
        if isinstance(space, spaces.Box):
            actions[role] = generator.uniform(space.low, space.high, (env.num_envs, *space.shape)).astype(space.dtype)
            continue
        mask = seen.action_masks[role]
        parts = split_mask(space, mask if masked else np.ones_like(mask))
        chosen = np.stack([(generator.random(part.shape) * part).argmax(axis=1) for part in parts], axis=1)
        actions[role] = chosen if isinstance(space, spaces.MultiDiscrete) else chosen[:, 0]
    return actions


def check_seen(env: Any, seen: Any) -> None:
    """Observations lie in their spaces, and every mask leaves a choice."""
    for role, observation in seen.observations.items():
        space = env.observation_spaces[role]
        entries = observation.items() if isinstance(observation, Mapping) else [("", observation)]
        for key, array in entries:
            box = space[key] if key else space
            if array.shape[1:] != box.shape or array.dtype != box.dtype:
                raise Wrong(f"observation {role} {key}: {array.shape} {array.dtype} in {box}")
            if not np.isfinite(array).all() or (array < box.low).any() or (array > box.high).any():
                raise Wrong(f"observation {role} {key}: from {array.min()} to {array.max()} in {box}")
    for role, mask in seen.action_masks.items():
        if not all(part.any(axis=1).all() for part in split_mask(env.action_spaces[role], mask)):
            raise Wrong(f"mask of {role} leaves no choice")


def check_step(env: Any, result: Any, redistributes: bool) -> None:
    """Rewards, payoffs and metrics are finite, and nobody has less than nothing."""
    for kind in ("rewards", "payoffs"):
        for role, values in getattr(result, kind).items():
            if not np.isfinite(values).all():
                raise Wrong(f"{kind} of {role}: {values}")
    for metric, values in (result.final_metrics or {}).items():
        if np.isinf(values).any():
            raise Wrong(f"metric {metric}: {values}")
    state = getattr(env.engine, "state", None)
    if state is not None and not redistributes:
        for kind in ("inventory", "escrow"):
            least = getattr(state.agents, kind).min()
            if least < -1e-6 * max(1.0, float(np.abs(state.agents.inventory).max())):
                raise Wrong(f"{kind}: {least}")


def play(env: Any, arguments: Mapping[str, Any], generator: np.random.Generator) -> int:
    """Steps of a made environment; returns how many."""
    seen = env.reset(seed=int(generator.integers(2**63)))
    check_seen(env, seen)
    redistributes = "WealthRedistribution" in str(arguments.get("components"))
    steps = int(pick(1, 6, 25)(generator))
    for step in range(steps):
        if generator.random() < 0.02:
            refuse_bad_actions(env, seen, generator)
        seen = env.step(sampled(env, seen, generator))
        check_seen(env, seen)
        check_step(env, seen, redistributes)
        if (seen.terminated | seen.truncated).any() and not env.autoreset:
            return step + 1
    return steps


def refuse_bad_actions(env: Any, seen: Any, generator: np.random.Generator) -> None:
    """A wrong action is a ValueError that names the role, and changes nothing."""
    actions, role = sampled(env, seen, generator), pick(*env.possible_agents)(generator)
    bad = pick(actions[role] + 10**6, actions[role][:0], actions[role] - 10**6, actions[role] + 0.5, None)(generator)
    try:
        env.step({**actions, role: bad})
    except ValueError as error:
        if role not in str(error):
            raise Wrong(f"the error of a bad action does not name {role}: {error}") from None
    else:
        raise Wrong(f"the action {bad!r} of {role} was accepted")


def attempt(name: str, generator: np.random.Generator, counts: collections.Counter[str]) -> None:
    """One construction, and its steps; Wrong, or any other error, for what must not happen."""
    num_envs, arguments = drawn(name, generator)
    try:
        env = batched_env(name, num_envs, **arguments)
    except (ValueError, MemoryError) as error:
        nested = [word for draws in (*COMPONENTS.values(), RESOURCE, LABOR) for word in draws]
        words = (*ARGUMENTS[name], *nested, *NAMED_ELSEWHERE)
        if not any(word in str(error) for word in words):
            raise Wrong(f"names no argument: {type(error).__name__}: {error}") from error
        counts["refused"] += 1
        return
    counts["made"] += 1
    counts["steps"] += play(env, arguments, generator) * num_envs


def main() -> int:
    """Run all environments in turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--constructions", type=int, default=2000, help="of all environments together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="the number of one construction, to repeat it")
    options_given = parser.parse_args()
    names = sorted(ARGUMENTS)
    counts: dict[str, collections.Counter[str]] = {name: collections.Counter() for name in names}
    started, failures = time.monotonic(), 0
    numbers_run = range(options_given.constructions) if options_given.only is None else [int(options_given.only)]
    for number in numbers_run:
        name = names[number % len(names)]
        try:
            with np.errstate(all="ignore"):
                attempt(name, np.random.default_rng([options_given.seed, number]), counts[name])
        except Exception as error:  # everything else is what is looked for
            failures += 1
            counts[name]["failed"] += 1
            print(f"construction {number} of {name}: {type(error).__name__}: {error}", flush=True)
            if options_given.only is not None:
                traceback.print_exc()
                print(drawn(name, np.random.default_rng([options_given.seed, number])))
    for name, count in counts.items():
        print(f"{name}: " + ", ".join(f"{count[kind]} {kind}" for kind in ("made", "refused", "failed", "steps")))
    total = len(numbers_run)
    print(f"{total} constructions, {failures} failures, {time.monotonic() - started:.0f} s")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
