"""The environment module: conformance of both faces, threads, arrays that may be kept, and refused input."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ermas_envs import batched_env, make, one_step_economy_v0, parallel_env
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.one_step.settings import OneStepSettings, SimpleLabor
from ermas_envs.kernels.threads import ReplicaThreads
from ermas_envs.planners import planner_registry
from ermas_envs.testing import (
    check_batch_observations,
    check_determinism,
    check_environment,
    check_masks,
    check_replica_independence,
)
from ermas_envs.testing.actions import BatchActionSource

TAXES = {"PeriodicBracketTax": {"period": 2}}


def module(**arguments: Any) -> Any:
    """The environment module with other defaults."""

    class Module:
        @staticmethod
        def batched_env(num_envs: int, **more: Any) -> Any:
            return one_step_economy_v0.batched_env(num_envs, **{**arguments, **more})

        @staticmethod
        def parallel_env(**more: Any) -> Any:
            return one_step_economy_v0.parallel_env(**{**arguments, **more})

    return Module


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_agents": 3},
        {"num_agents": 2, "horizon": 5, "observations": "compact", "multi_action_mode_planner": False},
        {"num_agents": 2, "flatten_observations": False, "components": ["SimpleLabor"]},
    ],
    ids=["default", "compact", "untaxed"],
)
def test_it_passes_every_check(arguments: dict[str, Any]) -> None:
    check_environment(module(**arguments))


@pytest.mark.parametrize("name", ["us_federal", "saez", "free_market"])
def test_it_passes_with_taxes_by_rule(name: str) -> None:
    rule = module(num_agents=60, planner=planner_registry.make(name))
    check_determinism(rule.parallel_env)
    check_batch_observations(rule.batched_env)
    check_masks(rule.batched_env)
    check_replica_independence(rule.batched_env)


def test_action_noise_respects_masks() -> None:
    batch = one_step_economy_v0.batched_env(50, num_agents=2, action_noise=1.0, labor_cost=0.0)
    batch.reset(0)
    idle = {agent: np.zeros((50, *space.shape), np.int64) for agent, space in batch.action_spaces.items()}
    assert not batch.step(idle).payoffs["agent_0"].any()
    assert (batch.step(idle).payoffs["agent_0"] > 0).mean() > 0.9


def history(**arguments: Any) -> list[Any]:
    batch = one_step_economy_v0.batched_env(70, num_agents=3, horizon=3, **arguments)
    source = BatchActionSource(batch, list(range(70)))
    seen: Any = batch.reset(5)
    found = [seen]
    for _ in range(7):
        seen = batch.step(source.draw(seen))
        found.append(seen)
    return found


def flat(seen: Any) -> Any:
    observations = [seen.observations[role][name] for role in seen.observations for name in seen.observations[role]]
    return np.concatenate([*observations, *seen.action_masks.values()], axis=1)


def test_threads_do_not_matter() -> None:
    for one, three in zip(history(num_threads=1), history(num_threads=3), strict=True):
        np.testing.assert_array_equal(flat(one), flat(three))


def test_reused_arrays_hold_the_same_until_the_next_step() -> None:
    kept = history(num_threads=1)
    batch = one_step_economy_v0.batched_env(70, num_agents=3, horizon=3, reuse_arrays=True, num_threads=2)
    source = BatchActionSource(batch, list(range(70)))
    seen: Any = batch.reset(5)
    finals = []
    for expected in kept[1:]:
        seen = batch.step(source.draw(seen))
        np.testing.assert_array_equal(flat(seen), flat(expected))
        if seen.final_observations is not None:
            finals.append((seen.final_observations, expected.final_observations))
    assert finals
    for ours, theirs in finals:  # they are the caller's to keep, here too
        np.testing.assert_array_equal(ours["agent_1"]["flat"], theirs["agent_1"]["flat"])


def test_resetting_some_replicas_leaves_the_others_as_they_are() -> None:
    engine = OneStepEngine("test", 3, OneStepSettings(num_agents=2))
    batch = one_step_economy_v0.batched_env(3, num_agents=2)
    batch.reset(0)
    batch.engine.step({"agent_0": np.full(3, 9), "agent_1": np.full(3, 9), "planner": np.full((3, 7), 2)})
    before = batch.engine.observe()[0]["agent_0"]["flat"]
    streams = batch._streams
    assert streams is not None
    batch.engine.reset(np.array([1]), streams, np.array([1]), from_scratch=False)
    after = batch.engine.observe()[0]["agent_0"]["flat"]
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])
    assert (after[1] != before[1]).any()
    assert engine.memory_per_replica > 0


def test_it_is_registered() -> None:
    assert one_step_economy_v0.NAME in make.environment_registry.names()
    assert batched_env("one_step_economy_v0", 2, num_agents=2).num_envs == 2
    spec = make.EnvironmentSpec("one_step_economy_v0", {"num_agents": 2, "planner": {"name": "us_federal"}})
    assert spec(1).possible_agents == ("agent_0", "agent_1")
    assert parallel_env("one_step_economy_v0", num_agents=2).possible_agents[-1] == "planner"
    assert len(one_step_economy_v0.env(num_agents=2).possible_agents) == 3


def test_threads_share_all_rows() -> None:
    for rows in (0, 1, 20, 100):
        done = np.zeros(rows, np.int64)

        def run(slot: int, first: int, last: int, done: Any = done) -> None:
            done[first:last] += 1 + 0 * slot

        ReplicaThreads(100, 3).share(run, rows)
        assert (done == 1).all()
    assert ReplicaThreads(1, None).count == 1
    with pytest.raises(ValueError, match="num_threads must be an integer >= 1, got 0"):
        ReplicaThreads(1, 0)


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "num_agents": (lambda: OneStepSettings(num_agents=1), "num_agents must be an integer >= 2, got 1"),
    "horizon": (lambda: OneStepSettings(horizon=0), "horizon must be an integer >= 1, got 0"),
    "labor_cost": (lambda: OneStepSettings(labor_cost=-1.0), "labor_cost must be a finite number >= 0, got -1"),
    "labor_exponent": (lambda: OneStepSettings(labor_exponent=float("nan")), "labor_exponent must be a finite number"),
    "eta": (lambda: OneStepSettings(isoelastic_eta=-0.1), "isoelastic_eta must be a finite number >= 0"),
    "etas": (
        lambda: OneStepSettings(isoelastic_eta=(0.1, 0.2)),
        "isoelastic_eta must be a number or 100 numbers, got 2",
    ),
    "word as eta": (lambda: OneStepSettings(isoelastic_eta="0.1"), "isoelastic_eta must be a finite number"),
    "agents' objective": (
        lambda: OneStepSettings(agent_reward_type="coin_minus_labor"),
        "agent_reward_type: unknown name 'coin_minus_labor'. Did you mean 'coin_minus_labor_cost'",
    ),
    "planner's objective": (
        lambda: OneStepSettings(planner_reward_type="inv_income_weighted_coin_endowments"),
        "planner_reward_type: unknown name",
    ),
    "mixing": (lambda: OneStepSettings(mixing_weight_gini_vs_coin=1.5), "mixing_weight_gini_vs_coin must be .* <= 1"),
    "observations": (lambda: OneStepSettings(observations="orginal"), "observations: .* Did you mean 'original'"),
    "skill_seed": (lambda: OneStepSettings(skill_seed=-1), "skill_seed must be an integer >= 0"),
    "compatibility": (lambda: OneStepSettings(compatibility=("stale",)), "compatibility: unknown name 'stale'"),
    "multiplier": (
        lambda: SimpleLabor(payment_max_skill_multiplier=0.5),
        "payment_max_skill_multiplier must be .* >= 1",
    ),
    "pareto_param": (lambda: SimpleLabor(pareto_param=0.0), "SimpleLabor: pareto_param must be > 0, got 0"),
    "no labor": (
        lambda: OneStepSettings(components=[TAXES]),
        "components must be SimpleLabor, and .* got \\['Periodic",
    ),
    "order": (lambda: OneStepSettings(components=[TAXES, "SimpleLabor"]), "components must be SimpleLabor, and"),
    "twice": (lambda: OneStepSettings(components=["SimpleLabor"] * 2), "components must be SimpleLabor, and"),
    "component": (lambda: OneStepSettings(components=["Gather"]), "components: unknown name 'Gather'"),
    "option": (
        lambda: OneStepSettings(components=[{"SimpleLabor": {"mask_first": True}}]),
        "SimpleLabor: option: unknown name 'mask_first'. Did you mean 'mask_first_step'",
    ),
    "argument": (
        lambda: one_step_economy_v0.batched_env(1, labour_cost=1.0),
        "one_step_economy_v0: option: unknown name 'labour_cost'. Did you mean 'labor_cost'",
    ),
    "num_envs": (lambda: one_step_economy_v0.batched_env(0), "num_envs must be an integer >= 1, got 0"),
    "num_threads": (lambda: one_step_economy_v0.batched_env(1, num_threads=0), "num_threads must be an integer >= 1"),
    "planner": (lambda: one_step_economy_v0.batched_env(1, num_agents=2, planner="saez"), "planner"),
    "too few skills": (
        lambda: OneStepSettings(num_agents=3, skills=[1.0]),
        "skills must be 3 wages, one per agent, got 1",
    ),
    "bad skill": (
        lambda: OneStepSettings(num_agents=2, skills=[1.0, -1.0]),
        "skills must be a finite number >= 0, got -1",
    ),
    "no skill": (lambda: OneStepSettings(num_agents=2, skills=[0.0, 1.0]), "skills must be > 0, got 0"),
    "endless skill": (lambda: OneStepSettings(num_agents=2, skills=[1.0, float("inf")]), "skills must be a finite num"),
    "skill as text": (lambda: OneStepSettings(num_agents=2, skills=["1", "2"]), "skills must be a finite number"),
    "skills out of order": (
        lambda: OneStepSettings(num_agents=3, skills=[1.0, 2.0, 1.5]),
        r"skills must be in ascending order, got 1\.5 after 2\.0",
    ),
    "too large a skill": (
        lambda: OneStepSettings(num_agents=2, skills=[1.0, 3.5]),
        r"skills must be at most 3, the payment_max_skill_multiplier of SimpleLabor, got 3\.5",
    ),
    "skills as data": (
        lambda: batched_env("one_step_economy_v0", 1, skills=[1.0, 2.0]),
        "skills must be 100 wages, one per agent, got 2",
    ),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_input_is_refused_by_name(case: str) -> None:
    make_it, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        make_it()


def test_hours_outside_the_action_space() -> None:
    batch = one_step_economy_v0.batched_env(1, num_agents=2)
    batch.reset(0)
    for hours in (-1, 101):
        with pytest.raises(ValueError, match=r"actions\['agent_0'\] must lie in Discrete\(101\)"):
            batch.step({"agent_0": [hours], "agent_1": [0], "planner": [[0] * 7]})


def test_a_seed_starts_anew_whatever_rates_there_were() -> None:
    batch = one_step_economy_v0.batched_env(
        2, num_agents=3, planner=planner_registry.make("saez"), compatibility=["stale_first_rates"]
    )
    first = flat(batch.reset(5))
    batch.step({"agent_0": [9, 9], "agent_1": [9, 9], "agent_2": [9, 9]})
    np.testing.assert_array_equal(flat(batch.reset(5)), first)
