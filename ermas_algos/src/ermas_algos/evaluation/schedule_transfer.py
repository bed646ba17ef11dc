"""Tax schedules at another risk aversion of the one-step economy: by the exact equilibrium and by fresh agents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_algos.evaluation.fresh_agents import FreshAgents, FreshAgentsConfig, train_fresh_agents
from ermas_algos.evaluation.tax_certificate import mixed_hours
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_envs import BatchedEnv, one_step_economy_v0
from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.oracles.taxes import Population, equilibrium, expected_welfare, regrets
from ermas_envs.planners import FixedBrackets

_ROWS = 1280
"""Hours chosen by all agents together in an update, of a few agents."""
_REPLICAS = 24
"""At least so many, and so many hours of each agent: of a crowd."""


def fresh_taxpayers(num_agents: int) -> FreshAgentsConfig:
    """So many fresh agents, who share a policy and whose entropy falls to nearly nothing.

    In a crowd the next higher wage is so near that working the most looks like the answer of those, too, who should
    stop below a bracket's cliff. A crowd learns twice as long, by larger steps and from more entropy. A hundred agents
    who learned as a few do had up to 2.7 of regret per step under a rate of .95, and seemed to be worth 5 % more than
    they were; with these settings it is .7, and 1 %."""
    crowd = num_agents * _REPLICAS > _ROWS
    replicas, iterations, rate, entropy, share = (
        (_REPLICAS, 200, 1.5e-2, 0.5, 0.004) if crowd else (_ROWS // num_agents, 100, 6e-3, 0.2, 0.02)
    )
    learner = SB3LearnerConfig(
        "MaskablePPO",
        learning_rate=rate,
        gamma=1.0,
        gae_lambda=0.95,
        hidden_layers=(64, 64),
        minibatch_size=max(replicas * num_agents, _ROWS) // 2,
        anneal_epochs=4 * iterations,
        annealed_share=share,
        algorithm_kwargs={"n_epochs": 4, "ent_coef": entropy, "clip_range": 0.2},
    )
    return FreshAgentsConfig(
        agent_learner=learner,
        num_envs=replicas,
        policy_sharing="group",
        window=iterations // 2,
        max_iterations=iterations,
    )


@dataclass(frozen=True)
class ScheduleTest:
    """What a schedule is worth to the planner, at the end of an episode."""

    exact_welfare: float
    """Of the exact equilibrium."""
    equality: float
    """Welfare of the equilibrium divided by its productivity."""
    productivity: float
    """Mean coin of an agent in the equilibrium, expected where somebody mixes."""
    equilibrium_regret: float
    """The largest regret in what was taken for an equilibrium, payoff per step; 0 for a true one."""
    fresh_welfare: float | None
    """Of fresh agents, the expectation over their mixed hours; None without fresh agents."""
    fresh_regret: float | None
    """The largest exact regret of the fresh agents, payoff per step."""
    fresh_converged: bool | None
    """Whether their training met the criterion of convergence before its end."""


def evaluate_schedule(
    arguments: Mapping[str, Any], rates: Sequence[float] | FloatArray, fresh: FreshAgentsConfig | None, seed: int = 0
) -> ScheduleTest:
    """A schedule in the one-step economy.

    Args:
        arguments: of `one_step_economy_v0`.
        rates: (B,) marginal rates.
        fresh: how fresh agents are trained; None leaves them out.
        seed: of the fresh agents.

    Raises:
        ValueError: see `Population.of` and `Population.under`; a planner's objective other than equality times
            productivity, and somebody mixes.
    """
    taxed = Population.of(OneStepSettings(**arguments)).under(rates)
    found = equilibrium(taxed)
    productivity = float((found.profile * taxed.incomes).sum() / taxed.size)
    exact = found.welfare, found.welfare / productivity, productivity, found.largest_regret
    if fresh is None:
        return ScheduleTest(*exact, None, None, None)

    def game(num_envs: int) -> BatchedEnv:
        return one_step_economy_v0.batched_env(num_envs, planner=FixedBrackets(taxed.rates), **arguments)

    agents = train_fresh_agents(game, fresh, seed)
    profile = hours_of_fresh_agents(game(1), agents)
    largest = float(regrets(taxed, profile).max())
    return ScheduleTest(*exact, expected_welfare(taxed, profile), largest, agents.converged)


def hours_of_fresh_agents(env: BatchedEnv, agents: FreshAgents) -> FloatArray:
    """(n, 101) probabilities of hours of frozen agents, in the second step of an episode, in which they work.

    Args:
        env: the one-step economy with a schedule inside.
        agents: whose masks leave them nothing to do in the first step.
    """
    env.reset(seed=0)
    idle: dict[str, Array] = {agent: np.zeros(env.num_envs, dtype=np.int64) for agent in env.agents}
    return mixed_hours(agents.learners, env.agents, env.step(idle))
