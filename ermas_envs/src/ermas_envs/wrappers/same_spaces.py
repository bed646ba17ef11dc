"""One shape for all agents, for libraries that stack them: observations and actions padded to the largest."""

from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.spaces import flat_mask
from ermas_envs.faces.parallel_checks import AnyParallelEnv
from ermas_envs.wrappers.conversion import Conversion


class SameSpaces(Conversion):
    """Observations, vectors, are padded with zeros; Discrete actions with ones that masks in infos forbid.

    An agent that plays such an action all the same plays its first one, as with SuperSuit's `pad_action_space_v0`,
    which leaves masks as they are. Every agent gets a mask.

    Raises:
        ValueError: an observation is no vector (`FlatObservations` makes it one), or an action not Discrete from 0
            (`DiscreteActions`).
    """

    def __init__(self, env: AnyParallelEnv) -> None:
        seen = {agent: env.observation_space(agent) for agent in env.possible_agents}
        taken = {agent: env.action_space(agent) for agent in env.possible_agents}
        for agent in env.possible_agents:
            if not isinstance(seen[agent], spaces.Box) or len(seen[agent].shape) != 1:
                raise ValueError(
                    f"observations of {agent!r} must be vectors (see FlatObservations), got {seen[agent]}."
                )
            if not isinstance(taken[agent], spaces.Discrete) or taken[agent].start != 0:
                raise ValueError(f"actions of {agent!r} must be Discrete (see DiscreteActions), got {taken[agent]}.")
        self._length = max(space.shape[0] for space in seen.values())
        low, high = (np.zeros(self._length) for _ in range(2))
        for space in seen.values():
            low[: space.shape[0]] = np.minimum(low[: space.shape[0]], space.low)
            high[: space.shape[0]] = np.maximum(high[: space.shape[0]], space.high)
        dtype = np.result_type(*(space.dtype for space in seen.values()))
        self._shown_to_all = spaces.Box(low.astype(dtype), high.astype(dtype), dtype=dtype.type)
        self._taken_by_all = spaces.Discrete(max(int(space.n) for space in taken.values()))
        super().__init__(env)

    def _shown_space(self, agent: str) -> spaces.Space[Any]:
        return self._shown_to_all

    def _taken_space(self, agent: str) -> spaces.Space[Any]:
        return self._taken_by_all

    def _convert(self, agent: str, seen: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        padded = np.zeros(self._length, self._shown_to_all.dtype)
        padded[: len(seen)] = seen
        own = int(self.env.action_space(agent).n)
        mask = np.zeros(self._taken_by_all.n, np.int8)
        mask[:own] = flat_mask(info["action_mask"]) if "action_mask" in info else 1
        info["action_mask"] = mask
        return padded, info

    def _taken(self, agent: str, action: Any) -> Any:
        if agent in self.action_spaces and np.size(action) == 1:
            own, number = self.env.action_space(agent).n, int(np.asarray(action).item())
            return 0 if own <= number < self._taken_by_all.n else number
        return action
