"""Errata of the paper and of its released code (docs/changes.md), each as a test."""

import csv
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ermas_algos import ERMAS, MARL, ERMASConfig
from ermas_algos.algorithms.deviations import lagrangian_reward, meta_step
from ermas_algos.algorithms.multipliers import MultiplierConfig, Multipliers
from ermas_algos.evaluation import fresh_agents, transfer
from ermas_algos.studies.meta_gradient import Measurement
from ermas_algos.studies.mixing import dual_function
from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs, tragedy_of_commons
from ermas_envs.oracles import (
    TabularGame,
    best_constant_planner,
    equilibrium_policies,
    exact_regret,
    stationary_planner_optimum,
    worst_equilibrium,
)
from ermas_envs.planners import ConstantPlanner, Planner

RESULTS = Path(__file__).parents[2] / "docs/results"


def own_game() -> TabularGame:
    game = bimatrix_v0.batched_env(1, agents_observe="own", planner=ConstantPlanner(0)).tabular_game()
    assert game is not None
    return game


# --- the paper -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epsilon", [0.02, 0.1, 0.2])
def test_eq_8_has_its_saddle_point_with_a_plus(epsilon: float) -> None:
    """max over λ of min J_p + Σ λ (regret − ε) is the constrained minimum; with the printed minus ε has no force."""
    game, exact = own_game(), worst_equilibrium(own_game(), epsilon).planner_payoff
    unconstrained = worst_equilibrium(game, 1.0).planner_payoff
    grid = np.linspace(0.0, 5.0, 101)
    corrected = [dual_function(game, price) - 2 * price * epsilon for price in grid]
    printed = [dual_function(game, -price) + 2 * price * epsilon for price in grid]
    assert max(corrected) == pytest.approx(exact, abs=2e-3)
    assert max(printed) == pytest.approx(unconstrained, abs=1e-6)
    assert unconstrained < exact - 0.1


def test_eqs_9_and_10_agree_with_the_plus() -> None:
    """λ rises where regret exceeds ε (Eq. 10), and a higher λ weighs the agent's own reward more (Eq. 9)."""
    multipliers = Multipliers(MultiplierConfig(), {"agent_0": 0.1})
    before = multipliers.values["agent_0"]
    multipliers.update({"agent_0": 0.2})
    assert multipliers.values["agent_0"] > before
    own, against = np.array([1.0]), np.array([1.0])
    assert lagrangian_reward(own, against, 3.0) > lagrangian_reward(own, against, 2.0) > 0 > -against / 3


def test_eq_13_is_minus_the_gradient_of_regret() -> None:
    """g_1 − mean g_j as printed has nothing to do with ∇J_i(θ′); with the sign reversed it follows ∇regret."""
    rows = Measurement("during ERMAS", 0, updates=(5,), step_sizes=(10.0,)).run()["meta-gradient"]
    cosine = {(row["target"], row["estimator"]): row["cosine"] for row in rows}
    assert cosine["deviation payoff", "Eq. 13 as printed"] < 0
    assert cosine["regret", "Eq. 13, sign reversed"] > 0.9
    assert cosine["deviation payoff", "FOMAML"] > max(0.9, cosine["deviation payoff", "Reptile"])


def test_a_perturbation_within_epsilon_makes_a_2_epsilon_equilibrium() -> None:
    """|ξ_i| ≤ ε per step: the perturbed equilibrium's regret exceeds ε, and never 2ε."""
    epsilon = 0.03
    payoffs = BimatrixPayoffs([[0.0, 0.0], [0.05, 0.05]], np.zeros((2, 2)), np.zeros((2, 2)))
    game = bimatrix_v0.batched_env(1, payoffs=payoffs, horizon=50, planner=ConstantPlanner(0)).tabular_game()
    assert game is not None
    perturbed = game.with_added_rewards({"agent_0": np.where(game.next_states // 2 > 0, -epsilon, epsilon)})
    regret = exact_regret(game, equilibrium_policies(perturbed))["agent_0"]
    assert epsilon < regret <= 2 * epsilon


@pytest.mark.parametrize("q", [0.0, 0.4, 0.6])
def test_the_augmented_game_as_printed_is_degenerate(q: float) -> None:
    """κ = 1 and r_p ∈ [0, 1]: a = 0 is best at every Q; with κ = 12 the best action depends on Q."""
    assert stationary_planner_optimum(tragedy_of_commons(), q, planner_gain=1.0).action == 0
    assert stationary_planner_optimum(tragedy_of_commons(), q).action == {0.0: 6, 0.4: 4, 0.6: 2}[q]
    printed = augmented_bimatrix_v0.batched_env(1, q=q, planner_gain=1.0).tabular_game()
    assert printed is not None
    assert best_constant_planner(printed).action == 0


# --- the released code ---------------------------------------------------------------------------------------------


def test_the_meta_step_does_not_shrink_weights() -> None:
    """Released: θ ← a θ + b θ′ with a + b < 1. Here a deviation that has not moved changes nothing."""

    class Still:
        vector = np.array([3.0, -2.0], dtype=np.float32)

        def get_parameters(self) -> np.ndarray:
            return self.vector.copy()

        def set_parameters(self, vector: np.ndarray) -> None:
            self.vector = vector

    learner = Still()
    meta_step(learner, np.zeros(2, dtype=np.float32), multiplier=4.0, step_size=0.7)  # type: ignore[arg-type]
    assert learner.vector.tolist() == [3.0, -2.0]


def test_deviations_face_the_current_planner_and_others() -> None:
    """Released: a planner that was never synchronised."""
    ermas = ERMAS(partial(augmented_bimatrix_v0.batched_env, agents_observe="own"), ERMASConfig(num_envs=4))
    cast = ermas.deviations.cast(ermas.learners, with_joint=True)
    assert all(learner is ermas.learners["planner"] for learner in cast["planner"])
    assert cast["agent_1"][1] is ermas.learners["agent_1"]
    assert cast["agent_0"][1] is ermas.deviations.learners["agent_0"]


def test_the_adversarial_term_is_clipped_on_its_own_side() -> None:
    """PPO's min(ρ A, clip(ρ) A) never credits a step beyond the clip range. The released −min(ρ A, clip(ρ) A), for the
    objective −A, does; here the mixed reward goes through Stable-Baselines3's own surrogate, which has A = −A_p."""
    ratio = torch.tensor([0.2, 3.0], requires_grad=True)
    advantage = torch.tensor([1.0, -1.0])  # the planner's; the adversary wants it low

    def surrogate(wanted: torch.Tensor) -> torch.Tensor:
        return torch.min(ratio * wanted, ratio.clamp(0.7, 1.3) * wanted).sum()

    (ours,) = torch.autograd.grad(surrogate(-advantage), ratio)
    (released,) = torch.autograd.grad(-surrogate(advantage), ratio)
    assert ours.tolist() == [0.0, 0.0]  # both ratios are already beyond the range, on the adversary's side
    assert released.tolist() == [-1.0, 1.0]  # goes on for ever


def test_agents_have_policies_of_their_own() -> None:
    """Released: one policy for both agents, without an index, so that they could not differ."""
    ermas = ERMAS(partial(bimatrix_v0.batched_env, agents_observe="own"), ERMASConfig(num_envs=4))
    one, other = (ermas.learners[agent].get_parameters() for agent in ("agent_0", "agent_1"))
    assert not np.shares_memory(one, other)
    assert not np.array_equal(one, other)


def test_domain_randomisation_by_a_scalar_changes_no_incentive() -> None:
    """The same number added to every state and action leaves every regret; one number per state and action does not."""
    game = own_game()
    generator = np.random.default_rng(0)
    policies = {agent: generator.dirichlet(np.ones(3), (20, 16)) for agent in game.roles[:-1]}
    scalar = game.with_added_rewards({"agent_0": np.full(game.next_states.shape, 0.7)})
    assert exact_regret(scalar, policies) == pytest.approx(exact_regret(game, policies))
    table = generator.uniform(-1, 1, (16, 3, 1, 1))
    randomised = game.with_added_rewards({"agent_0": np.broadcast_to(table, game.next_states.shape)})
    assert abs(exact_regret(randomised, policies)["agent_0"] - exact_regret(game, policies)["agent_0"]) > 0.05


def test_fresh_agents_start_from_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Released: test agents started from trained weights. Here they begin close to uniform play."""
    begun: list[float] = []

    class Recorded(MARL):
        def learn(self, *arguments: Any, **named: Any) -> Any:
            for agent in self.env.agents:
                seen, masks = self.tables().decision_points(agent)
                begun.append(np.abs(self.learners[agent].action_probabilities(seen, masks) - 1 / 3).max())
            return super().learn(*arguments, **named)

    monkeypatch.setattr(fresh_agents, "MARL", Recorded)

    def game(num_envs: int, gap: float, planner: Planner) -> EngineBatch:
        return augmented_bimatrix_v0.batched_env(num_envs, q=gap, planner=planner, agents_observe="own")

    planners = {str(action): ConstantPlanner(action) for action in (5, 6)}
    config = fresh_agents.FreshAgentsConfig(num_envs=8, window=5, max_iterations=10, tolerance=1.0, measured_envs=8)
    transfer.transfer_evaluation(planners, game, [0.0, 0.4], [0], config, share_agents=False)
    assert len(begun) == 16  # two planners × two gaps × two windows × two agents
    begun = [value for k, value in enumerate(begun) if k % 4 < 2]  # the first windows
    assert max(begun) < 0.05


@pytest.mark.parametrize("table", ["figure-2", "figure-3"])
def test_no_seed_is_dropped_from_the_committed_results(table: str) -> None:
    """Released: the best 10 seeds."""
    with open(RESULTS / f"{table}.csv") as file:
        rows = list(csv.DictReader(file))
    names = [n for n in ("learner", "agents_observe", "multiplier", "epsilon", "deviation", "meta_gradient", "beta",
                         "iteration") if n in rows[0]]  # fmt: skip
    seeds: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        seeds.setdefault(tuple(row[n] for n in names), []).append(int(row["seed"]))
    assert all(sorted(found) == list(range(10)) for found in seeds.values())
