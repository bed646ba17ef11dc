"""A game of somebody else, as small as can be: agents of any names and a planner earn a wage for their action 1."""

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class ForeignGame(ParallelEnv):  # type: ignore[misc]
    """Episodes terminate after some steps, which nothing tells beforehand."""

    metadata = {"name": "foreign_v0"}  # noqa: RUF012 PettingZoo's convention

    def __init__(self, names: tuple[str, ...] = ("agent_0",), wage: float = 1.0, steps: int = 4) -> None:
        self.possible_agents, self.agents, self.wage, self.steps = [*names, "planner"], [], wage, steps

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(0.0, 1.0, (1,), np.float32)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(2)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.left = list(self.possible_agents), self.steps
        return self._of(np.zeros(1, np.float32)), self._of({})

    def step(self, actions: dict[str, int]) -> Any:
        self.left -= 1
        rewards = {agent: self.wage * float(action) for agent, action in actions.items()}
        answer = self._of(np.zeros(1, np.float32)), rewards, self._of(self.left == 0), self._of(False), self._of({})
        self.agents = self.agents if self.left else []
        return answer

    def _of(self, value: Any) -> dict[str, Any]:
        return dict.fromkeys(self.possible_agents, value)
