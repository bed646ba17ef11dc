"""The conformance checks pass what is sound and fail everything that is broken in a known way."""

import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from helpers.altered_batch import AlteredBatch
from pettingzoo import ParallelEnv

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.behaviours import Habit
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.faces.planner_inside import PlannerInside
from ermas_envs.game.batch import BatchObservation, BatchStep
from ermas_envs.perturbations import PlannerAdversity
from ermas_envs.planners import ConstantPlanner
from ermas_envs.testing import (
    check_batch_observations,
    check_batched_equals_single,
    check_behaviour,
    check_determinism,
    check_environment,
    check_infos,
    check_masks,
    check_observations,
    check_perturbation,
    check_planner,
    check_replica_independence,
    check_tables,
)

# --- sound environments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [bimatrix_v0, augmented_bimatrix_v0])
def test_our_environments_pass_everything(module: Any) -> None:
    check_environment(module)


@pytest.mark.parametrize(
    "arguments",
    [
        {"payoffs": "strategically_robust_2022"},
        {"q": 0.5, "horizon": 3, "agents_observe": "own"},
        {"horizon": 1, "planner_observes": False},
    ],
)
def test_settings_of_the_augmented_game_pass_everything(arguments: dict[str, Any]) -> None:
    class Module:
        @staticmethod
        def batched_env(num_envs: int, **more: Any) -> Any:
            return augmented_bimatrix_v0.batched_env(num_envs, **arguments, **more)

        @staticmethod
        def parallel_env(**more: Any) -> Any:
            return augmented_bimatrix_v0.parallel_env(**arguments, **more)

    check_environment(Module)


# --- single environments -----------------------------------------------------------------------------------------


class Walk(ParallelEnv):
    """A sound environment: a random walk in [0, 9] for six steps, seen by two agents. Broken ones derive from it."""

    metadata = {"name": "walk_v0"}  # noqa: RUF012 PettingZoo's convention

    def __init__(self) -> None:
        self.possible_agents = ["agent_0", "planner"]
        self._box, self._moves = spaces.Box(0.0, 9.0, (1,), np.float32), spaces.Discrete(2)
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> Any:
        return self._box

    def action_space(self, agent: str) -> Any:
        return self._moves

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.seed_generator(seed)
        self.agents, self.count, self.place = list(self.possible_agents), 0, 5.0
        return self.everyone(self.sight()), self.everyone({"action_mask": self.mask()})

    def step(self, actions: dict[str, int]) -> Any:
        self.count += 1
        self.place = float(np.clip(self.place + self.draw() + actions["agent_0"], 0, 9))
        result = (
            self.everyone(self.sight()),
            self.everyone(self.reward()),
            self.everyone(self.over()),
            self.everyone(False),
            self.everyone({"action_mask": self.mask()}),
        )
        if self.over():
            self.agents = []
        return result

    def everyone(self, value: Any) -> dict[str, Any]:
        return dict.fromkeys(self.agents, value)

    def seed_generator(self, seed: int | None) -> None:
        self.generator = np.random.default_rng(seed)

    def draw(self) -> float:
        return float(self.generator.normal())

    def sight(self) -> Any:
        return np.array([self.place], dtype=np.float32)

    def reward(self) -> float:
        return self.place

    def over(self) -> bool:
        return self.count == 6

    def mask(self) -> Any:
        return np.array([1, self.count % 2], dtype=np.int8)


class DrawsFromGlobalNumpy(Walk):
    def draw(self) -> float:
        return float(np.random.normal())  # noqa: NPY002


class DrawsFromGlobalRandom(Walk):
    def draw(self) -> float:
        return random.gauss(0, 1)


class SeedsGlobalNumpy(DrawsFromGlobalNumpy):
    def seed_generator(self, seed: int | None) -> None:
        np.random.seed(seed)  # noqa: NPY002


class IgnoresItsSeed(Walk):
    def seed_generator(self, seed: int | None) -> None:
        self.generator = np.random.default_rng()


class KeepsItsFirstGenerator(Walk):
    def seed_generator(self, seed: int | None) -> None:
        self.generator = getattr(self, "generator", None) or np.random.default_rng(seed)


class NoisyReward(Walk):
    def reward(self) -> float:
        return random.random()


class NoisyEnd(Walk):
    def over(self) -> bool:
        return self.count == 6 or random.random() < 0.3


class NoisyMask(Walk):
    def mask(self) -> Any:
        return np.array([1, random.random() < 0.5], dtype=np.int8)


class LastStepDiffers(Walk):
    """Only the last step of an episode is random: a test of one step does not see it."""

    def reward(self) -> float:
        return random.random() if self.count == 6 else 0.0


def test_sound_single_environment_passes() -> None:
    check_determinism(Walk)
    check_observations(Walk)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (DrawsFromGlobalNumpy, "two fresh instances, step 0 .*observations"),
        (DrawsFromGlobalRandom, "two fresh instances, step 0 .*observations"),
        (SeedsGlobalNumpy, "two fresh instances, step 0 .*observations"),
        (IgnoresItsSeed, "two fresh instances, step 0 .*observations"),
        (KeepsItsFirstGenerator, "an instance that is reset again, step 0 .*observations"),
        (NoisyReward, "two fresh instances, step 0 .*rewards"),
        (NoisyEnd, "terminations|one episode is over, the other goes on"),
        (NoisyMask, "two fresh instances, step .*masks"),
        (LastStepDiffers, "two fresh instances, step 5 .*rewards"),
    ],
)
def test_determinism_check_fails(broken: type[Walk], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_determinism(broken)


@pytest.mark.usefixtures("global_generators")
def test_determinism_check_gives_the_global_generators_back() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    check_determinism(Walk)
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002


class LeavesTheSpace(Walk):
    def sight(self) -> Any:
        return super().sight() + (10 if self.count == 6 else 0)


class WrongDtype(Walk):
    def sight(self) -> Any:
        return super().sight().astype(np.float16)


class WrongShape(Walk):
    def sight(self) -> Any:
        return np.float32(self.place)[None, None]


class NoArray(Walk):
    def sight(self) -> Any:
        return [self.place]


class ReusesItsArray(Walk):
    array = np.zeros(1, dtype=np.float32)

    def sight(self) -> Any:
        self.array[:] = self.place
        return self.array


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (LeavesTheSpace, "at step 5 lies outside"),
        (WrongDtype, "has dtype float16, not float32"),
        (WrongShape, r"has shape \(1, 1\), not \(1,\)"),
        (NoArray, "is a list, not an array"),
        (ReusesItsArray, "writes into observations that it gave away"),
    ],
)
def test_observation_check_fails(broken: type[Walk], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_observations(broken)


# --- batches -----------------------------------------------------------------------------------------------------


class Altered(AlteredBatch):
    """A bimatrix batch of horizon 3 whose results are changed by `change`; sound as it stands."""

    def make(self, num_envs: int, autoreset: bool) -> Any:
        return bimatrix_v0.batched_env(num_envs, horizon=3, autoreset=autoreset)


def with_noise(seen: Any, noise: Any) -> Any:
    """`seen` with `noise` added to the rewards of agent_0."""
    if not isinstance(seen, BatchStep):
        return seen
    return replace(seen, rewards={**seen.rewards, "agent_0": seen.rewards["agent_0"] + noise})


class UsesNumEnvs(Altered):
    def change(self, seen: Any) -> Any:
        return with_noise(seen, 0.01 * self.num_envs)


class SharesOneGenerator(Altered):
    """Draws for all replicas in turn from one generator, so that replica k sees how many others there are."""

    def reset(self, seed: Any = None, first_episode: int = 0) -> BatchObservation:
        self.generator = np.random.default_rng(seed if np.ndim(seed) == 0 else 0)
        return super().reset(seed, first_episode)

    def change(self, seen: Any) -> Any:
        return with_noise(seen, self.generator.random(self.num_envs))


class UsesGlobalGenerator(Altered):
    def change(self, seen: Any) -> Any:
        return with_noise(seen, np.random.random(self.num_envs))  # noqa: NPY002


class SeesTheOthers(Altered):
    def change(self, seen: Any) -> Any:
        return with_noise(seen, seen.rewards["agent_1"].sum()) if isinstance(seen, BatchStep) else seen


def make_batch_that_leaks_unusual_actions() -> Any:
    """Leaks the last replica's action, but only where it is not that of the first batch of five: no comparison
    between batches of different sizes shows it."""
    usual: list[int] = []

    class Leaks(Altered):
        def __init__(self, num_envs: int) -> None:
            super().__init__(num_envs)
            self.first = num_envs == 5 and not usual
            self.expected = iter(list(usual))

        def step(self, actions: Any) -> BatchStep:
            last = int(actions["agent_0"][-1])
            if self.first:
                usual.append(last)
            leak = self.num_envs == 5 and not self.first and last != next(self.expected)
            return with_noise(super().step(actions), 0.1 * leak)

    return Leaks


class UsesPosition(Altered):
    def change(self, seen: Any) -> Any:
        return with_noise(seen, 0.01 * np.arange(self.num_envs))


class HidesFinalObservations(Altered):
    def change(self, seen: Any) -> Any:
        return replace(seen, final_observations=None) if isinstance(seen, BatchStep) else seen


class NoisyPlannerPayoff(Altered):
    def change(self, seen: Any) -> Any:
        if not isinstance(seen, BatchStep):
            return seen
        noise = np.random.random(self.num_envs)  # noqa: NPY002
        return replace(seen, payoffs={**seen.payoffs, "planner": seen.payoffs["planner"] + noise})


def test_sound_batch_passes() -> None:
    check_replica_independence(Altered)
    check_batch_observations(Altered)
    check_masks(Altered)
    check_batched_equals_single(Altered, lambda: bimatrix_v0.parallel_env(horizon=3))


@pytest.mark.usefixtures("global_generators")
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (UsesNumEnvs, "num_envs = 1 and 5.*'rewards'"),
        (SharesOneGenerator, "replica 0, step .*'rewards'"),
        (UsesGlobalGenerator, "num_envs = 1 and 5.*'rewards'"),
        (SeesTheOthers, "'rewards'"),
        (make_batch_that_leaks_unusual_actions(), r"only the \*other\* replicas act differently.*'rewards'"),
        (UsesPosition, "one sequence of seeds and its reverse.*'rewards'"),
        (HidesFinalObservations, "without final_observations"),
        (NoisyPlannerPayoff, "'payoffs'"),
    ],
)
def test_replica_independence_check_fails(broken: type[Altered], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_replica_independence(broken)


class FinalIsTheNewEpisodes(Altered):
    def change(self, seen: Any) -> Any:
        if isinstance(seen, BatchStep) and seen.final_observations is not None:
            return replace(seen, final_observations=seen.observations)
        return seen


class ForgetsToReset(Altered):
    def change(self, seen: Any) -> Any:
        if isinstance(seen, BatchStep) and seen.final_observations is not None:
            return replace(seen, observations=seen.final_observations)
        return seen


class TerminatesInsteadOfTruncating(Altered):
    def change(self, seen: Any) -> Any:
        if isinstance(seen, BatchStep):
            return replace(seen, terminated=seen.truncated, truncated=seen.terminated)
        return seen


class ForgetsMasks(Altered):
    def change(self, seen: Any) -> Any:
        return replace(seen, action_masks={})


class OtherPayoff(Altered):
    def change(self, seen: Any) -> Any:
        if isinstance(seen, BatchStep):
            return replace(seen, payoffs={**seen.payoffs, "agent_1": seen.payoffs["agent_1"] * 2})
        return seen


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (UsesPosition, "rewards at step 0"),
        (FinalIsTheNewEpisodes, "final observations at step 2"),
        (ForgetsToReset, "observations after the reset at step 2"),
        (TerminatesInsteadOfTruncating, "terminated at step 2"),
        (ForgetsMasks, "action masks after reset"),
        (OtherPayoff, "payoffs at step 0"),
    ],
)
def test_batched_equals_single_check_fails(broken: type[Altered], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_batched_equals_single(broken, lambda: bimatrix_v0.parallel_env(horizon=3))


def test_batched_equals_single_check_needs_an_auto_reset() -> None:
    class Endless(Altered):
        @property
        def horizon(self) -> int:
            return 0

    with pytest.raises(AssertionError, match="no episode ended"):
        check_batched_equals_single(Endless, lambda: bimatrix_v0.parallel_env(horizon=3))


def altered_observations(seen: Any, alter: Any) -> Any:
    return replace(seen, observations={**seen.observations, "agent_1": alter(seen.observations["agent_1"])})


class BatchLeavesTheSpace(Altered):
    def change(self, seen: Any) -> Any:
        return altered_observations(seen, lambda rows: rows + np.float32(0.5))


class BatchOfWrongDtype(Altered):
    def change(self, seen: Any) -> Any:
        return altered_observations(seen, lambda rows: rows.astype(np.float64))


class BatchOfWrongShape(Altered):
    def change(self, seen: Any) -> Any:
        return altered_observations(seen, lambda rows: rows[:, :-1])


class BatchWithoutAnAgent(Altered):
    def change(self, seen: Any) -> Any:
        return replace(seen, observations={"agent_0": seen.observations["agent_0"]})


class FinalLeavesTheSpace(Altered):
    def change(self, seen: Any) -> Any:
        if isinstance(seen, BatchStep) and seen.final_observations is not None:
            return replace(seen, final_observations={a: o - 1 for a, o in seen.final_observations.items()})
        return seen


class BatchReusesItsArrays(Altered):
    def change(self, seen: Any) -> Any:
        buffer = self.__dict__.setdefault("buffer", seen.observations["agent_1"].copy())
        buffer[:] = seen.observations["agent_1"]
        return altered_observations(seen, lambda rows: buffer)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (BatchLeavesTheSpace, "observations after reset of 'agent_1' lie outside"),
        (BatchOfWrongDtype, "have dtype float64, not float32"),
        (BatchOfWrongShape, r"have shape \(3, 8\), not \(3, 9\)"),
        (BatchWithoutAnAgent, r"observations after reset name \['agent_0'\]"),
        (FinalLeavesTheSpace, "final_observations of step 2 .*lie outside"),
        (HidesFinalObservations, "ended without final_observations"),
        (BatchReusesItsArrays, "writes into arrays that it gave away"),
    ],
)
def test_batch_observation_check_fails(broken: type[Altered], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_batch_observations(broken)


# --- masks -------------------------------------------------------------------------------------------------------


def altered_masks(seen: Any, alter: Any) -> Any:
    return replace(seen, action_masks={**seen.action_masks, "agent_0": alter(seen.action_masks["agent_0"])})


class MaskOfInts(Altered):
    def change(self, seen: Any) -> Any:
        return altered_masks(seen, lambda mask: mask.astype(np.int8))


class MaskOfWrongShape(Altered):
    def change(self, seen: Any) -> Any:
        return altered_masks(seen, lambda mask: mask[:, :2])


class MaskOfNothing(Altered):
    def change(self, seen: Any) -> Any:
        return altered_masks(seen, np.zeros_like)


class MaskOfAnotherState(Altered):
    def change(self, seen: Any) -> Any:
        return altered_masks(seen, lambda mask: mask[:, ::-1].copy())


class TableMasks(Altered):
    """Changes agent_0's mask table by `table`; what is seen in play follows."""

    def table(self, mask: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def tabular_game(self) -> Any:
        game = self.inner.tabular_game()
        return replace(game, action_masks={**game.action_masks, "agent_0": self.table(game.action_masks["agent_0"])})


class AllowsClampedMoves(TableMasks):
    def table(self, mask: np.ndarray) -> np.ndarray:
        return np.ones_like(mask)


class ForbidsAWorkingMove(TableMasks):
    def table(self, mask: np.ndarray) -> np.ndarray:
        forbidden = mask.copy()
        forbidden[5, 2] = False
        return forbidden


class SeesWhatNoStateShows(Altered):
    def change(self, seen: Any) -> Any:
        return altered_observations(seen, np.zeros_like)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (MaskOfInts, "has dtype int8, not bool"),
        (MaskOfWrongShape, r"has shape \(8, 2\), not \(8, 3\)"),
        (MaskOfNothing, "allows no action in some replica"),
        (MaskOfAnotherState, "masks seen in play are not those of tabular_game"),
        (AllowsClampedMoves, "allows two actions with the same effect"),
        (ForbidsAWorkingMove, "state 5, actions of 'agent_0'.*forbids action 2, though"),
        (SeesWhatNoStateShows, r"what is seen in play is in no state of tabular_game\(\)"),
    ],
)
def test_mask_check_fails(broken: type[Altered], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_masks(broken)


# --- planners ----------------------------------------------------------------------------------------------------


class Sound(ConstantPlanner):
    """Plays by its noise and by the time left; broken planners derive from it."""

    noise_size = 1

    def __init__(self) -> None:
        super().__init__(0)

    def act(self, observations: Any, noise: Any, action_masks: Any) -> Any:
        return (7 * noise[:, 0]).astype(np.int64)

    def tabular(self, observations: Any, action_masks: Any) -> Any:
        return np.full((len(observations), 7), 1 / 7)


class CountsReplicas(Sound):
    def act(self, observations: Any, noise: Any, action_masks: Any) -> Any:
        return np.full(len(observations), len(observations) % 7)

    def tabular(self, observations: Any, action_masks: Any) -> None:
        return None


class ActsByPosition(CountsReplicas):
    def act(self, observations: Any, noise: Any, action_masks: Any) -> Any:
        return np.arange(len(observations)) % 7


class ActsOutside(Sound):
    def act(self, observations: Any, noise: Any, action_masks: Any) -> Any:
        return (8 * noise[:, 0]).astype(np.int64)


class ActsByFloats(Sound):
    def act(self, observations: Any, noise: Any, action_masks: Any) -> Any:
        return 7 * noise[:, 0]


class ActsByGlobalGenerator(Sound):
    def act(self, observations: Any, noise: Any, action_masks: Any) -> Any:
        return np.random.randint(7, size=len(observations))  # noqa: NPY002


class Remembers(CountsReplicas):
    calls = 0

    def act(self, observations: Any, noise: Any, action_masks: Any) -> Any:
        self.calls += 1
        return np.full(len(observations), self.calls % 7)


class TellsOtherProbabilities(Sound):
    def tabular(self, observations: Any, action_masks: Any) -> Any:
        return np.tile([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], (len(observations), 1))


class TellsNoProbabilities(Sound):
    def tabular(self, observations: Any, action_masks: Any) -> Any:
        return np.full((len(observations), 7), 0.2)


class TellsNegativeProbabilities(Sound):
    def tabular(self, observations: Any, action_masks: Any) -> Any:
        return np.tile([1.5, -0.5, 0, 0, 0, 0, 0], (len(observations), 1))


class TellsOneRow(Sound):
    def tabular(self, observations: Any, action_masks: Any) -> Any:
        return np.full((1, 7), 1 / 7)


class WantsHalfANumber(Sound):
    noise_size = 0.5


class WantsLessThanNothing(Sound):
    noise_size = -1


def with_planner(num_envs: int, planner: Any) -> EngineBatch:
    return augmented_bimatrix_v0.batched_env(num_envs, planner=planner)


def test_sound_planner_passes() -> None:
    check_planner(Sound(), with_planner)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (CountsReplicas, "depend on the number of replicas"),
        (ActsByPosition, "depend on the order of the replicas"),
        (ActsOutside, r"not valid: .*must lie in Discrete\(7\)"),
        (ActsByFloats, "not valid: .*must be integers"),
        (ActsByGlobalGenerator, "the same observations and noise give different actions"),
        (Remembers, "the same observations and noise give different actions"),
        (TellsOtherProbabilities, r"act\(\) plays with frequencies"),
        (TellsNoProbabilities, "probabilities that sum to"),
        (TellsNegativeProbabilities, "negative probability"),
        (TellsOneRow, "for 6 rows"),
        (WantsHalfANumber, "noise_size must be an integer"),
        (WantsLessThanNothing, "noise_size must not be negative"),
    ],
)
def test_planner_check_fails(broken: type[Sound], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_planner(broken(), with_planner)


def test_planner_check_fails_if_the_batch_gives_the_planner_other_noise_per_size() -> None:
    class OwnNoise(PlannerInside):
        def actions(self, observations: Any, masks: Any) -> Any:
            noise = np.random.default_rng(self._num_envs).random((self._num_envs, 1))
            return self.planner.act(observations[self._role], noise, None)

    def make(num_envs: int, planner: Any) -> EngineBatch:
        batch = EngineBatch(with_planner(num_envs, "learned").engine, planner)
        spaces = batch.engine.observation_spaces["planner"], batch.engine.action_spaces["planner"]
        if planner != "learned":
            batch._inside = OwnNoise(planner, "planner", *spaces, num_envs)
        return batch

    with pytest.raises(AssertionError, match="num_envs = 1 and 5"):
        check_planner(Sound(), make)


# --- perturbations -----------------------------------------------------------------------------------------------


class PerturbsThePlanner(PlannerAdversity):
    def __call__(self, transition: Any) -> Any:
        return {**super().__call__(transition), "planner": transition.planner_outcome}


class AddsOneNumberForAll(PlannerAdversity):
    def __call__(self, transition: Any) -> Any:
        return {"agent_0": np.array([1.0])}


class AddsTheMeanOverReplicas(PlannerAdversity):
    def __call__(self, transition: Any) -> Any:
        mean = transition.planner_outcome.mean()
        return {"agent_0": np.full_like(transition.planner_outcome, mean)}

    def tabular(self, game: Any) -> None:
        return None


class AddsNaN(AddsTheMeanOverReplicas):
    def __call__(self, transition: Any) -> Any:
        return {"agent_1": np.where(transition.steps == 7, np.nan, 0.0)}


class AddsGlobalNoise(AddsTheMeanOverReplicas):
    def __call__(self, transition: Any) -> Any:
        return {"agent_0": np.random.normal(size=transition.steps.size)}  # noqa: NPY002


class TellsOtherTables(PlannerAdversity):
    def tabular(self, game: Any) -> Any:
        return {"agent_0": 0.9 * super().tabular(game)["agent_0"]}


class TellsTablesOfAgentsItLeavesAlone(PlannerAdversity):
    def __call__(self, transition: Any) -> Any:
        return {"agent_0": super().__call__(transition)["agent_0"]}


class WritesIntoPayoffs(PlannerAdversity):
    def __call__(self, transition: Any) -> Any:
        transition.payoffs["agent_0"][:] -= 1.0
        return super().__call__(transition)


class SavesUpItsBound(AddsTheMeanOverReplicas):
    """Within the bound at the end of an episode of 20 steps, but not after its first step."""

    def __call__(self, transition: Any) -> Any:
        return {"agent_0": np.where(transition.steps == 0, 1.0, 0.0)}


def with_perturbation(num_envs: int, perturbation: Any) -> EngineBatch:
    return bimatrix_v0.batched_env(num_envs, perturbation=perturbation)


def test_sound_perturbation_passes() -> None:
    check_perturbation(lambda: PlannerAdversity(0.5), with_perturbation, bound=0.5)


@pytest.mark.usefixtures("global_generators")
@pytest.mark.parametrize(
    ("broken", "bound", "message"),
    [
        (PerturbsThePlanner, None, "'planner' is perturbed, but only"),
        (AddsNaN, None, "perturbation of 'agent_1' is not finite"),
        (AddsOneNumberForAll, None, r"has shape \(1,\), not \(6,\)"),
        (AddsTheMeanOverReplicas, None, "num_envs = 1 and 5.*'rewards'"),
        (AddsGlobalNoise, None, "num_envs = 1 and 5.*'rewards'"),
        (TellsOtherTables, None, r"where tabular\(\) says"),
        (TellsTablesOfAgentsItLeavesAlone, None, r"'agent_1' is .*where tabular\(\) says"),
        (WritesIntoPayoffs, None, "writes into what it sees"),
        (PlannerAdversity, 0.3, "has mean .* per step so far, bound 0.3"),
        (SavesUpItsBound, 0.5, "has mean 1.0 per step so far, bound 0.5"),
    ],
)
def test_perturbation_check_fails(broken: type[PlannerAdversity], bound: float | None, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_perturbation(lambda: broken(0.5), with_perturbation, bound)


def test_perturbation_check_fails_if_the_batch_ignores_the_perturbation() -> None:
    with pytest.raises(AssertionError, match="never called the perturbation"):
        check_perturbation(lambda: PlannerAdversity(0.5), lambda n, perturbation: bimatrix_v0.batched_env(n))


# --- behaviours --------------------------------------------------------------------------------------------------


class RemembersOverEpisodes(Habit):
    def __call__(self, intentions: Any) -> Any:
        return super().__call__(replace(intentions, steps=intentions.steps + 1))


class RepeatsWhatIsForbidden(Habit):
    def __call__(self, intentions: Any) -> Any:
        return super().__call__(replace(intentions, action_masks=None))


class FollowsTheFirstReplica(Habit):
    def __call__(self, intentions: Any) -> Any:
        stays = np.ones_like(intentions.actions)
        return intentions.actions if intentions.noise[0, 0, 0] < self.probability else stays


class DrawsFromTheGlobalGenerator(Habit):
    def __call__(self, intentions: Any) -> Any:
        return super().__call__(replace(intentions, noise=np.random.random(intentions.noise.shape)))  # noqa: NPY002


class WritesIntoIntentions(Habit):
    def __call__(self, intentions: Any) -> Any:
        intentions.actions[:] = 1
        return intentions.actions


class DoesTheImpossible(Habit):
    def __call__(self, intentions: Any) -> Any:
        return intentions.actions + 9


class ActsForTheFirstAgentOnly(Habit):
    def __call__(self, intentions: Any) -> Any:
        return intentions.actions[:, 0]


def with_behaviour(num_envs: int, behaviour: Any) -> EngineBatch:
    return bimatrix_v0.batched_env(num_envs, behaviour=behaviour)


def test_sound_behaviour_passes() -> None:
    check_behaviour(lambda: Habit(0.5), with_behaviour)


@pytest.mark.usefixtures("global_generators")
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (RemembersOverEpisodes, "after a reset with the same seed"),
        (RepeatsWhatIsForbidden, "does what the mask forbids"),
        (FollowsTheFirstReplica, "differs between"),
        (DrawsFromTheGlobalGenerator, "after a reset with the same seed"),
        (WritesIntoIntentions, "writes into what it sees"),
        (DoesTheImpossible, "not valid.*must lie in"),
        (ActsForTheFirstAgentOnly, r"not valid.*must have shape \(6, 2\)"),
    ],
)
def test_behaviour_check_fails(broken: type[Habit], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_behaviour(lambda: broken(0.5), with_behaviour)


def test_behaviour_check_fails_if_the_batch_ignores_the_behaviour() -> None:
    with pytest.raises(AssertionError, match="never called the behaviour"):
        check_behaviour(lambda: Habit(0.5), lambda n, behaviour: bimatrix_v0.batched_env(n))


# --- whole modules -----------------------------------------------------------------------------------------------


def module_with(**changes: Any) -> Any:
    faces = {"batched_env": bimatrix_v0.batched_env, "parallel_env": bimatrix_v0.parallel_env}
    return SimpleNamespace(**{**faces, **changes})


def other_horizon(num_envs: int, **arguments: Any) -> EngineBatch:
    return bimatrix_v0.batched_env(num_envs, horizon=19, **arguments)


def without_planner_hook(num_envs: int, **arguments: Any) -> EngineBatch:
    arguments.pop("perturbation", None)
    return bimatrix_v0.batched_env(num_envs, **arguments)


def with_new_spaces_at_every_call(**arguments: Any) -> Any:
    env = bimatrix_v0.parallel_env(**arguments)
    env.observation_space = lambda agent: spaces.Box(0.0, 1.0, (9,), np.float32)
    return env


def with_dead_agents_in_infos(**arguments: Any) -> Any:
    env = bimatrix_v0.parallel_env(**arguments)
    step = env.step
    env.step = lambda actions: (*step(actions)[:4], {"ghost": {}})
    return env


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batched_env": other_horizon}, "batched and single face differ"),
        ({"batched_env": without_planner_hook}, "never called the perturbation"),
        ({"parallel_env": with_new_spaces_at_every_call}, "observation_space should return the exact same"),
        ({"parallel_env": with_dead_agents_in_infos}, "differ|PettingZoo's tests"),
    ],
    ids=["other rules", "no hook", "new spaces", "wrong infos"],
)
def test_environment_check_fails(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_environment(module_with(**changes))


# --- tables against play ---------------------------------------------------------------------------------------------


def wrong_tables(change: Any) -> Any:
    class WrongTables(EngineBatch):
        def tabular_game(self) -> Any:
            game = super().tabular_game()
            return None if game is None else replace(game, **change(game))

    def make(num_envs: int) -> EngineBatch:
        batch = augmented_bimatrix_v0.batched_env(num_envs, horizon=4, agents_observe="own")
        batch.__class__ = WrongTables
        return batch

    return make


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda game: {"rewards": {**game.rewards, "planner": game.rewards["planner"] * 0 + 7}},
            "rewards of 'planner'",
        ),
        (lambda game: {"rewards": {**game.rewards, "agent_1": -game.rewards["agent_1"]}}, "rewards of 'agent_1'"),
        (lambda game: {"start": np.roll(np.eye(game.start.size)[0], 5)}, "first states"),
        (lambda game: {"next_states": (game.next_states + 7) % game.start.size}, "next_states|rewards"),
        (
            lambda game: {"horizon": 3, "observations": {r: seen[:3] for r, seen in game.observations.items()}},
            "horizon",
        ),
    ],
    ids=["planner", "agent", "start", "next states", "horizon"],
)
def test_tables_that_are_not_the_game_are_found(change: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_tables(wrong_tables(change))


def test_tables_that_are_the_game_pass() -> None:
    check_tables(wrong_tables(lambda game: {}))


def test_planners_are_given_arrays_that_torch_takes() -> None:
    """Torch takes no negative strides, which rows in reverse order have unless they are copied."""

    class Careful(ConstantPlanner):
        def act(self, observations: Any, noise: Any, action_masks: Any) -> Any:
            assert all(step > 0 for array in (observations, action_masks) for step in array.strides)
            return super().act(observations, noise, action_masks)

    check_planner(Careful(0), lambda num_envs, planner: augmented_bimatrix_v0.batched_env(num_envs, planner=planner))


def test_infos_that_change_their_form_are_found() -> None:
    class Told(Walk):
        def step(self, actions: Any) -> Any:
            *result, infos = super().step(actions)
            return *result, {agent: {**info, "payoff": 1.0} for agent, info in infos.items()}

    check_infos(Walk)
    with pytest.raises(AssertionError, match=r"infos of 'agent_0' at step 0 .* have the form .*payoff"):
        check_infos(Told)
