"""`EngineBatch` and its single face around an engine with Dict observations, a MultiDiscrete planner that acts now and
then, memory across episodes, and arrays that it reuses."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from helpers.altered_batch import AlteredBatch
from pettingzoo.utils import parallel_to_aec

from ermas_envs import ParallelEnvBatch, bimatrix_v0
from ermas_envs.base.groups import Roles
from ermas_envs.base.spaces import JointActionCheck, check_action_batch
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.faces.parallel import EngineParallelEnv
from ermas_envs.game.batch import BatchObservation, BatchStep
from ermas_envs.game.engine import Engine, Outcome
from ermas_envs.planners import ConstantPlanner, FunctionPlanner
from ermas_envs.testing import (
    check_batch_observations,
    check_batched_equals_single,
    check_determinism,
    check_environment,
    check_masks,
    check_observations,
    check_planner,
    check_replica_independence,
)
from ermas_envs.testing.actions import BatchActionSource

PERIOD = 3


class Grove(Engine):
    """Agents pick 0 to 2 fruits of a tree, which grows at random; it dies without fruits. Every third step the planner
    sets two tax rates. An engine counts the episodes that each replica has had since it began anew."""

    name = "grove_v0"
    num_states = None
    planner_payoff_scale = 1.0

    def __init__(self, num_envs: int, agents: int = 2, horizon: int = 7) -> None:
        self.num_envs, self.horizon = num_envs, horizon
        self.agents = tuple(f"agent_{k}" for k in range(agents))
        sight = {
            "tree": spaces.Box(0, 99, (2, 3), np.uint8),
            "tax": spaces.Box(0.0, 1.0, (2,), np.float32),
            "money": spaces.Box(-999, 999, (1,), np.int16),
        }
        books = {"fruits": spaces.Box(0, 99, (1,), np.uint8), "diary": spaces.Box(0, 9999, (2,), np.int16)}
        self.observation_spaces = {
            **{agent: spaces.Dict(sight) for agent in self.agents},
            "planner": spaces.Dict(books),
        }
        self.action_spaces = {
            **{agent: spaces.Discrete(3) for agent in self.agents},
            "planner": spaces.MultiDiscrete([3, 2]),
        }
        self.resets: list[tuple[list[int], list[int], bool]] = []
        self.fruits, self.steps, self.count, self.episodes = np.zeros((4, num_envs), dtype=np.int64)
        self.rates = np.zeros((num_envs, 2), dtype=np.float32)
        self.money = np.zeros((num_envs, agents, 1), dtype=np.int16)
        self.tree = np.zeros((num_envs, 2, 3), dtype=np.uint8)
        self.allowed = np.ones((num_envs, agents, 3), dtype=np.bool_)

    def reset(self, replicas: Any, streams: Any, episodes: Any, *, from_scratch: bool) -> None:
        self.resets.append((replicas.tolist(), episodes.tolist(), from_scratch))
        self.streams = streams
        self.count[replicas] = 0 if from_scratch else self.count[replicas] + 1
        self.episodes[replicas] = episodes
        self.fruits[replicas] = 1 + streams.integers(12, replicas)
        self.steps[replicas] = self.rates[replicas] = self.money[replicas] = 0

    def step(self, actions: Mapping[str, Any]) -> Outcome:
        acts = self.decides()
        self.rates[acts] = (actions["planner"] / [4, 2])[acts]
        picked = np.stack([actions[agent] for agent in self.agents], axis=1)
        self.fruits = np.clip(self.fruits - picked.sum(axis=1) + self.streams.integers(2), 0, 99)
        self.money += picked[:, :, None].astype(np.int16)
        self.steps = self.steps + 1
        tax = self.rates.mean(axis=1).astype(np.float64)
        payoffs = {agent: (1 - tax) * picked[:, k] for k, agent in enumerate(self.agents)}
        payoffs["planner"] = tax * picked.sum(axis=1)
        dead = self.fruits == 0
        return Outcome(payoffs, payoffs["planner"], dead, ~dead & (self.steps >= self.horizon))

    def observe(self, fresh: bool = True) -> Any:
        self.tree[:, 0] = self.fruits[:, None]
        self.tree[:, 1] = self.steps[:, None]
        self.allowed[:, :, 1:] = self.fruits[:, None, None] >= [1, 2]
        blocks = (self.tree, self.rates, self.money, self.allowed)
        tree, rates, money, allowed = (block.copy() for block in blocks) if fresh else blocks
        seen: dict[str, Any] = {
            agent: {"tree": tree, "tax": rates, "money": money[:, k]} for k, agent in enumerate(self.agents)
        }
        diary = np.stack([self.episodes, self.count], axis=1).astype(np.int16)
        seen["planner"] = {"fruits": tree[:, 0, :1], "diary": diary}
        masks = {agent: allowed[:, k] for k, agent in enumerate(self.agents)}
        masks["planner"] = self.decides()[:, None] | np.array([True, False, False, True, False])
        return seen, masks

    def decides(self) -> Any:
        return self.steps % PERIOD == 0

    def planner_acts(self) -> Any:
        return self.decides()

    def states(self) -> None:
        return None

    def tabular_game(self) -> None:
        return None

    def render(self, replica: int, mode: str) -> str:
        return f"{self.fruits[replica]} fruits"


def batched_env(num_envs: int, engine: type[Grove] = Grove, agents: int = 2, **arguments: Any) -> EngineBatch:
    return EngineBatch(engine(num_envs, agents), **arguments)


def parallel_env(engine: type[Grove] = Grove, **arguments: Any) -> EngineParallelEnv:
    return EngineParallelEnv(batched_env(1, engine, autoreset=False, **arguments))


def play(batch: EngineBatch, seed: int = 0) -> Any:
    """Random play without end: what reset and each step returned."""
    source = BatchActionSource(batch, list(range(batch.num_envs)))
    seen: BatchObservation = batch.reset(seed)
    while True:
        yield seen
        seen = batch.step(source.draw(seen))


# --- Dict observations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{}, {"reuse_arrays": True}, {"agents": 12}, {"action_noise": 0.3}], ids=str)
def test_an_engine_with_dict_observations_passes_everything(arguments: dict[str, Any]) -> None:
    def batched(num_envs: int, **more: Any) -> EngineBatch:
        return batched_env(num_envs, **arguments, **more)

    def parallel(**more: Any) -> EngineParallelEnv:
        return parallel_env(**arguments, **more)

    if arguments.get("reuse_arrays"):  # everything but that arrays may be kept
        check_masks(batched)
        check_replica_independence(batched)
        check_batched_equals_single(batched, parallel)
    else:
        check_environment(SimpleNamespace(batched_env=batched, parallel_env=parallel))


def test_the_single_face_gives_arrays_of_the_spaces_shapes_and_dtypes() -> None:
    env = parallel_env()
    observations, _ = env.reset(seed=0)
    for agent, observation in observations.items():
        space = env.observation_space(agent)
        assert space.contains(observation)
        for key, part in space.items():
            assert observation[key].shape == part.shape
            assert observation[key].dtype == part.dtype


def test_the_aec_face_passes_pettingzoos_tests() -> None:
    """They sample by `infos[agent]["action_mask"]`, which is why it is a tuple for MultiDiscrete."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pettingzoo.test import api_test, seed_test

        api_test(parallel_to_aec(parallel_env()), num_cycles=50)
        seed_test(lambda: parallel_to_aec(parallel_env()), num_cycles=50)


class WrongDtypeInside(Grove):
    def observe(self, fresh: bool = True) -> Any:
        seen, masks = super().observe(fresh)
        return {**seen, "agent_1": {**seen["agent_1"], "money": seen["agent_1"]["money"].astype(np.int32)}}, masks


class WrongShapeInside(Grove):
    def observe(self, fresh: bool = True) -> Any:
        seen, masks = super().observe(fresh)
        return {**seen, "agent_1": {**seen["agent_1"], "tax": seen["agent_1"]["tax"][:, :1]}}, masks


class OutsideInside(Grove):
    def observe(self, fresh: bool = True) -> Any:
        seen, masks = super().observe(fresh)
        return {**seen, "agent_1": {**seen["agent_1"], "tax": seen["agent_1"]["tax"] + np.float32(2)}}, masks


class LacksAKey(Grove):
    def observe(self, fresh: bool = True) -> Any:
        seen, masks = super().observe(fresh)
        return {**seen, "planner": {"diary": seen["planner"]["diary"]}}, masks


class HasAnotherKey(Grove):
    def observe(self, fresh: bool = True) -> Any:
        seen, masks = super().observe(fresh)
        return {**seen, "planner": {**seen["planner"], "more": seen["planner"]["diary"]}}, masks


class NoDict(Grove):
    def observe(self, fresh: bool = True) -> Any:
        seen, masks = super().observe(fresh)
        return {**seen, "planner": seen["planner"]["diary"]}, masks


class NestedSpace(Grove):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.observation_spaces["planner"] = spaces.Dict(
            fruits=self.observation_spaces["planner"]["fruits"],
            diary=spaces.Dict(inner=self.observation_spaces["planner"]["diary"]),
        )


class NeverFresh(Grove):
    def observe(self, fresh: bool = True) -> Any:
        return super().observe(fresh=False)


@pytest.mark.parametrize(
    ("broken", "message", "single"),
    [
        (WrongDtypeInside, "'agent_1', 'money', have dtype int32, not int16", "dtype int32"),
        (WrongShapeInside, r"'agent_1', 'tax', have shape \(3, 1\), not \(3, 2\)", r"has shape \(1,\), not \(2,\)"),
        (OutsideInside, "'agent_1', 'tax', lie outside", "lies outside"),
        (LacksAKey, r"'planner' have keys \['diary'\], not \['diary', 'fruits'\]", "lacks 'fruits'"),
        (HasAnotherKey, r"'planner' have keys \['diary', 'fruits', 'more'\]", r"its space has not: \['more'\]"),
        (NoDict, "'planner' are a ndarray, not a mapping", "is a ndarray, not a dict"),
        (NestedSpace, "'diary' of 'planner' is no Box", "'diary' in the observation of 'planner'"),
        (NeverFresh, "writes into arrays that it gave away", "writes into observations that it gave away"),
    ],
)
def test_broken_dict_observations_are_found(broken: type[Grove], message: str, single: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_batch_observations(lambda num_envs: batched_env(num_envs, broken))
    with pytest.raises(AssertionError, match=single):
        check_observations(lambda: parallel_env(broken))


class NoisyEntry(Grove):
    def observe(self, fresh: bool = True) -> Any:
        seen, masks = super().observe(fresh)
        noise = np.random.random((self.num_envs, 2)).astype(np.float32)  # noqa: NPY002
        return {**seen, "agent_1": {**seen["agent_1"], "tax": noise}}, masks


@pytest.mark.usefixtures("global_generators")
def test_noise_in_one_entry_is_found() -> None:
    with pytest.raises(AssertionError, match=r"\['observations'\]\['agent_1'\]\['tax'\]"):
        check_replica_independence(lambda num_envs: batched_env(num_envs, NoisyEntry))
    with pytest.raises(AssertionError, match=r"\['observations'\]\['agent_1'\]\['tax'\]"):
        check_determinism(lambda: parallel_env(NoisyEntry))


def test_a_batch_around_the_single_face_refuses_dicts() -> None:
    with pytest.raises(ValueError, match=r"observation space of 'agent_0' must be one of Box.*got Dict"):
        ParallelEnvBatch(parallel_env, 1)


# --- planners that see a Dict ----------------------------------------------------------------------------------------


def rates_by_fruits(observation: Any) -> Any:
    assert {key: (array.shape, array.dtype) for key, array in observation.items()} == {
        "fruits": ((1,), np.uint8),
        "diary": ((2,), np.int16),
    }
    plenty = int(observation["fruits"][0] > 5)
    observation["fruits"][:] = 0  # a function may write into its copy
    return [plenty, 1 - plenty]


def test_planner_objects_see_dicts_and_decide_row_by_row() -> None:
    def with_planner(num_envs: int, planner: Any) -> EngineBatch:
        return batched_env(num_envs, planner=planner)

    check_planner(ConstantPlanner([2, 1]), with_planner)
    check_planner(FunctionPlanner(rates_by_fruits), with_planner)
    batch = batched_env(40, planner=FunctionPlanner(rates_by_fruits))
    fruits = batch.reset(1).observations["agent_0"]["tree"][:, 0, 0]
    tax = batch.step(dict.fromkeys(batch.agents, np.zeros(40, dtype=np.int64))).observations["agent_0"]["tax"]
    assert tax.tolist() == [[0.25, 0.0] if found > 5 else [0.0, 0.5] for found in fruits]
    assert 0 < (fruits > 5).sum() < 40


# --- masks of MultiDiscrete actions ----------------------------------------------------------------------------------


def test_random_actions_respect_the_mask_of_every_part() -> None:
    game = play(batched_env(8))
    source = BatchActionSource(batched_env(8), list(range(8)))
    idle, deciding = set(), set()
    for _ in range(60):
        seen = next(game)
        chosen = source.draw(seen)["planner"]
        idle |= {tuple(row) for row in chosen[~seen.planner_acts].tolist()}
        deciding |= {tuple(row) for row in chosen[seen.planner_acts].tolist()}
    assert idle == {(0, 0)}
    assert deciding == {(a, b) for a in range(3) for b in range(2)}


def test_the_single_face_gives_a_mask_that_the_space_samples_by() -> None:
    env = parallel_env()
    _, infos = env.reset(seed=0)
    stay = {"agent_0": 0, "agent_1": 0, "planner": np.array([0, 0])}
    masks = [infos["planner"]["action_mask"], env.step(stay)[4]["planner"]["action_mask"]]
    assert [[part.tolist() for part in mask] for mask in masks] == [[[1, 1, 1], [1, 1]], [[1, 0, 0], [1, 0]]]
    assert all(part.dtype == np.int8 for mask in masks for part in mask)
    assert env.action_space("planner").sample(masks[1]).tolist() == [0, 0]


class Altered(AlteredBatch):
    """A Grove batch whose results are changed by `change`."""

    def make(self, num_envs: int, autoreset: bool) -> Any:
        return batched_env(num_envs, autoreset=autoreset)


def with_planner_mask(seen: Any, alter: Callable[[Any], Any]) -> Any:
    return replace(seen, action_masks={**seen.action_masks, "planner": alter(seen.action_masks["planner"].copy())})


class ForbidsAPart(Altered):
    def change(self, seen: Any) -> Any:
        return with_planner_mask(seen, lambda mask: mask & [True, True, True, False, False])


class LeavesOutAPart(Altered):
    def change(self, seen: Any) -> Any:
        return with_planner_mask(seen, lambda mask: mask[:, :3])


class GivesAnIdlePlannerAChoice(Altered):
    def change(self, seen: Any) -> Any:
        return with_planner_mask(seen, lambda mask: mask | [False, False, False, False, True])


class GivesAnIdlePlannerNoMask(Altered):
    def change(self, seen: Any) -> Any:
        return replace(seen, action_masks={a: m for a, m in seen.action_masks.items() if a != "planner"})


class ActsByNumbers(Altered):
    def change(self, seen: Any) -> Any:
        return replace(seen, planner_acts=seen.planner_acts.astype(np.int8))


class ActsEverywhereOrNowhere(Altered):
    def change(self, seen: Any) -> Any:
        return replace(seen, planner_acts=seen.planner_acts[:1])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ForbidsAPart, "action mask of 'planner' allows no action in some replica"),
        (LeavesOutAPart, r"action mask of 'planner' has shape \(8, 3\), not \(8, 5\)"),
        (GivesAnIdlePlannerAChoice, "allows several actions where planner_acts is False"),
        (GivesAnIdlePlannerNoMask, "planner_acts is False in some replica, but the planner has no mask"),
        (ActsByNumbers, "planner_acts has dtype int8, not bool"),
        (ActsEverywhereOrNowhere, r"planner_acts has shape \(1,\), not \(8,\)"),
    ],
)
def test_broken_masks_and_flags_are_found(broken: type[Altered], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_masks(broken)


# --- a planner that acts now and then --------------------------------------------------------------------------------


def test_both_faces_tell_where_the_planner_acts() -> None:
    batch = EngineBatch(Grove(3, horizon=5))
    seen, told = batch.reset(4), []
    for _ in range(8):
        told.append(seen.planner_acts.tolist())
        seen = batch.step(
            {**dict.fromkeys(batch.agents, np.zeros(3, dtype=np.int64)), "planner": np.zeros((3, 2), int)}
        )
    assert told == [[step in (0, 3, 5)] * 3 for step in range(8)]  # step 5 is the first of the next episode
    env = parallel_env()
    infos = env.reset(seed=0)[1]
    assert infos["planner"]["acts"] is True
    assert "acts" not in infos["agent_0"]
    assert env.step({"agent_0": 0, "agent_1": 0, "planner": np.zeros(2, int)})[4]["planner"]["acts"] is False


def test_a_planner_inside_tells_nothing_in_infos_and_engines_without_the_flag_neither() -> None:
    env = parallel_env(planner=ConstantPlanner([0, 0]))
    assert "planner" not in env.reset(seed=0)[1]

    class ActsAlways(Grove):
        def planner_acts(self) -> Any:
            return Engine.planner_acts(self)

    env = parallel_env(ActsAlways)
    assert "acts" not in env.reset(seed=0)[1]["planner"]
    assert batched_env(1, ActsAlways).reset(0).planner_acts is None


@pytest.mark.usefixtures("global_generators")
def test_faces_that_tell_different_things_are_found() -> None:
    class ForgetsTheFlag(Altered):
        def change(self, seen: Any) -> Any:
            return replace(seen, planner_acts=None)

    with pytest.raises(AssertionError, match="whether the planner acts after reset"):
        check_batched_equals_single(ForgetsTheFlag, parallel_env)

    class ActsAtRandom(Altered):
        def change(self, seen: Any) -> Any:
            return replace(seen, planner_acts=np.random.random(self.num_envs) < 0.5)  # noqa: NPY002

    with pytest.raises(AssertionError, match="'planner_acts'"):
        check_replica_independence(ActsAtRandom)


# --- what an engine is told at a reset -------------------------------------------------------------------------------


def test_engines_are_told_the_episode_and_whether_they_begin_anew() -> None:
    batch = batched_env(3)
    told = batch.engine.resets
    batch.reset()
    batch.reset(first_episode=2)
    batch.reset(5, first_episode=4)
    assert told == [([0, 1, 2], [0] * 3, True), ([0, 1, 2], [2] * 3, False), ([0, 1, 2], [4] * 3, True)]
    del told[:]
    game, began, alone = play(batch, seed=6), np.zeros(3, dtype=np.int64), 0
    next(game)
    del told[:]
    for _ in range(40):
        seen = next(game)
        ended = seen.terminated | seen.truncated
        began += ended
        alone += 0 < ended.sum() < 3
        if ended.any():
            assert told == [(np.flatnonzero(ended).tolist(), began[ended].tolist(), False)]
            assert (seen.observations["planner"]["diary"][ended, 0] == began[ended]).all()
        del told[:]
    assert alone > 3  # replicas were reset at different times


def test_a_seed_gives_the_same_bits_whatever_was_before_and_without_one_engines_remember() -> None:
    batch = batched_env(2)
    first = batch.reset(3)
    *_, seen = islice(play(batch, 9), 20)
    assert (seen.observations["planner"]["diary"][:, 1] > 0).all()
    went_on = batch.reset().observations["planner"]["diary"][:, 1]
    assert (went_on > seen.observations["planner"]["diary"][:, 1]).all()
    again = batch.reset(3)
    for agent, observation in first.observations.items():
        for key, array in observation.items():
            assert np.array_equal(array, again.observations[agent][key])


def test_a_reset_that_failed_was_none() -> None:
    batch = batched_env(1)
    with pytest.raises(ValueError, match="first_episode"):
        batch.reset(0, first_episode=-1)
    batch.reset()
    assert batch.engine.resets == [([0], [0], True)]


# --- arrays that are reused ------------------------------------------------------------------------------------------


def test_reused_arrays_hold_the_same_numbers_and_final_observations_stay() -> None:
    finals, kept = [], []
    memory = set()
    for _, fresh, reused in zip(
        range(30), play(batched_env(4), 2), play(batched_env(4, reuse_arrays=True), 2), strict=False
    ):
        for role, observation in fresh.observations.items():
            for key, array in observation.items():
                np.testing.assert_array_equal(array, reused.observations[role][key])
            np.testing.assert_array_equal(fresh.action_masks[role], reused.action_masks[role])
        memory.add(reused.observations["agent_0"]["money"].ctypes.data)
        if isinstance(fresh, BatchStep) and fresh.final_observations is not None:
            finals.append(reused.final_observations["agent_0"])
            kept.append(fresh.final_observations["agent_0"])
    assert len(memory) == 1
    assert len(finals) > 3
    for ours, theirs in zip(finals, kept, strict=True):
        for key in theirs:
            np.testing.assert_array_equal(ours[key], theirs[key])


# --- checks of actions -----------------------------------------------------------------------------------------------

SHARED = spaces.Discrete(3, start=2)
ROLES = Roles({"alike": ["a", "b", "d"], "c": ["c"], "planner": ["planner"]}, ["a", "b", "c", "d", "planner"])
SPACES = {"a": SHARED, "b": SHARED, "c": spaces.Discrete(3), "d": SHARED, "planner": spaces.MultiDiscrete([3, 2])}
GOOD = {
    "planner": np.array([[2, 1], [0, 0]]),
    "a": np.array([2, 4]),
    "b": np.array([3, 3]),
    "c": np.array([0, 2]),
    "d": np.array([4, 2]),
}


@pytest.mark.parametrize("change", [{}, {"b": [2, 3]}, {"b": np.array([2, 3], np.uint8)}, {"c": (0, 1)}], ids=repr)
def test_joint_check_gives_what_the_check_of_every_role_gives(change: dict[str, Any]) -> None:
    actions = {**GOOD, **change}
    given = JointActionCheck(ROLES, SPACES, 2)(actions)
    assert list(given) == list(SPACES)
    by_group = {group: np.stack([actions[role] for role in roles], axis=1) for group, roles in ROLES.groups.items()}
    grouped = JointActionCheck(ROLES, SPACES, 2)(by_group)
    for role, space in SPACES.items():
        expected = check_action_batch(role, space, actions[role], 2)
        assert given[role].dtype == grouped[role].dtype == expected.dtype
        np.testing.assert_array_equal(given[role], expected)
        np.testing.assert_array_equal(grouped[role], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": np.array([1, 3])}, r"actions\['b'\] must lie in Discrete\(3, start=2\), got values in \[1, 3\]"),
        ({"d": np.array([4, 5])}, r"actions\['d'\] must lie in"),
        ({"d": np.array([-(2**63), 4])}, r"actions\['d'\] must lie in"),
        ({"a": np.array([2.0, 3.0])}, r"actions\['a'\] must be integers"),
        ({"a": np.array([True, True])}, r"actions\['a'\] must be integers"),
        ({"b": np.array([2])}, r"actions\['b'\] must have shape \(2,\), got \(1,\)"),
        ({"b": np.array([[2, 3], [3, 2]])}, r"actions\['b'\] must have shape \(2,\)"),
        ({"c": np.array([0, 3])}, r"actions\['c'\] must lie in"),
        ({"planner": np.array([[2, 2], [0, 0]])}, r"actions\['planner'\] must lie in"),
        ({"e": np.array([0, 0])}, "actions must name exactly"),
    ],
    ids=repr,
)
def test_joint_check_names_the_culprit(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JointActionCheck(ROLES, SPACES, 2)({**GOOD, **change})


UNLIKE = Roles({"c": ["c"], "planner": ["planner"]}, ["c", "planner"])
OF_UNLIKE = {role: SPACES[role] for role in UNLIKE.names}


@pytest.mark.parametrize("chosen", [[0, 2], np.array([0, 2], np.uint8), (0, 1), np.array([2, 1])], ids=repr)
def test_roles_that_are_all_unlike_are_given_by_group_and_by_role(chosen: Any) -> None:
    given = JointActionCheck(UNLIKE, OF_UNLIKE, 2)({"planner": GOOD["planner"], "c": chosen})
    assert given.by_group["c"].shape == (2, 1)
    assert given["c"].dtype == np.int64
    np.testing.assert_array_equal(given["c"], chosen)
    np.testing.assert_array_equal(given["planner"], GOOD["planner"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"c": np.array([0, 3])}, r"actions\['c'\] must lie in"),
        ({"c": np.array([0.0, 1.0])}, r"actions\['c'\] must be integers"),
        ({"c": np.array([0])}, r"actions\['c'\] must have shape \(2,\), got \(1,\)"),
        ({"c": [[0], [1, 2]]}, r"actions\['c'\] must be an array of numbers"),
        ({"planner": np.array([[2, 2], [0, 0]])}, r"actions\['planner'\] must lie in"),
        ({"e": np.array([0, 0])}, "actions must name exactly"),
    ],
    ids=repr,
)
def test_joint_check_names_the_culprit_among_unlike_roles(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JointActionCheck(UNLIKE, OF_UNLIKE, 2)({"c": GOOD["c"], "planner": GOOD["planner"], **change})


ALIKE = np.stack([GOOD["a"], GOOD["b"], GOOD["d"]], axis=1)
GROUPED = {"alike": ALIKE, "c": GOOD["c"][:, None], "planner": GOOD["planner"][:, None]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alike": ALIKE - [[0, 0, 0], [0, 3, 0]]}, r"actions\['b'\] must lie in Discrete\(3, start=2\)"),
        ({"alike": ALIKE[:, :2]}, r"actions\['alike'\] must have shape \(2, 3\), got \(2, 2\)"),
        ({"alike": ALIKE * 1.0}, r"actions\['a'\] must be integers"),
        ({"planner": GROUPED["planner"] + 1}, r"actions\['planner'\] must lie in"),
        ({"planner": GOOD["planner"]}, r"actions\['planner'\] must have shape \(2, 1, 2\)"),
        ({"b": GOOD["b"]}, "actions must name exactly"),
    ],
    ids=repr,
)
def test_joint_check_names_the_culprit_of_a_group(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JointActionCheck(ROLES, SPACES, 2)({**GROUPED, **change})


def test_the_episode_index_goes_on_without_a_seed_and_begins_again_with_one() -> None:
    batch = bimatrix_v0.batched_env(2, horizon=2, agents_observe="own")
    found = []
    for arguments in ({}, {}, {"first_episode": 7}, {}, {"seed": 3}, {}):
        batch.reset(**arguments)
        found.append(batch._episodes.tolist())
    assert found == [[0, 0], [1, 1], [7, 7], [8, 8], [0, 0], [1, 1]]
