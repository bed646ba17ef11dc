"""What agents and the planner see as Gymnasium spaces and arrays: the face of `step.Views` (SPEC section 13)."""

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import Array
from ermas_envs.games.economy import compact
from ermas_envs.games.economy.actions import ActionTable
from ermas_envs.games.economy.observation_entries import agent_entries, planner_entries, planner_entries_of_agent
from ermas_envs.games.economy.settings import EconomySettings
from ermas_envs.games.economy.step import Rules, Views
from ermas_envs.games.taxation.observations import Entries, VectorObserver, size
from ermas_envs.games.taxation.planner_actions import planner_mask_size


class EconomyObserver(VectorObserver):
    """Names and shapes of everything that is seen, and its arrays.

    Args:
        settings: the economy.
        rules: its constants.
        num_envs: number of replicas.
    """

    def __init__(self, settings: EconomySettings, rules: Rules, num_envs: int) -> None:
        brackets = rules.observations.brackets
        entries: tuple[Entries, Entries, Entries]
        if settings.observations == "compact":
            entries = compact.agent_entries(brackets), compact.planner_entries(brackets), ()
        else:
            entries = (
                agent_entries(settings, brackets),
                planner_entries(settings, brackets),
                planner_entries_of_agent(settings),
            )
        super().__init__(settings, *entries)
        resources = (settings.stone, settings.wood)
        self._most_units = max(resource.max_health for resource in resources)
        self._ids = settings.num_agents + 1
        self.views = self._views(settings, rules, num_envs)

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

    def observation_spaces(self) -> dict[str, spaces.Space[object]]:
        """Observation space of every role."""
        return self.spaces_of(self.views)

    def maps_of_agents(self, views: Views) -> dict[str, Array]:
        """The agents' maps, (R, n, C, rows, columns) and (R, n, 2, rows, columns)."""
        return _maps(views.agent_maps, views.agent_ids, self._rectangle)

    def maps_of_planner(self, views: Views) -> dict[str, Array]:
        """The planner's maps, (R, C, H, W) and (R, 2, H, W), if it sees any."""
        return _maps(views.planner_maps, views.planner_ids, self._whole) if views.planner_maps.shape[1] else {}

    def _box(self, name: str, values: Array) -> spaces.Box:
        if not name.endswith("map"):
            return super()._box(name, values)
        most = self._ids if name.endswith("idx_map") else self._most_units
        return spaces.Box(0, most, values.shape[1:], values.dtype.type)


def _maps(maps: Array, ids: Array, size: tuple[int, int]) -> dict[str, Array]:
    """Flat maps as views (…, channels, rows, columns)."""
    shape = (*maps.shape[:-1], -1, *size)
    return {"world-map": maps.reshape(shape), "world-idx_map": ids.reshape(shape)}


def agent_mask_size(table: ActionTable) -> int:
    """Entries of an agent's mask."""
    return int(table.sizes.sum()) + (max(len(table.sizes), 1) if table.multi else 1)
