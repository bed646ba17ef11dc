"""The joint rollout: common random numbers, what was played, shared learners, bootstrapping, clipping."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from numpy.typing import NDArray

from ermas_algos import MARL, MARLConfig, TrainingStopped
from ermas_algos.algorithms.joint_rollout import Trajectories, joint_rollout
from ermas_algos.learners import SB3Learner, SB3LearnerConfig
from ermas_envs import BatchedEnv, BatchObservation, BatchStep, ParallelEnvBatch, bimatrix_v0, one_step_economy_v0
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.games.one_step import metrics
from ermas_envs.planners import FreeMarket

ROLES = ("agent_0", "agent_1", "planner")


class Scripted:
    """Plays a function of (observations, noise, masks); keeps what it was asked."""

    def __init__(self, policy: Callable[..., Any], noise_size: int = 1) -> None:
        self.policy = policy
        self.noise_size = noise_size
        self.calls: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]] = []

    def act(
        self, observations: NDArray[Any], noise: NDArray[Any], action_masks: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        self.calls.append((observations, noise, action_masks))
        return np.asarray(self.policy(observations, noise, action_masks))


def uniform_moves(_: Any, noise: NDArray[Any], __: Any) -> NDArray[Any]:
    return (3 * noise[:, 0]).astype(np.int64)


def up(observations: NDArray[Any], _: Any, __: Any) -> NDArray[Any]:
    return np.full(len(observations), 2)


def nothing(observations: NDArray[Any], _: Any, __: Any) -> NDArray[Any]:
    return np.zeros(len(observations), dtype=np.int64)


def game(num_envs: int, horizon: int = 4) -> EngineBatch:
    return bimatrix_v0.batched_env(num_envs, horizon=horizon)


def players(**policies: Callable[..., Any]) -> dict[str, Scripted]:
    standard = {"agent_0": uniform_moves, "agent_1": uniform_moves, "planner": nothing}
    return {role: Scripted(policies.get(role, standard[role])) for role in ROLES}


def play(env: Any, cast: Any, steps: int = 8, seed: int = 3, episode: int = 0) -> Trajectories:
    return joint_rollout(env, cast, steps, np.random.default_rng(seed), episode)


class CountingGame:
    """A `BatchedEnv` that shows 10·replica + step in the episode and pays the sum of the action.

    Episodes take `limit` steps in even replicas and one step fewer in odd ones.
    """

    name, agents, planner, possible_agents = "counting", ("agent_0",), "planner", ("agent_0", "planner")
    planner_payoff_scale = 1.0

    def __init__(
        self,
        num_envs: int,
        limit: int,
        horizon: int | None,
        truncates: bool = True,
        terminates: bool = False,
    ) -> None:
        self.num_envs, self.limit, self.horizon = num_envs, limit, horizon
        self.truncates, self.terminates = truncates, terminates
        box = spaces.Box(-100.0, 100.0, (1,), np.float32)
        self.observation_spaces: Mapping[str, spaces.Space[Any]] = dict.fromkeys(self.possible_agents, box)
        self.action_spaces: Mapping[str, spaces.Space[Any]] = dict.fromkeys(
            self.possible_agents, spaces.Box(-0.5, 0.5, (2,), np.float32)
        )
        self.received: list[NDArray[Any]] = []
        self.episodes: list[int] = []

    def _seen(self) -> dict[str, NDArray[Any]]:
        return {role: (10.0 * self.start + self.time)[:, None].astype(np.float32) for role in self.possible_agents}

    def reset(self, seed: Any = None, first_episode: int = 0) -> BatchObservation:
        self.start, self.time = np.arange(self.num_envs), np.zeros(self.num_envs)
        self.episodes.append(first_episode)
        return BatchObservation(self._seen(), {})

    def step(self, actions: Mapping[str, NDArray[Any]]) -> BatchStep:
        self.received.append(actions["agent_0"])
        self.time = self.time + 1
        ended = self.time >= self.limit - self.start % 2  # odd replicas are one step shorter
        final = self._seen() if ended.any() else None
        self.time[ended] = 0
        paid = {role: actions[role].sum(axis=1).astype(np.float64) for role in self.possible_agents}
        terminated, truncated = ended & self.terminates, ended & self.truncates
        return BatchStep(self._seen(), {}, paid, paid, terminated, truncated, final)

    def tabular_game(self) -> None:
        return None

    def close(self) -> None:
        pass


def gaussian(observations: NDArray[Any], noise: NDArray[Any], _: Any) -> NDArray[Any]:
    return (4.0 * noise - 2.0).astype(np.float32)


def counting_cast() -> dict[str, list[Scripted]]:
    return {role: [Scripted(gaussian, 2)] for role in CountingGame.possible_agents}


# Common random numbers


def equal_blocks(trajectories: Trajectories, first: int, second: int) -> bool:
    one, two = trajectories.block(first), trajectories.block(second)
    groups = (trajectories.observations, trajectories.actions, trajectories.rewards, trajectories.payoffs)
    return all(np.array_equal(array[:, one], array[:, two]) for group in groups for array in group.values())


def test_blocks_with_the_same_policies_are_bit_identical() -> None:
    cast = {role: [player] * 3 for role, player in players().items()}
    trajectories = play(game(30), cast)
    assert equal_blocks(trajectories, 0, 1)
    assert equal_blocks(trajectories, 0, 2)
    assert len(np.unique(trajectories.observations["agent_0"][0, :10], axis=0)) > 1  # replicas of a block differ


def test_blocks_of_sb3_learners_with_the_same_parameters_are_bit_identical() -> None:
    """Distinct objects, other batch sizes: an action flips only if its noise falls between two roundings of
    one probability, about 1e-7 each; 5 120 decisions: 1e-3 for a new machine or seed."""
    env = game(128)
    config = SB3LearnerConfig()
    cast = {
        role: [SB3Learner(config, env.observation_spaces[role], env.action_spaces[role], 0) for _ in range(2)]
        for role in ROLES
    }
    assert equal_blocks(play(env, cast, steps=20), 0, 1)


def test_blocks_share_start_states_and_noise_where_one_agent_deviates() -> None:
    current, deviator = players(), Scripted(up)
    trajectories = play(
        game(20), {**{role: [p, p] for role, p in current.items()}, "agent_0": [current["agent_0"], deviator]}
    )
    for role in ROLES:
        assert np.array_equal(trajectories.observations[role][0, :10], trajectories.observations[role][0, 10:])
    for own, others in zip(current["agent_0"].calls, deviator.calls, strict=True):
        assert np.array_equal(own[1], others[1])
    noise = current["agent_1"].calls[0][1]
    assert np.array_equal(noise[:10], noise[10:])
    assert not np.array_equal(noise, current["agent_1"].calls[1][1])
    # The other agent ignores what it sees: it plays the same. The deviator plays differently.
    assert np.array_equal(trajectories.actions["agent_1"][:, :10], trajectories.actions["agent_1"][:, 10:])
    assert (trajectories.actions["agent_0"][:, 10:] == 2).all()
    assert not np.array_equal(trajectories.actions["agent_0"][:, :10], trajectories.actions["agent_0"][:, 10:])


def test_the_generator_alone_decides() -> None:
    def observed(seed: int) -> NDArray[Any]:
        return play(game(16), {role: [p] for role, p in players().items()}, seed=seed).observations["agent_0"]

    assert np.array_equal(observed(1), observed(1))
    assert not np.array_equal(observed(1), observed(2))


def test_the_joint_block_does_not_depend_on_further_blocks() -> None:
    alone = play(game(10), {role: [p] for role, p in players().items()})
    with_others = play(
        game(30),
        {role: [p, Scripted(up if role == "agent_0" else p.policy), p] for role, p in players().items()},
    )
    for role in ROLES:
        assert np.array_equal(alone.actions[role], with_others.actions[role][:, :10])
        assert np.array_equal(alone.observations[role], with_others.observations[role][:, :10])


# What was played


def test_trajectories_are_what_a_replay_of_the_actions_gives() -> None:
    found = play(game(12), {role: [p, p] for role, p in players().items()}, steps=8, seed=5)
    seeds = np.tile(np.random.default_rng(5).integers(2**63, size=6), 2)
    env = game(12)
    seen: BatchObservation = env.reset(seeds)
    for t in range(8):
        for role in ROLES:
            assert np.array_equal(found.observations[role][t], seen.observations[role])
            assert np.array_equal(found.action_masks[role][t], seen.action_masks[role])
        result = env.step({role: found.actions[role][t] for role in ROLES})
        for role in ROLES:
            assert np.array_equal(found.rewards[role][t], result.rewards[role])
            assert np.array_equal(found.payoffs[role][t], result.payoffs[role])
        assert np.array_equal(found.ended[t], result.terminated | result.truncated)
        seen = result
    assert np.array_equal(found.observations["planner"][8], seen.observations["planner"])
    assert found.ended[3].all()
    assert found.ended[7].all()
    assert found.ended.sum() == 24


def test_learners_see_the_observations_and_masks_that_are_recorded() -> None:
    current = players()
    found = play(game(6), {role: [p] for role, p in current.items()})
    for role, player in current.items():
        for t, (seen, _, masks) in enumerate(player.calls):
            assert np.array_equal(seen, found.observations[role][t])
            assert np.array_equal(masks, found.action_masks[role][t])


def test_the_first_episode_is_passed_to_the_environment() -> None:
    env = CountingGame(2, 4, 4)
    play(env, counting_cast(), steps=4, episode=7)
    assert env.episodes == [7]


def test_block_mean_and_rollout_select_the_block() -> None:
    current, other = players(), players(agent_0=up)
    found = play(game(20), {role: [current[role], other[role]] for role in ROLES})
    reward = found.rewards["agent_0"]
    assert found.mean(reward, 1) == pytest.approx(reward[:, 10:].mean())
    assert found.mean(reward, 0) != found.mean(reward, 1)
    rollout = found.rollout([("agent_0", 1)], {"agent_0": 2.0 * reward})
    assert np.array_equal(rollout.rewards, 2.0 * reward[:, 10:])
    assert np.array_equal(rollout.observations, found.observations["agent_0"][:-1, 10:])
    assert np.array_equal(rollout.last_observations, found.observations["agent_0"][-1, 10:])
    assert np.array_equal(rollout.actions, np.full((8, 10), 2))
    assert rollout.action_masks is not None
    assert np.array_equal(rollout.action_masks, found.action_masks["agent_0"][:, 10:])
    assert np.array_equal(rollout.ended, found.ended[:, 10:])


# One learner in several roles


def test_one_learner_in_two_roles_acts_once_per_step_and_plays_as_two_equal_learners() -> None:
    shared, planner = Scripted(uniform_moves), Scripted(nothing)
    found = play(game(10), {"agent_0": [shared], "agent_1": [shared], "planner": [planner]})
    assert [len(seen) for seen, _, _ in shared.calls] == [20] * 8
    apart = play(game(10), {role: [player] for role, player in players().items()})
    for role in ROLES:
        assert np.array_equal(found.actions[role], apart.actions[role])
        assert np.array_equal(found.rewards[role], apart.rewards[role])
    for t, (seen, _, masks) in enumerate(shared.calls):  # replica by replica
        for shown, given in ((found.observations, seen), (found.action_masks, masks)):
            by_replica = np.stack([shown[agent][t] for agent in ROLES[:2]], axis=1)
            assert np.array_equal(by_replica.reshape(20, -1), given)


# Time limits


def test_no_bootstrapping_where_the_horizon_is_part_of_the_game() -> None:
    found = play(CountingGame(4, 4, horizon=4), counting_cast())
    rollout = found.rollout([("agent_0", 0)], {"agent_0": found.rewards["agent_0"]})
    assert found.ended.any()
    assert not found.cut.any()
    assert found.final_observations is None
    assert rollout.bootstrap_observations is None
    assert rollout.bootstrapped is None


def test_time_limits_outside_the_game_are_bootstrapped_from_the_final_observation() -> None:
    found = play(CountingGame(2, 4, horizon=None), counting_cast(), steps=6)
    rollout = found.rollout([("agent_0", 0)], {"agent_0": found.rewards["agent_0"]})
    # Replica 0 has episodes of 4 steps, replica 1, which starts from 10, of 3.
    ended = np.zeros((6, 2), dtype=bool)
    ended[3, 0] = ended[2, 1] = ended[5, 1] = True
    assert np.array_equal(rollout.ended, ended)
    assert rollout.bootstrapped is not None
    assert np.array_equal(rollout.bootstrapped, ended)
    assert rollout.bootstrap_observations is not None
    assert rollout.bootstrap_observations[ended].ravel().tolist() == [13.0, 4.0, 13.0]
    assert rollout.observations[..., 0].T.tolist() == [[0, 1, 2, 3, 0, 1], [10, 11, 12, 10, 11, 12]]
    assert rollout.last_observations.ravel().tolist() == [2.0, 10.0]


@pytest.mark.parametrize("truncates", [False, True])
def test_terminations_are_never_bootstrapped(truncates: bool) -> None:
    env = CountingGame(2, 4, horizon=None, truncates=truncates, terminates=True)
    found = play(env, counting_cast())
    assert found.ended.any()
    assert not found.cut.any()
    assert found.rollout([("agent_0", 0)], {"agent_0": found.rewards["agent_0"]}).bootstrapped is None


# Box actions


def test_box_actions_are_clipped_on_the_way_to_the_environment_only() -> None:
    env = CountingGame(50, 4, 4)
    found = play(env, counting_cast(), steps=4)
    played, received = found.actions["agent_0"], np.stack(env.received)
    assert played.min() < -0.5
    assert played.max() > 0.5
    assert np.array_equal(received, np.clip(played, -0.5, 0.5))
    assert np.array_equal(found.rollout([("agent_0", 0)], {"agent_0": found.rewards["agent_0"]}).actions, played)


# A third-party environment


def wrapped(num_envs: int) -> BatchedEnv:
    return ParallelEnvBatch(lambda: bimatrix_v0.parallel_env(horizon=4), num_envs)


def test_parallel_env_batch_has_common_random_numbers_and_bootstraps() -> None:
    cast = {role: [player] * 2 for role, player in players().items()}
    found = play(wrapped(12), cast)
    assert equal_blocks(found, 0, 1)
    assert len(np.unique(found.observations["agent_0"][0, :6], axis=0)) > 1
    assert found.ended[3].all()
    assert np.array_equal(found.cut, found.ended)
    assert found.final_observations is not None
    # At the cut no time is left (the last entry); the new episode starts with all of it.
    assert (found.final_observations["agent_0"][3, :, -1] == 0.0).all()
    assert (found.observations["agent_0"][4, :, -1] == 1.0).all()


def test_parallel_env_batch_pays_what_the_batched_face_pays() -> None:
    """The faces draw other start cells; from equal cells on, equal actions lead to equal payoffs."""
    found = play(wrapped(10), {role: [p] for role, p in players(agent_0=up, agent_1=up).items()}, steps=4)
    assert (found.payoffs["planner"][3] == 1.0).all()  # three steps up from anywhere end in (3, 3)
    assert np.array_equal(found.rewards["agent_0"], found.payoffs["agent_0"])


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("observations", r"observation of 'agent_1' in step 4 of a rollout \(replica 1\) must be finite, got nan"),
        ("rewards", r"reward of 'agent_1' in step 3 of a rollout \(replica 1\) must be finite, got nan"),
        ("payoffs", r"payoff of 'agent_1' in step 3 of a rollout \(replica 1\) must be finite, got nan"),
    ],
)
def test_what_a_users_batched_environment_must_not_give_is_named(
    monkeypatch: pytest.MonkeyPatch, field: str, message: str
) -> None:
    usual, calls = EngineBatch.step, [0]

    def strange(self: EngineBatch, actions: Any) -> Any:
        calls[0] += 1
        result = usual(self, actions)
        if calls[0] < 3:
            return result
        changed = {role: np.array(array, dtype=np.float64) for role, array in getattr(result, field).items()}
        changed["agent_1"][1] = np.nan
        return dataclasses.replace(result, **{field: changed})

    monkeypatch.setattr(EngineBatch, "step", strange)
    config = MARLConfig(num_envs=2, agent_learner=SB3LearnerConfig(), planner_learner=SB3LearnerConfig())
    with pytest.raises(TrainingStopped, match=message):
        MARL(lambda n: bimatrix_v0.batched_env(n, horizon=6), config).learn(1)


def test_metrics_of_episodes_are_kept_and_not_worked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainers read none; they would cost a seventh of a step of the one-step economy."""
    made: list[int] = []
    usual = metrics.episode_metrics
    monkeypatch.setattr(metrics, "episode_metrics", lambda *given: made.append(1) or usual(*given))
    env = one_step_economy_v0.batched_env(3, num_agents=2, observations="compact", planner=FreeMarket())
    played = play(env, {agent: [Scripted(nothing)] for agent in env.agents}, 2 * env.horizon)
    assert made == []
    assert played.metrics is not None
    assert played.metrics["endow/avg_agent/Coin"].shape == (3,)
    assert made == [1]
