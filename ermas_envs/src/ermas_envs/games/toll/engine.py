"""Batched engine of the toll game: loads are counted, latencies looked up, for all replicas at once.

Congestion games: R. W. Rosenthal, "A class of games possessing pure-strategy Nash equilibria" (1973).
"""

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import AGENT_GROUP, PLANNER, Array, BoolArray, FloatArray, IntArray, agent_id
from ermas_envs.base.entries import entry_names
from ermas_envs.base.groups import ByRole, same_for_all
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.game.batch import check_num_envs, memory_for
from ermas_envs.game.engine import Engine, Outcome
from ermas_envs.game.tabular import payoff_scale
from ermas_envs.games.toll import observations, rendering
from ermas_envs.games.toll.settings import TollSettings


class TollEngine(Engine):
    """Drivers who choose roads, and a planner who sets tolls; see `toll_v0` for the game.

    Args:
        name: registered name of the game.
        num_envs: number of replicas, at least 1.
        settings: the game's arguments.

    Attributes:
        tolls: (num_envs, L) in force.
    """

    def __init__(self, name: str, num_envs: int, settings: TollSettings) -> None:
        self.name, self.num_envs, self.settings = name, check_num_envs(num_envs), settings
        self.horizon, self.num_states = settings.horizon, None
        self.agents = tuple(agent_id(k) for k in range(settings.num_drivers))
        self._latencies, self._values = settings.latencies(), settings.values_of_time()
        self._set_scales()
        self._tolled, self._num_roads = settings.tolled_roads, len(settings.network)
        self._observer = observations.Observer(settings, max(float(self._latencies.max()), 1e-12))
        driver = observations.space(observations.driver_entries(settings))
        road: spaces.Space[object] = spaces.Discrete(self._num_roads)
        self.observation_spaces = {
            **dict.fromkeys(self.agents, driver),
            PLANNER: observations.space(observations.planner_entries(settings)),
        }
        self.action_spaces = {**dict.fromkeys(self.agents, road), PLANNER: self._planner_space()}
        with memory_for(self.num_envs):
            self._allocate()

    def _set_scales(self) -> None:
        """From all that a drive can cost, and from all latencies that everybody could have."""
        settings = self.settings
        dearest = np.zeros(len(self._latencies))
        dearest[settings.tolled_roads] = settings.max_toll
        latency = self._latencies[:, 1:]
        self.planner_payoff_scale = payoff_scale(-np.append(latency[:, -1], 0.0))
        scale_of = {}
        for value in np.unique(self._values).tolist():
            costs = np.stack([value * latency, value * latency + dearest[:, None]])
            scale_of[value] = payoff_scale(-np.append(costs, 0.0))
        self.agent_payoff_scales = {
            agent: scale_of[value] for agent, value in zip(self.agents, self._values.tolist(), strict=True)
        }

    def _planner_space(self) -> spaces.Space[object]:
        count, levels = len(self._tolled), self.settings.toll_levels
        if levels is None:
            return spaces.Box(0.0, self.settings.max_toll, (count,), np.float32)
        return spaces.MultiDiscrete([levels] * count)

    def _allocate(self) -> None:
        replicas, roads = self.num_envs, self._num_roads
        self._steps = np.zeros(replicas, np.int64)
        self.tolls, self._loads = np.zeros((replicas, roads)), np.zeros((replicas, roads))
        self._mean_latency, self._drives = np.zeros(replicas), np.zeros(replicas, np.int64)
        self._sums = np.zeros((replicas, 2 + 2 * roads))
        """Over the drives of the episode: mean latency, revenue per driver, loads, tolls."""
        self._rows = np.arange(replicas)[:, None] * roads
        self._columns = np.arange(roads)[None, :] * self._latencies.shape[1]

    def reset(self, replicas: IntArray, streams: ReplicaStreams, episodes: IntArray, *, from_scratch: bool) -> None:
        """No tolls, nobody on the roads."""
        for array in (self._steps, self.tolls, self._loads, self._mean_latency, self._drives, self._sums):
            array[replicas] = 0

    def planner_acts(self) -> BoolArray:
        """In the first step of every period."""
        return np.asarray(self._steps % (1 + self.settings.drives) == 0)

    def step(self, actions: ByRole[Array]) -> Outcome:
        """Set tolls, where it is time; elsewhere everybody drives."""
        setting, choices = self.planner_acts(), actions.by_group[AGENT_GROUP]
        if setting.any():
            self._set_tolls(setting, actions[PLANNER])
        taken = choices + self._rows
        counts = np.bincount(taken.ravel(), minlength=self.tolls.size).reshape(self.tolls.shape)
        road_latency = self._latencies.ravel().take(counts + self._columns)
        latency, toll = road_latency.ravel().take(taken), self.tolls.ravel().take(taken)
        payoffs = latency * self._values
        payoffs += toll
        np.negative(payoffs, out=payoffs)
        mean_latency = (counts * road_latency).sum(axis=1) / len(self.agents)
        loads = counts / len(self.agents)
        if setting.any():  # nobody drives there
            for array in (payoffs, latency, mean_latency, loads):
                array[setting] = 0.0
        self._remember(setting, mean_latency, loads)
        self._steps = self._steps + 1
        by_group = {AGENT_GROUP: payoffs, PLANNER: -mean_latency[:, None]}
        over = np.asarray(self._steps >= self.horizon)
        return Outcome(ByRole(self.roles, by_group), -mean_latency, ~over & over, over, {"latency": latency.T})

    def _set_tolls(self, setting: BoolArray, chosen: Array) -> None:
        replicas = np.flatnonzero(setting)
        self.tolls[replicas[:, None], self._tolled] = self._tolls_of(chosen)[replicas]

    def _tolls_of(self, chosen: Array) -> FloatArray:
        """(…, tolled roads) tolls that actions of the planner name."""
        levels = self.settings.toll_levels
        tolls = np.asarray(chosen, dtype=np.float64)
        if levels is not None:
            tolls = tolls * (self.settings.max_toll / (levels - 1))
        return np.asarray(np.clip(tolls, 0.0, self.settings.max_toll))

    def _remember(self, setting: BoolArray, mean_latency: FloatArray, loads: FloatArray) -> None:
        driving = ~setting
        self._mean_latency, self._loads = mean_latency, loads
        self._drives += driving
        roads = self._num_roads
        self._sums[:, 0] += mean_latency
        self._sums[:, 1] += (loads * self.tolls).sum(axis=1)
        self._sums[:, 2 : 2 + roads] += loads
        self._sums[:, 2 + roads :] += self.tolls * driving[:, None]

    def observe(self, fresh: bool = True) -> tuple[ByRole[Array], ByRole[BoolArray]]:
        """Always fresh; drivers may not choose where tolls are set, the planner not where they are in force."""
        over, setting = self._steps / self.horizon, self.planner_acts()
        seen = {
            AGENT_GROUP: self._observer.drivers(over, self.tolls, self._loads),
            PLANNER: self._observer.planner(over, self.tolls, self._loads, self._mean_latency),
        }
        free = np.repeat(~setting[:, None], self._num_roads, axis=1)
        free[:, 0] = True
        masks = {AGENT_GROUP: same_for_all(free, len(self.agents))}
        if self.settings.toll_levels is not None:
            allowed = np.repeat(setting[:, None], self.settings.toll_levels * len(self._tolled), axis=1)
            allowed[:, :: self.settings.toll_levels] = True
            masks[PLANNER] = allowed[:, None, :]
        return ByRole(self.roles, seen), ByRole(self.roles, masks)

    def planner_sees(self) -> tuple[str, ...]:
        """See `observations.planner_entries`."""
        return entry_names(observations.planner_entries(self.settings))

    def planner_does(self, action: Array) -> dict[str, float | None]:
        """Tolls by road: `toll/1`, …"""
        tolls = self._tolls_of(action)
        return {f"toll/{road}": float(toll) for road, toll in zip(self._tolled, tolls, strict=True)}

    def facts(self) -> dict[str, FloatArray]:
        """`value_of_time` (n,); of a step `latency` (n, R), 0 where nobody drove."""
        return {"value_of_time": self._values.copy()}

    def metrics(self) -> dict[str, FloatArray]:
        """Means over the drives of the episode so far: `mean_latency`, `toll_revenue` per driver, `load/0`, …,
        `toll/0`, …"""
        roads = range(self._num_roads)
        names = ["mean_latency", "toll_revenue", *(f"load/{road}" for road in roads), *(f"toll/{r}" for r in roads)]
        means = self._sums / np.maximum(self._drives, 1)[:, None]
        return dict(zip(names, means.T, strict=True))

    def states(self) -> None:
        """None: tolls are continuous."""

    def tabular_game(self) -> None:
        """None; `ermas_envs.oracles.tolls` has what is exact."""

    def render(self, replica: int, mode: str) -> str | Array:
        """Roads with loads, latencies and tolls."""
        counts = np.rint(self._loads[replica] * len(self.agents)).astype(np.int64)
        view = rendering.View(
            self.name,
            f"step {int(self._steps[replica])} of {self.horizon}",
            counts,
            self._latencies[np.arange(self._num_roads), counts],
            self.tolls[replica].copy(),
            float(self._mean_latency[replica]),
            max(float(self._latencies.max()) + self.settings.max_toll, 1e-12),
        )
        return rendering.text(view) if mode == "ansi" else rendering.picture(view)
