"""Saez's tax in the full economy: the elasticity that a reform reveals, and where formula and trained agents agree.

Both are asked of agents that are trained as those of a test are (SPEC section 12; Saez 2001).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_algos.algorithms.config import to_json
from ermas_algos.algorithms.run import data_key
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.evaluation.economy_episodes import play_episodes
from ermas_algos.evaluation.fresh_agents import train_fresh_agents
from ermas_algos.experiments.jobs import Row, Tables
from ermas_algos.number_cells import numbers_text
from ermas_algos.studies.economy_sizes import Size
from ermas_envs import BatchedEnv, EnvironmentSpec, economy_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_schedule import US_FEDERAL_2018_RATES
from ermas_envs.oracles.taxes import saez_schedule
from ermas_envs.planners import FixedBrackets

SAEZ = "saez"
"""Table of the job."""
FIRST_SET = 2000
"""Seed of the first set of agents: none of tests, which begin at `FRESH`, and none of trainings."""


@dataclass(frozen=True)
class SaezFormula:
    """Finds the schedule that the formula gives for incomes under it, by steps of half the way.

    A whole step would lead back and forth: where rates are high few earn much, and the formula then asks for low ones.
    """

    size: Size
    """Of the economy."""
    cut: float = 0.5
    """Share of 1 − rate that the reform of the US federal schedule takes: a small one would be lost in what trainings
    differ by."""
    rounds: int = 4
    """Of formula and training."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key("saez", self.configuration())

    def configuration(self) -> dict[str, Any]:
        return {
            "arguments": self.size.test_arguments(self.size.home),
            "first": [self.size.fresh_first_phase(number).as_options() for number in self._sets()],
            "fresh_agents": to_json(self.size.fresh_agents()),
            "episodes": self.size.test_episodes,
            "cut": self.cut,
            "rounds": self.rounds,
        }

    def _sets(self) -> range:
        return range(FIRST_SET, FIRST_SET + self.size.formula_sets)

    def run(self) -> Tables:
        """A row per training: what for, round, seed, rates, mean income of a period, what happens in an episode; the
        elasticity once it is known; and of the formula's rounds the largest difference between the rates and those that
        the formula gives for incomes under them. The rates of the last row are the schedule."""
        federal = np.array(US_FEDERAL_2018_RATES)
        reformed = 1.0 - (1.0 - federal) * (1.0 - self.cut)
        runs = [self.size.fresh_first_phase(number) for number in self._sets()]
        agents = [run.trainer().learn(run.iterations) for run in runs]
        before, rows = self._play(federal, agents, {"what": "before the reform"})
        after, further = self._play(reformed, agents, {"what": "after the reform"})
        found = elasticity(before, after, self.cut)
        component = PeriodicBracketTax(**self.size.test_arguments(self.size.home)["components"]["PeriodicBracketTax"])
        rows += further
        rates = saez_schedule(before, found, component.cutoffs)
        for turn in range(self.rounds):
            labels = {"what": "formula", "round": turn, "elasticity": found}
            incomes, further = self._play(rates, agents, labels)
            wanted = saez_schedule(incomes, found, component.cutoffs)
            rows += [{**row, "distance": float(np.abs(wanted - rates).max())} for row in further]
            rates = (rates + wanted) / 2.0
        columns = dict.fromkeys(name for row in reversed(rows) for name in row)
        return {SAEZ: [{name: row.get(name) for name in columns} for row in rows]}

    def _play(self, rates: FloatArray, agents: Sequence[Trainer[Any]], labels: Row) -> tuple[FloatArray, list[Row]]:
        """Incomes of periods of all sets of agents trained under a schedule, and a row per set."""
        spec = EnvironmentSpec(economy_v0.NAME, self.size.test_arguments(self.size.home))

        def game(num_envs: int) -> BatchedEnv:
            return spec(num_envs, planner=FixedBrackets(rates))

        incomes, rows = [], []
        for number, first in zip(self._sets(), agents, strict=True):
            trained = train_fresh_agents(game, self.size.fresh_agents(), number, first)
            played = play_episodes(game, trained.learners, self.size.test_episodes, number, trained.iterations)
            incomes.append(np.maximum(played.incomes.ravel(), 0.0))
            row: Row = {**labels, "seed": number, "rates": numbers_text(rates)}
            rows.append({**row, "mean_income": float(played.incomes.mean()), **played.outcome()})
        return np.concatenate(incomes), rows


def elasticity(before: FloatArray, after: FloatArray, cut: float) -> float:
    """ln(mean before / mean after) / −ln(1 − cut), at least 0: what a reform that takes the share `cut` of 1 − rate in
    every bracket reveals.

    Raises:
        ValueError: nobody has an income, before or after.
    """
    if not before.mean() > 0.0 or not after.mean() > 0.0:
        raise ValueError("an elasticity needs incomes before and after the reform.")
    return max(math.log(before.mean() / after.mean()) / -math.log1p(-cut), 0.0)
