"""The exact learner: natural gradient, fixed point, batches, protocol, and optima that MARL and ERMAS must reach."""

import csv
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ermas_algos import ERMAS, MARL, ERMASConfig, MARLConfig, SB3LearnerConfig
from ermas_algos.algorithms.config import from_json, to_json
from ermas_algos.algorithms.exact_collection import JointPolicy
from ermas_algos.learners.exact import ExactLearner, ExactLearnerConfig, ExactRollout
from ermas_algos.learners.protocol import Rollout
from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.oracles import TabularGame, best_constant_planner, evaluate
from ermas_envs.perturbations import RandomTables
from ermas_envs.planners import ConstantPlanner
from ermas_envs.testing import check_planner


def own(num_envs: int, **arguments: Any) -> EngineBatch:
    return bimatrix_v0.batched_env(num_envs, agents_observe="own", planner=ConstantPlanner(0), **arguments)


def game() -> TabularGame:
    tables = own(1).tabular_game()
    assert tables is not None
    return tables


def new(config: ExactLearnerConfig | None = None, seed: int = 0, role: str = "agent_0") -> ExactLearner:
    env = own(1)
    spaces = env.observation_spaces[role], env.action_spaces[role]
    return ExactLearner(config or ExactLearnerConfig(), game(), role, *spaces, seed)


def rollout(advantages: float | list[float] = 0.0) -> ExactRollout:
    """Uniform visits; the same advantages everywhere."""
    tables = game()
    shape = (tables.horizon, tables.start.size)
    return ExactRollout(
        tables.observations["agent_0"],
        np.ones((*shape, 3), dtype=bool),
        np.full(shape, 1 / shape[1]),
        np.broadcast_to(np.asarray(advantages, dtype=float), (*shape, 3)),
    )


def exact(algorithm: str = "ERMAS", seeds: int = 1, **settings: Any) -> ERMASConfig | MARLConfig:
    learner = ExactLearnerConfig(num_seeds=seeds)
    kind = ERMASConfig if algorithm == "ERMAS" else MARLConfig
    return kind(agent_learner=learner, planner_learner=learner, **settings)


# --- the update ----------------------------------------------------------------------------------------------------


def test_step_is_the_natural_gradient() -> None:
    """Fisher⁻¹ ∇J, up to a constant per observation, is the step divided by the learning rate (entropy 0)."""
    tables, learner = game(), new(ExactLearnerConfig(learning_rate=1.0, entropy=0.0))
    probabilities = learner.action_probabilities(tables.decision_points("agent_0")[0])
    uniform = np.full((20, 16, 3), 1 / 3)
    joint = JointPolicy(tables, {"agent_0": tables.as_policy(probabilities), "agent_1": uniform})
    seen = ExactRollout(tables.observations["agent_0"], rollout().action_masks, joint.visits,
                        joint.advantages("agent_0", tables.rewards["agent_0"]))  # fmt: skip
    gradient, before = learner.policy_gradient(seen), learner.logits.copy()
    visits, _ = learner._by_observation(seen)
    learner.update(seen)
    policy = np.exp(before) / np.exp(before).sum(axis=-1, keepdims=True)
    for o in np.flatnonzero(visits > 1e-9)[::7]:
        fisher = visits[o] * (np.diag(policy[o]) - np.outer(policy[o], policy[o]))
        natural = np.linalg.pinv(fisher) @ gradient[o]
        step = learner.logits[o] - before[o]
        np.testing.assert_allclose(step - step.mean(), natural - natural.mean(), atol=1e-9)


def test_fixed_point_is_the_softmax_of_advantages_over_entropy() -> None:
    learner = new(ExactLearnerConfig(learning_rate=2.0, entropy=0.1))
    for _ in range(200):
        learner.update(rollout([0.1, 0.0, -0.2]))
    expected = np.exp([1.0, 0.0, -2.0]) / np.exp([1.0, 0.0, -2.0]).sum()
    np.testing.assert_allclose(learner.action_probabilities(game().decision_points("agent_0")[0])[0], expected)


@pytest.mark.parametrize("updates", [1, 2, 7])
def test_steps_towards_the_fixed_point_shrink_by_a_constant_factor(updates: int) -> None:
    """Constant A: θ_n = q^n θ_0 + (1 − q^n) A/τ with q = 1 − ητ, up to a constant per observation."""
    learner = new(ExactLearnerConfig(learning_rate=2.0, entropy=0.1))
    advantages, start = np.array([0.1, 0.0, -0.2]), learner.logits.copy()
    for _ in range(updates):
        learner.update(rollout(advantages.tolist()))
    expected = 0.8**updates * start + (1 - 0.8**updates) * advantages / 0.1
    np.testing.assert_allclose(learner.logits, expected - expected.mean(axis=-1, keepdims=True), atol=1e-12)


def test_entropy_is_logged_as_the_mean_over_visits() -> None:
    """Half of the visits are where the policy is uniform, half where it is deterministic."""
    tables, learner = game(), new()
    learner.logits[:] = np.array([50.0, 0.0, -50.0])
    learner.logits[learner._indices(tables.observations["agent_0"][0, :1])] = 0.0
    visits = np.zeros((20, 16))
    visits[0, 0], visits[1, 0] = 0.5, 0.5
    seen = replace(rollout(), visits=visits)
    assert learner.update(seen)["entropy"] == pytest.approx(0.5 * np.log(3))
    batch = new(ExactLearnerConfig(num_seeds=2))
    batch.logits[0], batch.logits[1] = 0.0, np.array([50.0, 0.0, -50.0])
    both = replace(seen, visits=np.stack([visits, visits]), advantages=np.zeros((2, 20, 16, 3)))
    assert batch.update(both)["entropy"] == pytest.approx([np.log(3), 0.0])


def test_advantages_of_states_that_look_alike_are_averaged_by_visits() -> None:
    """Agents that see their own level do not tell the other's levels apart."""
    tables, learner = game(), new(ExactLearnerConfig(learning_rate=1.0, entropy=0.0))
    learner.logits[:] = 0.0
    visits = np.zeros((20, 16))
    visits[0, 0], visits[0, 1] = 0.75, 0.25  # both: own level 0
    advantages = np.zeros((20, 16, 3))
    advantages[0, 0, 2], advantages[0, 1, 2] = 1.0, -1.0
    seen = ExactRollout(tables.observations["agent_0"], rollout().action_masks, visits, advantages)
    learner.update(seen)
    row = learner._indices(tables.observations["agent_0"][0, :1])[0]
    assert learner.logits[row, 2] - learner.logits[row, 0] == pytest.approx(0.5)
    assert np.count_nonzero(np.abs(learner.logits).sum(axis=1)) == 1


def test_members_of_a_batch_do_not_depend_on_its_size() -> None:
    """With everything switched on that could mix them: meta-step and trust region too."""
    settings = {"warmup_iterations": 2, "meta_step_size": 0.3, "trust_region": 0.01}
    runs = {k: ERMAS(own, exact(seeds=k, **settings)).learn(6) for k in (1, 2, 3)}
    for role, alone in runs[1]._all_learners().items():
        pair, together = (runs[k]._all_learners()[role].get_parameters() for k in (2, 3))
        np.testing.assert_array_equal(together[0], alone.get_parameters())
        np.testing.assert_array_equal(together[:2], pair)
        assert not np.allclose(together[1], together[0])


# --- the protocol --------------------------------------------------------------------------------------------------


def test_act_inverts_the_distribution_function() -> None:
    learner = new()
    seen = game().decision_points("agent_0")[0][:1]
    edges = np.cumsum(learner.action_probabilities(seen)[0])
    noise = np.array([[0.0], [edges[0] - 1e-9], [edges[0] + 1e-9], [edges[1] + 1e-9], [1 - 1e-12]])
    assert learner.act(np.repeat(seen, 5, axis=0), noise).tolist() == [0, 0, 1, 2, 2]


def test_an_action_without_probability_is_never_chosen() -> None:
    learner = new()
    learner.logits[:] = np.array([-1e4, 0.0, -1e4])
    seen = game().decision_points("agent_0")[0][:3]
    assert learner.act(seen, np.array([[0.0], [0.5], [np.nextafter(1.0, 0.0)]])).tolist() == [1, 1, 1]


def test_a_batch_is_not_one_policy() -> None:
    learner = new(ExactLearnerConfig(num_seeds=2))
    with pytest.raises(ValueError, match="batch of 2 seeds"):
        learner.act(game().decision_points("agent_0")[0][:1], np.zeros((1, 1)))


def test_what_it_cannot_learn_from_or_see_is_named() -> None:
    learner = new()
    with pytest.raises(ValueError, match="does not occur in the game"):
        learner.action_probabilities(np.full((1, 5), 0.123, dtype=np.float32))
    with pytest.raises(TypeError, match="learns from an ExactRollout, got Rollout"):
        learner.update(Rollout(*[None] * 8))  # type: ignore[arg-type]
    box = augmented_bimatrix_v0.batched_env(1).observation_spaces["planner"]
    with pytest.raises(ValueError, match="Discrete"):
        ExactLearner(ExactLearnerConfig(), game(), "agent_0", box, box, 0)


@pytest.mark.parametrize("seeds", [1, 2])
def test_state_and_parameters_come_back(seeds: int) -> None:
    config = ExactLearnerConfig(num_seeds=seeds)
    one, other = new(config, seed=0), new(config, seed=1)
    other.load_state(one.state())
    np.testing.assert_array_equal(one.logits, other.logits)
    other.logits += 1.0
    assert not np.allclose(one.logits, other.logits)
    other.set_parameters(one.get_parameters())
    np.testing.assert_array_equal(one.logits, other.logits)
    assert one.get_parameters().shape == ((240,) if seeds == 1 else (2, 240))
    with pytest.raises(ValueError, match="vector must have shape"):
        one.set_parameters(np.zeros(3))
    with pytest.raises(ValueError, match="does not fit"):
        new(ExactLearnerConfig(num_seeds=3)).load_state(one.state())


def test_states_and_parameters_are_copies() -> None:
    one, other = new(seed=0), new(seed=1)
    state, vector = one.state(), one.get_parameters()
    for learner in (one, other):
        learner.load_state(state)
    one.logits += 1.0
    np.testing.assert_array_equal(other.get_parameters(), vector)
    np.testing.assert_array_equal(state.tensors["logits"].ravel(), vector)
    one.set_parameters(vector)
    one.logits += 1.0
    np.testing.assert_array_equal(other.get_parameters(), vector)


def test_kl_by_hand() -> None:
    one, other = new(seed=0), new(seed=1)
    seen = game().decision_points("agent_0")[0][:4]
    p, q = one.action_probabilities(seen), other.action_probabilities(seen)
    assert one.kl(other, seen) == pytest.approx((p * np.log(p / q)).sum(axis=1).mean())
    assert one.kl(one, seen) == 0.0
    batches = [new(ExactLearnerConfig(num_seeds=2), seed) for seed in (0, 1)]
    assert batches[0].kl(batches[1], seen)[0] == pytest.approx(one.kl(other, seen))
    with pytest.raises(TypeError, match="between exact learners"):
        one.kl(object(), seen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be > 0"),
        ({"entropy": -1.0}, "entropy"),
        ({"learning_rate": 10.0, "entropy": 0.1}, r"learning_rate \* entropy"),
        ({"num_seeds": 0}, "num_seeds"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ExactLearnerConfig(**settings)


def test_all_roles_are_played_alike() -> None:
    with pytest.raises(ValueError, match="planner_learner must be played as agent_learner is: it is sampled"):
        MARLConfig(agent_learner=ExactLearnerConfig())
    with pytest.raises(ValueError, match="num_seeds=2, agent_learner exact, num_seeds=3"):
        MARLConfig(agent_learner=ExactLearnerConfig(num_seeds=3), planner_learner=ExactLearnerConfig(num_seeds=2))
    learner = ExactLearnerConfig()
    with pytest.raises(ValueError, match="deviation_learner must be played"):
        ERMASConfig(agent_learner=learner, planner_learner=learner, deviation_learner=SB3LearnerConfig())


@pytest.mark.parametrize("config", [exact(seeds=4), ERMASConfig(), MARLConfig(), exact("MARL")])
def test_configurations_survive_json(config: MARLConfig) -> None:
    assert from_json(type(config), to_json(config)) == config


def test_a_game_without_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="tabular game is needed"):
        ERMAS(partial(own, perturbation=RandomTables()), exact())


@pytest.mark.parametrize("seeds", [1, 3])
def test_resuming_is_bit_identical(seeds: int, tmp_path: Path) -> None:
    config = exact(seeds=seeds, warmup_iterations=2)
    whole = ERMAS(own, config).learn(7)
    ERMAS(own, config).learn(4, tmp_path)
    resumed = ERMAS.resume(tmp_path, own).learn(7, tmp_path)
    for label, learner in whole._all_learners().items():
        np.testing.assert_array_equal(learner.get_parameters(), resumed._all_learners()[label].get_parameters())
    for agent, value in whole.multipliers.values.items():
        np.testing.assert_array_equal(value, resumed.multipliers.values[agent])


def test_the_log_holds_means_over_the_seeds(tmp_path: Path) -> None:
    seen: list[Any] = []
    ERMAS(own, exact(seeds=3, warmup_iterations=1)).learn(3, tmp_path, progress=lambda _, m: seen.append(m))
    with open(tmp_path / "progress.csv") as file:
        rows = list(csv.DictReader(file))
    assert seen[-1]["exact_regret/agent_0"].shape == (3,)
    for name in ("exact_regret/agent_0", "multiplier/agent_1", "payoff/planner"):
        assert float(rows[-1][name]) == np.mean(seen[-1][name])
    assert float(rows[-1]["env_steps"]) == 0


# --- learnability --------------------------------------------------------------------------------------------------


def test_marl_finds_the_nash_equilibrium() -> None:
    rows: list[Any] = []
    MARL(own, exact("MARL", seeds=2)).learn(40, progress=lambda _, m: rows.append(m))
    assert rows[-1]["exact_reward/planner"] == pytest.approx(59 / 60, abs=2e-3)
    assert max(rows[-1]["exact_regret/agent_0"]) < 1e-3


@pytest.mark.parametrize(("epsilon", "worst"), [pytest.param(0.05, 0.648, marks=pytest.mark.slow), (0.2, 0.173)])
def test_ermas_finds_the_worst_equilibrium(epsilon: float, worst: float) -> None:
    """The reference that SB3's learners are tested against: the optimum within .01, regret within 5 %."""
    rows: list[Any] = []
    ERMAS(own, exact(seeds=2, epsilon=epsilon)).learn(240, progress=lambda _, m: rows.append(m))
    tail = rows[-80:]
    for k in range(2):
        assert np.mean([r["exact_reward/planner"][k] for r in tail]) == pytest.approx(worst, abs=0.01)
        regret = np.mean([r[f"exact_regret/agent_{i}"][k] for r in tail for i in (0, 1)])
        estimate = np.mean([r[f"estimated_regret/agent_{i}"][k] for r in tail for i in (0, 1)])
        assert regret == pytest.approx(epsilon, rel=0.05)
        assert 0.95 * regret <= estimate <= 1.01 * regret  # it is measured before the update, the exact one after it


def test_marl_finds_the_planners_best_stake() -> None:
    game = partial(augmented_bimatrix_v0.batched_env, agents_observe="own", planner_observes=False, q=0.4)
    trainer = MARL(game, exact("MARL")).learn(100)
    stakes = trainer.policies()["planner"][-1, 0]
    assert stakes.argmax() == 4  # a* between the thresholds .289 and .506


def test_marl_finds_the_planners_best_stake_without_adversity() -> None:
    """Stake 6 once the agents have had time to walk to the top; the blind planner earns what the oracle says."""
    game = partial(augmented_bimatrix_v0.batched_env, agents_observe="own", planner_observes=False)
    trainer = MARL(game, exact("MARL")).learn(100)
    optimum = best_constant_planner(trainer.tables())
    stakes = trainer.policies()["planner"][:, 0].argmax(axis=-1)
    assert optimum.action == 6
    assert (stakes[2:] == 6).all()
    payoff = evaluate(trainer.tables(), trainer.policies())["planner"]
    assert optimum.planner_return <= payoff < 1.01 * optimum.planner_return  # it may stake less in the first steps


def test_the_frozen_planner_plays_inside_an_environment() -> None:
    """The kit's check of planners, and the same exact values inside as outside; a batch of seeds is not one planner."""
    game = partial(augmented_bimatrix_v0.batched_env, horizon=4)
    trainer = MARL(game, exact("MARL")).learn(3)
    frozen = trainer.frozen_planner()
    check_planner(frozen, lambda num_envs, planner: game(num_envs, planner=planner))
    inside, outside = game(1, planner=frozen).tabular_game(), trainer.policies()
    assert inside is not None
    agents = {role: table for role, table in outside.items() if role != "planner"}
    assert evaluate(inside, agents) == pytest.approx(evaluate(trainer.tables(), outside))
    batch = MARL(game, exact("MARL", seeds=2)).frozen_planner()
    env = game(3, planner=batch)
    env.reset(0)
    with pytest.raises(ValueError, match="batch of 2 seeds is not one policy"):
        env.step({agent: np.ones(3, dtype=np.int64) for agent in env.agents})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sb3_moves_as_the_exact_gradient_says(seed: int) -> None:
    """One PPO update on 512 sampled episodes: the exact first-order change of J, Σ d π A Δlog π, is most of what any
    change of this size could give (its cosine with A in the metric of visits), and J itself rises."""
    config = MARLConfig(num_envs=512, seed=seed)
    trainer = MARL(partial(bimatrix_v0.batched_env, agents_observe="own"), config)
    tables, before = trainer.tables(), trainer.policies()
    joint = JointPolicy(tables, before)
    advantages = joint.advantages("agent_0", tables.rewards["agent_0"])
    trainer.learn(1)
    after = trainer.policies()["agent_0"]
    change = np.log(after) - np.log(before["agent_0"])
    weights = joint.visits[..., None] * before["agent_0"]
    change = change - (weights * change).sum(axis=-1, keepdims=True) / joint.visits[..., None]
    product = (weights * change * advantages).sum()
    cosine = product / np.sqrt((weights * change**2).sum() * (weights * advantages**2).sum())
    assert cosine > 0.7  # .84 to .89 at these seeds
    moved = JointPolicy(tables, {**before, "agent_0": after})
    assert moved.mean(tables.rewards["agent_0"]) > joint.mean(tables.rewards["agent_0"])
