"""What the engines of the two economies share: a planner who taxes, Saez's samples, no tables."""

from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import Array, BoolArray, IntArray, agent_id
from ermas_envs.base.entries import entry_names
from ermas_envs.game.batch import check_num_envs
from ermas_envs.game.engine import Engine
from ermas_envs.game.tabular import TabularGame
from ermas_envs.games.taxation.observations import VectorObserver, tax_roles
from ermas_envs.games.taxation.planner_actions import planner_space
from ermas_envs.games.taxation.saez import SaezState, fill_buffer, saez_state
from ermas_envs.games.taxation.state import forget_taxes
from ermas_envs.games.taxation.tax_planners import TaxRule
from ermas_envs.games.taxation.tax_schedule import annealed_cap
from ermas_envs.kernels.compiled import Entry
from ermas_envs.kernels.threads import ReplicaThreads


class TaxedEngine(Engine):
    """An engine whose planner sets income taxes.

    Subclasses have `rules` with the constants `tax` (`TaxParameters`), `saez`, `planner_multi`, `planner_brackets` and
    `planner_rates`, and a `state` with `taxes` and `saez`.

    Args:
        name: registered name of the game.
        num_envs: number of replicas, at least 1.
        settings: checked; ValueError names the argument.
        rule: how rates are set; None: by the planner's actions.
        num_threads: threads that share the replicas; None: as many as there are cores. Results do not depend on it.
    """

    rules: Any
    """All constants of a step."""
    state: Any
    """All replicas."""
    observer: VectorObserver
    """What is seen."""

    def __init__(self, name: str, num_envs: int, settings: Any, rule: TaxRule | None, num_threads: int | None) -> None:
        self.name, self.settings = name, settings
        self.num_envs = check_num_envs(num_envs)
        self.horizon = settings.horizon
        self.agents = tuple(agent_id(index) for index in range(settings.num_agents))
        self.roles = tax_roles(settings.num_agents)
        self.num_states = None
        self._threads = ReplicaThreads(self.num_envs, num_threads)
        self._samples = np.zeros((0, 2)) if rule is None else rule.samples

    def _entry(self, kernel: Any) -> Entry:
        """One environment need not wait for the compiler; batches are for speed, and have it from the first step on."""
        return Entry(kernel, waits=self.num_envs > 1)

    @property
    def planner_entries(self) -> int:
        """Numbers in the planner's action."""
        return int(self.rules.planner_brackets) if self.rules.planner_multi else 1

    def planner_acts(self) -> BoolArray:
        """True at the start of a tax period, where the planner has a choice."""
        if self.rules.planner_rates == 0:
            return np.zeros(self.num_envs, dtype=np.bool_)
        return np.asarray(self.state.taxes.position == 1)

    def planner_sees(self) -> tuple[str, ...]:
        """The entries of its vector; the keys of its Dict."""
        return entry_names(self.observer.planner_entries) if self.observer.compact else super().planner_sees()

    def planner_does(self, action: Array) -> dict[str, float | None]:
        """Marginal rates by bracket: `rate/0`, …; None where a rate stays."""
        rules, given = self.rules, np.ravel(action).astype(np.int64)
        if rules.planner_rates == 0:
            return {}
        if not rules.planner_multi:  # one number for bracket and rate, see `planner_actions.decode_planner`
            bracket, choice = np.divmod(given[0] - 1, rules.planner_rates)
            given = np.where(np.arange(rules.planner_brackets) == bracket, choice + 1, 0)
        rates = [None if choice == 0 else float(rules.tax.choices[choice - 1]) for choice in given.tolist()]
        return {f"rate/{bracket}": rate for bracket, rate in enumerate(rates)}

    def _planner_space(self) -> spaces.Space[object]:
        rules = self.rules
        return planner_space(rules.planner_multi, rules.planner_brackets, rules.planner_rates)

    def states(self) -> None:
        """None: the economies are not tabular."""

    def tabular_game(self) -> TabularGame | None:
        """None: the economies are not tabular."""
        return None

    def _saez(self) -> SaezState:
        """What Saez's formula knows before the first episode."""
        state = saez_state(self.num_envs, len(self.rules.tax.cutoffs), self.rules.saez)
        return fill_buffer(state, self._samples) if len(self._samples) else state

    def _forget_taxes(self, replicas: IntArray) -> None:
        """Leave nothing of earlier episodes: Saez's samples, the last rates, the cap."""
        parameters = self.rules.tax
        for mine, first in zip(self.state.saez, self._saez(), strict=True):
            mine[:] = first  # in place: an `Entry` looks up the types of structs that are new
        cap = annealed_cap(0, parameters.warmup, parameters.slope, parameters.rate_max)
        forget_taxes(self.state.taxes, replicas, cap)
