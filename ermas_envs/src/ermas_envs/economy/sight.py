"""Vectors that agents and the planner see as Gymnasium observations: what the faces of both economies share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.arrays import Array, Observation
from ermas_envs.economy.observation_entries import Entries, slices
from ermas_envs.ids import PLANNER, agent_id


class VectorSight:
    """Names of everything that is seen.

    Args:
        settings: the economy: num_agents, observations, flatten_observations.
        agent_entries: of an agent's vector.
        planner_entries: of the planner's vector.
        agent_of_planner: of what the planner sees of each agent.
    """

    def __init__(
        self, settings: Any, agent_entries: Entries, planner_entries: Entries, agent_of_planner: Entries
    ) -> None:
        self.compact = settings.observations == "compact"
        self.flatten = settings.flatten_observations
        self.agents = tuple(agent_id(index) for index in range(settings.num_agents))
        self.agent_entries, self.planner_entries = agent_entries, planner_entries
        self.agent_of_planner = agent_of_planner
        self._agent_slices, self._planner_slices = slices(agent_entries), slices(planner_entries)
        self._agent_of_planner_slices = slices(agent_of_planner)

    def observations(self, views: Any) -> dict[str, Observation]:
        """Per role its observation; arrays are views of `views`: `agent_vector`, `planner_vector`, `planner_agents`."""
        found = {agent: self._of_agent(views, index) for index, agent in enumerate(self.agents)}
        return {**found, PLANNER: self._of_planner(views)}

    def spaces_of(self, views: Any) -> dict[str, spaces.Space[object]]:
        """Observation space of every role, from arrays of the right shapes."""
        sample = self.observations(views)
        agent = self._space(sample[self.agents[0]])
        return {**dict.fromkeys(self.agents, agent), PLANNER: self._space(sample[PLANNER])}

    def maps_of_agent(self, views: Any, index: int) -> dict[str, Array]:
        """Maps that an agent sees beside its vector: none."""
        return {}

    def maps_of_planner(self, views: Any) -> dict[str, Array]:
        """Maps that the planner sees beside its vector: none."""
        return {}

    def _of_agent(self, views: Any, index: int) -> Observation:
        vector: Array = views.agent_vector[:, index]
        if self.compact:
            return vector
        return {**self._named(vector, self._agent_slices), **self.maps_of_agent(views, index)}

    def _of_planner(self, views: Any) -> Observation:
        vector: Array = views.planner_vector
        if self.compact:
            return vector
        seen = {**self._named(vector, self._planner_slices), **self.maps_of_planner(views)}
        for index in range(views.planner_agents.shape[1]):
            of_agent = views.planner_agents[:, index]
            if self.flatten:
                seen[f"p{index}"] = of_agent
            else:
                where = self._agent_of_planner_slices
                seen |= {f"p{index}-{name}": of_agent[:, at] for name, at in where.items()}
        return seen

    def _named(self, vector: Array, where: Mapping[str, slice]) -> dict[str, Array]:
        if self.flatten:
            return {"flat": vector, "time": vector[:, where["time"]]}
        return {name: vector[:, at] for name, at in where.items()}

    def _space(self, seen: Observation) -> spaces.Space[Any]:
        if not isinstance(seen, Mapping):
            return self._box("", seen)
        return spaces.Dict({name: self._box(name, values) for name, values in seen.items()})

    def _box(self, name: str, values: Array) -> spaces.Box:
        return spaces.Box(-np.inf, np.inf, values.shape[1:], np.float32)
