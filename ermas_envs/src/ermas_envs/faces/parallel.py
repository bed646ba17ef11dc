"""The PettingZoo face of an engine: `ParallelEnv` = the batched face with one replica, without auto-reset."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from ermas_envs.base.arguments import check_choice
from ermas_envs.base.arrays import Array, Observation, select
from ermas_envs.base.spaces import sampling_mask
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.faces.human_window import HumanWindow
from ermas_envs.game.batch import BatchObservation

RENDER_MODES = ("ansi", "rgb_array", "human")
RENDER_FPS = 10
"""Steps per second that a window shows at most."""


class EngineParallelEnv(ParallelEnv[str, Any, Any]):  # type: ignore[misc]  # PettingZoo ships no types
    """One replica of a batched environment as a PettingZoo parallel environment.

    `infos[agent]` holds `action_mask` (1 = has its effect; where actions are discrete) as the action space's `sample`
    takes it, int8 for Discrete and a tuple of int8 for MultiDiscrete, and, after a step, `payoff` (before perturbation)
    and `planner_payoff`, both of this step. Where the planner acts only now and then, `infos[planner]["acts"]` tells
    whether its next action has an effect.

    Args:
        batch: batched face with one replica and no auto-reset.
        render_mode: None, "ansi", "rgb_array", or "human": a window shows the picture after every reset and step;
            it needs pygame, ModuleNotFoundError otherwise.
    """

    def __init__(self, batch: EngineBatch, render_mode: str | None = None) -> None:
        if batch.num_envs != 1 or batch.autoreset:
            raise ValueError("batch must have one replica and autoreset=False.")
        if render_mode is not None:
            check_choice("render_mode", render_mode, RENDER_MODES)
        self.batch = batch
        self.render_mode = render_mode
        self._window = HumanWindow(batch.name, RENDER_FPS) if render_mode == "human" else None
        self.metadata = {
            "name": batch.name,
            "render_modes": list(RENDER_MODES),
            "render_fps": RENDER_FPS,
            "is_parallelizable": True,
        }
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
        """Start an episode; the option `first_episode` sets the index it has for schedules over episodes, which is
        otherwise 0 with a seed and one more than the last without."""
        seen = self.batch.reset(seed, (options or {}).get("first_episode"))
        self.agents = list(self.possible_agents)
        self._show()
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
            if result.final_metrics is not None:
                metrics = {name: float(values[0]) for name, values in result.final_metrics.items()}
                for info in infos.values():
                    info["metrics"] = metrics
        self._show()
        return self._first(result.observations), rewards, terminated, truncated, infos

    def render(self) -> str | Array | None:
        """The picture of `render_mode`: a string for "ansi", (height, width, 3) uint8 for "rgb_array", else None."""
        self._show()
        return self.batch.render(0, self.render_mode) if self.render_mode in ("ansi", "rgb_array") else None

    def close(self) -> None:
        """Close the window of `render_mode="human"`."""
        if self._window is not None:
            self._window.close()

    def _show(self) -> None:
        if self._window is not None and not self._window.closed:
            self._window.show(np.asarray(self.batch.render(0, "rgb_array")))

    def _first(self, batched: Mapping[str, Observation]) -> dict[str, Any]:
        return {agent: select(values, (0, ...)) for agent, values in batched.items()}  # with ..., a number is an array

    def _infos(self, seen: BatchObservation) -> dict[str, dict[str, Any]]:
        masks = seen.action_masks
        infos: dict[str, dict[str, Any]] = {
            agent: {"action_mask": sampling_mask(self.action_spaces[agent], masks[agent][0])} if agent in masks else {}
            for agent in self.possible_agents
        }
        if seen.planner_acts is not None and self.batch.planner in infos:
            infos[self.batch.planner]["acts"] = bool(seen.planner_acts[0])
        return infos
