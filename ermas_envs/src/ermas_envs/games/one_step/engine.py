"""Batched engine of the one-step economy: settings in, kernels over replicas, arrays out."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import AGENT_GROUP, PLANNER, Array, BoolArray, FloatArray, IntArray, Observation
from ermas_envs.base.deferred import Deferred
from ermas_envs.base.groups import ByRole
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.game.batch import memory_for
from ermas_envs.game.engine import Outcome
from ermas_envs.games.one_step import metrics, rendering
from ermas_envs.games.one_step.rules import one_step_rules
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.one_step.state import OneStepState, allocate_one_step
from ermas_envs.games.one_step.step import (
    HOURS,
    OneStepRules,
    OneStepScratch,
    OneStepViews,
    reset_replicas,
    step_replicas,
)
from ermas_envs.games.one_step.views import OneStepObserver
from ermas_envs.games.taxation.engine import TaxedEngine
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.saez import work_array
from ermas_envs.games.taxation.tax_planners import TaxRule
from ermas_envs.games.taxation.welfare import ObjectiveScratch
from ermas_envs.kernels.allocation import assert_shapes


class OneStepEngine(TaxedEngine):
    """Agents who choose hours of work, and a planner who taxes them; see `one_step_economy_v0` for the game.

    Args:
        name: as in `TaxedEngine`, like `num_envs`, `settings`, `rule` and `num_threads`.
    """

    settings: OneStepSettings
    rules: OneStepRules
    state: OneStepState
    observer: OneStepObserver

    def __init__(
        self,
        name: str,
        num_envs: int,
        settings: OneStepSettings,
        rule: TaxRule | None = None,
        num_threads: int | None = None,
    ) -> None:
        super().__init__(name, num_envs, settings, rule, num_threads)
        self.rules = one_step_rules(settings, rule)
        self._stepping, self._resetting = self._entry(step_replicas), self._entry(reset_replicas)
        self.observer = OneStepObserver(settings, self.rules, self.num_envs)
        with memory_for(self.num_envs):
            self.views = self.observer.arrays()
            self._allocate()
        self._seen: ByRole[Observation] = ByRole(self.roles, {})
        self._given_away = True
        self.observation_spaces = self.observer.observation_spaces()
        hours: spaces.Space[object] = spaces.Discrete(HOURS + 1)
        self.action_spaces = {**dict.fromkeys(self.agents, hours), PLANNER: self._planner_space()}

    def _allocate(self) -> None:
        agents, brackets, slots = self.settings.num_agents, len(self.rules.tax.cutoffs), self._threads.slots
        self.state = allocate_one_step(self.num_envs, agents, brackets, self._saez())
        self.scratch = OneStepScratch(
            np.zeros((slots, brackets), np.int64),
            np.zeros((slots, brackets)),
            np.zeros((slots, agents)),
            ObjectiveScratch(np.zeros((slots, agents)), np.zeros((slots, agents))),
            np.stack([work_array(self.rules.saez)] * slots),
        )
        samples = self.rules.saez.buffer_size + int(self.state.saez.pinned[0])
        assert_shapes(
            {
                "labor": (self.state.agents.labor, (self.num_envs, agents)),
                "rates": (self.state.taxes.rates, (self.num_envs, brackets)),
                "samples": (self.state.saez.buffer, (self.num_envs, samples, 2)),
                "wages": (self.rules.skills, (agents,)),
            }
        )
        self._planner_actions = np.zeros((self.num_envs, self.planner_entries), np.int64)
        self._streams = np.zeros((self.num_envs, 2), np.uint64)

    @property
    def memory_per_replica(self) -> int:
        """Bytes that one replica takes: its state, and what is seen of it."""
        state = self.state
        parts = (
            state.agents,
            state.taxes,
            state.saez,
            state.tax_tallies,
            state.progress,
            self.views,
            (state.production,),
        )
        return sum(array.nbytes for part in parts for array in part) // self.num_envs

    def _own_views(self, keep: bool) -> None:
        """New arrays of what is seen, if the caller may keep the present ones; `keep`: with their content."""
        if not self._given_away:
            return
        before, self.views = self.views, self.observer.arrays()
        if keep:
            self._threads.share(lambda _, first, last: _copy(before, self.views, first, last), self.num_envs)
        self._seen = self.observer.observations(self.views)
        self._given_away = False

    def reset(self, replicas: IntArray, streams: ReplicaStreams, episodes: IntArray, *, from_scratch: bool) -> None:
        """See `Engine.reset`; Saez's samples go on over episodes, and begin again where `from_scratch`."""
        self._streams = streams.state
        self._own_views(keep=len(replicas) < self.num_envs)
        if from_scratch:
            self._forget_taxes(replicas)

        given = (self.rules, self.state, self.views, self.scratch, *_integers(replicas, episodes))
        code = self._resetting.code((self.rules, self.state, self.scratch), (*given, 0, 0, 0))
        self._threads.share(lambda slot, first, last: code(*given, slot, first, last), len(replicas))

    def step(self, actions: ByRole[Array]) -> Outcome:
        """See `Engine.step`; the planner's payoff is also its outcome."""
        self._planner_actions[:] = actions[PLANNER].reshape(self._planner_actions.shape)
        before = self._coin()
        self.advance(self.roles.stacked(actions).by_group[AGENT_GROUP], self._planner_actions)
        planner = self.state.progress.planner_reward.copy()
        payoffs = {AGENT_GROUP: self.state.progress.rewards.copy(), PLANNER: planner[:, None]}
        return Outcome(
            ByRole(self.roles, payoffs),
            planner,
            np.zeros(self.num_envs, dtype=np.bool_),
            np.asarray(self.state.progress.timestep >= self.horizon),
            {"coin_before": before, "coin_after": self._coin()},
        )

    def _coin(self) -> FloatArray:
        """(n, R) coin of the agents."""
        return self.state.agents.inventory[:, :, COIN].T.copy()

    def facts(self) -> dict[str, FloatArray]:
        """`risk_aversion` (n,), η of each agent, where the agents' utility is isoelastic."""
        isoelastic = self.settings.agent_reward_type == "isoelastic_coin_minus_labor"
        return {"risk_aversion": np.array(self.settings.etas(), dtype=np.float64)} if isoelastic else {}

    def advance(self, hours: IntArray, planner_actions: IntArray) -> None:
        """Step all replicas by actions that are not checked; payoffs are in `state.progress`.

        Args:
            hours: (R, n) int64 of the agents, 0 … 100.
            planner_actions: (R, entries) int64, one entry per bracket, or one in all.
        """
        self._own_views(keep=False)

        given = (
            *(self.rules, self.state, self._streams, *_integers(hours, planner_actions)),
            *(self.views, self.scratch),
        )
        code = self._stepping.code((self.rules, self.state, self.scratch), (*given, 0, 0, 0))
        self._threads.share(lambda slot, first, last: code(*given, slot, first, last), self.num_envs)

    def observe(self, fresh: bool = True) -> tuple[ByRole[Observation], ByRole[BoolArray]]:
        """See `Engine.observe`; all agents have the same array as mask."""
        # Arrays that the caller may keep are given away, not copied: the next step or reset writes into new ones.
        self._given_away = self._given_away or fresh
        return self.observer.copied(self._seen), self.observer.masks(self.views)

    def metrics(self) -> Mapping[str, FloatArray]:
        """The episode so far, per metric (num_envs,) float64; see `one_step.metrics`."""
        return Deferred(partial(metrics.episode_metrics, self.settings, self.rules, metrics.books(self.state)))

    def render(self, replica: int, mode: str) -> str | Array:
        """Rates and incomes by skill; see `one_step.rendering`."""
        view = rendering.View(self.name, self.horizon, self.rules, self.state, replica)
        return rendering.text(view) if mode == "ansi" else rendering.picture(view)


def _integers(*given: Array) -> list[IntArray]:
    """Arrays as kernels take them."""
    return [np.ascontiguousarray(array, dtype=np.int64) for array in given]


def _copy(old: OneStepViews, new: OneStepViews, first: int, last: int) -> None:
    """Copy what is seen in replicas first … last − 1."""
    for target, source in zip(new, old, strict=True):
        target[first:last] = source[first:last]
