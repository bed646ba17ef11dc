"""Regret estimators: estimated against exact regret over training, at equal sample budget.

An outer iteration costs every estimator 7 blocks of rollouts: `restarted` deviations two updates before the measurement
(2 + 2 + 3), persistent ones three updates, the last of them on the measurement itself (2 + 2 + 3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ermas_algos.algorithms.config import AGENT_PPO, to_json
from ermas_algos.experiments.jobs import Job, Scale, Tables
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_algos.studies.agent_adv_search import LEARNERS, AgentAdvSearch, agent_adv_search, binned, seed_batches

NAME = "regret-estimators"
TABLES = ("regret-estimators",)

EPSILONS = (0.05, 0.2)
BIN = 10
_SEEDS = 3
"""Seeds of the sampled learner at most."""


def _trpo(target_kl: float) -> dict[str, Any]:
    return to_json(
        SB3LearnerConfig("TRPO", AGENT_PPO.learning_rate, AGENT_PPO.gamma, AGENT_PPO.gae_lambda,
                         algorithm_kwargs={"target_kl": target_kl, "n_critic_updates": 4})
    )  # fmt: skip


ESTIMATORS: Mapping[str, Mapping[str, Any]] = {
    "restarted (paper)": {"deviation": "restarted", "deviation_updates": 2},
    "restarted, TRPO, KL ≤ 0.01": {
        "deviation": "restarted",
        "deviation_updates": 2,
        "deviation_learner": _trpo(0.01),
    },
    "restarted, TRPO, KL ≤ 0.1": {"deviation": "restarted", "deviation_updates": 2, "deviation_learner": _trpo(0.1)},
    "persistent": {"deviation": "persistent", "deviation_updates": 3},
    "persistent, within KL 0.1": {"deviation": "persistent", "deviation_updates": 3, "trust_region": 0.1},
}


@dataclass(frozen=True)
class Calibration:
    """Training with one estimator."""

    run_settings: AgentAdvSearch
    estimator: str
    """Key of `ESTIMATORS`."""
    first_seed: int
    """Seed of the run, or of the first member of the batch."""

    @property
    def key(self) -> str:
        run = self.run_settings
        number = list(ESTIMATORS).index(self.estimator)
        return f"{run.learner.replace(' ', '-')}_{number}_epsilon-{run.settings['epsilon']:g}_seed-{self.first_seed}"

    def configuration(self) -> dict[str, Any]:
        return self.run_settings.as_json()

    def run(self) -> Tables:
        """Train; a row per seed and bin of iterations."""
        run = self.run_settings
        labels = {"learner": run.learner, "estimator": self.estimator, "epsilon": run.settings["epsilon"]}
        columns = {
            "planner_payoff": "exact_reward/planner",
            **{f"exact_regret_{i}": f"exact_regret/agent_{i}" for i in (0, 1)},
            **{f"estimated_regret_{i}": f"estimated_regret/agent_{i}" for i in (0, 1)},
            **{f"multiplier_{i}": f"multiplier/agent_{i}" for i in (0, 1)},
        }
        return {NAME: [labels | row for row in binned(agent_adv_search(run), columns, BIN, self.first_seed)]}


def jobs(scale: Scale) -> Sequence[Job]:
    """Every estimator at every ε; TRPO with the sampled learner only."""
    iterations = 60 if scale.quick else 200
    found = []
    for learner in LEARNERS:
        exact = learner == "exact"
        batches = seed_batches(learner, scale.numbers if exact else scale.numbers[:_SEEDS])
        for estimator, settings in ESTIMATORS.items():
            if exact and "deviation_learner" in settings:
                continue
            for epsilon in EPSILONS:
                for first, count in batches:
                    run = AgentAdvSearch(
                        learner, "own", "ERMAS", {**settings, "epsilon": epsilon, "seed": first}, count, iterations
                    )
                    found.append(Calibration(run, estimator, first))
    return found


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the figure."""
    from ermas_algos.studies.regret_estimators_picture import (
        plot_regret_estimators,  # Matplotlib takes a second to import
    )

    plot_regret_estimators(path, tables[NAME])
