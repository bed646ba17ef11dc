"""Whether a robust planner is better at home, too, when its followers are imperfect: MARL and ERMAS in the one-step
economy over the quality of the agents that planners learn with, on equal environment steps; exact welfare.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ermas_algos.algorithms.run import data_key
from ermas_algos.experiments.jobs import Job, Scale, Tables
from ermas_algos.number_cells import numbers_of
from ermas_algos.studies.figure_5_jobs import Method, snapshots_of, training_run
from ermas_algos.studies.figure_5_one_step import ITERATIONS, SNAPSHOT_EVERY, equal_envs
from ermas_algos.studies.one_step_gaps import RISK_AVERSION
from ermas_envs.oracles.taxes import equilibrium

NAME = "imperfect-followers"
TABLES = (NAME,)
PEOPLE = replace(RISK_AVERSION, learner="jax")
"""Those of Figure 5; all learners are of the faster kind."""
EPSILONS = (0.25, 0.5)
"""ε of ERMAS, payoff per step."""
FOLLOWERS: Mapping[str, Mapping[str, Any]] = {
    "preset": {},
    "no practice": {"practice_updates": 0, "planner_warmup": 0},
    "entropy .01": {"agent_learner": {"algorithm_kwargs": {"ent_coef": 0.01}}},
    "learning rate 1e-3": {"agent_learner": {"learning_rate": 1e-3}},
    "network of 8": {"agent_learner": {"hidden_layers": [8]}},
}
"""Settings by which the agents that a planner learns with differ from the preset's."""
_QUICK = {"planner_warmup": 2, "num_envs": 32}


@dataclass(frozen=True)
class Followed:
    """Trains a planner with followers of some quality."""

    followers: str
    """Key of `FOLLOWERS`."""
    method: Method
    """How the planner is trained."""
    seed: int
    """Training seed."""
    iterations: int
    """Outer iterations."""
    every: int
    """Between two rows."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"followers_{self.method.algorithm}_seed-{self.seed}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        run = training_run(PEOPLE, self.method, self.seed, self.iterations)
        return {**run.as_options(), "followers": self.followers, "every": self.every}

    def run(self) -> Tables:
        """A row per snapshot of the planner's most likely schedule, with its exact welfare; the end is `last`."""
        people, rows = PEOPLE.people(PEOPLE.home), []
        snapshots = snapshots_of(PEOPLE, self.method, self.seed, self.iterations, self.every)
        for row in snapshots:
            found = equilibrium(people.under(numbers_of(row["schedule"])))
            last = row is snapshots[-1]
            rows.append({"followers": self.followers, **row, "exact_welfare": found.welfare, "last": last})
        return {NAME: rows}


def jobs(scale: Scale) -> Sequence[Job]:
    """Followers × methods × seeds."""
    iterations, every = (4, 2) if scale.quick else (ITERATIONS, SNAPSHOT_EVERY)
    return [
        Followed(name, method, seed, iterations, every)
        for seed in scale.numbers
        for name in list(FOLLOWERS)[: 2 if scale.quick else None]
        for method in methods(FOLLOWERS[name], scale.quick)
    ]


def methods(followers: Mapping[str, Any], quick: bool) -> list[Method]:
    """MARL, and ERMAS with as many replicas as give it MARL's environment steps."""
    marl = {**followers, **(_QUICK if quick else {})}
    replicas = training_run(PEOPLE, Method("MARL", None, marl), 0, ITERATIONS).config.num_envs
    equal = replicas**2 // equal_envs(PEOPLE, marl, marl)
    robust = [Method("ERMAS", e, {**marl, "epsilon": e, "num_envs": equal}) for e in EPSILONS]
    return [Method("MARL", None, marl), *robust]


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Draw the exact welfare of the last schedules."""
    from ermas_algos.studies.imperfect_followers_picture import plot_followers  # Matplotlib takes a second to import

    plot_followers(path, tables[NAME], list(FOLLOWERS))
