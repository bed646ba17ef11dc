"""Models of Stable-Baselines3 as planner objects: the zip's own policy, in any batch, without global randomness."""

import random
import re
import zipfile
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from stable_baselines3 import DQN, PPO

from ermas_algos.sb3_planner import SB3_ALGORITHMS, SB3Planner
from ermas_envs import augmented_bimatrix_v0, one_step_economy_v0
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.oracles import evaluate
from ermas_envs.testing import check_planner

pytestmark = pytest.mark.usefixtures("global_generators")  # to make a model of plain SB3 seeds them

ON_POLICY = ("A2C", "MaskablePPO", "PPO", "TRPO")
OFF_POLICY_BOX = ("DDPG", "SAC", "TD3")
BOX = spaces.Box(-0.1, 0.3, (2,), np.float32)


def game(num_envs: int = 1, planner: Any = "learned", **arguments: Any) -> EngineBatch:
    return augmented_bimatrix_v0.batched_env(num_envs, horizon=4, planner=planner, **arguments)


SIGHT, STAKES = (getattr(game(), name)["planner"] for name in ("observation_spaces", "action_spaces"))


class Bandit(gymnasium.Env):
    """Episodes of one step in given spaces, for training with plain SB3; a Discrete action pays its number."""

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.observation_space.sample(), float(np.sum(action)), True, False, {}


def model(
    algorithm: str = "PPO",
    action_space: spaces.Space[Any] = STAKES,
    observation_space: spaces.Space[Any] = SIGHT,
    **arguments: Any,
) -> Any:
    """An untrained model of plain SB3 whose policy is far from uniform (SB3 starts close to it)."""
    made = SB3_ALGORITHMS[algorithm]("MlpPolicy", Bandit(observation_space, action_space), seed=1, **arguments)
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.policy.parameters():
            if parameter.ndim == 2:  # biases would make every observation's best action the same
                parameter += 0.3 * torch.randn(parameter.shape, generator=noise)
    return made


def fitting(algorithm: str) -> Any:
    return model(algorithm, BOX if algorithm in OFF_POLICY_BOX else STAKES)


def saved(made: Any, folder: Path) -> Path:
    path = folder / "planner.zip"
    made.save(path)
    return path


def observations(rows: int = 40) -> Any:
    return np.random.default_rng(1).random((rows, *SIGHT.shape)).astype(np.float32)


@pytest.mark.parametrize("observes", [True, False])
@pytest.mark.parametrize("algorithm", ["PPO", "MaskablePPO", "DQN"])
def test_planner_conforms(algorithm: str, observes: bool, tmp_path: Path) -> None:
    def make_batch(num_envs: int, planner: Any) -> EngineBatch:
        return game(num_envs, planner, planner_observes=observes)

    sight = make_batch(1, "learned").observation_spaces["planner"]
    path = saved(model(algorithm, observation_space=sight), tmp_path)
    check_planner(SB3Planner.load(path, algorithm), make_batch)


def test_planner_trained_by_plain_sb3_plays_what_it_learned(tmp_path: Path) -> None:
    trained = PPO("MlpPolicy", Bandit(SIGHT, STAKES), n_steps=256, learning_rate=3e-3, seed=0, device="cpu").learn(1024)
    env = game(500, SB3Planner.load(saved(trained, tmp_path)))
    env.reset(0)
    payoffs = env.step({agent: np.full(500, 2) for agent in env.agents}).payoffs["planner"]
    table = SB3Planner(trained).tabular(observations(), None)
    assert table is not None
    assert table[:, 6].mean() > 0.3  # more than twice the 1/7 of an untrained policy
    assert payoffs.std() > 0


@pytest.mark.parametrize("algorithm", ON_POLICY)
def test_probabilities_are_those_of_the_sb3_policy(algorithm: str, tmp_path: Path) -> None:
    own = model(algorithm)
    planner, seen = SB3Planner.load(saved(own, tmp_path), algorithm), observations()
    masks = np.ones((len(seen), 7), dtype=bool)
    masks[:, 3] = False
    used = {"action_masks": masks} if algorithm == "MaskablePPO" else {}
    with torch.no_grad():
        expected = own.policy.get_distribution(torch.as_tensor(seen), **used).distribution.probs.numpy()
    table = planner.tabular(seen, masks)
    assert table is not None
    np.testing.assert_allclose(table, expected, atol=1e-6)
    assert (table[:, 3] == 0).all() == (algorithm == "MaskablePPO")
    noise = np.random.default_rng(2).random((5000, planner.noise_size))
    chosen = planner.act(np.repeat(seen[:1], 5000, axis=0), noise, np.repeat(masks[:1], 5000, axis=0))
    np.testing.assert_allclose(np.bincount(chosen, minlength=7) / 5000, table[0], atol=0.04)  # six standard errors


def test_dqn_plays_its_greedy_action(tmp_path: Path) -> None:
    own = model("DQN")
    planner, seen = SB3Planner.load(saved(own, tmp_path), "DQN"), observations(200)
    with torch.no_grad():
        greedy = own.q_net(torch.as_tensor(seen)).argmax(dim=1).numpy()
    assert planner.noise_size == 0
    assert len(np.unique(greedy)) > 1
    assert np.array_equal(planner.act(seen, np.empty((200, 0)), None), greedy)
    assert np.array_equal(planner.tabular(seen, None), np.eye(7)[greedy])


@pytest.mark.parametrize("algorithm", OFF_POLICY_BOX)
def test_off_policy_box_actions_are_the_deterministic_ones(algorithm: str, tmp_path: Path) -> None:
    own = model(algorithm, BOX)
    planner, seen = SB3Planner.load(saved(own, tmp_path), algorithm), observations()
    planner.bind(SIGHT, BOX)
    chosen = planner.act(seen, np.empty((len(seen), 0)), None)
    assert np.array_equal(chosen, own.predict(seen, deterministic=True)[0])
    assert all(BOX.contains(row) for row in chosen)
    assert planner.tabular(seen, None) is None


def test_gaussian_actions_are_clipped_to_the_box() -> None:
    own = model("PPO", BOX)
    planner, seen = SB3Planner(own), observations()
    assert planner.noise_size == 2
    chosen = planner.act(seen, np.random.default_rng(0).random((len(seen), 2)), None)
    assert all(BOX.contains(row) for row in chosen)
    assert (chosen == BOX.low).any()
    assert (chosen == BOX.high).any()
    median = planner.act(seen, np.full((len(seen), 2), 0.5), None)
    np.testing.assert_allclose(median, own.predict(seen, deterministic=True)[0], atol=1e-6)


def test_squashed_actions_are_unscaled_to_the_box() -> None:
    """The median of the noise gives the mean of the normal, which SB3 squashes and unscales in `predict`."""
    own = model("PPO", BOX, use_sde=True, policy_kwargs={"squash_output": True})
    seen = observations()
    median = SB3Planner(own).act(seen, np.full((len(seen), 2), 0.5), None)
    np.testing.assert_allclose(median, own.predict(seen, deterministic=True)[0], atol=1e-6)
    assert median.std() > 0.01
    chosen = SB3Planner(own).act(seen, np.random.default_rng(0).random((len(seen), 2)), None)
    assert all(BOX.contains(row) for row in chosen)


@pytest.mark.parametrize("algorithm", sorted(SB3_ALGORITHMS))
def test_global_generators_are_untouched(algorithm: str, tmp_path: Path) -> None:
    """The saved models had a seed, which SB3 gives to the global generators when it loads them."""
    path = saved(fitting(algorithm), tmp_path)

    def states() -> tuple[Any, ...]:
        return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002

    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    before = states()
    planner, seen = SB3Planner.load(path, algorithm), observations()
    assert states() == before
    noise = np.random.default_rng(0).random((len(seen), planner.noise_size))
    planner.act(seen, noise, None)
    planner.tabular(seen, None)
    assert states() == before


def test_global_generators_are_untouched_by_a_load_that_fails(tmp_path: Path) -> None:
    path = saved(model("DQN"), tmp_path)
    np.random.seed(5)  # noqa: NPY002
    before = str(np.random.get_state())  # noqa: NPY002
    with pytest.raises(ValueError, match="cannot be read"):
        SB3Planner.load(path, "PPO")
    assert str(np.random.get_state()) == before  # noqa: NPY002


@pytest.mark.parametrize("algorithm", ["PPO", "DQN"])
@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_the_size_of_the_batch_does_not_change_a_rows_action(size: int, algorithm: str) -> None:
    planner, seen = SB3Planner(model(algorithm)), observations(128)
    noise = np.random.default_rng(2).random((128, planner.noise_size))
    whole = planner.act(seen, noise, None)
    parts = [planner.act(seen[k : k + size], noise[k : k + size], None) for k in range(0, 128, size)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert len(np.unique(whole)) > 1


@pytest.mark.parametrize("algorithm", ["PPO", "MaskablePPO", "DQN"])
def test_game_with_the_planner_inside_is_evaluated_exactly(algorithm: str, tmp_path: Path) -> None:
    """Value of the game with the planner inside = value with it outside, given its table as a policy."""
    planner = SB3Planner.load(saved(model(algorithm), tmp_path), algorithm)
    outside, inside = game().tabular_game(), game(planner=planner).tabular_game()
    assert outside is not None
    assert inside is not None
    moves = {agent: np.full((4, 16, 3), 1 / 3) for agent in ("agent_0", "agent_1")}
    table = planner.tabular(outside.observations["planner"].reshape(-1, 9), None)
    assert table is not None
    policies = {**moves, "planner": table.reshape(4, 16, 7)}
    assert evaluate(inside, moves) == pytest.approx(evaluate(outside, policies))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"planner_observes": False}, r"observation space Box.*\(9,\).* the environment has Box.*\(1,\)"),
        ({"max_action": 5}, r"action space Discrete\(7\), the environment has Discrete\(6\)"),
    ],
)
def test_bind_refuses_another_game_by_name_of_the_space(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="the planner was trained with " + message):
        game(planner=SB3Planner(model()), **arguments)


def test_planner_with_box_actions_is_refused_by_a_discrete_game() -> None:
    with pytest.raises(ValueError, match=r"trained with action space Box\(-0\.1.*the environment has Discrete\(7\)"):
        game(planner=SB3Planner(model("SAC", BOX)))


def test_name_without_suffix_means_the_zip_as_in_sb3(tmp_path: Path) -> None:
    model().save(tmp_path / "stakes")
    table = SB3Planner.load(str(tmp_path / "stakes")).tabular(observations(), None)
    assert np.array_equal(table, SB3Planner.load(tmp_path / "stakes.zip").tabular(observations(), None))


def test_replay_buffer_is_not_set_up_at_its_old_size(tmp_path: Path) -> None:
    planner = SB3Planner.load(saved(model("DQN", buffer_size=100_000), tmp_path), "DQN")
    assert planner._model.replay_buffer.observations.nbytes < 1000


def damaged(path: Path) -> None:
    """Flip bytes in the middle of the file."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(255 - byte for byte in content[middle : middle + 64])
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def foreign(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "hello")


def of_another_algorithm(path: Path) -> None:
    model("DQN").save(path)


def recurrent(path: Path) -> None:
    RecurrentPPO("MlpLstmPolicy", Bandit(SIGHT, STAKES)).save(path)


@pytest.mark.parametrize("break_it", [damaged, cut, foreign, of_another_algorithm, recurrent, Path.unlink])
def test_unreadable_file_is_named(break_it: Any, tmp_path: Path) -> None:
    path = saved(model(), tmp_path)
    break_it(path)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        SB3Planner.load(path)


@pytest.mark.parametrize("kind", ["missing", "directory", "text"])
def test_what_is_no_zip_is_said(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.pt"
    if kind == "directory":
        path.mkdir()
    if kind == "text":
        path.write_text("no zip")
    says = "there is no such file" if kind == "missing" else "not a zip file"
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}: {says}"):
        SB3Planner.load(path)


def test_unknown_algorithm_gets_the_nearest_match(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"algorithm: unknown name 'MaskedPPO'\. Did you mean 'MaskablePPO'\?"):
        SB3Planner.load(tmp_path / "planner.zip", "MaskedPPO")


def test_recurrent_policies_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="RecurrentPPO has a policy that remembers the past"):
        SB3Planner(RecurrentPPO("MlpLstmPolicy", Bandit(SIGHT, STAKES)))
    with pytest.raises(ValueError, match="RecurrentPPO has a policy that remembers the past"):
        SB3Planner.load(tmp_path / "planner.zip", "RecurrentPPO")


def dict_game(num_envs: int, planner: Any) -> EngineBatch:
    return one_step_economy_v0.batched_env(num_envs, planner=planner, multi_action_mode_planner=False)


@pytest.mark.parametrize("algorithm", ["PPO", "MaskablePPO"])
def test_zips_of_models_that_observe_a_dict_play(algorithm: str, tmp_path: Path) -> None:
    """Loaded from a zip, the policy's own probabilities for dicts of arrays, and a game that it plays."""
    learned = dict_game(6, "learned")
    seen, acted = learned.observation_spaces["planner"], learned.action_spaces["planner"]
    assert isinstance(seen, spaces.Dict)
    made = SB3_ALGORITHMS[algorithm]("MultiInputPolicy", Bandit(seen, acted), seed=1)
    planner = SB3Planner.load(saved(made, tmp_path), algorithm)
    env = dict_game(6, planner)
    env.reset(0)
    env.step({agent: np.zeros(6, np.int64) for agent in env.agents})
    rows = learned.reset(0).observations["planner"]
    tensors = {key: torch.as_tensor(array.copy()) for key, array in rows.items()}
    expected = made.policy.get_distribution(tensors).distribution.probs.detach().numpy()
    np.testing.assert_allclose(planner.tabular(rows, None), expected, rtol=1e-5)
    backwards = {key: array[::-1] for key, array in rows.items()}  # torch takes no negative strides
    np.testing.assert_allclose(planner.tabular(backwards, None), expected[::-1], rtol=1e-5)


def test_a_deterministic_model_that_observes_a_dict_plays() -> None:
    made = DQN("MultiInputPolicy", Bandit(spaces.Dict(all=SIGHT), STAKES), buffer_size=10, device="cpu")
    planner = SB3Planner(made)
    planner.bind(spaces.Dict(all=SIGHT), STAKES)
    rows = {"all": observations()}
    assert (planner.tabular(rows, None).argmax(axis=1) == planner.act(rows, np.empty((40, 0)), None)).all()


def test_model_on_another_device_is_refused() -> None:
    made = model()
    made.policy.to("meta")
    with pytest.raises(ValueError, match="must be on the CPU, got one on meta"):
        SB3Planner(made)


@pytest.mark.parametrize("algorithm", ["PPO", "DQN"])
def test_actions_that_do_not_start_at_zero_are_refused(algorithm: str) -> None:
    made = model(algorithm)
    made.action_space = spaces.Discrete(7, start=1)
    with pytest.raises(ValueError, match="must start at 0"):
        SB3Planner(made)
