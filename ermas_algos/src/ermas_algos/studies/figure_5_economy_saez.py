"""Saez's tax in the full economy: the elasticity that a reform reveals, and where formula and trained agents end.

Both are asked of agents that are trained as those of a test are (SPEC section 12; Saez 2001).
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_algos.algorithms.config import to_json
from ermas_algos.algorithms.run import data_key
from ermas_algos.evaluation.economy_episodes import play_episodes
from ermas_algos.evaluation.fresh_agents import train_fresh_agents
from ermas_algos.experiments.checkpoint_bytes import trainer_of
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


@dataclass(frozen=True)
class SaezFormula:
    """Finds the schedule."""

    size: Size
    """Of the economy."""
    agents: tuple[bytes, ...]
    """Checkpoints of first phases at home, one per seed."""
    cut: float = 0.5
    """Share of 1 − rate that the reform of the US federal schedule takes: a small one would be lost in what trainings
    differ by."""
    seeds: int = 3
    """Trainings before the reform, and after it."""
    rounds: int = 4
    """Of formula and training."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key("saez", self.configuration())

    def configuration(self) -> dict[str, Any]:
        return {
            "arguments": self.size.test_arguments(self.size.home),
            "fresh_agents": to_json(self.size.fresh_agents()),
            "episodes": self.size.test_episodes,
            "cut": self.cut,
            "seeds": self.seeds,
            "rounds": self.rounds,
            "agents": [hashlib.sha256(agent).hexdigest() for agent in self.agents],
        }

    def run(self) -> Tables:
        """A row per training: what for, seed, rates, mean income of a period, elasticity once known. The rates of
        the last row are the schedule."""
        federal = np.array(US_FEDERAL_2018_RATES)
        reformed = 1.0 - (1.0 - federal) * (1.0 - self.cut)
        rows: list[Row] = []
        before = [self._incomes("before the reform", federal, seed, None, rows) for seed in range(self.seeds)]
        after = [self._incomes("after the reform", reformed, seed, None, rows) for seed in range(self.seeds)]
        found = elasticity(np.concatenate(before), np.concatenate(after), self.cut)
        incomes = np.concatenate(before)
        component = PeriodicBracketTax(**self.size.test_arguments(self.size.home)["components"]["PeriodicBracketTax"])
        for turn in range(self.rounds):
            rates = saez_schedule(incomes, found, component.cutoffs)
            incomes = self._incomes("formula", rates, turn % self.seeds, found, rows)
        return {SAEZ: rows}

    def _incomes(
        self, what: str, rates: FloatArray, seed: int, elasticity: float | None, rows: list[Row]
    ) -> FloatArray:
        """Incomes of periods of agents trained under a schedule; writes a row."""
        spec = EnvironmentSpec(economy_v0.NAME, self.size.test_arguments(self.size.home))

        def game(num_envs: int) -> BatchedEnv:
            return spec(num_envs, planner=FixedBrackets(rates))

        agents = train_fresh_agents(game, self.size.fresh_agents(), seed, trainer_of(self.agents[seed]))
        played = play_episodes(game, agents.learners, self.size.test_episodes, seed, agents.iterations)
        row: Row = {"what": what, "seed": seed, "elasticity": elasticity, "rates": numbers_text(rates)}
        rows.append({**row, "mean_income": float(played.incomes.mean()), **played.outcome()})
        return np.maximum(played.incomes.ravel(), 0.0)


def elasticity(before: FloatArray, after: FloatArray, cut: float) -> float:
    """ln(mean before / mean after) / −ln(1 − cut), at least 0: what a reform that takes the share `cut` of 1 − rate in
    every bracket reveals.

    Raises:
        ValueError: nobody has an income, before or after.
    """
    if not before.mean() > 0.0 or not after.mean() > 0.0:
        raise ValueError("an elasticity needs incomes before and after the reform.")
    return max(math.log(before.mean() / after.mean()) / -math.log1p(-cut), 0.0)
