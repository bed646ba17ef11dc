"""What the engines of the two economies share: a planner who taxes, Saez's samples, no tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ermas_envs.arrays import BoolArray, FloatArray, IntArray
from ermas_envs.economy.saez import SaezState, fill_buffer, saez_state
from ermas_envs.economy.tax_schedule import annealed_cap
from ermas_envs.engine import Engine
from ermas_envs.oracles.tabular import TabularGame


class TaxedEngine(Engine):
    """An engine whose planner sets income taxes.

    Subclasses have `rules` with the constants `tax` (`TaxParameters`), `saez`, `planner_multi`, `planner_brackets` and
    `planner_rates`, and a `state` with `taxes` and `saez`.
    """

    rules: Any
    """All constants of a step."""
    state: Any
    """All replicas."""
    _samples: Sequence[Any] | FloatArray  # incomes and marginal rates that Saez's formula begins with

    @property
    def planner_entries(self) -> int:
        """Numbers in the planner's action."""
        return int(self.rules.planner_brackets) if self.rules.planner_multi else 1

    def planner_acts(self) -> BoolArray:
        """True at the start of a tax period, where the planner has a choice."""
        if self.rules.planner_rates == 0:
            return np.zeros(self.num_envs, dtype=np.bool_)
        return np.asarray(self.state.taxes.position == 1)

    def states(self) -> None:
        """None: the economies are not tabular."""

    def tabular_game(self) -> TabularGame | None:
        """None: the economies are not tabular."""
        return None

    def _saez(self) -> SaezState:
        """What Saez's formula knows before the first episode."""
        state = saez_state(self.num_envs, len(self.rules.tax.cutoffs), self.rules.saez)
        return fill_buffer(state, np.asarray(self._samples, np.float64)) if len(self._samples) else state

    def _forget_taxes(self, replicas: IntArray) -> None:
        """Leave nothing of earlier episodes: Saez's samples, the last rates, the cap."""
        parameters = self.rules.tax
        self.state = self.state._replace(saez=self._saez())
        self.state.taxes.rates[replicas] = 0.0
        cap = annealed_cap(0, parameters.warmup, parameters.slope, parameters.rate_max)
        self.state.taxes.rate_cap[replicas] = cap
