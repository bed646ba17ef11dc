"""Where learners calculate and in which precision: bfloat16 learns the same, checkpoints know no device."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from helpers.optional import needs_jax

from ermas_algos import MARL, MARLConfig, load_planner
from ermas_algos.learners import JaxLearnerConfig, Rollout, SB3LearnerConfig
from ermas_algos.learners.placement import passes
from ermas_algos.learners.protocol import Spaces
from ermas_envs import EnvironmentSpec

SEEN = spaces.Box(-3.0, 3.0, (20,), np.float32)
ACTIONS = [spaces.Discrete(50), spaces.MultiDiscrete([7, 7, 7]), spaces.MultiBinary(5)]
BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
KINDS = ["sb3", pytest.param("jax", marks=pytest.mark.slow)]
"""JAX compiles for seconds."""


def config(kind: str, **settings: Any) -> Any:
    both = {"hidden_layers": (64, 64), "gamma": 0.9, **settings}
    further = {"n_epochs": both.pop("n_epochs", 1), "ent_coef": 0.01}
    if kind == "jax":
        needs_jax()
        return JaxLearnerConfig(**both, **further)
    return SB3LearnerConfig(both.pop("algorithm", "PPO"), **both, algorithm_kwargs=further)


def rollout_of(learner: Any, steps: int = 20, rows: int = 30) -> Rollout:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(steps, rows, *SEEN.shape)).astype(np.float32)
    actions = [learner.act(step, rng.random((rows, learner.noise_size))) for step in seen]
    ended = rng.random((steps, rows)) < 0.1
    return Rollout(seen, np.stack(actions), None, rng.normal(size=(steps, rows)), ended, None, None, seen[0])


def gradient(learner: Any) -> Any:
    """Of the first step of an optimiser, whose first moments are a tenth of it."""
    tensors = learner.state().tensors
    return np.concatenate([np.asarray(tensors[name]).ravel() for name in sorted(tensors) if name.endswith("exp_avg")])


@pytest.mark.parametrize("acts", [*ACTIONS, BOX], ids=lambda space: type(space).__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_bfloat16_point_where_those_of_float32_do(kind: str, acts: Any) -> None:
    found, rollout = {}, None
    for precision in ("float32", "bfloat16"):
        learner = config(kind, precision=precision).make(Spaces(SEEN, acts), 0)
        rollout = rollout_of(learner) if rollout is None else rollout
        before = learner.get_parameters()
        metrics = learner.update(rollout)
        found[precision] = gradient(learner)
        assert learner.get_parameters().dtype == np.float32
        assert not np.array_equal(learner.get_parameters(), before)
        assert metrics["approx_kl"] < 1e-4  # the first step compares equal precisions
    exact, rough = found.values()
    assert not np.array_equal(exact, rough)
    assert exact @ rough / np.linalg.norm(exact) / np.linalg.norm(rough) > 0.999


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_learns(kind: str) -> None:
    """The action that has been shown earns 1."""
    sees, acts = spaces.Box(0.0, 1.0, (3,), np.float32), spaces.Discrete(3)
    learner = config(kind, precision="bfloat16", n_epochs=4, learning_rate=1e-2, hidden_layers=(16,)).make(
        Spaces(sees, acts), 0
    )
    rng, eye = np.random.default_rng(0), np.eye(3, dtype=np.float32)
    for _ in range(25):
        symbols = rng.integers(3, size=(4, 64))
        actions = np.stack([learner.act(eye[step], rng.random((64, 1))) for step in symbols])
        rewards, ended = (actions == symbols).astype(float), np.ones((4, 64), bool)
        learner.update(Rollout(eye[symbols], actions, None, rewards, ended, None, None, eye[symbols[0]]))
    assert np.diag(learner.action_probabilities(eye)).min() > 0.9


def test_play_and_values_stay_in_float32() -> None:
    one, other = (config("sb3", precision=p).make(Spaces(SEEN, ACTIONS[0]), 0) for p in ("float32", "bfloat16"))
    seen = rollout_of(one).observations[0]
    expected = one.action_probabilities(seen)
    np.testing.assert_array_equal(expected, other.action_probabilities(seen))
    np.testing.assert_array_equal(one._values(seen), other._values(seen))
    with torch.no_grad(), passes(other.policy, "cpu", "bfloat16"):
        rough = other.policy.get_distribution(torch.as_tensor(seen)).distribution.logits
    assert rough.dtype == torch.float32
    assert not np.array_equal(torch.softmax(rough, dim=1).numpy(), expected)
    np.testing.assert_array_equal(expected, other.action_probabilities(seen))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "gpu"}, "device"),
        ({"precision": "float16"}, "precision"),
        ({"algorithm": "TRPO", "precision": "bfloat16"}, "precision must be 'float32' for TRPO"),
    ],
)
def test_bad_settings_are_named(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SB3LearnerConfig(**settings)
    if "algorithm" not in settings:
        with pytest.raises(ValueError, match=message):
            JaxLearnerConfig(**settings)


@pytest.mark.parametrize("kind", ["sb3", "jax"])
def test_a_device_that_is_not_there_is_an_error_of_one_line(kind: str) -> None:
    settings = config(kind, device="cuda")
    if settings.on_this_machine() == settings:
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ValueError, match=r"^device must be 'cpu' on this machine: \w+ finds no CUDA device here\.$"):
        settings.make(Spaces(SEEN, BOX), 0)
    assert settings.on_this_machine() == config(kind)


@pytest.mark.parametrize("kind", ["sb3", "jax"])
def test_a_cuda_device_gives_the_numbers_of_the_cpu(kind: str) -> None:
    settings = config(kind, device="cuda")
    if settings.on_this_machine() != settings:
        pytest.skip(f"the library of kind {kind} finds no CUDA device")
    there, here = settings.make(Spaces(SEEN, ACTIONS[0]), 0), config(kind).make(Spaces(SEEN, ACTIONS[0]), 0)
    rollout = rollout_of(here)
    before = torch.cuda.get_rng_state()
    there.update(rollout)
    here.update(rollout)
    assert torch.equal(torch.cuda.get_rng_state(), before)
    np.testing.assert_allclose(there.get_parameters(), here.get_parameters(), atol=1e-4)
    here.load_state(there.state())
    np.testing.assert_array_equal(there.get_parameters(), here.get_parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_of_cuda_is_loaded_where_there_is_none(kind: str, tmp_path: Path) -> None:
    """It says cuda, as one that was trained there does, and goes on where it can."""
    game, path = EnvironmentSpec("augmented_bimatrix_v0", {"horizon": 4}), tmp_path / "checkpoint.safetensors"
    here, there = (config(kind, hidden_layers=(), device=device) for device in ("cpu", "cuda"))
    trainer = MARL(game, MARLConfig(num_envs=4, agent_learner=here, planner_learner=here)).learn(1)
    trainer.config = dataclasses.replace(trainer.config, agent_learner=there, planner_learner=there)
    trainer.save(path)
    loaded = MARL.load(path, game)
    assert loaded.config == trainer.config
    for role, learner in loaded.learners.items():
        assert learner.config == there.on_this_machine()
        np.testing.assert_array_equal(learner.get_parameters(), trainer.learners[role].get_parameters())
    loaded.learn(2, tmp_path)
    assert MARL.load(path, game).iteration == 2
    assert load_planner(path).learner.config == there.on_this_machine()
