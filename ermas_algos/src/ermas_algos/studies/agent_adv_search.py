"""One run of Agent-Adv-Search, or of MARL, in the repeated bimatrix game (payoff set 1, H = 20, passive planner)."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ermas_algos.algorithms.config import to_json
from ermas_algos.algorithms.run import Run
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.experiments.jobs import Row
from ermas_algos.learners.exact import ExactLearnerConfig
from ermas_envs import bimatrix_v0
from ermas_envs.base.arguments import check_choice, check_integer, check_json, keep
from ermas_envs.base.arrays import FloatArray

LEARNERS = ("SB3 PPO", "exact")

Observer = Callable[[Trainer[Any]], Mapping[str, Any]]
"""Called after every outer iteration; returns further metrics."""


@dataclass(frozen=True)
class AgentAdvSearch:
    """What is trained; data, so that it can be sent to a process and written into a file."""

    learner: str
    """One of `LEARNERS`."""
    agents_observe: str
    """`own` or `joint`."""
    algorithm: str = "ERMAS"
    """`ERMAS`, or `MARL`: the vanilla baseline without an adversary."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the algorithm's configuration that differ from the defaults, as JSON types; the seed too."""
    num_seeds: int = 1
    """Seeds in one batch, of the exact learner only."""
    iterations: int = 300
    """Outer iterations."""

    def __post_init__(self) -> None:
        """ValueError naming the field."""
        check_choice("learner", self.learner, LEARNERS)
        if self.learner != "exact" and self.num_seeds != 1:
            raise ValueError("num_seeds: only the exact learner trains several seeds in one batch.")
        keep(
            self,
            settings=check_json("settings", self.settings),
            num_seeds=check_integer("num_seeds", self.num_seeds, 1),
            iterations=check_integer("iterations", self.iterations, 1),
        )

    def run(self) -> Run:
        """The training as data."""
        settings = dict(self.settings)
        if self.learner == "exact":
            exact = to_json(ExactLearnerConfig(num_seeds=self.num_seeds))
            for name in ("agent_learner", "planner_learner"):
                settings[name] = exact | dict(settings.get(name, {}))
        arguments = {"agents_observe": self.agents_observe, "planner": {"name": "constant", "action": 0}}
        return Run.from_options(
            {
                "environment": bimatrix_v0.NAME,
                "arguments": arguments,
                "algorithm": self.algorithm,
                "settings": settings,
                "iterations": self.iterations,
            }
        )

    def as_json(self) -> dict[str, Any]:
        """All that determines the result: the complete configuration, not the differences alone."""
        return {**dataclasses.asdict(self), "settings": to_json(self.run().config)}


def agent_adv_search(run: AgentAdvSearch, observe: Observer | None = None) -> dict[str, FloatArray]:
    """Train; every metric as (iterations, number of seeds) float64."""
    trainer = run.run().trainer()
    rows: list[dict[str, Any]] = []
    trainer.learn(
        run.iterations, progress=lambda _, metrics: rows.append({**metrics, **(observe(trainer) if observe else {})})
    )
    seeds = run.num_seeds
    return {name: np.array([np.broadcast_to(row[name], seeds) for row in rows], dtype=float) for name in rows[0]}


def seed_batches(learner: str, seeds: range) -> list[tuple[int, int]]:
    """(first seed, number of seeds) of each run: all seeds in one batch for the exact learner, else one by one."""
    return [(seeds.start, len(seeds))] if learner == "exact" else [(seed, 1) for seed in seeds]


def last_third(values: FloatArray) -> FloatArray:
    """Mean of (iterations, seeds) over the last third of training, (seeds,)."""
    mean: FloatArray = values[-(len(values) // 3) :].mean(axis=0)
    return mean


def binned(history: Mapping[str, FloatArray], columns: Mapping[str, str], size: int, first_seed: int) -> list[Row]:
    """Learning curves as rows: `seed`, `iteration` (the last of the bin) and the mean over the bin of each column.

    Args:
        history: metrics (iterations, seeds).
        columns: metric by column.
        size: iterations of a bin; what is left over at the end makes a shorter one. NaN (warm-up) becomes None.
        first_seed: seed of the first member.
    """
    iterations, seeds = next(iter(history.values())).shape
    ends = [*range(size, iterations, size), iterations]
    means = {c: np.array([history[m][max(0, e - size) : e].mean(axis=0) for e in ends]) for c, m in columns.items()}
    return [
        {
            "seed": first_seed + k,
            "iteration": end,
            **{c: None if np.isnan(v[row, k]) else float(v[row, k]) for c, v in means.items()},
        }
        for k in range(seeds)
        for row, end in enumerate(ends)
    ]
