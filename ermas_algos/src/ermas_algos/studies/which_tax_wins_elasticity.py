"""Saez's schedule and the elasticity that exact responses reveal under it, in turns (E8): does that converge?"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ermas_algos.experiments.jobs import Row, Tables
from ermas_algos.studies.which_tax_wins_published import population
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.taxes import Population, equilibrium, reform_elasticity, regression_elasticity, saez_fixed_point
from ermas_envs.oracles.taxes.elasticity import samples_of

ELASTICITIES = "which-tax-wins-elasticity"
STARTS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
CUT = 0.1
"""The reform takes this share of 1 − rate in every bracket."""
REFORM, REGRESSION = "reform", "regression"
MEASURES = (REFORM, REGRESSION)
LAST = 5
"""Rounds that tell where a sequence stays that has no end."""


@dataclass(frozen=True)
class Turns:
    """From one elasticity on: the schedule, what is done under it, the elasticity that this reveals, and again."""

    agents: int
    """4: the study's; otherwise the game's wages for so many."""
    measure: str
    """`reform`: `reform_elasticity`; `regression`: over the incomes and marginal rates of all rounds so far."""
    start: float
    """The first elasticity."""
    rounds: int
    """At most."""

    @property
    def key(self) -> str:
        return f"elasticity_{self.agents}_{self.measure}_{self.start:g}"

    def configuration(self) -> dict[str, Any]:
        return asdict(self) | {"cut": CUT}

    def run(self) -> Tables:
        """A row per round, until a reform reveals the elasticity that the schedule was made for."""
        people, elasticity = population(self.agents), self.start
        rows: list[Row] = []
        samples = np.zeros((0, 2))
        for index in range(self.rounds):
            point = saez_fixed_point(people, elasticity)
            if self.measure == REFORM:
                revealed = reform_elasticity(people, point.rates, CUT)
            else:
                samples = np.concatenate([samples, samples_of(people, point.rates, point.incomes)])
                revealed = regression_elasticity(samples, elasticity)
            rows.append(self._row(people, index, elasticity, revealed, point.period, point.rates))
            if math.isnan(revealed) or (self.measure == REFORM and abs(revealed - elasticity) < 1e-9):
                break
            elasticity = revealed
        return {ELASTICITIES: [row | _end(rows) for row in rows]}

    def _row(
        self, people: Population, index: int, elasticity: float, revealed: float, period: int, rates: FloatArray
    ) -> Row:
        found = equilibrium(people.under(rates))
        return {
            "agents": self.agents,
            "measure": self.measure,
            "start": self.start,
            "round": index,
            "elasticity": elasticity,
            "revealed": None if math.isnan(revealed) else revealed,
            "schedules_in_turns": period,
            "eq_times_prod": self.agents * found.welfare,
            **{f"rate_{bracket}": float(rate) for bracket, rate in enumerate(rates)},
        }


def _end(rows: list[Row]) -> Row:
    """How a sequence ends, and between which elasticities it stays."""
    last = rows[-1]
    if last["revealed"] is None:
        return {"ends": "nobody works", "least": None, "most": None}
    if abs(last["revealed"] - last["elasticity"]) < 1e-9:
        return {"ends": "fixed point", "least": last["revealed"], "most": last["revealed"]}
    recent = [row["revealed"] for row in rows[-LAST:]]
    return {"ends": "going on", "least": min(recent), "most": max(recent)}
