"""PPO in JAX: the numbers of Stable-Baselines3's on the same rollout, exact state, and trainings by name."""

import dataclasses
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from helpers.optional import needs_jax

from ermas_algos import ERMAS, MARL, FreshAgentsConfig, Run, load_planner
from ermas_algos.evaluation.fresh_agents import measure, train_fresh_agents
from ermas_algos.learners import JaxLearnerConfig, LearnerState, Rollout, SB3Learner, SB3LearnerConfig
from ermas_algos.learners.protocol import Spaces
from ermas_envs import one_step_economy_v0

OBSERVATIONS = spaces.Box(-3.0, 3.0, (4,), np.float32)
DISCRETE, MULTI_DISCRETE = spaces.Discrete(3), spaces.MultiDiscrete([2, 2, 3])
MULTI_BINARY, BOX = spaces.MultiBinary(3), spaces.Box(-1.0, 1.0, (2,), np.float32)
ACTIONS = [DISCRETE, MULTI_DISCRETE, MULTI_BINARY, BOX]
MASKS = {spaces.Discrete: ([1], 3), spaces.MultiDiscrete: ([1, 3, 5], 7)}
"""Per kind of space: actions that are always allowed, and the size of a mask."""


def make(action_space: spaces.Space[Any] = DISCRETE, seed: int = 0, sees: Any = OBSERVATIONS, **settings: Any) -> Any:
    needs_jax()
    return JaxLearnerConfig(**{"hidden_layers": (5, 4), **settings}).make(Spaces(sees, action_space), seed)


def sb3(algorithm: str, action_space: spaces.Space[Any], seed: int = 0, **settings: Any) -> SB3Learner:
    """The learner of the same settings."""
    fields = {"hidden_layers": (5, 4), **settings}
    own = {entry.name for entry in dataclasses.fields(SB3LearnerConfig)}
    kwargs = {name: value for name, value in fields.items() if name not in own}
    config = SB3LearnerConfig(algorithm, algorithm_kwargs=kwargs, **{n: v for n, v in fields.items() if n in own})
    return SB3Learner(config, OBSERVATIONS, action_space, seed)


def play(learner: Any, masked: bool, seed: int = 0, steps: int = 9, rows: int = 7) -> Rollout:
    """Random observations, rewards and masks, the learner's own actions, ends of episodes and time limits."""
    rng = np.random.default_rng(seed)
    seen, behind = rng.normal(size=(2, steps, rows, 4)).astype(np.float32)
    masks = None
    if masked:
        always, size = MASKS[type(learner.action_space)]
        masks = rng.random((steps, rows, size)) < 0.6
        masks[..., always] = True
    noise = rng.random((steps, rows, learner.noise_size))
    actions = [learner.act(seen[t], noise[t], None if masks is None else masks[t]) for t in range(steps)]
    ended = rng.random((steps, rows)) < 0.3
    cut = ended & (rng.random((steps, rows)) < 0.5)
    rewards, last = rng.normal(size=(steps, rows)), rng.normal(size=(rows, 4)).astype(np.float32)
    return Rollout(seen, np.stack(actions), masks, rewards, ended, behind, cut, last)


def same(first: LearnerState, second: LearnerState) -> None:
    assert first.facts == second.facts
    assert first.tensors.keys() == second.tensors.keys()
    for name, tensor in first.tensors.items():
        np.testing.assert_array_equal(tensor, second.tensors[name], err_msg=name)


# The numbers of Stable-Baselines3

CASES = [
    pytest.param("PPO" if not masked else "MaskablePPO", space, masked, id=f"{type(space).__name__}-{masked}")
    for space in ACTIONS
    for masked in ((True, False) if type(space) in MASKS else (False,))
]


@pytest.mark.parametrize("minibatch_size", [None, 20], ids=["whole", "minibatches and a rest"])
@pytest.mark.parametrize(("algorithm", "space", "masked"), CASES)
def test_an_epoch_gives_the_numbers_of_sb3(
    algorithm: str, space: spaces.Space[Any], masked: bool, minibatch_size: int | None
) -> None:
    settings = {"minibatch_size": minibatch_size, "n_epochs": 1, "ent_coef": 0.03, "learning_rate": 3e-3}
    ours, theirs = make(space, 3, **settings), sb3(algorithm, space, 3, **settings)
    np.testing.assert_array_equal(ours.get_parameters(), theirs.get_parameters())
    for seed in range(2):
        rollout = play(theirs, masked, seed)
        found, expected = ours.update(rollout), theirs.update(rollout)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-5), name
        np.testing.assert_allclose(ours.get_parameters(), theirs.get_parameters(), rtol=0, atol=1e-5)


def test_annealed_epochs_give_the_numbers_of_sb3() -> None:
    settings: dict[str, Any] = {
        **{"minibatch_size": 20, "n_epochs": 3, "ent_coef": 0.1, "clip_range": 0.1, "max_grad_norm": 0.1},
        **{"anneal_epochs": 5, "annealed_share": 0.2, "vf_coef": 0.7, "normalize_advantage": False},
    }
    ours, theirs = make(DISCRETE, 1, **settings), sb3("MaskablePPO", DISCRETE, 1, **settings)
    for seed in range(3):
        rollout = play(theirs, True, seed)
        assert ours.update(rollout) == pytest.approx(theirs.update(rollout), abs=1e-4)
    np.testing.assert_allclose(ours.get_parameters(), theirs.get_parameters(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("algorithm", "space", "masked"), CASES)
def test_the_same_parameters_act_alike(algorithm: str, space: spaces.Space[Any], masked: bool) -> None:
    ours, theirs, rng = make(space), sb3(algorithm, space), np.random.default_rng(0)
    vector = rng.normal(size=ours.get_parameters().size).astype(np.float32)
    ours.set_parameters(vector)
    theirs.set_parameters(vector)
    seen, noise = rng.normal(size=(400, 4)).astype(np.float32), rng.random((400, ours.noise_size))
    masks = play(theirs, masked, 1, 1, 400).action_masks
    masks = None if masks is None else masks[0]
    found, expected = ours.act(seen, noise, masks), theirs.act(seen, noise, masks)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("space", ACTIONS, ids=lambda space: type(space).__name__)
def test_divergence_is_that_of_sb3(space: spaces.Space[Any]) -> None:
    pairs = [(make(space, seed), sb3("PPO", space, seed)) for seed in (0, 1)]
    rng = np.random.default_rng(0)
    for pair in pairs:
        vector = rng.normal(size=pair[0].get_parameters().size).astype(np.float32)
        for learner in pair:
            learner.set_parameters(vector)
    seen = rng.normal(size=(50, 4)).astype(np.float32)
    (ours, theirs), (others, their_others) = pairs
    assert ours.kl(others, seen) == pytest.approx(theirs.kl(their_others, seen), rel=1e-3)
    assert ours.kl(ours, seen) == 0.0


def test_masked_divergence_and_probabilities_are_those_of_sb3() -> None:
    ours, theirs = [make(seed=seed) for seed in (0, 1)], [sb3("MaskablePPO", DISCRETE, seed) for seed in (0, 1)]
    rollout = play(theirs[0], True, rows=40, steps=1)
    seen, masks = rollout.observations[0], rollout.action_masks
    assert masks is not None
    assert ours[0].kl(ours[1], seen, masks[0]) == pytest.approx(theirs[0].kl(theirs[1], seen, masks[0]), abs=1e-6)
    for one, other in zip(ours, theirs, strict=True):
        expected = other.action_probabilities(seen, masks[0])
        np.testing.assert_allclose(one.action_probabilities(seen, masks[0]), expected, atol=1e-6)


@pytest.mark.parametrize("sees", [spaces.Discrete(4), spaces.MultiBinary(4), spaces.Box(-1.0, 1.0, (2, 2), np.float64)])
def test_other_observations_are_seen_as_by_sb3(sees: spaces.Space[Any]) -> None:
    theirs = SB3Learner(SB3LearnerConfig(hidden_layers=(5, 4), algorithm_kwargs={"n_epochs": 1}), sees, DISCRETE, 0)
    ours, rng = make(sees=sees, n_epochs=1), np.random.default_rng(0)
    sees.seed(0)
    seen = np.array([[sees.sample() for _ in range(6)] for _ in range(5)])
    actions = np.stack([ours.act(row, rng.random((6, 1))) for row in seen])
    rollout = Rollout(seen, actions, None, rng.normal(size=(5, 6)), np.zeros((5, 6), bool), None, None, seen[0])
    ours.update(rollout)
    theirs.update(rollout)
    np.testing.assert_allclose(ours.get_parameters(), theirs.get_parameters(), rtol=0, atol=1e-5)


# Padding


@pytest.mark.parametrize("minibatch_size", [None, 20])
def test_results_do_not_depend_on_padding(minibatch_size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"minibatch_size": minibatch_size, "n_epochs": 2}
    exact, padded = make(**settings), make(**settings)
    from ermas_algos.learners import jax_ppo

    rollout = play(exact, True)
    found = exact.update(rollout)
    monkeypatch.setattr(jax_ppo, "_rounded", lambda count: 2 * count + 37)
    assert padded.update(rollout) == pytest.approx(found, abs=1e-6)
    np.testing.assert_allclose(padded.get_parameters(), exact.get_parameters(), rtol=0, atol=1e-6)


def test_programs_are_compiled_for_few_lengths() -> None:
    needs_jax()
    from ermas_algos.learners.jax_ppo import _rounded

    counts = np.arange(1, 5000)
    sizes = np.array([_rounded(int(count)) for count in counts])
    assert (sizes >= counts).all()
    assert (sizes <= np.ceil(counts * 9 / 8)).all()
    assert len(set(sizes.tolist())) < 100


# State


@pytest.mark.parametrize("through_json", [False, True], ids=["facts as they are", "facts through JSON"])
def test_learners_with_the_same_state_stay_bit_identical(through_json: bool) -> None:
    settings = {"minibatch_size": 20, "n_epochs": 2, "anneal_epochs": 5}
    original, restored = make(**settings), make(seed=5, **settings)
    original.update(play(original, True))
    state = original.state()
    facts = json.loads(json.dumps(state.facts)) if through_json else state.facts
    kept = {name: array.copy() for name, array in state.tensors.items()}
    restored.load_state(LearnerState(state.tensors, facts))
    for seed in (1, 2):
        rollout = play(original, True, seed)
        assert restored.update(rollout) == original.update(rollout)
    same(original.state(), restored.state())
    for name, array in state.tensors.items():
        np.testing.assert_array_equal(array, kept[name], err_msg=name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors, facts: facts.update(network={"inputs": 5}), "does not fit this learner"),
        (lambda tensors, facts: facts.update(n_updates=-1), "n_updates must be an integer"),
        (lambda tensors, facts: facts.update(optimizer_steps=0.5), "optimizer_steps must be an integer"),
        (lambda tensors, facts: facts["shuffling"].update(bit_generator="MT19937"), "bit_generator must be"),
        (lambda tensors, facts: tensors.pop("exp_avg"), "tensors are missing"),
        (lambda tensors, facts: tensors["parameters"].fill(np.nan), "parameters must hold finite numbers"),
        (lambda tensors, facts: tensors["exp_avg_sq"].fill(-1.0), "exp_avg_sq must not be negative"),
    ],
)
def test_a_state_that_is_not_one_of_these_is_refused_and_changes_nothing(change: Any, message: str) -> None:
    learner = make()
    state, before = learner.state(), learner.state()
    change(state.tensors, state.facts)
    with pytest.raises(ValueError, match=message):
        learner.load_state(state)
    same(learner.state(), before)


def test_parameters_are_copies_both_ways() -> None:
    learner = make()
    vector = learner.get_parameters()
    learner.set_parameters(vector)
    vector[:] = 0.0
    assert np.abs(learner.get_parameters()).max() > 0.0
    with pytest.raises(ValueError, match="vector must have shape"):
        learner.set_parameters(np.zeros(3, np.float32))


def test_global_generators_are_not_touched() -> None:
    before = np.random.get_state()  # noqa: NPY002
    learner = make(minibatch_size=7)
    learner.update(play(learner, True))
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


# Errors


def test_numbers_that_are_not_finite_are_errors_and_change_nothing() -> None:
    learner = make()
    rollout, before = play(learner, True), learner.state()
    rollout.observations[2, 3] = np.nan
    with pytest.raises(ValueError, match="update left parameters that are not finite"):
        learner.update(rollout)
    np.testing.assert_array_equal(learner.get_parameters(), before.tensors["parameters"])
    with pytest.raises(ValueError, match="outputs are not finite"):
        learner.act(np.full((2, 4), np.nan, np.float32), np.zeros((2, 1)))


@pytest.mark.parametrize(
    ("sees", "acts", "message"),
    [
        (spaces.Dict({"a": OBSERVATIONS}), DISCRETE, "observation space Dict.* is not supported"),
        (spaces.Box(0, 255, (36, 36, 3), np.uint8), DISCRETE, "observation space Box.* is not supported"),
        (OBSERVATIONS, spaces.Dict({"a": DISCRETE}), "action space must be Discrete, MultiDiscrete, MultiBinary or"),
    ],
)
def test_other_spaces_are_refused(sees: Any, acts: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(acts, sees=sees)


def test_kl_knows_learners_of_the_kind_only() -> None:
    with pytest.raises(TypeError, match="other is a SB3Learner"):
        make().kl(sb3("PPO", DISCRETE), np.ones((1, 4), np.float32))
    with pytest.raises(TypeError, match="Discrete actions only"):
        make(BOX).action_probabilities(np.ones((1, 4), np.float32))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be > 0"),
        ({"n_epochs": 0}, "n_epochs must be an integer >= 1"),
        ({"clip_range": -1.0}, "clip_range must be"),
        ({"normalize_advantage": 1}, "normalize_advantage must be True or False"),
        ({"minibatch_size": 1}, "minibatch_size must be an integer >= 2"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JaxLearnerConfig(**settings)


def test_jax_is_imported_by_such_learners_only_and_its_absence_is_said() -> None:
    code = """
import sys
sys.modules["jax"] = None
import ermas_algos
from gymnasium import spaces
try:
    ermas_algos.JaxLearnerConfig().make((spaces.Box(0, 1, (2,)), spaces.Discrete(2)), 0)
except Exception as error:
    print(type(error).__name__, error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("ValueError a learner of kind jax needs JAX: pip install")


# Trainings by name

SMALL = {"kind": "jax", "hidden_layers": [6], "minibatch_size": 32, "n_epochs": 1}
ONE_STEP = {
    "environment": "one_step_economy_v0",
    "preset": "none",
    "arguments": {"observations": "compact", "num_agents": 3},
    "iterations": 3,
}
SETTINGS = {"num_envs": 4, "policy_sharing": "group", "agent_learner": SMALL, "planner_learner": SMALL}
FURTHER = {"MARL": {}, "ERMAS": {"warmup_iterations": 1, "meta_step_size": 0.1, "trust_region": 0.1}}


def trained(algorithm: str, iterations: int, folder: Path | None = None) -> Any:
    needs_jax()
    run = Run.from_options({**ONE_STEP, "algorithm": algorithm, "settings": {**SETTINGS, **FURTHER[algorithm]}})
    assert Run.from_options(run.as_options()) == run
    return run.trainer().learn(iterations, folder)


@pytest.mark.parametrize("trainer", [MARL, ERMAS], ids=["MARL", "ERMAS"])
def test_a_training_resumes_bit_for_bit(trainer: Any, tmp_path: Path) -> None:
    straight = trained(trainer.name, 4)
    trained(trainer.name, 2, tmp_path)
    resumed = trainer.resume(tmp_path, straight.make_env).learn(4)
    for label, learner in straight._all_learners().items():
        same(learner.state(), resumed._all_learners()[label].state())
    fresh = trained(trainer.name, 0)
    for role, learner in straight.learners.items():
        assert not np.array_equal(learner.get_parameters(), fresh.learners[role].get_parameters()), role


def test_fresh_agents_learn_against_a_loaded_planner(tmp_path: Path) -> None:
    trained("MARL", 1, tmp_path)
    planner = load_planner(tmp_path / "checkpoint.safetensors")
    config = FreshAgentsConfig(
        agent_learner=JaxLearnerConfig(hidden_layers=(6,), n_epochs=1),
        **{"num_envs": 4, "policy_sharing": "group", "window": 1, "max_iterations": 2, "measured_envs": 4},
    )
    game = partial(one_step_economy_v0.batched_env, planner=planner, **ONE_STEP["arguments"])
    agents = train_fresh_agents(game, config, 0)
    assert np.isfinite(measure(game, agents, config, 0).planner_return)


def test_settings_like_those_of_stable_baselines3() -> None:
    """The same PPO; what JAX's has not is refused by name."""
    sb3 = SB3LearnerConfig(
        "MaskablePPO", gamma=0.5, hidden_layers=(8,), algorithm_kwargs={"n_epochs": 3, "ent_coef": 0.1}
    )
    like = JaxLearnerConfig.like(sb3)
    assert (like.gamma, like.hidden_layers, like.n_epochs, like.ent_coef) == (0.5, (8,), 3, 0.1)
    with pytest.raises(ValueError, match="got A2C"):
        JaxLearnerConfig.like(SB3LearnerConfig("A2C"))
    with pytest.raises(ValueError, match="target_kl"):
        JaxLearnerConfig.like(SB3LearnerConfig("PPO", algorithm_kwargs={"target_kl": 0.1}))
