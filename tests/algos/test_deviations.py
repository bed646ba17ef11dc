"""Deviations: estimated and exact regret, trust region, cast, Lagrangian reward, meta-gradient, meta-step."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ermas_algos.algorithms.deviations import (
    META_GRADIENTS,
    Deviations,
    estimated_regret,
    lagrangian_reward,
    meta_step,
    project,
)
from ermas_algos.algorithms.exact import tabular_policies
from ermas_algos.algorithms.exact_collection import ExactCollector, ExactExperience
from ermas_algos.algorithms.joint_rollout import Trajectories, joint_rollout
from ermas_algos.learners import ExactLearner, ExactLearnerConfig, SB3Learner, SB3LearnerConfig
from ermas_envs import bimatrix_v0
from ermas_envs.oracles import evaluate, exact_regret

AGENTS, PLANNER = ("agent_0", "agent_1"), "planner"
HORIZON = 20
PPO = SB3LearnerConfig(learning_rate=0.03, algorithm_kwargs={"n_epochs": 4, "ent_coef": 0.0})


class Fixed:
    """Plays the same action probabilities everywhere."""

    noise_size = 1

    def __init__(self, *probabilities: float) -> None:
        self.probabilities = np.array(probabilities)

    def act(self, observations: NDArray[Any], noise: NDArray[Any], _: Any = None) -> NDArray[Any]:
        return (noise >= self.probabilities.cumsum()[:-1]).sum(axis=1)

    def action_probabilities(self, observations: NDArray[Any], _: Any = None) -> NDArray[Any]:
        return np.tile(self.probabilities, (len(observations), 1))


def learner(role: str, seed: int = 0, config: SB3LearnerConfig = PPO) -> SB3Learner:
    env = bimatrix_v0.batched_env(1, horizon=HORIZON)
    return SB3Learner(config, env.observation_spaces[role], env.action_spaces[role], seed)


def everyone(seed: int = 0) -> dict[str, SB3Learner]:
    return {role: learner(role, seed + index) for index, role in enumerate((*AGENTS, PLANNER))}


def make_uniform(learners: Mapping[str, SB3Learner]) -> None:
    for one in learners.values():
        one.set_parameters(np.zeros_like(one.get_parameters()))


def move(one: SB3Learner, seed: int, size: float) -> None:
    """A random step of the parameters."""
    step = np.random.default_rng(seed).normal(size=one.get_parameters().size)
    one.set_parameters(one.get_parameters() + np.float32(size) * step.astype(np.float32))


def play(cast: Mapping[str, Any], size: int, seed: int = 0) -> Trajectories:
    blocks = len(next(iter(cast.values())))
    env = bimatrix_v0.batched_env(blocks * size, horizon=HORIZON)
    return joint_rollout(env, cast, HORIZON, np.random.default_rng(seed), 0)


# Estimated regret


def test_estimated_regret_of_identical_deviations_is_exactly_zero() -> None:
    current = {role: Fixed(0.2, 0.3, 0.5) for role in AGENTS} | {PLANNER: Fixed(1.0)}
    deviations = Deviations({agent: Fixed(0.2, 0.3, 0.5) for agent in AGENTS}, None)  # type: ignore[misc]
    found = play(deviations.cast(current, with_joint=True), size=50)  # type: ignore[arg-type]
    assert estimated_regret(found, AGENTS) == {"agent_0": 0.0, "agent_1": 0.0}
    assert np.ptp(found.rewards["agent_0"]) > 0.1


def test_estimated_regret_of_synchronised_sb3_deviations_is_exactly_zero() -> None:
    """An action flips only if its noise falls between two roundings of one probability, about 1e-7 each.

    The 5 120 decisions make that 1e-3 for a new machine or seed.
    """
    current = everyone()
    deviations = Deviations({agent: learner(agent, 7) for agent in AGENTS}, None)
    apart = estimated_regret(play(deviations.cast(current, with_joint=True), 64), AGENTS)
    assert min(abs(value) for value in apart.values()) > 0.0
    deviations.synchronise(current)
    assert estimated_regret(play(deviations.cast(current, with_joint=True), 64), AGENTS) == dict.fromkeys(AGENTS, 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_estimated_regret_is_the_exact_difference_of_values(seed: int) -> None:
    """5 standard errors of the mean over 4 000 replicas: false alarm 6e-7 for each of 6 comparisons."""
    size = 4000
    current = {"agent_0": Fixed(0.2, 0.3, 0.5), "agent_1": Fixed(0.5, 0.4, 0.1), PLANNER: Fixed(1.0)}
    better = {"agent_0": Fixed(0.0, 0.1, 0.9), "agent_1": Fixed(0.8, 0.1, 0.1)}
    found = play(Deviations(better, None).cast(current, with_joint=True), size, seed)  # type: ignore[arg-type]
    regret = estimated_regret(found, AGENTS)
    game = bimatrix_v0.batched_env(1, horizon=HORIZON).tabular_game()
    assert game is not None
    for block, agent in enumerate(AGENTS, start=1):
        deviating = tabular_policies(game, {**current, agent: better[agent]})  # type: ignore[dict-item]
        before = evaluate(game, tabular_policies(game, current))  # type: ignore[arg-type]
        exact = evaluate(game, deviating)[agent] - before[agent]
        per_replica = found.rewards[agent].mean(axis=0)
        paired = per_replica[found.block(block)] - per_replica[found.block(0)]
        error = paired.std(ddof=1) / np.sqrt(size)
        assert abs(regret[agent] - exact) < 5 * error
        assert abs(exact) > 20 * error  # the comparison can tell a wrong sign or scale


def test_persistent_deviations_approach_the_exact_best_response_to_uniform_agents() -> None:
    current = everyone()
    make_uniform(current)
    game = bimatrix_v0.batched_env(1, horizon=HORIZON).tabular_game()
    assert game is not None
    before = tabular_policies(game, current)
    frozen = {role: one.get_parameters() for role, one in current.items()}
    deviations = Deviations({agent: learner(agent, 7) for agent in AGENTS}, None)
    deviations.synchronise(current)
    for seed in range(15):
        found = play(deviations.cast(current, with_joint=False), 64, seed)
        deviations.update(found, current, first_block=0)
    found = play(deviations.cast(current, with_joint=True), 64, seed=99)
    estimates, exact = estimated_regret(found, AGENTS), exact_regret(game, before)
    for agent, deviation in deviations.learners.items():
        value = evaluate(game, tabular_policies(game, {**current, agent: deviation}))[agent]
        gained = value - evaluate(game, before)[agent]
        assert gained <= exact[agent] + 1e-9
        assert gained >= 0.9 * exact[agent]
        assert estimates[agent] == pytest.approx(gained, abs=0.03)  # ~5 standard errors of 64 paired replicas
    assert all(np.array_equal(one.get_parameters(), frozen[role]) for role, one in current.items())


def test_synchronise_copies_the_whole_learner_without_aliasing() -> None:
    current = everyone()
    found = play({role: [one] for role, one in current.items()}, 8)
    for agent in AGENTS:
        current[agent].update(found.rollout([(agent, 0)], {agent: found.rewards[agent]}))
    deviations = Deviations({agent: learner(agent, 7) for agent in AGENTS}, None)
    deviations.synchronise(current)
    for agent, one in deviations.learners.items():
        state, expected = one.state(), current[agent].state()
        assert state.facts == expected.facts
        assert all(bool((tensor == expected.tensors[name]).all()) for name, tensor in state.tensors.items())
    kept = current["agent_0"].get_parameters()
    move(deviations.learners["agent_0"], 0, 1.0)  # type: ignore[arg-type]
    assert np.array_equal(current["agent_0"].get_parameters(), kept)


# Cast


def test_cast_puts_the_joint_policy_first_and_each_deviation_into_its_own_block() -> None:
    current: dict[str, Any] = {role: Fixed(1.0) for role in (*AGENTS, PLANNER)}
    found: dict[str, Any] = {agent: Fixed(1.0) for agent in AGENTS}
    deviations = Deviations(found, None)
    one, two, planner = (current[role] for role in (*AGENTS, PLANNER))
    expected = {
        "agent_0": [one, found["agent_0"], one],
        "agent_1": [two, two, found["agent_1"]],
        PLANNER: [planner, planner, planner],
    }
    cast = deviations.cast(current, with_joint=True)
    assert cast.keys() == expected.keys()
    for role, row in expected.items():
        assert [id(player) for player in cast[role]] == [id(player) for player in row]
        without = deviations.cast(current, with_joint=False)[role]
        assert [id(player) for player in without] == [id(player) for player in row[1:]]


def test_update_trains_each_deviation_on_its_own_block_and_reward() -> None:
    """Each one ends where a single learner ends that is given the block's rollout by hand."""
    current = everyone()
    deviations = Deviations({agent: learner(agent, 7) for agent in AGENTS}, None)
    deviations.synchronise(current)
    for agent in AGENTS:
        move(deviations.learners[agent], 1, 0.5)  # type: ignore[arg-type]
    found = play(deviations.cast(current, with_joint=True), 16)
    by_hand = {agent: learner(agent, 9) for agent in AGENTS}
    for block, agent in enumerate(AGENTS, start=1):
        by_hand[agent].load_state(deviations.learners[agent].state())
        by_hand[agent].update(found.rollout([(agent, block)], {agent: found.rewards[agent]}))
    deviations.update(found, current, first_block=1)
    for agent in AGENTS:
        assert np.array_equal(deviations.learners[agent].get_parameters(), by_hand[agent].get_parameters())


# Trust region


def visited(one: SB3Learner) -> tuple[Any, NDArray[Any], NDArray[Any]]:
    """A rollout with its flat observations and masks."""
    found = play({role: [one if role == "agent_0" else learner(role)] for role in (*AGENTS, PLANNER)}, 16)
    rollout = found.rollout([("agent_0", 0)], {"agent_0": found.rewards["agent_0"]})
    assert rollout.action_masks is not None
    return rollout, rollout.observations.reshape(-1, 9), rollout.action_masks.reshape(-1, 3)


@pytest.mark.parametrize("algorithm", ["PPO", "MaskablePPO"])
@pytest.mark.parametrize("bound", [0.3, 0.01, 1e-4])
def test_project_pulls_the_deviation_into_the_trust_region(bound: float, algorithm: str) -> None:
    config = SB3LearnerConfig(algorithm)
    current, deviation = learner("agent_0", 0, config), learner("agent_0", 0, config)
    move(deviation, 1, 2.0)
    rollout, seen, masks = visited(deviation)
    centre, found = current.get_parameters(), deviation.get_parameters()
    assert current.kl(deviation, seen, masks) > bound
    project(deviation, current, rollout, bound)
    assert 0.0 < current.kl(deviation, seen, masks) <= bound
    # It stays on the line to the agent, at a power of two, and one power more would be too far.
    share = float(np.dot(deviation.get_parameters() - centre, found - centre) / np.dot(found - centre, found - centre))
    assert np.log2(share) == pytest.approx(round(np.log2(share)), abs=1e-3)
    np.testing.assert_allclose(deviation.get_parameters(), centre + share * (found - centre), atol=1e-5)
    deviation.set_parameters((centre + 2 * share * (found - centre)).astype(np.float32))
    assert current.kl(deviation, seen, masks) > bound
    assert np.array_equal(current.get_parameters(), centre)


def test_project_leaves_a_deviation_inside_the_region_untouched() -> None:
    current, deviation = learner("agent_0"), learner("agent_0")
    move(deviation, 1, 0.1)
    rollout, seen, masks = visited(deviation)
    found = deviation.get_parameters()
    project(deviation, current, rollout, 2.0 * current.kl(deviation, seen, masks))
    assert np.array_equal(deviation.get_parameters(), found)


@pytest.mark.parametrize("divergence", [np.inf, np.nan])
def test_a_divergence_that_never_fits_gives_the_agent_back(divergence: float, monkeypatch: pytest.MonkeyPatch) -> None:
    current, deviation = learner("agent_0"), learner("agent_0")
    move(deviation, 1, 2.0)
    rollout, _, _ = visited(deviation)
    monkeypatch.setattr(current, "kl", lambda *_: divergence)
    project(deviation, current, rollout, 0.1)
    assert np.array_equal(deviation.get_parameters(), current.get_parameters())


@pytest.mark.parametrize("bound", [0.002, None])
def test_updates_end_inside_the_trust_region(bound: float | None) -> None:
    current = everyone()
    deviations = Deviations({agent: learner(agent, 7) for agent in AGENTS}, bound)
    deviations.synchronise(current)
    for seed in range(6):
        found = play(deviations.cast(current, with_joint=False), 16, seed)
        deviations.update(found, current, first_block=0)
    for block, agent in enumerate(AGENTS):
        seen = found.observations[agent][:-1, found.block(block)].reshape(-1, 9)
        divergence = current[agent].kl(deviations.learners[agent], seen)
        assert divergence > 0.0
        assert (divergence <= 0.002) == (bound is not None)


# Lagrangian reward, meta-gradient, meta-step


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0, 100))
def test_lagrangian_reward_closed_form(agent: float, planner: float, multiplier: float) -> None:
    mixed = lagrangian_reward(np.array([[agent]]), np.array([[planner]]), multiplier)
    assert mixed.shape == (1, 1)
    assert mixed[0, 0] == pytest.approx((multiplier * agent - planner) / (1 + multiplier), abs=1e-9)
    assert min(agent, -planner) - 1e-9 <= mixed[0, 0] <= max(agent, -planner) + 1e-9


def test_lagrangian_reward_is_minus_the_planners_at_zero_and_the_agents_at_infinity() -> None:
    agent, planner = np.random.default_rng(0).normal(size=(2, 4, 3))
    assert np.array_equal(lagrangian_reward(agent, planner, 0.0), -planner)
    np.testing.assert_allclose(lagrangian_reward(agent, planner, 1e12), agent, atol=1e-10)


def test_reptile_is_the_mean_parameter_change_per_update_and_is_taken_once() -> None:
    """Eq. 13: (1/M) Σ_j g_j over the M updates since the last call."""
    current = everyone()
    deviations = Deviations({agent: learner(agent, 7) for agent in AGENTS}, None)
    deviations.synchronise(current)
    start = {agent: deviations.learners[agent].get_parameters() for agent in AGENTS}
    for seed in range(3):
        deviations.update(play(deviations.cast(current, with_joint=False), 8, seed), current, first_block=0)
    for agent in AGENTS:
        moved = deviations.learners[agent].get_parameters() - start[agent]
        meta_gradient = deviations.take_meta_gradient(agent, "reptile")
        assert meta_gradient is not None
        np.testing.assert_allclose(meta_gradient, moved / 3, atol=1e-6)
        assert np.abs(meta_gradient).max() > 1e-3
        assert deviations.take_meta_gradient(agent, "reptile") is None


def test_fomaml_is_the_last_updates_change_and_is_taken_once() -> None:
    current = everyone()
    deviations = Deviations({agent: learner(agent, 7) for agent in AGENTS}, None)
    deviations.synchronise(current)
    for seed in range(3):
        before = {agent: one.get_parameters() for agent, one in deviations.learners.items()}
        deviations.update(play(deviations.cast(current, with_joint=False), 8, seed), current, first_block=0)
    for agent, one in deviations.learners.items():
        meta_gradient = deviations.take_meta_gradient(agent, "fomaml")
        assert meta_gradient is not None
        assert np.array_equal(meta_gradient, one.get_parameters() - before[agent])
        assert np.abs(meta_gradient).max() > 1e-3
        assert deviations.take_meta_gradient(agent, "fomaml") is None


def test_meta_gradient_is_measured_after_the_projection() -> None:
    current = everyone()
    moves = []
    for bound in (None, 1e-4):
        deviations = Deviations({agent: learner(agent) for agent in AGENTS}, bound)
        deviations.synchronise(current)
        deviations.update(play(deviations.cast(current, with_joint=False), 8), current, first_block=0)
        moved = deviations.learners["agent_0"].get_parameters() - current["agent_0"].get_parameters()
        meta_gradient = deviations.take_meta_gradient("agent_0", "reptile")
        assert meta_gradient is not None
        assert np.array_equal(meta_gradient, moved)
        moves.append(float(np.linalg.norm(moved)))
    assert moves[1] < 0.6 * moves[0]


@pytest.mark.parametrize("multiplier", [0.0, 1.0, 3.0, 1e9])
def test_meta_step_closed_form(multiplier: float) -> None:
    """θ ← θ − β λ/(1 + λ) · meta-gradient."""
    one = learner("agent_0")
    theta = one.get_parameters()
    meta_gradient = np.random.default_rng(0).normal(size=theta.size).astype(np.float32)
    meta_step(one, meta_gradient, multiplier, step_size=0.25)
    expected = theta - 0.25 * multiplier / (1 + multiplier) * meta_gradient
    np.testing.assert_allclose(one.get_parameters(), expected, rtol=1e-5, atol=1e-6)
    assert np.array_equal(one.get_parameters(), theta) == (multiplier == 0.0)


# Many seeds in one batch

SEEDS = 3


def exact_learner(role: str, seeds: int, seed: int = 0) -> ExactLearner:
    env = bimatrix_v0.batched_env(1, horizon=4, agents_observe="own")
    tables = env.tabular_game()
    assert tables is not None
    spaces = env.observation_spaces[role], env.action_spaces[role]
    return ExactLearner(ExactLearnerConfig(num_seeds=seeds), tables, role, *spaces, seed)


def member(batch: ExactLearner, role: str, k: int) -> ExactLearner:
    """Seed k of a batch as a learner of its own."""
    alone = exact_learner(role, 1)
    alone.set_parameters(batch.get_parameters()[k])
    return alone


def play_exactly(cast: Mapping[str, Any]) -> ExactExperience:
    tables = bimatrix_v0.batched_env(1, horizon=4, agents_observe="own").tabular_game()
    assert tables is not None
    return ExactCollector(tables).collect(cast, 0)


def test_lagrangian_reward_of_a_batch_is_each_seeds() -> None:
    agent, planner = np.random.default_rng(0).normal(size=(2, 5, 3, 3, 1))
    prices = np.array([0.0, 1.5, 20.0])
    mixed = lagrangian_reward(agent, planner, prices)
    assert mixed.shape == (3, 5, 3, 3, 1)
    for k, price in enumerate(prices):
        assert np.array_equal(mixed[k], lagrangian_reward(agent, planner, float(price)))


def test_meta_step_of_a_batch_is_each_seeds() -> None:
    batch = exact_learner("agent_0", SEEDS)
    alone = [member(batch, "agent_0", k) for k in range(SEEDS)]
    prices, meta_gradient = np.array([0.0, 1.5, 20.0]), np.random.default_rng(0).normal(size=(SEEDS, 48))
    meta_step(batch, meta_gradient, prices, step_size=0.25)
    for k, one in enumerate(alone):
        theta = one.get_parameters()
        meta_step(one, meta_gradient[k], float(prices[k]), step_size=0.25)
        assert np.array_equal(batch.get_parameters()[k], one.get_parameters())
        assert np.array_equal(one.get_parameters(), theta) == (k == 0)


def test_project_of_a_batch_is_each_seeds() -> None:
    """One deviation inside the region, one a few halvings outside, one many: each as if it were alone."""
    bound = 0.05
    current, deviation = exact_learner("agent_0", SEEDS), exact_learner("agent_0", SEEDS)
    far = np.random.default_rng(1).normal(size=(SEEDS, 48))
    deviation.set_parameters(np.array([[0.2], [1.0], [30.0]]) * far)
    rollout = play_exactly({role: [exact_learner(role, SEEDS)] for role in (*AGENTS, PLANNER)}).rollout(
        [("agent_0", 0)], {"agent_0": np.zeros((16, 3, 3, 1))}
    )
    seen = rollout.observations.reshape(-1, 5)
    assert (current.kl(deviation, seen) > bound).tolist() == [False, True, True]
    alone = [member(deviation, "agent_0", k) for k in range(SEEDS)]
    found = deviation.get_parameters()
    project(deviation, current, rollout, bound)
    assert (current.kl(deviation, seen) <= bound).all()
    assert np.array_equal(deviation.get_parameters()[0], found[0])
    for k, one in enumerate(alone):
        project(one, member(current, "agent_0", k), rollout, bound)
        assert np.array_equal(deviation.get_parameters()[k], one.get_parameters())
    assert (current.kl(deviation, seen)[1:] > 0.2 * bound).all()  # no further than they had to


@pytest.mark.parametrize("kind", META_GRADIENTS)
def test_deviations_of_a_batch_are_each_seeds(kind: str) -> None:
    """Estimated regret (0 before an update), updates inside a trust region, meta-gradient."""

    def after_three_updates(current: Mapping[str, Any], seeds: int) -> tuple[NDArray[Any], Any, Any]:
        deviations = Deviations({agent: exact_learner(agent, seeds, 7) for agent in AGENTS}, 0.05)
        deviations.synchronise(current)
        regrets = []
        for _ in range(3):
            found = play_exactly(deviations.cast(current, with_joint=True))
            regrets.append(estimated_regret(found, AGENTS)["agent_0"])
            deviations.update(found, current, first_block=1)
        found = deviations.learners["agent_1"].get_parameters()
        return np.array(regrets), found, deviations.take_meta_gradient("agent_1", kind)

    batch = {role: exact_learner(role, SEEDS, index) for index, role in enumerate((*AGENTS, PLANNER))}
    regrets, parameters, meta_gradient = after_three_updates(batch, SEEDS)
    assert (regrets[0] == 0.0).all()
    assert (regrets[2] > 1e-3).all()
    assert meta_gradient.shape == (SEEDS, 48)
    for k in range(SEEDS):
        alone = after_three_updates({role: member(one, role, k) for role, one in batch.items()}, 1)
        assert np.array_equal(regrets[:, k], alone[0])
        assert np.array_equal(parameters[k], alone[1])
        assert np.array_equal(meta_gradient[k], alone[2])
