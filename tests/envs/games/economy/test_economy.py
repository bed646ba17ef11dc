"""The environment module: conformance of both faces, threads, resets, sizes, layouts, start places, clocks."""

import multiprocessing
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ermas_envs import batched_env, economy_v0, make, parallel_env
from ermas_envs.games.economy.skills import fixed_four_skills, fixed_four_tiles
from ermas_envs.games.economy.step import reset_replicas, run
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.tax_planners import FixedBrackets, FreeMarket, Saez, USFederal
from ermas_envs.perturbations import Bounded, PlannerAdversity, RiskAversion
from ermas_envs.planners import ConstantPlanner
from ermas_envs.testing import (
    check_batch_observations,
    check_batched_equals_single,
    check_determinism,
    check_environment,
    check_masks,
    check_observations,
    check_perturbation,
    check_planner,
    check_replica_independence,
)
from ermas_envs.testing.actions import BatchActionSource

BUILD = {"Build": {"skill_dist": "pareto", "payment_max_skill_multiplier": 3}}
MARKET = {"ContinuousDoubleAuction": {"max_bid_ask": 3, "order_duration": 3, "max_num_orders": 2}}
GATHER = {"Gather": {"skill_dist": "pareto"}}
TAX = {"PeriodicBracketTax": {"period": 4}}
SMALL: dict[str, Any] = {
    "num_agents": 4,
    "horizon": 9,
    "layout": ["...W.", "WSW..", ".S@.W", "..SS."],
    "components": [BUILD, MARKET, GATHER, TAX],
    "starting_agent_coin": 6.0,
    "mobile_agent_observation_range": 2,
    "wood": {"regen_weight": 0.3},
    "stone": {"regen_weight": 0.3},
}
ANYWHERE = {"fixed_four_skill_and_loc": False}
COMPACT = {"observations": "compact"}
ENOUGH_SAMPLES = [(3.0 * (k % 11), 0.1 * (k % 7)) for k in range(500)]


def small(**arguments: Any) -> Any:
    """The environment module with small settings."""

    class Module:
        @staticmethod
        def batched_env(num_envs: int, **more: Any) -> Any:
            return economy_v0.batched_env(num_envs, **{**SMALL, **arguments, **more})

        @staticmethod
        def parallel_env(**more: Any) -> Any:
            return economy_v0.parallel_env(**{**SMALL, **arguments, **more})

    return Module


# --- conformance -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {**COMPACT, "multi_action_mode_planner": False},
        {"multi_action_mode_agents": True, "flatten_observations": False, "planner_gets_spatial_info": True},
        {**ANYWHERE, "components": [GATHER], "full_observability": True, "layout": {}, "world_size": (9, 8)},
    ],
    ids=["original", "compact", "several actions, single entries", "untaxed, drawn maps"],
)
def test_it_passes_every_check(arguments: dict[str, Any]) -> None:
    check_environment(small(**arguments))


@pytest.mark.parametrize(
    "planner",
    [FreeMarket(), USFederal(), FixedBrackets([0.1] * 7), Saez(), Saez("uniform", 0.3, samples=ENOUGH_SAMPLES)],
    ids=["free market", "US federal", "fixed", "random rates of Saez", "Saez"],
)
def test_it_passes_with_taxes_by_rule(planner: Any) -> None:
    rule = small(**COMPACT, planner=planner)
    check_determinism(rule.parallel_env)
    check_observations(rule.parallel_env)
    check_batch_observations(rule.batched_env)
    check_masks(rule.batched_env)
    check_replica_independence(rule.batched_env)
    check_batched_equals_single(rule.batched_env, rule.parallel_env)


def test_a_constant_planner_passes() -> None:
    module = small(**COMPACT)
    check_planner(ConstantPlanner([3] * 7), lambda num_envs, planner: module.batched_env(num_envs, planner=planner))


@pytest.mark.parametrize(
    ("make_perturbation", "bound"),
    [
        (lambda: RiskAversion(0.7), None),
        (lambda: RiskAversion([0.0, 0.5, 1.0, 2.0]), None),
        (lambda: Bounded(RiskAversion(0.9), 0.2), 0.2),
        (lambda: Bounded(PlannerAdversity(2.0), 0.1), 0.1),
    ],
    ids=["risk aversion", "of each", "bounded", "bounded adversity"],
)
def test_perturbations_pass(make_perturbation: Callable[[], Any], bound: float | None) -> None:
    module = small(**COMPACT)
    check_perturbation(
        make_perturbation, lambda num_envs, given: module.batched_env(num_envs, perturbation=given), bound
    )


def test_it_is_registered() -> None:
    assert economy_v0.NAME in make.environment_registry.names()
    assert batched_env("economy_v0", 2, **SMALL).num_envs == 2
    spec = make.EnvironmentSpec("economy_v0", {**SMALL, "planner": {"name": "fixed_brackets", "rates": [0.2] * 7}})
    assert spec(1).possible_agents == ("agent_0", "agent_1", "agent_2", "agent_3")
    assert parallel_env("economy_v0", **SMALL).possible_agents[-1] == "planner"
    assert len(economy_v0.env(**SMALL).possible_agents) == 5


# --- histories ---------------------------------------------------------------------------------------------------


def flat(seen: Any) -> Any:
    """(R, numbers) everything seen, as float64."""
    parts = []
    for observation in (*seen.observations.values(), *seen.action_masks.values(), seen.planner_acts):
        for values in observation.values() if isinstance(observation, dict) else (observation,):
            parts.append(np.asarray(values, np.float64).reshape(len(values), -1))
    return np.concatenate(parts, axis=1)


def history(batch: Any, steps: int, seed: int = 5, source: Any = None, reset: bool = True) -> list[Any]:
    """What was seen and earned, (R, numbers) per frame."""
    source = source or BatchActionSource(batch, list(range(batch.num_envs)))
    seen = batch.reset(seed)
    frames = [flat(seen)]
    for _ in range(steps):
        seen = batch.step(source.draw(seen))
        rewards = np.stack([*seen.rewards.values(), *seen.payoffs.values()], axis=1)
        frames.append(np.concatenate([flat(seen), rewards], axis=1))
    return frames


def assert_same(one: list[Any], other: list[Any]) -> None:
    assert len(one) == len(other)
    for step, (a, b) in enumerate(zip(one, other, strict=True)):
        np.testing.assert_array_equal(a, b, err_msg=f"frame {step}")


@pytest.mark.parametrize("layout", [SMALL["layout"], {}], ids=["fixed map", "drawn maps"])
def test_threads_do_not_matter(layout: Any) -> None:
    arguments = {**COMPACT, "layout": layout, "planner": Saez()}
    one, two = (history(small(**arguments).batched_env(64, num_threads=k), 11) for k in (1, 2))
    assert_same(one, two)


def test_two_threads_work_in_a_forked_child() -> None:
    batch = small(**COMPACT).batched_env(64, num_threads=2)
    expected = history(batch, 3)  # threads have run before the fork

    def child(sender: Any) -> None:
        sender.send([frame.tobytes() for frame in history(batch, 3)])

    receiver, sender = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=child, args=(sender,))
    process.start()
    assert receiver.poll(60), "the child hangs"
    assert receiver.recv() == [frame.tobytes() for frame in expected]
    process.join(60)
    assert process.exitcode == 0


@pytest.mark.parametrize("observations", ["original", "compact"])
def test_reused_arrays_hold_the_same_until_the_next_step(observations: str) -> None:
    module = small(observations=observations)
    assert_same(history(module.batched_env(3), 20), history(module.batched_env(3, reuse_arrays=True), 20))


def test_final_observations_may_be_kept_where_arrays_are_reused() -> None:
    batch = small(**COMPACT, reuse_arrays=True).batched_env(2)
    source = BatchActionSource(batch, [0, 1])
    seen: Any = batch.reset(0)
    kept = []
    for _ in range(20):
        seen = batch.step(source.draw(seen))
        if seen.final_observations is not None:
            kept.append((seen.final_observations, {a: o.copy() for a, o in seen.final_observations.items()}))
    assert len(kept) == 2
    for ours, copy in kept:
        for agent in copy:
            np.testing.assert_array_equal(ours[agent], copy[agent])
            assert (ours[agent][:, 0] == 1.0).all()  # the time is up


# --- resets ------------------------------------------------------------------------------------------------------

LASTING: dict[str, dict[str, Any]] = {
    "Saez": {"planner": Saez(), "num_agents": 10, "layout": {}, **ANYWHERE},
    "warm-up by steps": {"energy_warmup_constant": 20.0, "energy_warmup_method": "auto"},
    "warm-up by episodes": {"energy_warmup_constant": 2.0},
    "annealing": {"components": [BUILD, MARKET, GATHER, {"PeriodicBracketTax": {"tax_annealing_schedule": [-1, 0.1]}}]},
    "annealed, stale": {
        "components": [BUILD, MARKET, GATHER, {"PeriodicBracketTax": {"tax_annealing_schedule": [-1, 0.1]}}],
        "planner": USFederal(),
        "compatibility": ["stale_first_rates"],
    },
    "Saez, stale": {"planner": Saez(), "compatibility": ("stale_first_rates",)},
}


@pytest.mark.parametrize("case", list(LASTING))
def test_a_seed_starts_anew_whatever_has_happened(case: str) -> None:
    if case == "Saez":
        LASTING[case]["components"] = [BUILD, MARKET, GATHER, {"PeriodicBracketTax": {"period": 1}}]
    batch = small(**COMPACT, **LASTING[case]).batched_env(2)
    first = history(batch, 70)
    if case == "Saez":
        assert batch.engine.state.saez.ready.all()
    again = history(batch, 70)
    assert_same(first, again)
    fresh = history(small(**COMPACT, **LASTING[case]).batched_env(2), 70)
    assert_same(first, fresh)


def test_episodes_go_on_with_what_they_have_learned() -> None:
    module = small(**COMPACT, planner=Saez(), energy_warmup_constant=20.0, energy_warmup_method="auto")
    batch = module.batched_env(2)
    history(batch, 9)
    progress, saez = batch.engine.state.progress, batch.engine.state.saez
    seen, positive = saez.seen.copy(), progress.positive_steps.copy()
    assert (seen == 2 * 4).all()  # two collections, four agents
    assert (progress.completions == 1).all()
    batch.reset()  # without a seed
    np.testing.assert_array_equal(batch.engine.state.saez.seen, seen)
    np.testing.assert_array_equal(progress.positive_steps, positive)
    batch.reset(1)
    assert not batch.engine.state.saez.seen.any()
    assert not progress.positive_steps.any()


def test_resetting_some_replicas_leaves_the_others_as_they_are() -> None:
    batch = small(**COMPACT).batched_env(3)
    history(batch, 4)
    engine, streams = batch.engine, batch._streams
    before = [array.copy() for part in engine.state for array in part]
    seen = {agent: values.copy() for agent, values in engine.observe()[0].items()}
    engine.reset(np.array([1]), streams, np.array([1]), from_scratch=False)
    for old, new in zip(before, [array for part in engine.state for array in part], strict=True):
        np.testing.assert_array_equal(old[[0, 2]], new[[0, 2]])
    for agent, values in engine.observe()[0].items():
        np.testing.assert_array_equal(values[[0, 2]], seen[agent][[0, 2]])
        assert (values[1] != seen[agent][1]).any()


# --- sizes, layouts, places --------------------------------------------------------------------------------------


@pytest.mark.parametrize("agents", [2, 3, 5, 12, 29, 30, 31, 100])
def test_any_number_of_agents_plays(agents: int) -> None:
    batch = economy_v0.batched_env(2, num_agents=agents, horizon=6, **COMPACT, components=[BUILD, MARKET, GATHER, TAX])
    frames = history(batch, 7)
    assert all(np.isfinite(frame).all() for frame in frames)
    sizes = {space.shape[0] for space in batch.observation_spaces.values()}  # type: ignore[index]
    assert sizes == {63, 30}


@pytest.mark.parametrize(
    "arguments",
    [
        {"layout": "W..S"},
        {"layout": ["W", ".", "S", "."]},
        {"layout": ["W.S@......", ".........."]},
        {"layout": {}, "world_size": (7, 13)},
        {"layout": {}, "world_size": [13, 7]},
        {"layout": "no_water"},
    ],
    ids=["one row", "one column", "wide", "drawn, wide", "drawn, tall", "named"],
)
def test_any_grid_is_played(arguments: dict[str, Any]) -> None:
    for more in ({"mobile_agent_observation_range": 0}, {"full_observability": True}):
        batch = small(**ANYWHERE, num_agents=3, planner_gets_spatial_info=True, **more, **arguments).batched_env(2)
        seen = batch.reset(0)
        height, width = batch.engine.size
        assert seen.observations["planner"]["world-map"].shape[2:] == (height, width)
        side = (height, width) if "full_observability" in more else (1, 1)
        assert seen.observations["agent_0"]["world-map"].shape[2:] == side
        history(batch, 10)


def test_no_components_at_all() -> None:
    for multi in (False, True):
        batch = small(**ANYWHERE, components=[], multi_action_mode_agents=multi).batched_env(2)
        seen = batch.reset(0)
        assert batch.action_spaces["agent_0"].n == 1
        assert all(mask.all() for mask in seen.action_masks.values())
        assert set(seen.observations["planner"]) == {"flat", "time", "p0", "p1", "p2", "p3"}
        nothing = {agent: [0, 0] for agent in batch.agents}
        rewards = batch.step({**nothing, "planner": [[0], [0]]}).rewards
        assert not np.any(list(rewards.values()))


def test_drawn_maps_are_drawn_anew_in_every_episode() -> None:
    batch = small(**ANYWHERE, **COMPACT, layout={}, world_size=(12, 12)).batched_env(2)
    maps = []
    for _ in range(3):
        batch.reset(0) if not maps else batch.reset()
        maps += list(batch.engine.state.world.planes[:, 4:6].copy())
    assert len({one.tobytes() for one in maps}) == 6


def test_fixed_skills_and_places_go_to_the_agents_in_every_order() -> None:
    components = [{"Build": {"skill_dist": "pareto", "payment": 20, "payment_max_skill_multiplier": 3}}]
    batch = small(components=components, **COMPACT).batched_env(200)
    batch.reset(0)
    agents, pad = batch.engine.state.agents, batch.engine.reset_parameters.pad
    payments, tiles = fixed_four_skills(4, 20.0, 3.0), fixed_four_tiles(4, 4, 5)
    np.testing.assert_allclose(payments / 2, [11.33164062, 13.26711234, 16.47237295, 22.24961430])
    assert tiles.tolist() == [[0, 4], [3, 0], [0, 0], [3, 4]]
    ranks = np.searchsorted(payments, agents.build_payment)
    np.testing.assert_array_equal(np.sort(ranks, axis=1), np.broadcast_to(np.arange(4), (200, 4)))
    np.testing.assert_array_equal(agents.build_payment, payments[ranks])
    np.testing.assert_array_equal(agents.row - pad, tiles[ranks, 0])
    np.testing.assert_array_equal(agents.column - pad, tiles[ranks, 1])
    assert len(np.unique(ranks, axis=0)) == 24  # all orders


@pytest.mark.parametrize("agents", [2, 5, 9, 20])
def test_fixed_places_of_any_number_of_agents_differ(agents: int) -> None:
    batch = economy_v0.batched_env(3, num_agents=agents, **COMPACT)
    batch.reset(0)
    state = batch.engine.state
    assert ((state.world.standing > 0).sum(axis=(1, 2)) == agents).all()
    assert (np.sort(state.agents.build_payment, axis=1) == fixed_four_skills(agents, 10.0, 3.0)).all()


def test_random_places_are_free_tiles_all_alike() -> None:
    batch = small(**ANYWHERE, **COMPACT, num_agents=3, layout="W@.;@S.;...").batched_env(3000)
    batch.reset(0)
    state = batch.engine.state
    counts = (state.world.standing > 0).sum(axis=0)[2:-2, 2:-2]
    free = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 1]], bool)
    assert not counts[~free].any()
    np.testing.assert_allclose(counts[free] / 3000, 3 / 7, atol=0.06)


# --- clocks and tales --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0]),
        ({"components": [GATHER, {"PeriodicBracketTax": {"period": 1}}], **ANYWHERE}, [1] * 12),
        ({"components": [GATHER, {"PeriodicBracketTax": {"disable_taxes": True}}], **ANYWHERE}, [0] * 12),
        ({"components": [GATHER], **ANYWHERE}, [0] * 12),
        ({"planner": USFederal()}, [0] * 12),
    ],
    ids=["period 4", "period 1", "disabled", "untaxed", "by rule"],
)
def test_the_planner_acts_at_the_start_of_its_periods(arguments: dict[str, Any], expected: list[int]) -> None:
    batch = small(**COMPACT, **arguments).batched_env(2)
    source = BatchActionSource(batch, [0, 1])
    seen: Any = batch.reset(0)
    for step, acts in enumerate(expected):
        assert seen.planner_acts.tolist() == [acts, acts], step
        if "planner" in seen.action_masks:
            choices = seen.action_masks["planner"].sum(axis=1)
            least = len(getattr(batch.action_spaces["planner"], "nvec", [0]))
            assert (choices > least).tolist() == [acts, acts]
        seen = batch.step(source.draw(seen))


def test_infos_tell_when_the_planner_acts_and_how_the_episode_was() -> None:
    env = small().parallel_env()
    _, infos = env.reset(seed=0)
    acts = [infos["planner"]["acts"]]
    assert "acts" not in infos["agent_0"]
    while env.agents:
        assert env.final_metrics is None
        actions = {agent: env.action_space(agent).sample(infos[agent]["action_mask"]) for agent in env.agents}
        _, _, _, truncations, infos = env.step(actions)
        acts.append(infos["planner"]["acts"])
    assert acts == [step % 4 == 0 for step in range(10)]
    assert all(truncations.values())
    metrics = env.final_metrics
    assert metrics is not None
    state = env.batch.engine.state
    coin = (state.agents.inventory + state.agents.escrow)[0, :, COIN]
    assert metrics["social/productivity"] == pytest.approx(coin.sum())
    assert metrics["endow/agent_2/Coin"] == pytest.approx(coin[2])
    assert metrics["Build/total_builds"] == state.tallies.builds.sum()
    assert metrics["util/planner"] == pytest.approx(state.progress.planner_objective[0])
    env.reset()
    assert env.final_metrics == pytest.approx(metrics, nan_ok=True)  # stay until another episode has ended


def test_final_metrics_are_those_of_the_episode_that_ended() -> None:
    batch = small(**COMPACT).batched_env(2)
    source = BatchActionSource(batch, [0, 1])
    seen: Any = batch.reset(0)
    payoffs = np.zeros(2)
    start = batch.engine.state.progress.planner_objective.copy()
    for _ in range(9):
        assert getattr(seen, "final_metrics", None) is None
        seen = batch.step(source.draw(seen))
        payoffs += seen.payoffs["planner"]
    np.testing.assert_allclose(seen.final_metrics["util/planner"], start + payoffs, rtol=1e-12)


def test_numbers_of_another_type_need_no_other_kernels() -> None:
    """Numba compiles for every type: integers of NumPy, read-only arrays and whole numbers must not cost a minute."""
    history(small().batched_env(1), 1)
    before = len(run.signatures), len(reset_replicas.signatures)  # type: ignore[attr-defined]
    components = [
        {"Build": {**BUILD["Build"], "payment": 10, "build_labor": np.float32(1)}},
        {"ContinuousDoubleAuction": {"max_bid_ask": np.int32(3), "order_duration": np.int16(3), "order_labor": 1}},
        {"Gather": {"move_labor": 1}},
        {"PeriodicBracketTax": {"period": np.int8(4), "rate_min": 0, "rate_max": 1, "usd_scaling": 1000}},
    ]
    arguments = {"horizon": np.int32(9), "isoelastic_eta": 0, "energy_cost": 1, "starting_agent_coin": 6}
    numpy_types = {"mobile_agent_observation_range": np.int64(2), "multi_action_mode_planner": np.True_}
    history(small(components=components, **arguments, **numpy_types).batched_env(1), 1)
    history(small(**ANYWHERE, mixing_weight_gini_vs_coin=1, planner=USFederal()).batched_env(1), 1)
    assert (len(run.signatures), len(reset_replicas.signatures)) == before  # type: ignore[attr-defined]
