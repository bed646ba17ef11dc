"""Who one is, as part of what one sees: a one-hot index, by which agents that share a policy can act differently."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import Array, Observation
from ermas_envs.base.groups import ByRole, Roles
from ermas_envs.faces.wider_observations import wider_spaces, with_entry

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
        low, high = np.zeros(len(agents)), np.ones(len(agents))
        self.observation_spaces = wider_spaces(observation_spaces, agents, KEY, low, high)

    def added(self, seen: Mapping[str, Observation], roles: Roles) -> ByRole[Any]:
        """Observations (R, n, …) by group with the index in those of agents."""
        by_group = dict(roles.stacked(seen).by_group)
        for group in by_group:
            members = roles.groups.get(group, ())
            if members and members[0] in self._number:
                rows = self._rows[[self._number[agent] for agent in members]]
                by_group[group] = with_entry(by_group[group], KEY, rows)
        return ByRole(roles, by_group)

    def to_points(self, agent: str, observations: Array) -> Array:
        """Observations (…, size) of one agent with its index."""
        return cast("Array", with_entry(observations, KEY, self._rows[self._number[agent]]))
