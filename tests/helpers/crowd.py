"""A game of any number of agents whose worst ε-equilibrium is known: everybody chooses whether to harm the planner."""

from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import IntArray, agent_id
from ermas_envs.base.groups import ByRole
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.game.engine import Engine, Outcome

COSTS = np.array([0.1, 0.5, 1.0])
"""What harm costs an agent of each kind; agent i is of kind i modulo 3."""


class Crowd(Engine):
    """Two steps; an agent that harms (action 1) pays its cost, the planner earns the share of those who do not.

    An agent of cost c whose regret is at most ε harms with probability min(1, ε/c). Agents see their kind. The planner
    has a choice in every second step only, of which nothing follows.
    """

    name = "crowd"
    horizon = 2
    num_states = None

    def __init__(self, num_envs: int, num_agents: int) -> None:
        self.num_envs = num_envs
        self.agents = tuple(agent_id(index) for index in range(num_agents))
        self.kinds = np.arange(num_agents) % len(COSTS)
        self.planner_payoff_scale = 1.0
        self.agent_payoff_scales = {
            agent: float(COSTS[kind]) for agent, kind in zip(self.agents, self.kinds, strict=True)
        }
        seen = spaces.Box(0.0, 1.0, (len(COSTS),), np.float32)
        self.observation_spaces = {**dict.fromkeys(self.agents, seen), self.planner: spaces.Box(0.0, 1.0, (1,))}
        self.action_spaces = dict.fromkeys((*self.agents, self.planner), spaces.Discrete(2))
        self.time = 0

    def reset(self, replicas: IntArray, streams: ReplicaStreams, episodes: IntArray, *, from_scratch: bool) -> None:
        self.time = 0

    def step(self, actions: ByRole[Any]) -> Outcome:
        harm = actions.by_group["agent"]
        self.time += 1
        earned = 1.0 - harm.mean(axis=1)
        payoffs = ByRole(self.roles, {"agent": -COSTS[self.kinds] * harm, self.planner: earned[:, None]})
        over = np.full(self.num_envs, self.time >= self.horizon)
        return Outcome(payoffs, earned, np.zeros_like(over), over)

    def observe(self, fresh: bool = True) -> Any:
        kinds = np.eye(len(COSTS), dtype=np.float32)[self.kinds]
        seen = {"agent": np.tile(kinds, (self.num_envs, 1, 1)), "planner": np.ones((self.num_envs, 1, 1), np.float32)}
        allowed = np.ones((self.num_envs, 1, 2), np.bool_)
        allowed[:, :, 1] = self.time == 0
        return ByRole(self.roles, seen), ByRole(self.roles, {"planner": allowed})

    def planner_acts(self) -> Any:
        return np.full(self.num_envs, self.time == 0)

    def states(self) -> None:
        return None

    def tabular_game(self) -> None:
        return None

    def render(self, replica: int, mode: str) -> Any:
        raise NotImplementedError


def crowd(num_agents: int, **options: Any) -> Any:
    """Number of replicas → the game's batched face."""
    return lambda num_envs: EngineBatch(Crowd(num_envs, num_agents), **options)
