"""The Stable-Baselines3 adapter: closed forms of advantages, sampling and KL; exact state; own randomness."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtri

from ermas_algos.learners import LearnerState, Rollout, SB3Learner, SB3LearnerConfig

ALGORITHMS = ("PPO", "A2C", "TRPO", "MaskablePPO")
OBSERVATIONS = spaces.Box(-3.0, 3.0, (4,), np.float32)
DISCRETE, MULTI_DISCRETE = spaces.Discrete(3), spaces.MultiDiscrete([2, 3])
MULTI_BINARY, BOX = spaces.MultiBinary(3), spaces.Box(-1.0, 1.0, (2,), np.float32)
SUPPORTED = [
    pytest.param(algorithm, space, id=f"{algorithm}-{type(space).__name__}")
    for algorithm in ALGORITHMS
    for space in (DISCRETE, MULTI_DISCRETE, MULTI_BINARY, BOX)
    if not (algorithm == "MaskablePPO" and space is BOX)
]


def make(
    algorithm: str = "PPO",
    action_space: spaces.Space[Any] = DISCRETE,
    seed: int = 0,
    observation_space: spaces.Space[Any] = OBSERVATIONS,
    **settings: Any,
) -> SB3Learner:
    """A learner whose policy is far from uniform (SB3 starts close to it)."""
    learner = SB3Learner(SB3LearnerConfig(algorithm, **settings), observation_space, action_space, seed)
    noise = np.random.default_rng(seed).normal(size=learner.get_parameters().size)
    learner.set_parameters(learner.get_parameters() + 0.5 * noise.astype(np.float32))
    return learner


def play(learner: SB3Learner, seed: int = 0, steps: int = 5, rows: int = 6) -> Rollout:
    """Random observations, rewards and masks, and the learner's own actions; nothing is bootstrapped."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(steps, rows, 4)).astype(np.float32)
    masks = None
    if isinstance(learner.action_space, spaces.Discrete):
        masks = rng.random((steps, rows, 3)) < 0.6
        masks[..., 1] = True
    if isinstance(learner.action_space, spaces.MultiDiscrete):
        masks = rng.random((steps, rows, 5)) < 0.6  # two actions and three, side by side
        masks[..., [1, 3]] = True
    actions = [
        learner.act(seen[t], rng.random((rows, learner.noise_size)), None if masks is None else masks[t])
        for t in range(steps)
    ]
    return Rollout(
        observations=seen,
        actions=np.stack(actions),
        action_masks=masks,
        rewards=rng.normal(size=(steps, rows)),
        ended=rng.random((steps, rows)) < 0.3,
        bootstrap_observations=None,
        bootstrapped=None,
        last_observations=rng.normal(size=(rows, 4)).astype(np.float32),
    )


def with_cuts(rollout: Rollout, seed: int = 1) -> Rollout:
    """Half of the episode ends become time limits outside the game."""
    rng = np.random.default_rng(seed)
    behind = rng.normal(size=rollout.observations.shape).astype(np.float32)
    cut = rollout.ended & (rng.random(rollout.ended.shape) < 0.5)
    assert cut.any()
    assert (rollout.ended & ~cut).any()
    return Rollout(**{**vars(rollout), "bootstrap_observations": behind, "bootstrapped": cut})


def values_of(learner: SB3Learner, observations: NDArray[Any]) -> NDArray[np.float64]:
    """(…,) the critic's values at observations (…, 4)."""
    with torch.no_grad():
        flat = learner.policy.predict_values(torch.as_tensor(observations.reshape(-1, 4))).numpy()
    return flat.reshape(observations.shape[:-1]).astype(np.float64)


def generalised_advantages(learner: SB3Learner, rollout: Rollout) -> NDArray[np.float64]:
    """A_t = Σ_k (γλ)^k δ_{t+k} up to the end of the episode, written out row by row."""
    gamma, decay = learner.config.gamma, learner.config.gamma * learner.config.gae_lambda
    steps, rows = rollout.rewards.shape
    values = values_of(learner, rollout.observations)
    following = np.concatenate([values[1:], values_of(learner, rollout.last_observations)[None]])
    following[rollout.ended] = 0.0
    if rollout.bootstrapped is not None:
        assert rollout.bootstrap_observations is not None
        behind = values_of(learner, rollout.bootstrap_observations)
        following[rollout.bootstrapped] = behind[rollout.bootstrapped]
    errors = rollout.rewards + gamma * following - values
    advantages = np.zeros((steps, rows))
    for row in range(rows):
        for start in range(steps):
            for step in range(start, steps):
                advantages[start, row] += decay ** (step - start) * errors[step, row]
                if rollout.ended[step, row]:
                    break
    return advantages


def tensors_of(learner: SB3Learner) -> dict[str, torch.Tensor]:
    return dict(learner.state().tensors)


def assert_same_state(first: LearnerState, second: LearnerState) -> None:
    assert first.facts == second.facts
    assert first.tensors.keys() == second.tensors.keys()
    for name, tensor in first.tensors.items():
        assert torch.equal(tensor, second.tensors[name]), name


def grid(rows: int) -> NDArray[np.float64]:
    """(rows, 1) midpoints of equal cells of [0, 1): an action of probability p gets p·rows, ± 1."""
    return (np.arange(rows) + 0.5)[:, None] / rows


# Advantages, returns, log-probabilities


@pytest.mark.parametrize("cuts", [False, True], ids=["no cuts", "time limits outside the game"])
@pytest.mark.parametrize("seed", range(3))
def test_advantages_and_returns_equal_gae_by_hand(seed: int, cuts: bool) -> None:
    learner = make(seed=seed, gamma=0.8, gae_lambda=0.7, hidden_layers=(5,))
    rollout = play(learner, seed, steps=9)
    rollout = with_cuts(rollout) if cuts else rollout
    expected = generalised_advantages(learner, rollout)
    buffer = learner._filled_buffer(rollout)
    np.testing.assert_allclose(buffer.advantages, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        buffer.returns, expected + values_of(learner, rollout.observations), rtol=1e-4, atol=1e-5
    )


def test_lambda_one_gives_discounted_returns_of_whole_episodes() -> None:
    learner = make(gamma=0.5, gae_lambda=1.0)
    episode = {"rewards": np.array([[1.0], [2.0], [4.0]]), "ended": np.array([[False], [False], [True]])}
    rollout = Rollout(**{**vars(play(learner, steps=3, rows=1)), **episode})
    np.testing.assert_allclose(learner._filled_buffer(rollout).returns[:, 0], [3.0, 4.0, 4.0], rtol=1e-5)


def test_update_leaves_the_rollout_alone() -> None:
    learner = make()
    rollout = with_cuts(play(learner))
    before = {name: np.copy(array) for name, array in vars(rollout).items()}
    learner.update(rollout)
    for name, array in vars(rollout).items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


@pytest.mark.parametrize(("algorithm", "space"), SUPPORTED)
def test_buffer_holds_the_log_probabilities_and_values_of_evaluate_actions(
    algorithm: str, space: spaces.Space[Any]
) -> None:
    learner = make(algorithm, space)
    rollout = play(learner)
    buffer = learner._filled_buffer(rollout)
    flat = torch.as_tensor(rollout.observations.reshape(-1, 4))
    actions = torch.as_tensor(rollout.actions.reshape(len(flat), *rollout.actions.shape[2:])).float()
    masks = (
        {}
        if algorithm != "MaskablePPO" or rollout.action_masks is None
        else {"action_masks": rollout.action_masks.reshape(len(flat), -1)}
    )
    with torch.no_grad():
        values, log_probs, _ = learner.policy.evaluate_actions(flat, actions, **masks)
    np.testing.assert_allclose(buffer.log_probs.ravel(), log_probs.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(buffer.values.ravel(), values.numpy().ravel(), rtol=1e-5, atol=1e-6)


# Acting


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_discrete_frequencies_on_a_grid_of_noise_are_the_probabilities(algorithm: str) -> None:
    learner, rows = make(algorithm), 3000
    seen = np.tile(np.random.default_rng(0).normal(size=4).astype(np.float32), (rows, 1))
    frequencies = np.bincount(learner.act(seen, grid(rows)), minlength=3) / rows
    np.testing.assert_allclose(frequencies, learner.action_probabilities(seen[:1])[0], atol=2 / rows)
    assert 0.02 < frequencies.min() < 0.3  # the policy is not uniform


def test_multi_discrete_and_multi_binary_frequencies_are_the_probabilities() -> None:
    """Hoeffding at 40 000 draws: some of the 8 frequencies is off by 0.02 with probability < 3e-13."""
    rows = 40_000
    rng = np.random.default_rng(0)
    seen = np.tile(rng.normal(size=4).astype(np.float32), (rows, 1))
    several = make("PPO", MULTI_DISCRETE)
    drawn = several.act(seen, rng.random((rows, 2)))
    for dimension, part in enumerate(several._distribution(seen[:1], None).distribution):
        frequencies = np.bincount(drawn[:, dimension]) / rows
        np.testing.assert_allclose(frequencies, part.probs[0].detach().numpy(), atol=0.02)
    binary = make("PPO", MULTI_BINARY)
    frequencies = binary.act(seen, rng.random((rows, 3))).mean(axis=0)
    expected = binary._distribution(seen[:1], None).distribution.probs[0].detach().numpy()
    np.testing.assert_allclose(frequencies, expected, atol=0.02)
    assert np.ptp(expected) > 0.1


def test_masked_multi_binary_frequencies_are_the_probabilities() -> None:
    """Hoeffding at 40 000 draws: some of the 3 frequencies is off by 0.02 with probability < 2e-13."""
    learner, rows, rng = make("MaskablePPO", MULTI_BINARY), 40_000, np.random.default_rng(1)
    seen = np.tile(rng.normal(size=4).astype(np.float32), (rows, 1))
    frequencies = learner.act(seen, rng.random((rows, 3))).mean(axis=0)
    parts = learner._distribution(seen[:1], None).distributions
    np.testing.assert_allclose(frequencies, [part.probs[0, 1].item() for part in parts], atol=0.02)


def test_box_actions_are_mean_plus_deviation_times_the_normal_quantile() -> None:
    learner = make("PPO", BOX)
    seen = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    noise = np.random.default_rng(1).random((50, 2))
    normal = learner._distribution(seen, None).distribution
    expected = normal.mean.detach().numpy() + normal.stddev.detach().numpy() * ndtri(noise)
    np.testing.assert_allclose(learner.act(seen, noise), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("algorithm", "space"), SUPPORTED)
def test_extreme_noise_gives_actions_inside_the_space(algorithm: str, space: spaces.Space[Any]) -> None:
    learner = make(algorithm, space)
    for uniform in (0.0, 1.0 - 2.0**-53):
        chosen = learner.act(np.ones((2, 4), np.float32), np.full((2, learner.noise_size), uniform))
        assert np.isfinite(chosen).all()
        assert space is BOX or all(space.contains(np.asarray(row, dtype=space.dtype)) for row in chosen)


@pytest.mark.parametrize(("algorithm", "space"), SUPPORTED)
def test_equal_noise_gives_equal_actions_and_other_noise_others(algorithm: str, space: spaces.Space[Any]) -> None:
    learner, copy, rng = make(algorithm, space), make(algorithm, space), np.random.default_rng(0)
    seen, noise = rng.normal(size=(100, 4)).astype(np.float32), rng.random((100, learner.noise_size))
    first = learner.act(seen, noise)
    assert np.array_equal(first, learner.act(seen, noise))
    assert np.array_equal(first, copy.act(seen, noise))
    # Some row has a probability below 1: all 100 rows repeat by chance with probability < 1e-9 here.
    assert not np.array_equal(first, learner.act(seen, rng.random(noise.shape)))


def test_two_policies_with_the_same_noise_differ_only_where_their_distribution_functions_do() -> None:
    first, second, rows = make(seed=1), make(seed=2), 3000
    seen = np.ones((rows, 4), np.float32)
    p, q = (learner.action_probabilities(seen[:1])[0].cumsum() for learner in (first, second))
    below_p, below_q = np.r_[0.0, p[:-1]], np.r_[0.0, q[:-1]]
    agree = np.maximum(0.0, np.minimum(p, q) - np.maximum(below_p, below_q)).sum()
    found = np.mean(first.act(seen, grid(rows)) == second.act(seen, grid(rows)))
    assert found == pytest.approx(agree, abs=6 / rows)
    assert 0.01 < agree < 0.99


@given(
    masks=st.lists(st.lists(st.booleans(), min_size=4, max_size=4).filter(any), min_size=1, max_size=8),
    uniform=st.floats(0.0, 1.0, exclude_max=True) | st.just(1.0 - 2.0**-53),
    seed=st.integers(0, 50),
)
@settings(max_examples=60)
def test_maskable_ppo_never_chooses_a_masked_action(masks: list[list[bool]], uniform: float, seed: int) -> None:
    learner = make("MaskablePPO", spaces.Discrete(4), seed)
    allowed = np.array(masks)
    chosen = learner.act(np.ones((len(allowed), 4), np.float32), np.full((len(allowed), 1), uniform), allowed)
    assert allowed[np.arange(len(allowed)), chosen].all()
    probabilities = learner.action_probabilities(np.ones((len(allowed), 4), np.float32), allowed)
    assert (probabilities[~allowed] == 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


def test_masked_multi_discrete_frequencies_are_the_renormalised_probabilities_of_each_part() -> None:
    """The grid of noise gives a frequency to 1 / rows."""
    learner, rows = make("MaskablePPO", MULTI_DISCRETE), 3000
    seen = np.tile(np.random.default_rng(0).normal(size=4).astype(np.float32), (rows, 1))
    mask = np.array([True, True, True, False, True])
    chosen = learner.act(seen, np.tile(grid(rows), (1, 2)), np.tile(mask, (rows, 1)))
    free = learner._distribution(seen[:1], None).distributions
    for column, (part, allowed) in enumerate(zip(free, (mask[:2], mask[2:]), strict=True)):
        expected = part.probs[0].detach().numpy() * allowed
        frequencies = np.bincount(chosen[:, column], minlength=len(allowed)) / rows
        np.testing.assert_allclose(frequencies, expected / expected.sum(), atol=2 / rows)
        assert (frequencies[~allowed] == 0).all()


def test_kl_between_masked_products_sums_over_the_allowed_actions_of_the_parts() -> None:
    first, second = (make("MaskablePPO", MULTI_DISCRETE, seed) for seed in (1, 2))
    seen = np.random.default_rng(0).normal(size=(1, 4)).astype(np.float32)
    mask, expected = np.array([[False, True, True, False, True]]), 0.0
    parts = zip(*(learner._distribution(seen, mask).distributions for learner in (first, second)), strict=True)
    for (p, q), allowed in zip(parts, (mask[0, :2], mask[0, 2:]), strict=True):
        own, other = (part.probs[0].detach().numpy()[allowed] for part in (p, q))
        expected += (own * np.log(own / other)).sum()
    assert expected > 0.01
    assert first.kl(second, seen, mask) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("algorithm", ["PPO", "A2C", "TRPO"])
def test_algorithms_without_masks_ignore_them(algorithm: str) -> None:
    learner, seen, noise = make(algorithm), np.ones((300, 4), np.float32), grid(300)
    nothing = np.zeros((300, 3), dtype=bool)
    assert np.array_equal(learner.act(seen, noise, nothing), learner.act(seen, noise))


@pytest.mark.parametrize(("algorithm", "space"), SUPPORTED)
def test_every_supported_action_space_acts_and_learns(algorithm: str, space: spaces.Space[Any]) -> None:
    learner = make(algorithm, space)
    rollout = play(learner)
    assert rollout.actions.shape == (5, 6, *(space.shape or ()))
    before = learner.get_parameters()
    metrics = learner.update(rollout)
    after = learner.get_parameters()
    assert np.isfinite(after).all()
    assert not np.array_equal(before, after)
    assert metrics
    assert np.isfinite(list(metrics.values())).all()
    assert learner.update(play(learner, 1)).keys() == metrics.keys()


@pytest.mark.parametrize(
    "space",
    [spaces.Discrete(4), MULTI_DISCRETE, MULTI_BINARY, spaces.Box(-1.0, 1.0, (2, 2), np.float32)],
    ids=lambda space: type(space).__name__,
)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_observation_space_acts_and_learns(algorithm: str, space: spaces.Space[Any]) -> None:
    learner = make(algorithm, observation_space=space)
    space.seed(0)
    seen = np.array([[space.sample() for _ in range(6)] for _ in range(5)])
    rng = np.random.default_rng(0)
    actions = np.stack([learner.act(row, rng.random((6, 1))) for row in seen])
    before = learner.get_parameters()
    learner.update(Rollout(seen, actions, None, rng.normal(size=(5, 6)), np.zeros((5, 6), bool), None, None, seen[0]))
    assert not np.array_equal(before, learner.get_parameters())


def test_maskable_ppo_has_no_box() -> None:
    with pytest.raises(ValueError, match="MaskablePPO acts in Discrete, MultiDiscrete and MultiBinary"):
        make("MaskablePPO", BOX)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Dict({"a": DISCRETE}), "action space must be Discrete, MultiDiscrete, MultiBinary or Box"),
        (spaces.Discrete(3, start=1), "action space must start at 0"),
        (spaces.MultiDiscrete([2, 3], start=[0, 1]), "action space must start at 0"),
        (spaces.MultiDiscrete([[2, 3], [2, 2]]), "action space must have one axis"),
        (spaces.Box(0, 3, (2,), np.int64), "Box action space must have a floating dtype"),
    ],
)
def test_other_action_spaces_are_refused(space: spaces.Space[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make("PPO", space)


def test_no_minibatch_size_means_one_gradient_step_per_epoch() -> None:
    """PPO with one epoch and the whole rollout: another order of the samples changes rounding only."""
    whole, parts = (make(minibatch_size=size, algorithm_kwargs={"n_epochs": 1}) for size in (None, 10))
    rollout = play(whole)
    moments = [learner.update(rollout) and learner.state().tensors for learner in (whole, parts)]
    steps = [float(tensors["optimizer/0/step"]) for tensors in moments]
    assert steps == [1.0, 3.0]


# State and parameters


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_annealing_is_linear_in_the_epochs_and_goes_on_after_a_resume(algorithm: str) -> None:
    """Entropy coefficient and learning rate before the k-th update, as the algorithm itself uses them."""
    kwargs = {} if algorithm in ("A2C", "TRPO") else {"n_epochs": 2}
    settings: dict[str, Any] = {"learning_rate": 1e-2, "anneal_epochs": 4, "annealed_share": 0.1}
    if algorithm != "TRPO":
        kwargs["ent_coef"] = 0.5
    learner, epochs = make(algorithm, algorithm_kwargs=kwargs, **settings), kwargs.get("n_epochs", 1)
    shares = []
    for update in range(6):
        if update == 3:
            state, learner = learner.state(), make(algorithm, seed=1, algorithm_kwargs=kwargs, **settings)
            learner.load_state(state)
        learner.update(play(learner, seed=update))
        rate = learner.policy.optimizer.param_groups[0]["lr"] / 1e-2
        shares.append(rate)
        if algorithm != "TRPO":
            assert learner._model.ent_coef == pytest.approx(0.5 * rate)
    assert shares == pytest.approx([1.0 - 0.9 * min(update * epochs / 4, 1.0) for update in range(6)])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_state_is_a_deep_copy(algorithm: str) -> None:
    learner = make(algorithm)
    learner.update(play(learner))
    state = learner.state()
    kept = {name: tensor.clone() for name, tensor in state.tensors.items()}, json.dumps(state.facts)
    other = make(algorithm, seed=9)
    other.load_state(state)
    for one in (learner, other):
        before = one.get_parameters()
        one.update(play(one, 1))
        assert not np.array_equal(before, one.get_parameters())
    assert all(torch.equal(tensor, kept[0][name]) for name, tensor in state.tensors.items())
    assert json.dumps(state.facts) == kept[1]


@pytest.mark.usefixtures("global_generators")
@pytest.mark.parametrize("through_json", [False, True], ids=["facts as they are", "facts through JSON"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_learners_with_the_same_state_stay_bit_identical(algorithm: str, through_json: bool) -> None:
    options = {"minibatch_size": 7} if "PPO" in algorithm else {}
    original, restored = make(algorithm, **options), make(algorithm, seed=5, **options)
    original.update(play(original))
    state = original.state()
    facts = json.loads(json.dumps(state.facts)) if through_json else state.facts
    restored.load_state(LearnerState(state.tensors, facts))
    for seed in (1, 2, 3):
        rollout = play(original, seed)
        expected = original.update(rollout)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        assert restored.update(rollout) == expected
    assert_same_state(original.state(), restored.state())


def test_the_order_of_minibatches_is_part_of_the_state() -> None:
    first, second = (make(minibatch_size=7) for _ in range(2))
    state, other = first.state(), make(seed=1).state()
    second.load_state(LearnerState(state.tensors, {**state.facts, "shuffling": other.facts["shuffling"]}))
    rollout = play(first)
    first.update(rollout)
    second.update(rollout)
    assert not np.array_equal(first.get_parameters(), second.get_parameters())


@pytest.mark.usefixtures("global_generators")
def test_construction_depends_on_the_seed_alone() -> None:
    config = SB3LearnerConfig(hidden_layers=(4,))
    torch.manual_seed(1)
    first = SB3Learner(config, OBSERVATIONS, DISCRETE, 3)
    torch.manual_seed(2)
    assert_same_state(first.state(), SB3Learner(config, OBSERVATIONS, DISCRETE, 3).state())
    other = SB3Learner(config, OBSERVATIONS, DISCRETE, 4)
    assert not np.array_equal(first.get_parameters(), other.get_parameters())


def test_a_state_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit this learner"):
        make(hidden_layers=(4,)).load_state(make().state())


def test_a_state_of_another_algorithm_or_learner_is_refused() -> None:
    for foreign in (make("PPO").state(), LearnerState({"weights": torch.zeros(3)}, {})):
        with pytest.raises(ValueError, match="does not fit this learner"):
            make("A2C").load_state(foreign)


@pytest.mark.parametrize(("algorithm", "space"), SUPPORTED)
def test_parameters_round_trip(algorithm: str, space: spaces.Space[Any]) -> None:
    first, second = make(algorithm, space, hidden_layers=(3,)), make(algorithm, space, 1, hidden_layers=(3,))
    second.set_parameters(first.get_parameters())
    assert np.array_equal(first.get_parameters(), second.get_parameters())
    seen, noise = np.ones((20, 4), np.float32), np.random.default_rng(0).random((20, first.noise_size))
    assert np.array_equal(first.act(seen, noise), second.act(seen, noise))


def test_parameters_are_copies_both_ways() -> None:
    learner = make()
    vector = learner.get_parameters()
    learner.set_parameters(vector)
    kept = vector.copy()
    learner.update(play(learner))
    assert np.array_equal(vector, kept)
    changed = learner.get_parameters()
    assert not np.array_equal(changed, kept)
    changed[:] = 0.0
    vector[:] = 0.0
    assert np.abs(learner.get_parameters()).min() > 0.0


def test_set_parameters_leaves_the_optimiser_alone() -> None:
    learner = make()
    learner.update(play(learner))
    before = tensors_of(learner)
    learner.set_parameters(np.zeros_like(learner.get_parameters()))
    after = tensors_of(learner)
    moments = [name for name in before if name.startswith("optimizer/")]
    assert moments
    assert all(torch.equal(before[name], after[name]) for name in moments)


def test_set_parameters_refuses_another_length() -> None:
    learner = make()
    with pytest.raises(ValueError, match="vector must have shape"):
        learner.set_parameters(np.zeros(3, np.float32))


# KL


def test_kl_between_discrete_policies_is_the_closed_form() -> None:
    first, second = make(seed=1), make(seed=2)
    seen = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    p, q = first.action_probabilities(seen), second.action_probabilities(seen)
    assert first.kl(second, seen) == pytest.approx((p * np.log(p / q)).sum(axis=1).mean(), rel=1e-4)


def test_kl_between_masked_policies_sums_over_allowed_actions() -> None:
    first, second = make("MaskablePPO", seed=1), make("MaskablePPO", seed=2)
    rng = np.random.default_rng(0)
    seen, masks = rng.normal(size=(40, 4)).astype(np.float32), rng.random((40, 3)) < 0.5
    masks[:, 0] = True
    p, q = first.action_probabilities(seen, masks), second.action_probabilities(seen, masks)
    logarithms = np.log(np.where(masks, p, 1.0)) - np.log(np.where(masks, q, 1.0))
    expected = (p * logarithms).sum(axis=1).mean()
    assert first.kl(second, seen, masks) == pytest.approx(expected, rel=1e-4)
    assert first.kl(second, seen, masks) != pytest.approx(first.kl(second, seen), rel=0.01)


def test_kl_between_gaussian_policies_sums_over_dimensions() -> None:
    first, second = make("PPO", BOX, 1), make("PPO", BOX, 2)
    seen = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    (m, s), (n, r) = (
        (normal.mean.detach().numpy(), normal.stddev.detach().numpy())
        for normal in (learner._distribution(seen, None).distribution for learner in (first, second))
    )
    expected = (np.log(r / s) + (s**2 + (m - n) ** 2) / (2 * r**2) - 0.5).sum(axis=1).mean()
    assert first.kl(second, seen) == pytest.approx(expected, rel=1e-4)


def test_kl_between_products_sums_over_the_parts() -> None:
    seen = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    first, second = make("PPO", MULTI_DISCRETE, 1), make("PPO", MULTI_DISCRETE, 2)
    pairs = zip(*(learner._distribution(seen, None).distribution for learner in (first, second)), strict=True)
    expected = sum((p.probs * (p.probs / q.probs).log()).sum(dim=1).mean().item() for p, q in pairs)
    assert first.kl(second, seen) == pytest.approx(expected, rel=1e-4)
    first, second = make("PPO", MULTI_BINARY, 1), make("PPO", MULTI_BINARY, 2)
    p, q = (one._distribution(seen, None).distribution.probs.detach().numpy() for one in (first, second))
    expected = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(axis=1).mean()
    assert first.kl(second, seen) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("algorithm", "space"), SUPPORTED)
def test_kl_is_zero_with_itself_and_positive_otherwise(algorithm: str, space: spaces.Space[Any]) -> None:
    first, copy, second = make(algorithm, space), make(algorithm, space), make(algorithm, space, 1)
    seen = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    assert first.kl(first, seen) == 0.0
    assert first.kl(copy, seen) == 0.0
    assert first.kl(second, seen) > 0.01


@pytest.mark.parametrize("space", [DISCRETE, MULTI_BINARY, BOX], ids=lambda space: type(space).__name__)
def test_kl_of_almost_equal_policies_is_not_negative(space: spaces.Space[Any]) -> None:
    first, second, rng = make("PPO", space), make("PPO", space), np.random.default_rng(0)
    parameters, seen = first.get_parameters(), rng.normal(size=(30, 4)).astype(np.float32)
    for _ in range(30):
        step = 1e-5 * rng.normal(size=parameters.size)
        second.set_parameters(parameters + step.astype(np.float32))
        assert 0.0 <= first.kl(second, seen) < 1e-6


def test_kl_knows_sb3_learners_only() -> None:
    class Other:
        pass

    with pytest.raises(TypeError, match="other is a Other"):
        make().kl(Other(), np.ones((1, 4), np.float32))  # type: ignore[arg-type]


@pytest.mark.parametrize("space", [MULTI_DISCRETE, MULTI_BINARY, BOX], ids=lambda space: type(space).__name__)
def test_action_probabilities_exist_for_discrete_actions_only(space: spaces.Space[Any]) -> None:
    with pytest.raises(TypeError, match="Discrete actions only"):
        make("PPO", space).action_probabilities(np.ones((1, 4), np.float32))


# Global randomness and learning


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_global_generators_are_not_touched(algorithm: str) -> None:
    numpy_before, torch_before = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    learner = SB3Learner(SB3LearnerConfig(algorithm, minibatch_size=7), OBSERVATIONS, DISCRETE, 0)
    learner.update(play(learner))
    learner.load_state(learner.state())
    numpy_after = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(numpy_before[1], numpy_after[1])
    assert numpy_before[2:] == numpy_after[2:]
    assert torch.equal(torch_before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("PPO", {"learning_rate": 0.03, "minibatch_size": 64}),
        ("A2C", {"learning_rate": 0.05}),
        ("TRPO", {"learning_rate": 0.03, "algorithm_kwargs": {"target_kl": 0.05}}),
        ("MaskablePPO", {"learning_rate": 0.03, "minibatch_size": 64}),
    ],
)
def test_identity_environment_is_learned(algorithm: str, settings: dict[str, Any]) -> None:
    """Reward 1 for playing the observed number, one-step episodes; chance gives 1/3."""
    space = spaces.Box(0.0, 1.0, (3,), np.float32)
    learner = SB3Learner(SB3LearnerConfig(algorithm, **settings), space, DISCRETE, 0)
    rng = np.random.default_rng(0)
    eye = np.eye(3, dtype=np.float32)
    assert np.diag(learner.action_probabilities(eye)).max() < 0.5
    for _ in range(40):
        symbols = rng.integers(3, size=(4, 64))
        actions = learner.act(eye[symbols.ravel()], rng.random((256, 1))).reshape(4, 64)
        rewards, ended = (actions == symbols).astype(np.float64), np.ones((4, 64), bool)
        masks = np.ones((4, 64, 3), bool)
        learner.update(Rollout(eye[symbols], actions, masks, rewards, ended, None, None, eye[symbols[0]]))
    assert np.diag(learner.action_probabilities(eye)).min() > 0.9


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("validates", [True, False])
@pytest.mark.parametrize(("algorithm", "space"), SUPPORTED)
def test_numbers_that_are_not_finite_are_errors_and_torch_checks_as_before(
    algorithm: str, space: spaces.Space[Any], validates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", validates)
    learner = make(algorithm, space, hidden_layers=(4,))
    rollout = play(learner)
    learner.update(rollout)
    with pytest.raises(ValueError, match="outputs are not numbers"):
        learner.act(np.full((2, 4), np.nan, np.float32), np.full((2, learner.noise_size), 0.5))
    if "PPO" in algorithm:
        rewards = rollout.rewards.copy()
        rewards[:] = 1e38
        with pytest.raises(ValueError, match="update left parameters that are not finite"):
            learner.update(Rollout(**{**vars(rollout), "rewards": rewards}))
    assert torch.distributions.Distribution._validate_args is validates


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "MaskablePP"}, "algorithm: unknown name 'MaskablePP'. Did you mean 'MaskablePPO'?"),
        ({"learning_rate": 0.0}, "learning_rate must be > 0, got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"gamma": 1.5}, "gamma must be a finite number >= 0 and <= 1"),
        ({"gae_lambda": -0.1}, "gae_lambda must be a finite number >= 0 and <= 1"),
        ({"hidden_layers": (8, 0)}, "hidden_layers must be an integer >= 1"),
        ({"minibatch_size": 1}, "minibatch_size must be an integer >= 2"),
        ({"algorithm_kwargs": {"n_epoch": 3}}, "unknown name 'n_epoch'. Did you mean 'n_epochs'?"),
        ({"algorithm_kwargs": {"learning_rate": 0.1}}, "algorithm_kwargs: unknown name 'learning_rate'"),
        ({"algorithm": "A2C", "algorithm_kwargs": {"n_epochs": 3}}, "unknown name 'n_epochs'"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        SB3LearnerConfig(**settings)
