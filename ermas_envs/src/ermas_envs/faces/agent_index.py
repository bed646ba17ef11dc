"""Who one is, as part of what one sees: a one-hot index, by which agents that share a policy can act differently."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import shown
from ermas_envs.base.arrays import Array, Observation
from ermas_envs.base.groups import ByRole, Roles

KEY = "agent_index"
"""Name of the entry in Dict observations."""


class AgentIndex:
    """Appends to the observation of every agent its index among all agents, one-hot.

    A vector becomes longer by the number of agents; a Dict gets the entry `agent_index`, a vector of that length.

    Args:
        agents: all agents, in order.
        observation_spaces: of every role, without the index.

    Raises:
        ValueError: an agent that observes neither a vector of floats nor a Dict.
    """

    def __init__(self, agents: tuple[str, ...], observation_spaces: Mapping[str, spaces.Space[Any]]) -> None:
        self._number = {agent: index for index, agent in enumerate(agents)}
        self._rows = np.eye(len(agents), dtype=np.float32)
        wider: dict[int, spaces.Space[Any]] = {}  # like agents share one object, and go on sharing it
        self.observation_spaces: dict[str, spaces.Space[Any]] = {}
        for role, space in observation_spaces.items():
            if role in self._number:
                if id(space) not in wider:
                    wider[id(space)] = self._wider(role, space)
                space = wider[id(space)]
            self.observation_spaces[role] = space

    def added(self, seen: Mapping[str, Observation], roles: Roles) -> ByRole[Any]:
        """Observations (R, n, …) by group with the index in those of agents."""
        by_group = dict(roles.stacked(seen).by_group)
        for group in by_group:
            members = roles.groups.get(group, ())
            if members and members[0] in self._number:
                rows = self._rows[[self._number[agent] for agent in members]]
                by_group[group] = _with_index(by_group[group], rows)
        return ByRole(roles, by_group)

    def to_points(self, agent: str, observations: Array) -> Array:
        """Observations (…, size) of one agent with its index."""
        return cast("Array", _with_index(observations, self._rows[self._number[agent]]))

    def _wider(self, agent: str, space: spaces.Space[Any]) -> spaces.Space[Any]:
        size = len(self._rows)
        if isinstance(space, spaces.Dict):
            return spaces.Dict({**space.spaces, KEY: spaces.Box(0.0, 1.0, (size,), np.float32)})
        if isinstance(space, spaces.Box) and len(space.shape) == 1 and space.dtype == np.float32:
            low, high = (np.append(end, np.full(size, value)) for end, value in ((space.low, 0.0), (space.high, 1.0)))
            return spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)
        raise ValueError(f"agent_index needs float32 vectors or Dicts as observations; {agent!r} has {shown(space)}.")


def _with_index(seen: Observation, rows: Array) -> Observation:
    """`seen` (…, size), or a mapping of arrays (R, n, …), with the rows (…, number of agents) added."""
    if isinstance(seen, Mapping):
        first = next(iter(seen.values()))
        return {**seen, KEY: np.broadcast_to(rows, (len(first), *rows.shape)).copy()}
    return np.concatenate([seen, np.broadcast_to(rows, (*seen.shape[:-1], rows.shape[-1]))], axis=-1)
