"""Batched engine of the gather-trade-build economy: settings in, kernels over replicas, arrays out."""

import numpy as np

from ermas_envs.base.arrays import AGENT_GROUP, PLANNER, Array, BoolArray, FloatArray, IntArray, Observation
from ermas_envs.base.groups import ByRole
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.game.batch import memory_for
from ermas_envs.game.engine import Outcome
from ermas_envs.games.economy import metrics
from ermas_envs.games.economy.actions import agent_space
from ermas_envs.games.economy.pictures import rendering
from ermas_envs.games.economy.pictures.scene import scene_of
from ermas_envs.games.economy.reset import ResetScratch
from ermas_envs.games.economy.rules import (
    economy_rules,
    first_map,
    map_of,
    num_prices,
    reset_parameters,
)
from ermas_envs.games.economy.settings import EconomySettings
from ermas_envs.games.economy.state import (
    STONE_SOURCE,
    WOOD_SOURCE,
    allocate_agents,
    allocate_draws,
    allocate_market,
    allocate_progress,
    allocate_tallies,
    allocate_world,
)
from ermas_envs.games.economy.step import (
    EconomyState,
    Rules,
    Scratch,
    Views,
    assert_sizes,
    reset_replicas,
    run,
    run_compactly,
)
from ermas_envs.games.economy.uniform_layout import uniform_scratch
from ermas_envs.games.economy.views import EconomyObserver
from ermas_envs.games.taxation.engine import TaxedEngine
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.saez import work_array
from ermas_envs.games.taxation.state import allocate_tax_tallies, allocate_taxes
from ermas_envs.games.taxation.tax_planners import TaxRule
from ermas_envs.games.taxation.welfare import ObjectiveScratch


class EconomyEngine(TaxedEngine):
    """Agents who gather, trade and build, and a planner who taxes them; see `economy_v0` for the game.

    Arguments are those of `TaxedEngine`.
    """

    settings: EconomySettings
    rules: Rules
    state: EconomyState

    def __init__(
        self,
        name: str,
        num_envs: int,
        settings: EconomySettings,
        rule: TaxRule | None = None,
        num_threads: int | None = None,
    ) -> None:
        super().__init__(name, num_envs, settings, rule, num_threads)
        layout, self.size = map_of(settings)
        self.rules = economy_rules(settings, rule, self.size, layout is not None)
        self.reset_parameters = reset_parameters(settings, layout, self.size)
        self._first_map = first_map(settings, layout, self.size)
        self._running = self._entry(run_compactly if settings.observations == "compact" else run)
        self._resetting = self._entry(reset_replicas)
        with memory_for(self.num_envs):
            self.observer = EconomyObserver(settings, self.rules, self.num_envs)
            self._allocate()
        self.views = self.observer.views
        self.observation_spaces = self.observer.observation_spaces()
        choices = agent_space(self.rules.actions)
        self.action_spaces = {**dict.fromkeys(self.agents, choices), PLANNER: self._planner_space()}

    def _allocate(self) -> None:
        rules, replicas, agents = self.rules, self.num_envs, self.settings.num_agents
        brackets, pad = len(rules.tax.cutoffs), self.reset_parameters.pad
        sources = self.size[0] * self.size[1]
        if not self.reset_parameters.drawn:
            sources = int(max(self._first_map[[STONE_SOURCE, WOOD_SOURCE]].sum(axis=(1, 2)).max(), 1))
        prices = num_prices(self.settings)
        padded = (self.size[0] + 2 * pad, self.size[1] + 2 * pad)
        self.state = EconomyState(
            allocate_world(replicas, padded, sources),
            allocate_agents(replicas, agents),
            allocate_market(replicas, agents, rules.trade.max_num_orders if prices else 0, prices),
            allocate_taxes(replicas, agents, brackets),
            self._saez(),
            allocate_tallies(replicas, agents),
            allocate_tax_tallies(replicas, agents, brackets),
            allocate_progress(replicas, agents),
        )
        slots = self._threads.slots
        welfare = ObjectiveScratch(np.zeros((slots, agents)), np.zeros((slots, agents)))
        work = np.stack([work_array(rules.saez)] * slots)
        self.scratch = Scratch(allocate_draws(slots, agents, sources, brackets), welfare, work)
        assert_sizes(rules, agents, self.state, self.scratch)
        self._everybody = np.arange(replicas, dtype=np.int64)
        height, width = self.size
        self._reset_scratch = ResetScratch(
            np.zeros((2, height, width), np.uint8), uniform_scratch(height, width), np.zeros(agents, np.int64)
        )
        self._agent_actions = np.zeros((replicas, agents, self.agent_entries), np.int64)
        self._planner_actions = np.zeros((replicas, self.planner_entries), np.int64)
        self._streams = np.zeros((replicas, 2), np.uint64)

    @property
    def agent_entries(self) -> int:
        """Numbers in an agent's action."""
        return max(len(self.rules.actions.kinds), 1) if self.rules.actions.multi else 1

    @property
    def memory_per_replica(self) -> int:
        """Bytes that one replica takes: its state, and what is seen of it."""
        arrays = [array for part in self.state for array in part] + list(self.views)
        return sum(array.nbytes for array in arrays) // self.num_envs

    def reset(self, replicas: IntArray, streams: ReplicaStreams, episodes: IntArray, *, from_scratch: bool) -> None:
        """See `Engine.reset`; the warm-up and Saez's samples go on over episodes, unless `from_scratch`."""
        self._streams = streams.state
        if from_scratch:
            self._forget_taxes(replicas)
            self.state.progress.positive_steps[replicas] = 0
        self._clear(replicas)
        structs = (self.reset_parameters, self.rules, self.state, self.scratch, self._reset_scratch)
        parameters, rules, state, scratch, reset_scratch = structs
        given = (parameters, rules, state, self._streams, scratch, reset_scratch, replicas, episodes)
        self._resetting.code(structs, given)(*given)
        self.write_observations(replicas)

    def _clear(self, replicas: IntArray) -> None:
        """The first map, empty books, nothing tallied."""
        self.state.world.planes[replicas] = self._first_map
        for array in (
            self.state.world.owners,
            self.state.world.standing,
            *self.state.market,
            *self.state.tallies,
            *self.state.tax_tallies,
        ):
            array[replicas] = 0
        self.state.tallies.built[replicas] = -1.0

    def step(self, actions: ByRole[Array]) -> Outcome:
        """See `Engine.step`; the planner's payoff is also its outcome."""
        self._agent_actions[:] = self.roles.stacked(actions).by_group[AGENT_GROUP].reshape(self._agent_actions.shape)
        self._planner_actions[:] = actions[PLANNER].reshape(self._planner_actions.shape)
        self.advance(self._agent_actions, self._planner_actions)
        progress = self.state.progress
        planner = progress.planner_reward.copy()
        payoffs = {AGENT_GROUP: progress.rewards.copy(), PLANNER: planner[:, None]}
        return Outcome(
            ByRole(self.roles, payoffs),
            planner,
            np.zeros(self.num_envs, dtype=np.bool_),
            np.asarray(progress.timestep >= self.horizon),
            {
                "coin_before": progress.coin_before.T.copy(),
                "coin_after": (self.state.agents.inventory + self.state.agents.escrow)[:, :, COIN].T,
            },
        )

    def facts(self) -> dict[str, FloatArray]:
        """`risk_aversion` (n,): η of each agent."""
        return {"risk_aversion": self.rules.objectives.eta}

    def advance(self, agent_actions: IntArray, planner_actions: IntArray, writes_observations: bool = True) -> None:
        """Step all replicas by actions (R, n, entries) and (R, entries) int64, which are not checked.

        Args:
            agent_actions: see `actions.ActionTable`.
            planner_actions: one entry per bracket, or one in all.
            writes_observations: False leaves observations and masks as they are.
        """
        self._run(self._everybody, agent_actions, planner_actions, True, writes_observations)

    def write_observations(self, replicas: IntArray) -> None:
        """Write what is seen in some replicas, masks too, into `views`."""
        self._run(replicas, self._agent_actions, self._planner_actions, False, True)

    def _run(
        self,
        replicas: IntArray,
        agent_actions: IntArray,
        planner_actions: IntArray,
        plays: bool,
        writes_observations: bool,
    ) -> None:
        structs = (self.rules, self.state, self.views, self.scratch)
        integers = (agent_actions, planner_actions, replicas)
        agent_actions, planner_actions, replicas = (np.ascontiguousarray(given, np.int64) for given in integers)
        given = (
            *(self.rules, self.state, self._streams, agent_actions, planner_actions),
            *(self.views, self.scratch),
        )
        code = self._running.code(structs, (*given, 0, replicas, plays, writes_observations))

        def share(slot: int, first: int, last: int) -> None:
            code(*given, slot, replicas[first:last], plays, writes_observations)

        self._threads.share(share, len(replicas))

    def observe(self, fresh: bool = True) -> tuple[ByRole[Observation], ByRole[BoolArray]]:
        views = self.views
        if fresh:
            views = Views(*(array.copy() for array in views))
        masks = {AGENT_GROUP: views.agent_mask, PLANNER: views.planner_mask[:, None]}
        return self.observer.observations(views), ByRole(self.roles, masks)

    @property
    def last_actions(self) -> tuple[IntArray, IntArray]:
        """Actions of the last `step`, of the agents (R, n, entries) and the planner (R, entries) int64; not a copy."""
        return self._agent_actions, self._planner_actions

    def metrics(self) -> dict[str, FloatArray]:
        """The episode so far, per metric (num_envs,) float64; see `economy.metrics`."""
        return metrics.episode_metrics(self.settings, self.rules, self.state)

    def render(self, replica: int, mode: str) -> str | Array:
        """The map, who has what, and the tax schedule."""
        scene = scene_of(self.name, self.rules, self.state, replica)
        return rendering.text(scene) if mode == "ansi" else rendering.picture(scene)
