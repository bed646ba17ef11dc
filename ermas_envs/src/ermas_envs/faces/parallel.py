"""The PettingZoo face of an engine: `ParallelEnv` = the batched face with one replica, without auto-reset."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from ermas_envs.base.arguments import check_choice, check_integer, check_mapping
from ermas_envs.base.arrays import Array, FloatArray, Observation, select
from ermas_envs.base.spaces import as_array, sampling_mask
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.faces.human_window import HumanWindow
from ermas_envs.game.batch import BatchObservation

RENDER_MODES = ("ansi", "rgb_array", "human")
RENDER_FPS = 10
"""Steps per second that a window shows at most."""


class EngineParallelEnv(ParallelEnv[str, Any, Any]):  # type: ignore[misc]  # PettingZoo ships no types
    """One replica of a batched environment as a PettingZoo parallel environment.

    `infos[agent]` has the same keys, shapes and dtypes at a reset, in every step and at the end: `action_mask` (1 = has
    its effect; where actions are discrete) as the action space's `sample` takes it, int8 for Discrete and a tuple of
    int8 for MultiDiscrete; `payoff` (before perturbation) and `planner_payoff`, both of this step, 0 at a reset. Where
    the planner acts only now and then, `infos[planner]["acts"]` tells whether its next action has an effect. An
    episode's metrics are no part of it: see `final_metrics`.

    `metadata["name"]` is the game's name on an instance, the package's on the class, which is one for all games.

    Args:
        batch: batched face with one replica and no auto-reset.
        render_mode: None, "ansi", "rgb_array", or "human": a window shows the picture after every reset and step;
            it needs pygame, ModuleNotFoundError otherwise.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "ermas_envs",
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
        "is_parallelizable": True,
    }

    def __init__(self, batch: EngineBatch, render_mode: str | None = None) -> None:
        if batch.num_envs != 1 or batch.autoreset:
            raise ValueError("batch must have one replica and autoreset=False.")
        if render_mode is not None:
            check_choice("render_mode", render_mode, RENDER_MODES)
        self.batch = batch
        self.render_mode = render_mode
        self._window = HumanWindow(batch.name, RENDER_FPS) if render_mode == "human" else None
        self.metadata = {**type(self).metadata, "name": batch.name}  # type: ignore[misc]  # as PettingZoo's wrappers do
        self.possible_agents = list(batch.possible_agents)
        self.agents: list[str] = []
        self.observation_spaces = dict(batch.observation_spaces)
        self.action_spaces = dict(batch.action_spaces)
        self._seen: Mapping[str, Observation] = {}
        self._final_metrics: Mapping[str, FloatArray] | None = None

    @property
    def state_space(self) -> spaces.Box:
        """Space of `state()`: a float32 vector."""
        parts = [spaces.flatten_space(space) for space in self.observation_spaces.values()]
        low, high = (np.concatenate([np.ravel(getattr(part, end)) for part in parts]) for end in ("low", "high"))
        return spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)

    @property
    def final_metrics(self) -> dict[str, float] | None:
        """Metrics of the episode that ended last, by name, also after the reset that follows; None before one has
        ended, and where a game has none. NaN is the mean of nothing."""
        if self._final_metrics is None:
            return None
        return {name: float(values[0]) for name, values in self._final_metrics.items()}

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
        self._seen = seen.observations
        self._show()
        return self._first(seen.observations), self._infos(seen, dict.fromkeys((*self.agents, self.batch.planner), 0.0))

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One step; a Discrete action may be an array of one number.

        Raises:
            RuntimeError: the episode is over.
            ValueError: an action is missing, of another shape, or outside its space.
        """
        if not self.agents:
            raise RuntimeError("the episode is over or has not begun; call reset() before step().")
        given = check_mapping("actions", actions)
        result = self.batch.step({agent: self._batched(agent, action) for agent, action in given.items()})
        self._seen = result.observations
        infos = self._infos(result, {role: float(payoff[0]) for role, payoff in result.payoffs.items()})
        rewards = {agent: float(reward[0]) for agent, reward in result.rewards.items()}
        terminated = dict.fromkeys(self.agents, bool(result.terminated[0]))
        truncated = dict.fromkeys(self.agents, bool(result.truncated[0]))
        if result.terminated[0] or result.truncated[0]:
            self.agents = []
            self._final_metrics = result.final_metrics
        self._show()
        return self._first(result.observations), rewards, terminated, truncated, infos

    def state(self) -> Array:
        """What all acting roles see now, (size,) float32: for learners with a central critic.

        The observations in the order of `possible_agents`, each as `gymnasium.spaces.flatten` flattens it. RuntimeError
        before the first reset.
        """
        if not self._seen:
            raise RuntimeError("call reset() before state().")
        seen = self._first(self._seen)
        flat: list[Any] = [spaces.flatten(space, seen[role]) for role, space in self.observation_spaces.items()]
        return np.concatenate(flat).astype(np.float32)

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

    def _batched(self, agent: str, action: Any) -> Array:
        """An action as a batch of one; ValueError for another shape than the action space's."""
        given = as_array(agent, action)
        space = self.action_spaces.get(agent)  # unknown ids are the batch's to refuse
        if space is not None and given.shape != space.shape:
            if not isinstance(space, spaces.Discrete) or given.size != 1:
                raise ValueError(f"actions[{agent!r}] must have shape {space.shape}, got {given.shape}.")
            given = given.reshape(())
        return given[None]

    def _infos(self, seen: BatchObservation, payoffs: Mapping[str, float]) -> dict[str, dict[str, Any]]:
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.possible_agents}
        for agent, info in infos.items():
            if agent in seen.action_masks:
                info["action_mask"] = sampling_mask(self.action_spaces[agent], seen.action_masks[agent][0])
            info["payoff"], info["planner_payoff"] = payoffs[agent], payoffs[self.batch.planner]
        if seen.planner_acts is not None and self.batch.planner in infos:
            infos[self.batch.planner]["acts"] = bool(seen.planner_acts[0])
        return infos


def parallel_face(
    batched_env: Callable[..., EngineBatch], render_mode: str | None, arguments: Mapping[str, Any]
) -> EngineParallelEnv:
    """The PettingZoo face of a game.

    Args:
        batched_env: the game's function of this name.
        render_mode: see `EngineParallelEnv`.
        arguments: of `batched_env`; also `max_cycles`, PettingZoo's name of the horizon.

    Raises:
        ValueError: `max_cycles` beside `horizon`, or in a game whose other arguments say how long an episode is.
    """
    chosen = dict(arguments)
    if "max_cycles" in chosen:
        parameters = inspect.signature(batched_env).parameters
        if "horizon" not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            known = ", ".join(name for name in parameters if name != "num_envs")
            raise ValueError(f"max_cycles: how long an episode is follows from the game's other arguments ({known}).")
        if "horizon" in chosen:
            raise ValueError("max_cycles is PettingZoo's name of horizon: give one of them, got both.")
        chosen["horizon"] = check_integer("max_cycles", chosen.pop("max_cycles"), 1)
    return EngineParallelEnv(batched_env(1, autoreset=False, **chosen), render_mode)
