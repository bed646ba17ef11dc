"""Exact play against the oracles, the policy gradient theorem, autograd, and sampled rollouts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_algos.algorithms.collection import SampledCollector
from ermas_algos.algorithms.deviations import estimated_regret
from ermas_algos.algorithms.exact_collection import ExactCollector, JointPolicy
from ermas_algos.learners.exact import ExactLearner, ExactLearnerConfig
from ermas_envs import bimatrix_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.oracles import TabularGame, best_response_value, evaluate

ROLES = ("agent_0", "agent_1", "planner")


def random_game(seed: int, states: int = 4, horizon: int = 3) -> TabularGame:
    generator = np.random.default_rng(seed)
    shape = (states, 2, 3, 2)
    seen = np.tile(np.eye(states, dtype=np.float32), (horizon, 1, 1))
    clock = np.broadcast_to(np.arange(horizon, dtype=np.float32)[:, None, None], (horizon, states, 1))
    observations = np.concatenate([seen, clock], axis=2)
    return TabularGame(
        roles=ROLES,
        horizon=horizon,
        start=generator.dirichlet(np.ones(states)),
        next_states=generator.integers(states, size=shape),
        rewards={role: generator.normal(size=shape) for role in ROLES},
        planner_outcome=np.zeros(shape),
        observations=dict.fromkeys(ROLES, observations),
        action_masks={role: np.ones((states, n), dtype=bool) for role, n in zip(ROLES, shape[1:], strict=True)},
    )


def random_policies(game: TabularGame, seed: int, members: int | None = None) -> dict[str, FloatArray]:
    generator = np.random.default_rng(seed + 1)
    lead = () if members is None else (members,)
    return {
        role: generator.dirichlet(np.ones(game.next_states.shape[1 + k]), (*lead, game.horizon, game.start.size))
        for k, role in enumerate(ROLES)
    }


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25)
def test_means_are_the_oracles_values(seed: int) -> None:
    game = random_game(seed)
    policies = random_policies(game, seed)
    joint = JointPolicy(game, policies)
    values = {role: joint.mean(game.rewards[role]) for role in ROLES}
    assert values == pytest.approx(evaluate(game, policies), abs=1e-12)
    np.testing.assert_allclose(joint.visits.sum(axis=-1), 1.0)
    assert joint.mean(np.ones_like(game.rewards["planner"])) == pytest.approx(1.0)


def test_visits_by_hand() -> None:
    game = random_game(0)
    policies = random_policies(game, 0)
    visits = JointPolicy(game, policies).visits
    expected = np.zeros(game.start.size)
    for place in np.ndindex(*game.next_states.shape):
        chance = game.start[place[0]]
        for role, action in zip(ROLES, place[1:], strict=True):
            chance *= policies[role][0, place[0], action]
        expected[game.next_states[place]] += chance
    np.testing.assert_allclose(visits[0], game.start)
    np.testing.assert_allclose(visits[1], expected)


@given(seed=st.integers(0, 10**6), role=st.sampled_from(ROLES))
@settings(max_examples=20)
def test_advantages_average_to_zero_and_give_the_performance_difference(seed: int, role: str) -> None:
    """J(π′) − J(π) = (1/H) Σ d′ Σ_a π′ A^π, for a deviation π′ of one role (Kakade and Langford 2002)."""
    game = random_game(seed)
    policies, others = random_policies(game, seed), random_policies(game, seed + 7)
    joint = JointPolicy(game, policies)
    advantages = joint.advantages(role, game.rewards[role])
    np.testing.assert_allclose((policies[role] * advantages).sum(axis=-1), 0.0, atol=1e-12)
    deviated = JointPolicy(game, {**policies, role: others[role]})
    gain = (deviated.visits[..., None] * others[role] * advantages).sum() / game.horizon
    assert deviated.mean(game.rewards[role]) - joint.mean(game.rewards[role]) == pytest.approx(gain, abs=1e-12)


def test_greedy_improvement_on_advantages_ends_at_the_best_response() -> None:
    game = random_game(5)
    policies = random_policies(game, 5)
    for _ in range(game.horizon):
        advantages = JointPolicy(game, policies).advantages("agent_1", game.rewards["agent_1"])
        policies = {**policies, "agent_1": np.eye(3)[advantages.argmax(axis=-1)]}
    assert evaluate(game, policies)["agent_1"] == pytest.approx(best_response_value(game, policies, "agent_1"))


def test_policy_gradient_is_autograds() -> None:
    """∂(Σ_t E[r_t])/∂logits, by the learner's formula and by torch through every step of the game."""
    game = random_game(3)
    policies = random_policies(game, 3)
    env = bimatrix_v0.batched_env(1)
    own = env.observation_spaces["agent_1"], env.action_spaces["agent_1"]
    learner = ExactLearner(ExactLearnerConfig(), game, "agent_1", *own, seed=0)
    policies["agent_1"] = game.as_policy(learner.action_probabilities(game.decision_points("agent_1")[0]))
    experience = ExactCollector(game).collect({role: [_Fixed(policies[role])] for role in ROLES}, 0)
    formula = learner.policy_gradient(experience.rollout([("agent_1", 0)], {"agent_1": game.rewards["agent_1"]}))

    logits = torch.tensor(learner.logits, requires_grad=True)
    table = torch.softmax(logits, dim=-1).reshape(game.horizon, game.start.size, -1)
    value = torch.zeros(game.start.size, dtype=torch.float64)
    rewards, following = torch.tensor(game.rewards["agent_1"]), torch.tensor(game.next_states)
    for step in reversed(range(game.horizon)):
        first, last = (torch.tensor(policies[role][step]) for role in ("agent_0", "planner"))
        value = torch.einsum("sa,sb,sp,sabp->s", first, table[step], last, rewards + value[following])
    (torch.tensor(game.start) @ value).backward()
    np.testing.assert_allclose(formula, logits.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("seed", [0, 1])
def test_policy_gradient_where_states_and_steps_look_alike(role: str, seed: int) -> None:
    """Central differences of the oracle's value; the role sees one of two things only, in 4 states and 3 steps."""
    game = random_game(seed)
    alike = (np.arange(game.horizon * 4) % 3 == 1).astype(np.float32).reshape(game.horizon, 4, 1)
    game = replace(game, observations={**game.observations, role: alike})
    policies = random_policies(game, seed)
    actions = game.next_states.shape[game.axis(role)]
    learner = ExactLearner(ExactLearnerConfig(), game, role, spaces.Box(0, 1, (1,)), spaces.Discrete(actions), seed)
    points = game.decision_points(role)[0]

    def episode_payoff(logits: FloatArray) -> float:
        learner.set_parameters(logits)
        own = game.as_policy(learner.action_probabilities(points))
        return game.horizon * evaluate(game, {**policies, role: own})[role]

    logits = learner.get_parameters()
    steps = 1e-5 * np.eye(logits.size)
    numerical = [(episode_payoff(logits + step) - episode_payoff(logits - step)) / 2e-5 for step in steps]
    learner.set_parameters(logits)
    cast = {other: [_Fixed(table)] for other, table in policies.items()} | {role: [learner]}
    formula = learner.policy_gradient(
        ExactCollector(game).collect(cast, 0).rollout([(role, 0)], {role: game.rewards[role]})
    )
    assert formula.shape == (2, actions)
    np.testing.assert_allclose(formula.ravel(), numerical, atol=1e-8)
    assert np.abs(formula).max() > 0.01


class _Fixed:
    """A learner for the collector that plays a table, whatever it is asked."""

    def __init__(self, table: FloatArray) -> None:
        self.table = table

    def action_probabilities(self, observations: FloatArray, action_masks: FloatArray) -> FloatArray:
        return self.table.reshape(*self.table.shape[:-3], -1, self.table.shape[-1])


def test_a_member_of_a_batch_is_the_single_run_bit_for_bit() -> None:
    game = random_game(2)
    batch = random_policies(game, 2, members=3)
    tables = np.random.default_rng(0).normal(size=(3, *game.next_states.shape))
    together = JointPolicy(game, batch)
    for k in range(3):
        alone = JointPolicy(game, {role: table[k] for role, table in batch.items()})
        np.testing.assert_array_equal(together.visits[k], alone.visits)
        np.testing.assert_array_equal(together.advantages("agent_0", tables)[k], alone.advantages("agent_0", tables[k]))
        assert together.mean(tables)[k] == alone.mean(tables[k])


def test_a_role_that_all_members_share_needs_no_batch() -> None:
    """Such as the planner inside the environment: one table (H, S, A) beside batches (K, H, S, A)."""
    game = random_game(4)
    batch, shared = random_policies(game, 4, members=3), random_policies(game, 9)["planner"]
    together = JointPolicy(replace(game, fixed_policies={"planner": shared}), {r: batch[r] for r in ROLES[:2]})
    for k in range(3):
        alone = JointPolicy(game, {"agent_0": batch["agent_0"][k], "agent_1": batch["agent_1"][k], "planner": shared})
        np.testing.assert_array_equal(together.visits[k], alone.visits)
        for role in ROLES:
            rewards = game.rewards[role]
            np.testing.assert_array_equal(together.advantages(role, rewards)[k], alone.advantages(role, rewards))
            assert np.asarray(together.mean(rewards))[k] == alone.mean(rewards)


def test_every_block_plays_its_own_policies_and_shows_the_games_observations_and_masks() -> None:
    game = random_game(7)
    masks = np.random.default_rng(0).random((4, 2)) < 0.5
    game = replace(game, action_masks={**game.action_masks, "agent_0": masks})
    one, other = random_policies(game, 7), random_policies(game, 8)
    experience = ExactCollector(game).collect({role: [_Fixed(one[role]), _Fixed(other[role])] for role in ROLES}, 0)
    for block, policies in enumerate((one, other)):
        joint, rollout = (
            JointPolicy(game, policies),
            experience.rollout([("agent_0", block)], {"agent_0": game.rewards["agent_1"]}),
        )
        np.testing.assert_array_equal(rollout.visits, joint.visits)
        np.testing.assert_array_equal(rollout.advantages, joint.advantages("agent_0", game.rewards["agent_1"]))
        np.testing.assert_array_equal(rollout.observations, game.observations["agent_0"])
        np.testing.assert_array_equal(rollout.action_masks, np.stack([masks] * game.horizon))
        assert experience.mean(game.rewards["planner"], block) == pytest.approx(evaluate(game, policies)["planner"])


def test_policies_that_do_not_fit_the_game_are_named() -> None:
    game = random_game(0)
    policies = random_policies(game, 0)
    with pytest.raises(ValueError, match="no policy for role 'planner'"):
        JointPolicy(game, {role: policies[role] for role in ROLES[:2]})
    with pytest.raises(ValueError, match=r"policies\['agent_1'\] must have shape \(3, 4, 3\)"):
        JointPolicy(game, {**policies, "agent_1": policies["agent_0"]})


def test_payoffs_and_rewards_differ_by_the_perturbation() -> None:
    game = random_game(1)
    perturbed = game.with_added_rewards({"agent_0": np.full(game.next_states.shape, 0.5)})
    policies = {role: [_Fixed(table)] for role, table in random_policies(game, 1).items()}
    experience = ExactCollector(perturbed).collect(policies, 0)
    reward, payoff = (experience.mean(kind["agent_0"], 0) for kind in (experience.rewards, experience.payoffs))
    assert reward - payoff == pytest.approx(0.5)
    assert perturbed.with_added_rewards({"agent_0": game.planner_outcome}).payoffs["agent_0"] is game.rewards["agent_0"]


def test_sampled_rollouts_estimate_it() -> None:
    """Means of 4000 episodes within 5 standard errors of the exact ones: 4 numbers, false alarms below 1 in 100 000."""

    def make_env(num_envs: int) -> EngineBatch:
        return bimatrix_v0.batched_env(num_envs, agents_observe="own")

    env = make_env(1)
    game = env.tabular_game()
    assert game is not None
    cast = {
        role: [
            ExactLearner(ExactLearnerConfig(), game, role, env.observation_spaces[role], env.action_spaces[role], 4)
            for _ in range(2)
        ]
        for role in env.possible_agents
    }
    cast["agent_0"][1].logits += np.random.default_rng(0).normal(size=cast["agent_0"][1].logits.shape)
    exact = ExactCollector(game).collect(cast, 0)
    collector = SampledCollector(make_env, 4000, np.random.default_rng(1))
    collector.steps = 20
    sampled = collector.collect(cast, 0)
    for block in (0, 1):
        for role in ("agent_0", "planner"):
            episodes = sampled.rewards[role][:, sampled.block(block)].mean(axis=0)
            error = episodes.std(ddof=1) / np.sqrt(episodes.size)
            assert abs(episodes.mean() - exact.mean(exact.rewards[role], block)) < 5 * error
    # Estimated regret of the second block's agent_0: paired episodes, 5 standard errors, one more number.
    paired = sampled.rewards["agent_0"].mean(axis=0)
    paired = paired[sampled.block(1)] - paired[sampled.block(0)]
    error = paired.std(ddof=1) / np.sqrt(paired.size)
    found, expected = (estimated_regret(experience, ["agent_0"])["agent_0"] for experience in (sampled, exact))
    assert abs(found - expected) < 5 * error
    assert abs(expected) > 10 * error  # a wrong sign or scale would be seen


def test_a_game_with_fixed_planner_needs_no_learner_for_it() -> None:
    game = random_game(6)
    policies = random_policies(game, 6)
    fixed = replace(game, fixed_policies={"planner": policies["planner"]})
    learners = {role: [_Fixed(policies[role])] for role in ROLES[:2]}
    found = ExactCollector(fixed).collect(learners, 0).mean(game.rewards["planner"], 0)
    assert found == pytest.approx(evaluate(game, policies)["planner"])
