"""Mixing the agent's and the planner's objective at a frozen λ: which way minimises the Lagrangian of the exact dual?

With `agents_observe="own"` the Lagrangian J_p + Σ_i λ regret_i separates: its minimum over agents, the dual function,
is dynamic programming for the reward λ r_i − r_p. The gap of what a learner reaches to that minimum is what a way of
mixing costs; mixed rewards and mixed advantages are the same thing, because advantages are linear in rewards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ermas_algos.algorithms.config import AGENT_PPO, to_json
from ermas_algos.algorithms.exact import exact_metrics, tabular_policies
from ermas_algos.algorithms.exact_collection import JointPolicy
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.experiments.jobs import Job, Scale, Tables
from ermas_algos.learners.exact import ExactLearner, ExactLearnerConfig, ExactRollout
from ermas_algos.studies.agent_adv_search import AgentAdvSearch, agent_adv_search, last_third
from ermas_envs import bimatrix_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles import TabularGame, best_response_value, evaluate
from ermas_envs.planners import ConstantPlanner

NAME = "mixing"
TABLES = ("mixing",)

MULTIPLIERS = (0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)
SAMPLED_MULTIPLIERS = (1.0, 2.0, 3.0)
EXACT_WAYS = ("rewards", "each advantage standardised", "mixed advantage standardised")
SAMPLED_WAYS = {"rewards": False, "mixed advantage standardised": True}
"""Ways of mixing that SB3 PPO offers: its `normalize_advantage`."""
_SEEDS = 2
"""Seeds of the sampled learner at most."""


@dataclass(frozen=True)
class Frozen:
    """Agents trained at one frozen λ."""

    learner: str
    """`SB3 PPO` or `exact`."""
    way: str
    """How the objectives are mixed."""
    multiplier: float
    """The frozen λ of both agents."""
    first_seed: int
    """Seed of the run, or of the first member of the batch."""
    num_seeds: int
    """Seeds in the batch."""
    iterations: int
    """Updates of every agent."""

    @property
    def key(self) -> str:
        return f"{self.learner}_{self.way}_{self.multiplier:g}_seed-{self.first_seed}".replace(" ", "-")

    def configuration(self) -> dict[str, Any]:
        return asdict(self) | {"settings": to_json(self._search().run().config) if self.learner != "exact" else None}

    def run(self) -> Tables:
        """A row per seed."""
        game = bimatrix_v0.batched_env(1, agents_observe="own", planner=ConstantPlanner(0)).tabular_game()
        assert game is not None
        ends = self._exact(game) if self.learner == "exact" else self._sampled()
        regrets = [ends[f"exact_regret/agent_{i}"] for i in (0, 1)]
        lagrangian = ends["exact_reward/planner"] + self.multiplier * (regrets[0] + regrets[1])
        dual = dual_function(game, self.multiplier)
        labels = {"learner": self.learner, "mixing": self.way, "multiplier": self.multiplier}
        return {
            NAME: [
                {
                    **labels,
                    "seed": self.first_seed + k,
                    "planner_payoff": float(ends["exact_reward/planner"][k]),
                    "exact_regret_0": float(regrets[0][k]),
                    "exact_regret_1": float(regrets[1][k]),
                    "lagrangian": float(lagrangian[k]),
                    "dual_function": dual,
                }
                for k in range(self.num_seeds)
            ]
        }

    def _search(self) -> AgentAdvSearch:
        kwargs = {**AGENT_PPO.algorithm_kwargs, "normalize_advantage": SAMPLED_WAYS[self.way]}
        settings = {
            "agent_learner": to_json(replace(AGENT_PPO, algorithm_kwargs=kwargs)),
            "multiplier": to_json(MultiplierConfig.frozen(self.multiplier)),
            "seed": self.first_seed,
        }
        return AgentAdvSearch(self.learner, "own", "ERMAS", settings, self.num_seeds, self.iterations)

    def _sampled(self) -> dict[str, FloatArray]:
        return {name: last_third(values) for name, values in agent_adv_search(self._search()).items()}

    def _exact(self, game: TabularGame) -> dict[str, FloatArray]:
        config = ExactLearnerConfig(num_seeds=self.num_seeds)
        env = bimatrix_v0.batched_env(1, agents_observe="own")
        learners = {
            agent: ExactLearner(
                config,
                game,
                agent,
                env.observation_spaces[agent],
                env.action_spaces[agent],
                self.first_seed + 1000 * i,
            )
            for i, agent in enumerate(game.roles[:-1])
        }
        for _ in range(self.iterations):
            joint = JointPolicy(game, tabular_policies(game, learners))
            for agent, learner in learners.items():
                learner.update(mixed_rollout(joint, agent, self.multiplier, self.way))
        metrics = exact_metrics(game, learners)
        return {name: np.broadcast_to(value, self.num_seeds) for name, value in metrics.items()}


def mixed_rollout(joint: JointPolicy, agent: str, multiplier: float, way: str) -> ExactRollout:
    """What the agent learns from at a frozen λ, its advantages mixed in one of `EXACT_WAYS`."""
    game = joint.game
    own = joint.advantages(agent, game.rewards[agent])
    against = joint.advantages(agent, -game.rewards[game.roles[-1]])
    weights = joint.visits[..., None] * joint.policies[agent]
    if way == "each advantage standardised":
        own, against = own / _spread(own, weights), against / _spread(against, weights)
    mixed = (multiplier * own + against) / (1.0 + multiplier)
    if way == "mixed advantage standardised":
        mixed = mixed / _spread(mixed, weights)
    if way != "rewards":
        mixed = 0.05 * mixed  # about the size of unstandardised advantages, so that one step size fits all ways
    masks = np.broadcast_to(game.action_masks[agent], (game.horizon, *game.action_masks[agent].shape))
    return ExactRollout(game.observations[agent], masks, joint.visits, mixed)


def _spread(advantages: FloatArray, weights: FloatArray) -> FloatArray:
    """Standard deviation of the advantages under the joint policy, with axes of length 1; their mean is 0."""
    axes = (-3, -2, -1)
    variance = (weights * advantages**2).sum(axis=axes, keepdims=True) / weights.sum(axis=axes, keepdims=True)
    spread: FloatArray = np.sqrt(variance) + 1e-8
    return spread


def dual_function(game: TabularGame, multiplier: float) -> float:
    """min over agents of J_p + λ Σ_i regret_i, payoff per step, for a separable game (`agents_observe="own"`)."""
    agents, planner = game.roles[:-1], game.roles[-1]
    # One agent's deviation changes J_p by its own term only, and its regret by its own payoff only.
    reference = {a: np.full((game.horizon, game.start.size, 3), 1 / 3) for a in agents}
    values = evaluate(game, reference)
    total = values[planner]
    for agent in agents:
        mixed = {agent: multiplier * game.rewards[agent] - game.rewards[planner]}
        value = evaluate(replace(game, rewards={**game.rewards, **mixed}), reference)[agent]
        best = best_response_value(replace(game, rewards={**game.rewards, **mixed}), reference, agent)
        regret = best_response_value(game, reference, agent) - values[agent]
        total += multiplier * regret - (best - value)
    return float(total)


def jobs(scale: Scale) -> Sequence[Job]:
    """Every way at every λ."""
    multipliers = MULTIPLIERS[1:5:3] if scale.quick else MULTIPLIERS
    iterations = {"exact": 50, "SB3 PPO": 45} if scale.quick else {"exact": 400, "SB3 PPO": 200}
    found = []
    for multiplier in multipliers:
        for way in EXACT_WAYS:
            found.append(Frozen("exact", way, multiplier, scale.first_seed, scale.seeds, iterations["exact"]))
        for way in SAMPLED_WAYS if multiplier in SAMPLED_MULTIPLIERS else ():
            for seed in scale.numbers[:_SEEDS]:
                found.append(Frozen("SB3 PPO", way, multiplier, seed, 1, iterations["SB3 PPO"]))
    return found


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the figure."""
    from ermas_algos.studies.mixing_picture import plot_mixing  # Matplotlib takes a second to import

    plot_mixing(path, tables[NAME])
