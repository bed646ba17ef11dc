"""The PettingZoo face of an engine: `ParallelEnv` = the batched face with one replica, without auto-reset."""

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from ermas_envs.arguments import check_choice
from ermas_envs.arrays import Array
from ermas_envs.batch import BatchObservation
from ermas_envs.engine_batch import EngineBatch

RENDER_MODES = ("ansi", "rgb_array")


class EngineParallelEnv(ParallelEnv[str, Any, Any]):  # type: ignore[misc]  # PettingZoo ships no types
    """One replica of a batched environment as a PettingZoo parallel environment.

    `infos[agent]` holds `action_mask` (int8, 1 = has its effect; where actions are discrete) and, after a step,
    `payoff` (before perturbation) and `planner_payoff`, all of this step.

    Args:
        batch: batched face with one replica and no auto-reset.
        render_mode: None, "ansi" or "rgb_array".
    """

    def __init__(self, batch: EngineBatch, render_mode: str | None = None) -> None:
        if batch.num_envs != 1 or batch.autoreset:
            raise ValueError("batch must have one replica and autoreset=False.")
        if render_mode is not None:
            check_choice("render_mode", render_mode, RENDER_MODES)
        self.batch = batch
        self.render_mode = render_mode
        self.metadata = {"name": batch.name, "render_modes": list(RENDER_MODES), "is_parallelizable": True}
        self.possible_agents = list(batch.possible_agents)
        self.agents: list[str] = []
        self.observation_spaces = dict(batch.observation_spaces)
        self.action_spaces = dict(batch.action_spaces)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Observation space of `agent`."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Action space of `agent`."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode; the option `first_episode` sets the index it has for schedules over episodes."""
        seen = self.batch.reset(seed, (options or {}).get("first_episode", 0))
        self.agents = list(self.possible_agents)
        return self._first(seen.observations), self._infos(seen)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One step; RuntimeError if the episode is over, ValueError if an action is missing or outside its space."""
        if not self.agents:
            raise RuntimeError("the episode is over or has not begun; call reset() before step().")
        result = self.batch.step({agent: np.asarray(action)[None] for agent, action in actions.items()})
        infos = self._infos(result)
        planner_payoff = float(result.payoffs[self.batch.planner][0])
        for agent, info in infos.items():
            info["payoff"] = float(result.payoffs[agent][0])
            info["planner_payoff"] = planner_payoff
        rewards = {agent: float(reward[0]) for agent, reward in result.rewards.items()}
        terminated = dict.fromkeys(self.agents, bool(result.terminated[0]))
        truncated = dict.fromkeys(self.agents, bool(result.truncated[0]))
        if result.terminated[0] or result.truncated[0]:
            self.agents = []
        return self._first(result.observations), rewards, terminated, truncated, infos

    def render(self) -> str | Array | None:
        """The picture of `render_mode`: a string for "ansi", (height, width, 3) uint8 for "rgb_array"."""
        return None if self.render_mode is None else self.batch.render(0, self.render_mode)

    def close(self) -> None:
        """Nothing to release."""

    def _first(self, batched: dict[str, Array]) -> dict[str, Any]:
        return {agent: values[0] for agent, values in batched.items()}

    def _infos(self, seen: BatchObservation) -> dict[str, dict[str, Any]]:
        masks = seen.action_masks
        return {
            agent: {"action_mask": masks[agent][0].astype(np.int8)} if agent in masks else {}
            for agent in self.possible_agents
        }
