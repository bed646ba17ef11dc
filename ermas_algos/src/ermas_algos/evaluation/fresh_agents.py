"""Fresh agents: trained from scratch against a frozen planner until they have converged, then frozen and measured.

Convergence: over two successive windows of outer iterations the mean payoff and the mean reward of every agent differ
by less than a tolerance. Payoff and reward together (they differ by what the reality gap adds) also show a drift among
policies that are worth the same to an agent, but not to the planner. A cap ends training that does not converge; the
result says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_algos.algorithms.collection import MakeEnv, SampledCollector
from ermas_algos.algorithms.config import LONGEST_ROLLOUT, MARLConfig, check_writable, rollout_length
from ermas_algos.algorithms.exact import tabular_policies
from ermas_algos.algorithms.marl import MARL
from ermas_algos.algorithms.sharing import PolicySharing, check_policy_sharing
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.learners.protocol import Learner, LearnerConfig, num_seeds
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_envs.base.arguments import check_integer, check_number, keep
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles import evaluate, exact_regret

FRESH_AGENT_PPO = SB3LearnerConfig(
    learning_rate=1e-2, gamma=0.9, gae_lambda=0.9, algorithm_kwargs={"n_epochs": 4, "ent_coef": 0.01, "clip_range": 0.3}
)
"""PPO settings whose fresh agents end with an exact regret below 0.002 per step in the augmented bimatrix game."""

_TRAINING, _MEASURING = 1, 2
"""Keep the random numbers of fresh agents and of their measurement apart from those of the planner's training."""


@dataclass(frozen=True)
class FreshAgentsConfig:
    """How fresh agents are trained and measured."""

    agent_learner: LearnerConfig = FRESH_AGENT_PPO
    """Learner of every agent."""
    num_envs: int = 128
    """Replicas of a rollout."""
    policy_sharing: PolicySharing = "none"
    """Which agents share a learner (`TrainerConfig.policy_sharing`)."""
    rollout_steps: int | None = None
    """Steps of a rollout, which starts with a reset; None takes the environment's horizon (whole episodes)."""
    window: int = 50
    """Outer iterations that the criterion of convergence averages over; it is asked after every window."""
    tolerance: float = 0.003
    """Largest difference of an agent's mean payoff, and of its mean reward, between two windows; per step, in units of
    the scale of the agent's payoffs (`payoff_scales`)."""
    max_iterations: int = 400
    """The cap: outer iterations after which training ends without convergence; at least two windows."""
    measured_envs: int = 1024
    """Replicas of the rollout that measures the planner's payoff."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        if num_seeds(self.agent_learner) > 1:
            raise ValueError("agent_learner must be one learner (num_seeds 1): fresh agents are played and measured.")
        window = check_integer("window", self.window, 1)
        keep(
            self,
            num_envs=check_integer("num_envs", self.num_envs, 2),
            policy_sharing=check_policy_sharing(self.policy_sharing),
            window=window,
            tolerance=check_number("tolerance", self.tolerance, minimum=0.0),
            max_iterations=check_integer("max_iterations", self.max_iterations, 2 * window),
            measured_envs=check_integer("measured_envs", self.measured_envs, 1),
        )
        if self.rollout_steps is not None:
            keep(self, rollout_steps=check_integer("rollout_steps", self.rollout_steps, 1, LONGEST_ROLLOUT))
        check_writable(self)


@dataclass(frozen=True)
class FreshAgents:
    """Trained fresh agents."""

    learners: Mapping[str, Learner]
    """Per agent."""
    converged: bool
    """Whether the criterion held; otherwise the cap ended their training."""
    iterations: int
    """Outer iterations of their training, those before they met the planner included."""
    env_steps: int
    """Environment steps (one replica, all roles, one step) of their training."""


@dataclass(frozen=True)
class Measurement:
    """What a planner is worth against given agents; undiscounted means per step."""

    planner_return: float
    """Planner payoff over fresh episodes."""
    exact_planner_return: float | None
    """Its exact value where the game is tabular."""
    exact_regret: float | None
    """The largest exact regret of the agents, payoff per step, where the game is tabular; best responses see the whole
    state and the clock."""


def train_fresh_agents(
    make_env: MakeEnv, config: FreshAgentsConfig, seed: int, first: Trainer[Any] | None = None
) -> FreshAgents:
    """Train agents in an environment in which a planner object plays; see the module for the end.

    Args:
        make_env: number of replicas → environment.
        config: how they are trained.
        seed: of everything random.
        first: their training before they have met the planner (`Trainer.take_agents_of`); None: they know nothing.
    """
    marl = MARL(
        make_env,
        MARLConfig(
            num_envs=config.num_envs,
            rollout_steps=config.rollout_steps,
            seed=_seed(seed, _TRAINING),
            agent_learner=config.agent_learner,
            planner_learner=config.agent_learner,
            policy_sharing=config.policy_sharing,
        ),
    )
    rollout_length(config.rollout_steps, marl.env.horizon, config.measured_envs)  # before training, not after it
    begun = 0 if first is None else marl.take_agents_of(first).iteration
    names = {f"{kind}/{agent}": agent for agent in marl.env.agents for kind in ("payoff", "reward")}
    history: list[list[float]] = []

    def record(_: int, metrics: Mapping[str, float]) -> None:
        scales = marl.scales.values
        history.append([float(np.mean(metrics[name])) / scales[agent] for name, agent in names.items()])

    done = False
    while not done and marl.iteration < begun + config.max_iterations:
        marl.learn(min(marl.iteration + config.window, begun + config.max_iterations), progress=record)
        done = converged(history, config.window, config.tolerance)
    agents = {agent: marl.learners[agent] for agent in marl.env.agents}
    return FreshAgents(agents, done, marl.iteration, marl.env_steps)


def converged(history: Sequence[Sequence[float]] | FloatArray, window: int, tolerance: float) -> bool:
    """Whether the means over the last two windows differ by at most `tolerance` in every column.

    Args:
        history: (iterations, columns); False for fewer than two windows.
        window: rows of a window.
        tolerance: in the unit of the columns.
    """
    if len(history) < 2 * window:
        return False
    last, before = (np.mean(history[len(history) - k * window :][:window], axis=0) for k in (1, 2))
    return bool(np.all(np.abs(last - before) <= tolerance))


def measure(make_env: MakeEnv, agents: FreshAgents, config: FreshAgentsConfig, seed: int) -> Measurement:
    """Play frozen agents against the planner inside the environment; exact values beside it where there are tables."""
    collector = SampledCollector(make_env, config.measured_envs, np.random.default_rng(_seed(seed, _MEASURING)))
    env = collector.env(1)
    collector.steps = rollout_length(config.rollout_steps, env.horizon, config.measured_envs)
    cast = {role: [learner] for role, learner in agents.learners.items()}
    experience = collector.collect(cast, agents.iterations)  # what depends on the episode's number is as at their end
    value = experience.mean(experience.payoffs[env.planner], 0)
    game = env.tabular_game()
    if game is None:
        return Measurement(value, None, None)
    policies = tabular_policies(game, agents.learners)
    exact = float(evaluate(game, policies)[env.planner])
    return Measurement(value, exact, float(max(exact_regret(game, policies).values())))


def _seed(seed: int, purpose: int) -> int:
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1)[0])
