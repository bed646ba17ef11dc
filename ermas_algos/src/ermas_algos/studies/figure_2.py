"""Figure 2: does Agent-Adv-Search find the worst ε-equilibrium? Payoffs and regret over ε; frozen against learned λ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ermas_algos.algorithms.config import ERMASConfig, to_json
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.experiments.jobs import Job, Row, Scale, Tables
from ermas_algos.studies.agent_adv_search import LEARNERS, AgentAdvSearch, agent_adv_search, last_third, seed_batches
from ermas_envs import bimatrix_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles import evaluate, worst_equilibrium
from ermas_envs.planners import ConstantPlanner

EPSILONS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25)
FROZEN_MULTIPLIERS = (0.0, 1.0, 2.0, 3.0, 5.0)
MODES = ("own", "joint")
ITERATIONS = {"SB3 PPO": 300, "exact": 600}
LEARNED_ITERATIONS = {"SB3 PPO": 400, "exact": 600}
"""Outer iterations; a learned λ takes longer to settle: up to 300 with SB3 PPO, at ε = 0.1."""

NAME = "figure-2"
TABLES = ("figure-2", "figure-2-training", "figure-2-frontier")
"""Means over the last third of training; means over all of training after warm-up; exact worst ε-equilibria."""


@dataclass(frozen=True)
class Point:
    """One run, or one batch of seeds, of the figure."""

    run_settings: AgentAdvSearch
    multiplier: str
    """`learned`, the frozen λ, or `none` for MARL."""
    epsilon: float | None
    """ε, payoff per step, where λ is learned."""
    first_seed: int
    """Seed of the run, or of the first member of the batch."""

    @property
    def key(self) -> str:
        run, arm = self.run_settings, self.multiplier if self.epsilon is None else f"epsilon-{self.epsilon:g}"
        return f"{run.learner.replace(' ', '-')}_{run.agents_observe}_{arm}_seed-{self.first_seed}"

    def configuration(self) -> dict[str, Any]:
        return self.run_settings.as_json()

    def run(self) -> Tables:
        """Train; a row per seed in each of two tables."""
        history = agent_adv_search(self.run_settings)
        ends = {name: last_third(values) for name, values in history.items()}
        warmup = ERMASConfig().warmup_iterations
        means = {name: values[warmup:].mean(axis=0) for name, values in history.items()}
        return {NAME: self._rows(ends), f"{NAME}-training": self._rows(means)}

    def _rows(self, means: Mapping[str, FloatArray]) -> list[Row]:
        run = self.run_settings
        unknown = np.full(run.num_seeds, np.nan)  # MARL estimates no regret
        columns = {
            "planner_payoff": means["exact_reward/planner"],
            **{f"agent_{i}_payoff": means[f"exact_reward/agent_{i}"] for i in (0, 1)},
            **{f"exact_regret_{i}": means[f"exact_regret/agent_{i}"] for i in (0, 1)},
            **{f"estimated_regret_{i}": means.get(f"estimated_regret/agent_{i}", unknown) for i in (0, 1)},
        }
        labels = {
            "learner": run.learner,
            "agents_observe": run.agents_observe,
            "multiplier": self.multiplier,
            "epsilon": self.epsilon,
        }
        return [
            {
                **labels,
                "seed": self.first_seed + k,
                **{c: None if np.isnan(v[k]) else float(v[k]) for c, v in columns.items()},
            }
            for k in range(run.num_seeds)
        ]


@dataclass(frozen=True)
class Frontier:
    """The exact worst ε-equilibria of the game in which agents see their own level."""

    epsilons: tuple[float, ...] = (0.0, *EPSILONS)
    """ε, payoff per step; the frontier goes through them and through 31 values from 0 to 0.3."""
    key: str = "frontier"
    """See `Job.key`."""

    def configuration(self) -> dict[str, Any]:
        return {"epsilons": list(self.epsilons)}

    def run(self) -> Tables:
        """A row per ε: payoffs per step, and λ*, the exact multiplier of each agent."""
        game = bimatrix_v0.batched_env(1, agents_observe="own", planner=ConstantPlanner(0)).tabular_game()
        assert game is not None
        rows: list[Row] = []
        for epsilon in sorted({*self.epsilons, *np.linspace(0.0, 0.3, 31).round(4).tolist()}):
            worst = worst_equilibrium(game, epsilon)
            values = evaluate(game, worst.policies)
            payoffs = {f"{role}_payoff": value for role, value in values.items()}
            rows.append({"epsilon": epsilon, **payoffs, **{f"multiplier_{i}": worst.multipliers[i] for i in (0, 1)}})
        return {f"{NAME}-frontier": rows}


def jobs(scale: Scale) -> Sequence[Job]:
    """MARL and every ε for both learners and both observation modes; every frozen λ for "own"; the exact frontier."""
    points = [
        point
        for learner in LEARNERS
        for mode in MODES
        for multiplier, epsilon in _arms(scale, mode)
        for point in _points(scale, learner, mode, multiplier, epsilon)
    ]
    return [*points, Frontier()]


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the figure."""
    from ermas_algos.studies.figure_2_picture import plot_figure_2  # Matplotlib takes a second to import

    plot_figure_2(path, tables[NAME], tables[f"{NAME}-frontier"])


def _arms(scale: Scale, mode: str) -> list[tuple[str, float | None]]:
    epsilons = EPSILONS[1:5:3] if scale.quick else EPSILONS
    frozen: tuple[float, ...] = FROZEN_MULTIPLIERS[1:3] if scale.quick else FROZEN_MULTIPLIERS
    frozen = frozen if mode == "own" else ()
    learned: list[tuple[str, float | None]] = [("learned", epsilon) for epsilon in epsilons]
    return [("none", None), *learned, *((f"{value:g}", None) for value in frozen)]


def _points(scale: Scale, learner: str, mode: str, multiplier: str, epsilon: float | None) -> list[Point]:
    algorithm = "MARL" if multiplier == "none" else "ERMAS"
    settings: dict[str, Any] = {} if epsilon is None else {"epsilon": epsilon}
    if algorithm == "ERMAS" and epsilon is None:
        settings["multiplier"] = to_json(MultiplierConfig.frozen(float(multiplier)))
    iterations = 60 if scale.quick else (ITERATIONS if epsilon is None else LEARNED_ITERATIONS)[learner]
    batches = seed_batches(learner, scale.numbers)
    return [
        Point(
            AgentAdvSearch(learner, mode, algorithm, {**settings, "seed": first}, count, iterations),
            multiplier,
            epsilon,
            first,
        )
        for first, count in batches
    ]
