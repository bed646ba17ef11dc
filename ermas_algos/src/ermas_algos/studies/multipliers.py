"""How λ moves, and which adversary is reported: projected ascent against PID; last against averaged iterates.

`last` is the joint policy after the last outer iteration. `average` is one joint policy that visits and acts as the
iterates of the last third do on average: per step and own level, action probabilities weighted by visits. For agents
that see their own level only it realises the mean of J_p and of every J_i exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ermas_algos.algorithms.exact import tabular_policies
from ermas_algos.algorithms.exact_collection import JointPolicy
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.experiments.jobs import Job, Row, Scale, Tables
from ermas_algos.studies.agent_adv_search import LEARNERS, AgentAdvSearch, agent_adv_search, last_third, seed_batches
from ermas_envs.base.arguments import check_choice
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles import TabularGame, evaluate, exact_regret, worst_equilibrium

NAME = "multipliers"
TABLES = ("multipliers",)

EPSILONS = (0.05, 0.2)
CONTROLS: Mapping[str, Mapping[str, Any]] = {
    "ascent, α = 0.5": {"step_size": 0.5, "proportional": 0.0},
    "ascent, α = 2": {"step_size": 2.0, "proportional": 0.0},
    "ascent, α = 10": {"step_size": 10.0, "proportional": 0.0},
    "PI, α = 0.5, K_p = 30": {"step_size": 0.5},
    "PI, α = 2, K_p = 30 (default)": {},
    "PID, α = 2, K_p = 30, K_d = 30": {"derivative": 30.0},
}
_SAMPLED = ("ascent, α = 2", "ascent, α = 10", "PI, α = 2, K_p = 30 (default)")
_SEEDS = 2
"""Seeds of the sampled learner at most."""


@dataclass(frozen=True)
class Control:
    """Training with one way to move λ."""

    run_settings: AgentAdvSearch
    control: str
    """Key of `CONTROLS`."""
    first_seed: int
    """Seed of the run, or of the first member of the batch."""

    def __post_init__(self) -> None:
        """ValueError for an unknown control."""
        check_choice("control", self.control, CONTROLS)

    @property
    def key(self) -> str:
        run = self.run_settings
        number = list(CONTROLS).index(self.control)
        return f"{run.learner.replace(' ', '-')}_{number}_epsilon-{run.settings['epsilon']:g}_seed-{self.first_seed}"

    def configuration(self) -> dict[str, Any]:
        return self.run_settings.as_json()

    def run(self) -> Tables:
        """Train; a row per seed and kind of iterate."""
        run = self.run_settings
        average = AveragePolicy(first=run.iterations - run.iterations // 3)
        history = agent_adv_search(run, average.observe)
        assert average.game is not None
        epsilon = run.settings["epsilon"]
        worst = worst_equilibrium(average.game, epsilon)
        labels = {"learner": run.learner, "control": self.control, "epsilon": epsilon}
        exact = {"exact_planner_payoff": worst.planner_payoff, "exact_multiplier": worst.multipliers[0]}
        rows: list[Row] = []
        for k in range(run.num_seeds):
            member = {name: values[:, [k]] for name, values in history.items()}
            for iterate, values in (("last", _last(member)), ("average", average.metrics(k))):
                rows.append({**labels, "seed": self.first_seed + k, "iterate": iterate, **values, **exact})
        return {NAME: rows}


def _last(member: Mapping[str, FloatArray]) -> Row:
    """Facts about the last iterate; λ over the last third, and how much J_p and λ still move there."""
    third = len(member["env_steps"]) // 3
    return {
        "planner_payoff": float(member["exact_reward/planner"][-1, 0]),
        **{f"exact_regret_{i}": float(member[f"exact_regret/agent_{i}"][-1, 0]) for i in (0, 1)},
        "multiplier": float(np.mean([last_third(member[f"multiplier/agent_{i}"])[0] for i in (0, 1)])),
        "planner_payoff_sd": float(member["exact_reward/planner"][-third:].std()),
        "multiplier_sd": float(np.mean([member[f"multiplier/agent_{i}"][-third:].std() for i in (0, 1)])),
    }


@dataclass
class AveragePolicy:
    """Collects the iterates of a run from iteration `first` on; then the joint policy that averages them."""

    first: int
    game: TabularGame | None = None
    _flows: dict[str, Any] = field(default_factory=dict)

    def observe(self, trainer: Any) -> Mapping[str, Any]:
        """Add the current joint policy; no metrics of its own."""
        if trainer.iteration >= self.first:
            game = self.game = trainer.env.tabular_game()
            assert game is not None
            joint = JointPolicy(game, tabular_policies(game, trainer.learners))
            for agent in game.roles[:-1]:
                flow = joint.visits[..., None] * joint.policies[agent]
                self._flows[agent] = self._flows.get(agent, 0.0) + flow
        return {}

    def metrics(self, member: int) -> Row:
        """J_p and exact regrets of the average policy of one seed; the other columns are None."""
        game = self.game
        assert game is not None
        policies = {}
        for agent, flows in self._flows.items():
            flow = flows[member] if flows.ndim == 4 else flows
            _, level = np.unique(game.observations[agent][0], axis=0, return_inverse=True)
            same = (level[:, None] == level[None, :]).astype(np.float64)
            by_level = np.einsum("st,hta->hsa", same, flow)
            total = by_level.sum(axis=-1, keepdims=True)
            policies[agent] = np.where(total > 0, by_level / np.where(total > 0, total, 1), 1 / flow.shape[-1])
        regret = exact_regret(game, policies)
        return {
            "planner_payoff": evaluate(game, policies)[game.roles[-1]],
            **{f"exact_regret_{i}": regret[f"agent_{i}"] for i in (0, 1)},
            **dict.fromkeys(("multiplier", "planner_payoff_sd", "multiplier_sd")),
        }


def jobs(scale: Scale) -> Sequence[Job]:
    """Every way at every ε, both learners."""
    iterations = 60 if scale.quick else 300
    found = []
    for learner in LEARNERS:
        exact = learner == "exact"
        batches = seed_batches(learner, scale.numbers if exact else scale.numbers[:_SEEDS])
        for control in CONTROLS if exact else _SAMPLED:
            multiplier = MultiplierConfig(**CONTROLS[control]).__dict__
            for epsilon in EPSILONS:
                for first, count in batches:
                    settings = {"epsilon": epsilon, "multiplier": multiplier, "seed": first}
                    run = AgentAdvSearch(learner, "own", "ERMAS", settings, count, iterations)
                    found.append(Control(run, control, first))
    return found


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the figure."""
    from ermas_algos.studies.multipliers_picture import plot_multipliers  # Matplotlib takes a second to import

    plot_multipliers(path, tables[NAME])
