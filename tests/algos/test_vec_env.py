"""`BatchedVecEnv`: every fault of SuperSuit's path to Stable-Baselines3 and its absence here, rows, and learning."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pettingzoo import ParallelEnv
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from ermas_algos.learners import BatchedVecEnv, SB3Learner, SB3LearnerConfig
from ermas_algos.learners.protocol import float32_rewards
from ermas_envs import ParallelEnvBatch, bimatrix_v0, one_step_economy_v0
from ermas_envs.augmented_bimatrix_v0 import batched_env as augmented_env
from ermas_envs.base.streams import Purpose, ReplicaStreams
from ermas_envs.bimatrix_v0 import batched_env
from ermas_envs.planners import ConstantPlanner, FreeMarket

pytestmark = pytest.mark.usefixtures("global_generators")  # to make a model of plain SB3 seeds them

PASSIVE = ConstantPlanner(0)
STAY, UP = 1, 2


def vec_env(num_envs: int = 4, horizon: int = 20) -> BatchedVecEnv:
    """The two agents of the bimatrix game."""
    return BatchedVecEnv(batched_env(num_envs, horizon=horizon, planner=PASSIVE))


def supersuit_env(
    num_envs: int, horizon: int = 20, num_cpus: int = 0, base_class: str = "stable_baselines3", seed: int | None = None
) -> Any:
    """The same through SuperSuit; with a seed, the environment has been reset with it before it is wrapped."""
    supersuit = pytest.importorskip("supersuit")
    env = bimatrix_v0.parallel_env(horizon=horizon, planner=PASSIVE)
    if seed is not None:
        env.reset(seed=seed)
    rows = supersuit.pettingzoo_env_to_vec_env_v1(env)
    return supersuit.concat_vec_envs_v1(rows, num_envs, num_cpus=num_cpus, base_class=base_class)


def start_cells(vec: Any, first: np.ndarray, episodes: int = 8) -> np.ndarray:
    """(episodes, replicas) start cells of an environment with horizon 1, `first` being its first observations."""
    seen = [first] + [vec.step(np.full(len(first), STAY))[0] for _ in range(episodes - 1)]
    joint = np.array(seen)[:, ::2]  # agent_0's rows: own level, other's level, time left
    return joint[:, :, :4].argmax(-1) * 4 + joint[:, :, 4:8].argmax(-1)


def distinct_replicas(cells: np.ndarray) -> int:
    return len(np.unique(cells, axis=1).T)


def trajectory(vec: BatchedVecEnv, seed: int, steps: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Observations and rewards (steps, rows) after seeding, row r playing (r + t) mod 3 (the same for any num_envs)."""
    vec.seed(seed)
    seen, earned = [vec.reset()], []
    for step in range(steps):
        observations, rewards, _, _ = vec.step((np.arange(vec.num_envs) + step) % 3)
        seen.append(observations)
        earned.append(rewards)
    return np.array(seen), np.array(earned)


class Flags(ParallelEnv[str, Any, Any]):
    """Two agents with MultiBinary actions; ends with its second step: by itself if it started in 1, else by time."""

    metadata = {"name": "flags_v0"}  # noqa: RUF012
    possible_agents = ["planner", "agent_0", "agent_1"]  # noqa: RUF012
    render_mode = None

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(0.0, 2.0, (2,), np.float32)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.MultiBinary(3)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.agents, self.step_number = list(self.possible_agents), 0
        self.start = int(np.random.default_rng(seed).integers(2))
        return self.observe(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> Any:
        self.step_number += 1
        over, agents = self.step_number == 2, self.agents
        rewards = {agent: float(actions[agent].sum()) for agent in agents}
        terminations = dict.fromkeys(agents, over and self.start == 1)
        truncations = dict.fromkeys(agents, over and self.start == 0)
        observations = self.observe()
        self.agents = [] if over else agents
        return observations, rewards, terminations, truncations, {agent: {} for agent in agents}

    def observe(self) -> dict[str, np.ndarray]:
        return {agent: np.array([self.start, self.step_number], np.float32) for agent in self.agents}


def flags(num_envs: int = 6) -> BatchedVecEnv:
    return BatchedVecEnv(ParallelEnvBatch(Flags, num_envs), partners={"planner": ConstantPlanner(np.ones(3, np.int8))})


# ---- SuperSuit's faults -------------------------------------------------------------------------------------------


def test_supersuit_cannot_be_seeded_by_sb3_and_we_can() -> None:
    with pytest.raises(AttributeError, match="seed"):
        PPO("MlpPolicy", supersuit_env(2), n_steps=16, batch_size=64, seed=0)

    def trained(seed: int) -> np.ndarray:
        model = PPO("MlpPolicy", vec_env(), n_steps=10, batch_size=40, seed=seed, device="cpu").learn(160)
        return torch.nn.utils.parameters_to_vector(model.policy.parameters()).detach().numpy()

    np.testing.assert_array_equal(trained(3), trained(3))
    assert (trained(3) != trained(4)).any()


def test_supersuit_loses_time_limits_and_we_do_not() -> None:
    def last_step(vec: Any) -> tuple[np.ndarray, list[dict[str, Any]]]:
        vec.reset()
        for _ in range(3):
            _, _, dones, infos = vec.step(np.full(4, STAY))
        return dones, infos

    dones, infos = last_step(supersuit_env(2, horizon=3))
    assert dones.all()
    assert not any(info.get("TimeLimit.truncated", False) for info in infos)
    dones, infos = last_step(vec_env(2, horizon=3))
    assert dones.all()
    assert all(info["TimeLimit.truncated"] is True for info in infos)


def test_supersuit_has_no_attributes_methods_and_masks_and_we_have() -> None:
    theirs = supersuit_env(2)
    for use in (
        lambda: theirs.get_attr("metadata"),
        lambda: theirs.set_attr("horizon", 7),
        lambda: theirs.env_method("reset"),
        lambda: theirs.env_method("action_masks"),
    ):
        with pytest.raises(AttributeError):
            use()
    ours = vec_env(2)
    ours.reset()
    assert ours.get_attr("horizon") == [20] * 4
    ours.set_attr("name", "renamed")
    assert ours.get_attr("name", indices=[0, 3]) == ["renamed"] * 2
    assert [game.horizon for game in ours.env_method("tabular_game", indices=1)] == [20]
    assert ours.has_attr("action_masks")
    assert not ours.has_attr("no_such_attribute")
    assert ours.env_is_wrapped(VecMonitor) == [False] * 4


def test_supersuit_seeds_collide_over_processes_and_ours_do_not() -> None:
    theirs = supersuit_env(4, horizon=1, num_cpus=2, base_class="gymnasium")
    try:
        assert distinct_replicas(start_cells(theirs, theirs.reset(seed=0)[0])) < 4
    finally:
        theirs.close()
    ours = vec_env(4, horizon=1)
    ours.seed(0)
    assert distinct_replicas(start_cells(ours, ours.reset())) == 4


def test_supersuit_copies_share_the_state_of_a_reset_environment_and_ours_do_not() -> None:
    theirs = supersuit_env(3, horizon=1, seed=0)
    assert distinct_replicas(start_cells(theirs, theirs.reset())) == 1
    env = batched_env(3, horizon=1, planner=PASSIVE)
    env.reset(seed=0)
    ours = BatchedVecEnv(env)
    assert distinct_replicas(start_cells(ours, ours.reset())) == 3


def test_supersuit_needs_one_space_for_all_roles_and_we_only_among_those_trained() -> None:
    supersuit = pytest.importorskip("supersuit")
    with pytest.raises(AssertionError, match="action spaces not consistent"):
        supersuit.pettingzoo_env_to_vec_env_v1(bimatrix_v0.parallel_env())
    ours = BatchedVecEnv(batched_env(2), partners={"planner": PASSIVE})
    assert (ours.num_envs, ours.action_space) == (4, spaces.Discrete(3))


# ---- rows, seeds, masks, episodes ---------------------------------------------------------------------------------


def test_rows_are_replica_major_and_each_action_moves_its_own_agent() -> None:
    vec = vec_env(3)
    before = vec.reset()[:, :4].argmax(1)
    for row in range(6):
        actions = np.full(6, STAY)
        actions[row] = 2 if before[row] < 3 else 0
        seen, rewards, _, infos = vec.step(actions)
        levels = seen[:, :4].argmax(1)
        assert np.flatnonzero(levels != before).tolist() == [row]
        others = seen[:, 4:8].argmax(1).reshape(3, 2)
        np.testing.assert_array_equal(others, levels.reshape(3, 2)[:, ::-1])
        expected = (0.6 + np.array([0, 0.12, 0.19, 0.23])[levels] - 0.2 * others.ravel()) / 0.83
        np.testing.assert_allclose(rewards, expected, rtol=1e-6)
        assert infos == [{}] * 6
        before = levels


def test_steps_have_the_types_that_sb3_expects() -> None:
    vec = vec_env(3, horizon=2)
    observations = vec.reset()
    for _ in range(4):
        assert observations.dtype == vec.observation_space.dtype
        assert observations.shape == (6, *vec.observation_space.shape)
        assert all(row in vec.observation_space for row in observations)
        observations, rewards, dones, infos = vec.step(np.array([vec.action_space.sample() for _ in range(6)]))
        assert (rewards.dtype, rewards.shape, dones.dtype, dones.shape) == (np.float32, (6,), np.bool_, (6,))
        assert len({id(info) for info in infos}) == 6
        assert all(("terminal_observation" in info) == done for info, done in zip(infos, dones, strict=True))


def test_replicas_do_not_depend_on_their_number_also_where_a_partner_is_random() -> None:
    def with_random_planner(num_envs: int) -> BatchedVecEnv:
        env = augmented_env(num_envs, q=1.0, horizon=4)
        planner = SB3Learner(SB3LearnerConfig(), env.observation_spaces["planner"], env.action_spaces["planner"], 0)
        return BatchedVecEnv(env, partners={"planner": planner})

    few, many = trajectory(with_random_planner(2), 5), trajectory(with_random_planner(7), 5)
    for short, long in zip(few, many, strict=True):
        np.testing.assert_array_equal(short, long[:, :4])
    again, other = trajectory(with_random_planner(2), 5), trajectory(with_random_planner(2), 6)
    np.testing.assert_array_equal(few[1], again[1])
    assert (few[1] != other[1]).any()
    # Neighbouring seeds share no replica, as they would with SB3's seed + row.
    cells = [trajectory(vec_env(8, horizon=1), seed)[0][:, ::2].reshape(10, 8, -1) for seed in (5, 6)]
    assert not any((cells[0][:, a] == cells[1][:, b]).all() for a in range(8) for b in range(8))


def test_an_unseeded_reset_goes_on_with_the_streams() -> None:
    vec = vec_env(20, horizon=1)
    vec.seed(1)
    first, second = vec.reset(), vec.reset()
    assert (first != second).any()
    vec.seed(1)
    np.testing.assert_array_equal(vec.reset(), first)
    np.testing.assert_array_equal(vec.reset(), second)


def test_partners_play_their_role_on_what_they_see() -> None:
    class Follower:
        """Copies agent_1's direction: up if agent_1 stands above level 1, else down."""

        noise_size = 0

        def act(self, observations: np.ndarray, noise: np.ndarray, action_masks: np.ndarray | None) -> np.ndarray:
            assert noise.shape == (5, 0)
            assert action_masks is not None
            return np.where(observations[:, 4:8].argmax(1) > 1, 2, 0)

    vec = BatchedVecEnv(batched_env(5), roles=["agent_1"], partners={"agent_0": Follower(), "planner": PASSIVE})
    before = vec.reset()
    seen = vec.step(np.full(5, STAY))[0]
    moved = np.where(before[:, :4].argmax(1) > 1, 1, -1)
    np.testing.assert_array_equal(seen[:, 4:8].argmax(1), np.clip(before[:, 4:8].argmax(1) + moved, 0, 3))


class NoiseKeeper:
    """Plays 0 and keeps the noise that it is given."""

    noise_size = 2

    def __init__(self) -> None:
        self.noise: list[np.ndarray] = []

    def act(self, observations: np.ndarray, noise: np.ndarray, action_masks: np.ndarray | None) -> np.ndarray:
        self.noise.append(noise)
        return np.zeros(len(observations), np.int64)


def test_partners_get_uniform_noise_of_their_own() -> None:
    partners = {"agent_1": NoiseKeeper(), "planner": NoiseKeeper()}
    vec = BatchedVecEnv(batched_env(100), partners=partners, roles=["agent_0"])
    trajectory(vec, seed=5, steps=30)
    streams = [np.array(partner.noise) for partner in partners.values()]  # (steps, replicas, 2) each
    rules, planner = (ReplicaStreams(5, 100, purpose) for purpose in (Purpose.RULES, Purpose.PLANNER))
    streams += [
        np.array([[source.uniforms(), source.uniforms()] for _ in range(30)]).swapaxes(1, 2)
        for source in (rules, planner)
    ]
    values = np.array(streams)
    assert values.shape == (4, 30, 100, 2)
    assert len(np.unique(values)) == values.size  # no number is used twice, nor by the environment
    np.testing.assert_allclose(np.quantile(values[:2], [0.0, 0.25, 0.5, 0.75, 1.0]), np.linspace(0, 1, 5), atol=0.02)


def test_no_two_layers_draw_from_one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules, planner object, action noise and every partner of one seed; the environment's first agent is a partner.

    The planner object plays inside: where there is none, nothing is drawn for it.
    """
    seeded: list[tuple[int, int]] = []
    construct = ReplicaStreams.__init__

    def recording(self: ReplicaStreams, seed: Any, num_envs: int, purpose: int = Purpose.RULES) -> None:
        seeded.append((int(seed), int(purpose)))
        construct(self, seed, num_envs, purpose)

    monkeypatch.setattr(ReplicaStreams, "__init__", recording)
    settings: dict[str, Any] = {"num_agents": 3, "observations": "compact", "planner": FreeMarket()}
    game = one_step_economy_v0.batched_env(3, action_noise=0.4, **settings)
    partners = {"agent_0": NoiseKeeper(), "agent_1": NoiseKeeper()}
    vec = BatchedVecEnv(game, partners=partners, roles=["agent_2"])
    vec.seed(5)
    vec.reset()
    assert len(seeded) == 3 + len(partners)
    assert len(set(seeded)) == len(seeded)
    assert max(Purpose) == Purpose.PARTNERS  # the partners after the first take the numbers above


def test_a_partner_s_noise_does_not_decide_when_agents_tremble() -> None:
    partners = {"agent_0": NoiseKeeper(), "planner": NoiseKeeper()}
    vec = BatchedVecEnv(augmented_env(100, action_noise=0.5), partners=partners, roles=["agent_1"])
    trajectory(vec, seed=5, steps=10)
    trembling = ReplicaStreams(5, 100, Purpose.ACTION_NOISE)
    drawn = np.array([trembling.uniforms() for _ in range(40)])
    for partner in partners.values():
        assert not np.isin(np.array(partner.noise), drawn).any()


def test_box_actions_of_partners_are_clipped() -> None:
    class Boxes(Flags):
        def action_space(self, agent: str) -> spaces.Space[Any]:
            return spaces.Box(-1.0, 1.0, (1,), np.float32)

    class Excessive(NoiseKeeper):
        def act(self, observations: np.ndarray, noise: np.ndarray, action_masks: np.ndarray | None) -> np.ndarray:
            return np.full((len(observations), 1), 3.0, np.float32)

    vec = BatchedVecEnv(ParallelEnvBatch(Boxes, 1), ["agent_0"], {"agent_1": Excessive(), "planner": Excessive()})
    vec.reset()
    assert vec.step(np.full((1, 1), 0.5))[1].tolist() == [0.5]


def test_terminations_are_no_time_limits_and_multi_binary_actions_pass() -> None:
    vec = flags()
    vec.seed(0)
    start = vec.reset()[:, 0]
    assert set(start) == {0.0, 1.0}
    actions = np.tile(np.array([0.0, 1.0, 1.0], np.float32), (12, 1))  # SB3 samples MultiBinary as floats
    _, rewards, dones, infos = vec.step(actions)
    assert (rewards.tolist(), dones.any(), infos) == ([2.0] * 12, False, [{}] * 12)
    observations, _, dones, infos = vec.step(actions)
    assert dones.all()
    assert [info["TimeLimit.truncated"] for info in infos] == (start == 0).tolist()
    ends = np.array([info["terminal_observation"] for info in infos])
    np.testing.assert_array_equal(ends, np.stack([start, np.full(12, 2.0)], axis=1))
    assert (observations[:, 1] == 0).all()
    assert [(info["episode"]["r"], info["episode"]["l"]) for info in infos] == [(4.0, 2)] * 12
    PPO("MlpPolicy", flags(), n_steps=4, batch_size=48, device="cpu").learn(48)


def test_episode_statistics_are_those_of_vec_monitor() -> None:
    class Ours(VecMonitor):
        """Keeps what we wrote before VecMonitor writes its own."""

        def step_wait(self) -> Any:
            step_wait, self.seen = self.venv.step_wait, []

            def recorded() -> Any:
                result = step_wait()
                self.seen = [dict(info["episode"]) for info in result[3] if "episode" in info]
                return result

            self.venv.step_wait = recorded  # type: ignore[method-assign]
            try:
                return super().step_wait()
            finally:
                self.venv.step_wait = step_wait  # type: ignore[method-assign]

    vec = Ours(vec_env(3, horizon=4))
    vec.reset()
    episodes = 0
    for step in range(13):
        infos = vec.step((np.arange(6) + step) % 3)[3]
        theirs = [info["episode"] for info in infos if "episode" in info]
        assert len(vec.seen) == len(theirs)
        for own, reference in zip(vec.seen, theirs, strict=True):
            assert own["l"] == reference["l"] == 4
            assert own["r"] == pytest.approx(reference["r"], abs=2e-6)
        episodes += len(theirs)
    assert episodes == 18
    vec.reset()  # one step into an episode: its reward is forgotten
    lengths = [info["episode"]["l"] for _ in range(4) for info in vec.step(np.full(6, STAY))[3] if "episode" in info]
    assert lengths == [4] * 6
    assert [own["l"] for own in vec.seen] == [4] * 6


def test_masks_are_each_rows_own_and_all_true_where_the_environment_gives_none() -> None:
    vec = vec_env(40)
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        vec.env_method("action_masks")
    levels = vec.reset()[:, :4].argmax(1)
    expected = np.stack([levels > 0, np.ones(80, bool), levels < 3], axis=1)
    assert (~expected).any()
    np.testing.assert_array_equal(vec.env_method("action_masks"), expected)
    np.testing.assert_array_equal(vec.env_method("action_masks", indices=[7, 2]), expected[[7, 2]])
    np.testing.assert_array_equal([mask() for mask in vec.get_attr("action_masks")], expected)
    assert not flags().has_attr("action_masks")

    class Unmasked(Flags):
        def action_space(self, agent: str) -> spaces.Space[Any]:
            return spaces.Discrete(2)

    unmasked = BatchedVecEnv(ParallelEnvBatch(Unmasked, 1), partners={"planner": PASSIVE})
    unmasked.reset()
    np.testing.assert_array_equal(unmasked.env_method("action_masks"), np.ones((2, 2), bool))


class Dials(Flags):
    """Agents turn two dials; the mask leaves the first one position, the second one or, in odd steps, two."""

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.MultiDiscrete([2, 3])

    def mask(self) -> np.ndarray:
        return np.array([1, 0, 1, self.step_number % 2, 0], dtype=np.int8)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        observations, infos = super().reset(seed, options)
        return observations, {agent: {"action_mask": self.mask()} for agent in infos}

    def step(self, actions: dict[str, Any]) -> Any:
        for chosen in (action for agent, action in actions.items() if agent != "planner"):
            assert self.mask()[chosen[0]], chosen
            assert self.mask()[2 + chosen[1]], chosen
        *result, infos = super().step(actions)
        return *result, {agent: {"action_mask": self.mask()} for agent in infos}


def test_masks_of_multi_discrete_actions_are_flat_and_maskable_ppo_obeys_them() -> None:
    partners = {"planner": ConstantPlanner([0, 0])}
    vec = BatchedVecEnv(ParallelEnvBatch(Dials, 3), partners=partners)
    vec.reset()
    np.testing.assert_array_equal(vec.env_method("action_masks"), np.tile(np.array([1, 0, 1, 0, 0], bool), (6, 1)))
    vec.step(np.zeros((6, 2), np.int64))
    np.testing.assert_array_equal(vec.env_method("action_masks"), np.tile(np.array([1, 0, 1, 1, 0], bool), (6, 1)))
    MaskablePPO("MlpPolicy", vec, n_steps=20, batch_size=60, seed=0, device="cpu").learn(240)
    with pytest.raises(AssertionError):  # Dials notices
        PPO("MlpPolicy", vec, n_steps=20, batch_size=60, seed=0, device="cpu").learn(240)

    class Unmasked(Flags):
        def action_space(self, agent: str) -> spaces.Space[Any]:
            return spaces.MultiDiscrete([2, 3])

    unmasked = BatchedVecEnv(ParallelEnvBatch(Unmasked, 1), partners=partners)
    unmasked.reset()
    np.testing.assert_array_equal(unmasked.env_method("action_masks"), np.ones((2, 5), bool))


def test_roles_that_observe_a_dict_are_refused_and_partners_are_not() -> None:
    env = batched_env(2)
    sight = {role: spaces.Dict(own=space) for role, space in env.observation_spaces.items()}
    env.observation_spaces = {**env.observation_spaces, "planner": sight["planner"]}
    BatchedVecEnv(env, partners={"planner": PASSIVE})
    env.observation_spaces = sight
    with pytest.raises(ValueError, match=r"learners need array observations, 'agent_0' has Dict\('own': Box"):
        BatchedVecEnv(env, partners={"planner": PASSIVE})


def test_first_episode_is_an_option_of_the_next_reset() -> None:
    class Recorder(Flags):
        episodes: list[int] = []  # noqa: RUF012

        def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            self.episodes.append((options or {})["first_episode"])
            return super().reset(seed, options)

    vec = BatchedVecEnv(ParallelEnvBatch(Recorder, 1), partners={"planner": ConstantPlanner(np.ones(3, np.int8))})
    vec.set_options({"first_episode": 7})
    vec.reset()
    vec.reset()
    assert Recorder.episodes == [7, 8]  # a reset without the option, and without a seed, goes on counting
    vec.set_options([{"first_episode": 1}, {}])
    with pytest.raises(ValueError, match="options must be equal"):
        vec.reset()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"partners must name exactly .*\['planner'\], got \[\]"),
        ({"partners": {"planner": PASSIVE, "agent_0": PASSIVE}}, r"exactly .*\['planner'\]"),
        ({"partners": {"planner": ConstantPlanner(3)}}, r"Discrete\(1\)"),
        ({"roles": ["agent_0", "planner"], "partners": {}}, r"equal action spaces.*agent_0: .*planner: "),
        ({"roles": []}, "one or more distinct"),
        ({"roles": ["agent_0", "agent_0"]}, "one or more distinct"),
        ({"roles": ["agent_7"]}, "roles: unknown name 'agent_7'"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BatchedVecEnv(batched_env(2), **arguments)


def test_wrong_use_is_named() -> None:
    vec = vec_env(2)
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        vec.step(np.full(4, STAY))
    with pytest.raises(ValueError, match="seed must be an integer >= 0"):
        vec.seed(-1)
    with pytest.raises(ValueError, match="share one environment"):
        vec.set_attr("horizon", 3, indices=[0])
    assert vec.get_attr("horizon") == [20] * 4


# ---- learning -----------------------------------------------------------------------------------------------------


def reward_at_equilibrium(horizon: int) -> float:
    """Mean reward per step of both agents if both always climb to level 3, from a uniform start cell."""
    f, total = np.array([0.0, 0.12, 0.19, 0.23]), 0.0
    for step in range(1, horizon + 1):
        levels = np.minimum(np.arange(4) + step, 3)
        total += (0.6 + f[levels].mean() - 0.2 * levels.mean()) / 0.83
    return total / horizon


def test_ppo_learns_the_nash_equilibrium_of_the_bimatrix_game() -> None:
    vec = vec_env(32)
    model = PPO(
        "MlpPolicy", vec, learning_rate=1e-2, n_steps=20, batch_size=1280, n_epochs=4, gamma=0.9, gae_lambda=0.9,
        policy_kwargs={"net_arch": []}, seed=0, device="cpu",
    )  # fmt: skip
    expected = reward_at_equilibrium(20)
    untrained = evaluate_policy(model, vec, n_eval_episodes=64, warn=False)[0] / 20
    model.learn(50_000)
    trained = evaluate_policy(model, vec, n_eval_episodes=64, warn=False)[0] / 20
    assert abs(untrained - expected) > 0.05
    assert trained == pytest.approx(expected, abs=0.015)
    assert model.ep_info_buffer[-1]["r"] / 20 == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(("algorithm", "respects_masks"), [(PPO, False), (MaskablePPO, True)])
def test_maskable_ppo_never_picks_what_is_masked(algorithm: Any, respects_masks: bool) -> None:
    class Counting(BatchedVecEnv):
        masked_picks = 0

        def step_async(self, actions: np.ndarray) -> None:
            masks = np.array(self.env_method("action_masks"))
            self.masked_picks += int((~masks[np.arange(len(actions)), actions]).sum())
            super().step_async(actions)

    vec = Counting(batched_env(8, planner=PASSIVE))
    algorithm("MlpPolicy", vec, n_steps=20, batch_size=320, seed=0, device="cpu").learn(960)
    assert (vec.masked_picks == 0) == respects_masks


def test_sb3s_wrappers_work_on_it() -> None:
    vec = VecNormalize(vec_env(3), norm_reward=False)
    PPO("MlpPolicy", vec, n_steps=20, batch_size=60, seed=0, device="cpu").learn(240)
    assert vec.obs_rms.count == pytest.approx(6 * 41, abs=0.1)  # the first reset and 40 steps


def test_rewards_beyond_float32_are_refused_by_row_and_value() -> None:
    def vec_of(eta: float) -> BatchedVecEnv:
        game = {"agent_reward_type": "isoelastic_coin_minus_labor", "isoelastic_eta": eta, "observations": "compact"}
        return BatchedVecEnv(one_step_economy_v0.batched_env(2, num_agents=2, planner=FreeMarket(), **game))

    vec = vec_of(4.0)
    vec.reset()
    assert np.isfinite(vec.step(np.array([0, 0, 0, 9]))[1]).all()
    vec = vec_of(5.0)
    vec.reset()
    with pytest.raises(ValueError, match=r"the reward of row 3 is 2\.5e\+39; learners calculate in float32"):
        vec.step(np.array([0, 0, 0, 9]))


@pytest.mark.parametrize("bad", [np.nan, -np.inf, 1e39])
def test_rewards_of_a_rollout_beyond_float32_are_refused_by_step_row_and_value(bad: float) -> None:
    rewards = np.zeros((3, 2))
    assert float32_rewards(rewards, ["step", "row"]).dtype == np.float32
    rewards[2, 1] = bad
    with pytest.raises(ValueError, match=r"the reward of step 2, row 1 is .*; learners calculate in float32"):
        float32_rewards(rewards, ["step", "row"])
