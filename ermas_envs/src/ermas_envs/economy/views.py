"""What agents and the planner see as Gymnasium spaces and arrays: the face of `step.Views` (SPEC section 13)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.arrays import Array, Observation
from ermas_envs.economy import compact
from ermas_envs.economy.actions import ActionTable
from ermas_envs.economy.observation_entries import (
    Entries,
    agent_entries,
    planner_entries,
    planner_entries_of_agent,
    size,
    slices,
)
from ermas_envs.economy.settings import EconomySettings, as_resource
from ermas_envs.economy.step import Rules, Views
from ermas_envs.ids import PLANNER, agent_id


class Sight:
    """Names and shapes of everything that is seen, and its arrays.

    Args:
        settings: the economy.
        rules: its constants.
        num_envs: number of replicas.
    """

    def __init__(self, settings: EconomySettings, rules: Rules, num_envs: int) -> None:
        self.compact = settings.observations == "compact"
        self.flatten = settings.flatten_observations
        self.agents = tuple(agent_id(index) for index in range(settings.num_agents))
        brackets = rules.observations.brackets
        chosen = compact if self.compact else None
        self.agent_entries: Entries = (chosen.agent_entries if chosen else agent_entries)(settings, brackets)
        self.planner_entries: Entries = (chosen.planner_entries if chosen else planner_entries)(settings, brackets)
        self.agent_of_planner: Entries = () if self.compact else planner_entries_of_agent(settings)
        self.views = self._views(settings, rules, num_envs)
        resources = (settings.stone, settings.wood)
        self._most_units = max(as_resource("resource", given).max_health for given in resources)
        self._ids = settings.num_agents + 1

    def _views(self, settings: EconomySettings, rules: Rules, num_envs: int) -> Views:
        seen, agents = rules.observations, settings.num_agents
        maps = np.float32 if settings.map_dtype == "float32" else np.uint8
        ids = np.int16 if settings.map_dtype == "float32" else np.uint8
        side = 2 * seen.halfwidth + 1
        self._rectangle = (seen.height, seen.width) if seen.full else (side, side)
        self._whole = (seen.height, seen.width)
        tiles, all_tiles = int(np.prod(self._rectangle)), seen.height * seen.width
        n = 0 if self.compact else agents
        planner = 1 if seen.planner_spatial and not self.compact else 0
        of_agents = n if self.agent_of_planner else 0
        choices = rules.planner_multi, rules.planner_brackets, rules.planner_rates
        return Views(
            agent_vector=np.zeros((num_envs, agents, size(self.agent_entries)), np.float32),
            agent_maps=np.zeros((num_envs, n, len(seen.agent_planes) * tiles), maps),
            agent_ids=np.zeros((num_envs, n, 2 * tiles), ids),
            agent_mask=np.zeros((num_envs, agents, agent_mask_size(rules.actions)), np.bool_),
            planner_vector=np.zeros((num_envs, size(self.planner_entries)), np.float32),
            planner_agents=np.zeros((num_envs, of_agents, size(self.agent_of_planner)), np.float32),
            planner_maps=np.zeros((num_envs, planner * len(seen.planner_planes) * all_tiles), maps),
            planner_ids=np.zeros((num_envs, planner * 2 * all_tiles), ids),
            planner_mask=np.zeros((num_envs, planner_mask_size(*choices)), np.bool_),
        )

    def observations(self, views: Views) -> dict[str, Observation]:
        """Per role its observation; arrays are views of `views`."""
        found = {agent: self._of_agent(views, index) for index, agent in enumerate(self.agents)}
        return {**found, PLANNER: self._of_planner(views)}

    def observation_spaces(self) -> dict[str, spaces.Space[object]]:
        """Observation space of every role."""
        sample = self.observations(self.views)
        agent = self._space(sample[self.agents[0]])
        return {**dict.fromkeys(self.agents, agent), PLANNER: self._space(sample[PLANNER])}

    def _of_agent(self, views: Views, index: int) -> Observation:
        vector = views.agent_vector[:, index]
        if self.compact:
            return vector
        seen = self._vector(vector, self.agent_entries)
        return {**seen, **self.maps_of_agent(views, index)}

    def maps_of_agent(self, views: Views, index: int) -> dict[str, Array]:
        """An agent's maps, (R, C, rows, columns) and (R, 2, rows, columns)."""
        return _maps(views.agent_maps[:, index], views.agent_ids[:, index], self._rectangle)

    def maps_of_planner(self, views: Views) -> dict[str, Array]:
        """The planner's maps, (R, C, H, W) and (R, 2, H, W)."""
        return _maps(views.planner_maps, views.planner_ids, self._whole)

    def _of_planner(self, views: Views) -> Observation:
        if self.compact:
            return views.planner_vector
        seen = self._vector(views.planner_vector, self.planner_entries)
        if views.planner_maps.shape[1]:
            seen |= self.maps_of_planner(views)
        for index in range(views.planner_agents.shape[1]):
            of_agent = views.planner_agents[:, index]
            if self.flatten:
                seen[f"p{index}"] = of_agent
            else:
                seen |= {
                    f"p{index}-{name}": of_agent[:, where] for name, where in slices(self.agent_of_planner).items()
                }
        return seen

    def _vector(self, vector: Array, entries: Entries) -> dict[str, Array]:
        where = slices(entries)
        if self.flatten:
            return {"flat": vector, "time": vector[:, where["time"]]}
        return {name: vector[:, at] for name, at in where.items()}

    def _space(self, seen: Observation) -> spaces.Space[Any]:
        if not isinstance(seen, Mapping):
            return spaces.Box(-np.inf, np.inf, seen.shape[1:], np.float32)
        return spaces.Dict({name: self._box(name, values) for name, values in seen.items()})

    def _box(self, name: str, values: Array) -> spaces.Box:
        if name.endswith("map"):
            most = self._ids if name.endswith("idx_map") else self._most_units
            return spaces.Box(0, most, values.shape[1:], values.dtype.type)
        return spaces.Box(-np.inf, np.inf, values.shape[1:], np.float32)


def _maps(maps: Array, ids: Array, size: tuple[int, int]) -> dict[str, Array]:
    """Flat maps as views (R, channels, rows, columns)."""
    shape = (len(maps), -1, *size)
    return {"world-map": maps.reshape(shape), "world-idx_map": ids.reshape(shape)}


def agent_mask_size(table: ActionTable) -> int:
    """Entries of an agent's mask."""
    return int(table.sizes.sum()) + (max(len(table.sizes), 1) if table.multi else 1)


def planner_mask_size(multi: bool, brackets: int, rates: int) -> int:
    """Entries of the planner's mask; arguments as of `actions.planner_space`."""
    return brackets * rates + (brackets if multi else 1)
