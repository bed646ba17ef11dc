"""Figure 3: learning curves over β, the weight of the meta-step, for each way to find deviations and meta-gradients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ermas_algos.experiments.jobs import Job, Row, Scale, Tables
from ermas_algos.studies.agent_adv_search import LEARNERS, AgentAdvSearch, agent_adv_search, binned, seed_batches

NAME = "figure-3"
TABLES = ("figure-3",)

EPSILON = 0.1
ITERATIONS = 150
BIN = 10
"""Outer iterations that one row of the table is a mean over."""

ARMS = {
    ("restarted", "reptile"): (0.0, 0.2, 1.0),
    ("restarted", "fomaml"): (0.2, 1.0),
    ("persistent", "fomaml"): (0.0, 0.2, 1.0),
}
"""β by deviation and meta-gradient: the paper's; with the best estimator measured; and with our deviations. At β = 0
the estimator does not matter."""


@dataclass(frozen=True)
class Curve:
    """Learning curves of one run, or of one batch of seeds."""

    run_settings: AgentAdvSearch
    first_seed: int
    """Seed of the run, or of the first member of the batch."""

    @property
    def key(self) -> str:
        run = self.run_settings
        arm = f"{run.settings['deviation']}_{run.settings['meta_gradient']}_beta-{run.settings['meta_step_size']:g}"
        return f"{run.learner.replace(' ', '-')}_{arm}_seed-{self.first_seed}"

    def configuration(self) -> dict[str, Any]:
        return self.run_settings.as_json()

    def run(self) -> Tables:
        """Train; a row per seed and bin."""
        run = self.run_settings
        labels: Row = {
            "learner": run.learner,
            "deviation": run.settings["deviation"],
            "meta_gradient": run.settings["meta_gradient"],
            "beta": run.settings["meta_step_size"],
            "epsilon": EPSILON,
        }
        columns = {
            "planner_payoff": "exact_reward/planner",
            **{f"agent_{i}_payoff": f"exact_reward/agent_{i}" for i in (0, 1)},
            **{f"exact_regret_{i}": f"exact_regret/agent_{i}" for i in (0, 1)},
            **{f"estimated_regret_{i}": f"estimated_regret/agent_{i}" for i in (0, 1)},
        }
        return {NAME: [labels | row for row in binned(agent_adv_search(run), columns, BIN, self.first_seed)]}


def jobs(scale: Scale) -> Sequence[Job]:
    """Every arm, both learners."""
    iterations = 50 if scale.quick else ITERATIONS
    found = []
    for learner in LEARNERS:
        batches = seed_batches(learner, scale.numbers)
        for (deviation, meta_gradient), betas in ARMS.items():
            for beta in betas[:: 2 if scale.quick else 1]:
                settings = {
                    "epsilon": EPSILON,
                    "deviation": deviation,
                    "meta_gradient": meta_gradient,
                    "meta_step_size": beta,
                }
                for first, count in batches:
                    run = AgentAdvSearch(learner, "own", "ERMAS", {**settings, "seed": first}, count, iterations)
                    found.append(Curve(run, first))
    return found


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the figure."""
    from ermas_algos.studies.figure_3_picture import plot_figure_3  # Matplotlib takes a second to import

    plot_figure_3(path, tables[NAME])
