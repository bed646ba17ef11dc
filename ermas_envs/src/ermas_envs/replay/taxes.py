"""Comparison of taxes, which both economies have."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.saez import SaezState
from ermas_envs.games.taxation.state import Taxes
from ermas_envs.games.taxation.taxes import SAEZ, TaxParameters, effective_rate
from ermas_envs.replay.comparison import EXACT, FLOAT32, FLOAT64, Comparison


def random_rates(parameters: TaxParameters, taxes: Taxes, raw: Any) -> FloatArray:
    """The uniforms of recorded random rates, (B,)."""
    width = float(taxes.rate_cap[0]) - parameters.rate_min
    if raw is None or width == 0.0:
        return np.zeros(len(parameters.cutoffs))
    return (np.array(raw) - parameters.rate_min) / width


class TaxComparison:
    """Compares schedules and collections; recordings have a schedule only where it changed.

    Args:
        parameters: of our component.
        comparison: where deviations go.
    """

    def __init__(self, parameters: TaxParameters, comparison: Comparison) -> None:
        self.parameters, self.comparison = parameters, comparison
        self.recorded: Mapping[str, Any] = {}
        self.last_elasticity = float("nan")
        """The estimate before the last one, which the original reports as its metric."""

    def schedule(self, taxes: Taxes, saez: SaezState, recorded: Mapping[str, Any] | None, position: int) -> None:
        """Rates, indices, cap, clock and what Saez's formula knows."""
        self.recorded = recorded or self.recorded
        compare = self.comparison
        compare.numbers("tax: clock", taxes.position[0], position, EXACT)
        compare.numbers("tax: rates", taxes.rates[0], self.recorded["rates"], FLOAT64)
        compare.numbers("tax: rate indices", taxes.rate_index[0], self.recorded["rate_idx"], EXACT)
        compare.numbers("tax: largest rate", taxes.rate_cap[0], self.recorded["rate_max"], FLOAT64)
        theirs = self.recorded.get("saez")
        if self.parameters.setter == SAEZ and theirs is not None:
            compare.numbers("saez: elasticity", saez.elasticity[0], theirs["elas_t"], FLOAT32)
            compare.numbers("saez: intercept", saez.log_z0[0], theirs["log_z0_t"], FLOAT32)
            compare.numbers("saez: average rates", saez.average_rates[0], theirs["running_avg"], FLOAT32)
            compare.equal("saez: formula active", bool(saez.ready[0]), theirs["formula_active"])
            self.last_elasticity = theirs["elas_tm1"]

    def leave_out(self, taxes: Taxes, steps: list[Mapping[str, Any]]) -> None:
        """Take over what steps that are not replayed have left behind: the first observation after them shows it."""
        for step in steps:
            self.recorded = step.get("tax") or self.recorded
        if steps and self.recorded:
            taxes.rates[0], taxes.rate_cap[0] = self.recorded["rates"], self.recorded["rate_max"]

    def collection(self, taxes: Taxes, recorded: Mapping[str, Any] | None, parameters: TaxParameters) -> None:
        """What was paid in a step, if anything."""
        compare = self.comparison
        compare.equal("tax: collected", bool(taxes.collected[0]), recorded is not None)
        if recorded is None or not taxes.collected[0]:
            return
        incomes, paid = taxes.last_income[0], taxes.last_paid[0]
        compare.numbers("tax: cutoffs", parameters.cutoffs, recorded["cutoffs"], FLOAT64)
        compare.numbers("tax: schedule collected", taxes.rates[0], recorded["schedule"], FLOAT64)
        for agent in range(len(incomes)):
            theirs = recorded[str(agent)]
            for name, ours in (
                ("income", incomes[agent]),
                ("tax_paid", paid[agent]),
                ("marginal_rate", taxes.last_marginal_rate[0, agent]),
                ("effective_rate", effective_rate(incomes[agent], paid[agent])),
                ("lump_sum", taxes.last_lump_sum[0]),
            ):
                compare.numbers(f"tax: {name}", ours, theirs[name], FLOAT64)
