"""Jobs of Figure 5 in the full economy: train a planner at home, test one on fresh agents of another risk aversion."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ermas_algos.algorithms.callbacks import Callback
from ermas_algos.algorithms.collection import MakeEnv
from ermas_algos.algorithms.config import to_json
from ermas_algos.algorithms.run import Run, data_key
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.evaluation.economy_episodes import Episodes, play_episodes
from ermas_algos.evaluation.fresh_agents import FreshAgents, train_fresh_agents
from ermas_algos.experiments.checkpoint_bytes import checkpoint_of, planner_of, trainer_of
from ermas_algos.experiments.jobs import Products, Row
from ermas_algos.experiments.sweep import PLANNER_FILE
from ermas_algos.number_cells import numbers_text
from ermas_algos.studies.economy_sizes import HOME, Size
from ermas_envs import EnvironmentSpec, economy_v0

FIRST, CURVES, SKILLS, TRAINING, TESTS, AMORTISED = "first", "curves", "skills", "training", "tests", "amortised"
"""Tables of the jobs: a row per first phase; what is reported over training; a row per rank of skill; a row per
training; a row per test; rows of amortised tests."""
AGENTS_FILE = "agents.npy"
"""Name of the file of a test's fresh agents: the parameters of the policy that they share."""


@dataclass(frozen=True)
class Method:
    """A way to train a planner."""

    family: str
    """Name in the tables."""
    algorithm: str
    """Name of a trainer."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the preset."""
    epsilon: float | None = None
    """ε of ERMAS, payoff per step."""
    eta: float | None = HOME
    """Risk aversion of the training; None: by domain randomisation (`Size.training`)."""


class Curves(Callback):
    """Plays a few episodes every so many outer iterations, and keeps what an economy's reports show."""

    def __init__(self, every: int, episodes: int, seed: int) -> None:
        self.every, self.episodes, self.seed = every, episodes, seed
        self.rows: list[Row] = []
        self.last: Episodes | None = None

    def on_iteration(self, trainer: Trainer[Any], metrics: Mapping[str, Any]) -> None:
        """One row: iteration, environment steps, outcome, welfare; of ERMAS the means of estimated regret and λ."""
        if trainer.iteration % self.every:
            return
        played = play_episodes(trainer.make_env, trainer.learners, self.episodes, self.seed, trainer.iteration)
        self.last = played
        row: Row = {"iteration": trainer.iteration, "env_steps": trainer.env_steps}
        row |= {**played.outcome(), **played.welfare(), "rates": numbers_text(played.rates())}
        for column, name in (("estimated_regret", "estimated_regret"), ("multiplier", "multiplier")):
            values = [float(v) for key, v in metrics.items() if key.startswith(f"{name}/") and v == v]
            row[column] = sum(values) / len(values) if values else None
        self.rows.append(row)


@dataclass(frozen=True)
class FirstPhase:
    """Trains agents alone, who are then given to several trainings or tests.

    Where most of what beginners earn is taken, or what others earn is shared out, they learn to do nothing, whatever
    the rates are worth to people who can work: agents learn without taxes first.
    """

    size: Size
    """Of the economy."""
    eta: float | None
    """Risk aversion; None: by domain randomisation."""
    seed: int
    """Of the training."""
    fresh: bool = False
    """Whether the agents are those of tests."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        people = "random" if self.eta is None else f"{self.eta:g}"
        return data_key(f"first_eta-{people}_seed-{self.seed}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        return self._run_settings().as_options()

    def _run_settings(self) -> Run:
        return self.size.fresh_first_phase(self.seed) if self.fresh else self.size.first_phase(self.eta, self.seed)

    def run(self) -> Products:
        """One row; the checkpoint as a file."""
        run = self._run_settings()
        trainer = run.trainer().learn(run.iterations)
        row = {"eta": self.eta, "seed": self.seed, "env_steps": trainer.env_steps}
        return Products({FIRST: [row]}, {PLANNER_FILE: checkpoint_of(trainer)})


@dataclass(frozen=True)
class Training:
    """Trains one planner."""

    size: Size
    """Of the economy."""
    first: bytes
    """Checkpoint of the first phase."""
    method_name: str
    """Name of the method."""
    method: Method
    """How."""
    seed: int
    """Training seed."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"training_{self.method_name}_seed-{self.seed}", self.configuration())

    def run_settings(self) -> Run:
        """All that determines the planner."""
        return self.size.training(self.method.algorithm, self.method.settings, self.method.eta, self.seed)

    def configuration(self) -> dict[str, Any]:
        labels = {"method": self.method.family, "epsilon": self.method.epsilon}
        curves = {"curve_every": self.size.curve_every, "curve_episodes": self.size.curve_episodes}
        first = hashlib.sha256(self.first).hexdigest()
        return {**self.run_settings().as_options(), "labels": labels, "first": first, **curves}

    def run(self) -> Products:
        """Curves, what people of each skill do at the end, one row of the training; the checkpoint as a file."""
        run = self.run_settings()
        curves = Curves(self.size.curve_every, self.size.curve_episodes, self.seed)
        first = trainer_of(self.first)
        trainer = run.trainer().take_agents_of(first)
        trainer.learn(run.iterations, callbacks=[curves])
        labels = {"method": self.method.family, "epsilon": self.method.epsilon, "seed": self.seed}
        labels |= {"eta_trained": self.method.eta}
        skills = [] if curves.last is None else curves.last.by_skill()
        tables = {
            CURVES: [{**labels, **row} for row in curves.rows],
            SKILLS: [{**labels, **row} for row in skills],
            TRAINING: [{**labels, "env_steps": first.env_steps + trainer.env_steps}],
        }
        return Products(tables, {PLANNER_FILE: checkpoint_of(trainer)})


@dataclass(frozen=True)
class Test:
    """Trains fresh agents under a frozen planner, and plays episodes with them.

    The agents see their risk aversion, as in their first phase. An amortised test trains one set of agents for all
    values: cheaper, and worth what a comparison with the others says.
    """

    size: Size
    """Of the economy."""
    labels: Mapping[str, Any]
    """Method, ε, seed, environment steps of the training."""
    planner: Mapping[str, Any] | bytes
    """A rule, by its registered `name` and its arguments; or a checkpoint."""
    first: bytes
    """Checkpoint of the fresh agents' first phase."""
    eta: float | None
    """Risk aversion of the test; None: an amortised test."""
    seed: int
    """Of the fresh agents."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        people = "seen" if self.eta is None else f"{self.eta:g}"
        return data_key(f"test_eta-{people}_seed-{self.seed}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        planner = hashlib.sha256(self.planner).hexdigest() if isinstance(self.planner, bytes) else dict(self.planner)
        return {
            "arguments": self.size.test_arguments(self.eta),
            "fresh_agents": to_json(self.size.fresh_agents()),
            "labels": dict(self.labels),
            "planner": planner,
            "first": hashlib.sha256(self.first).hexdigest(),
            "eta": self.eta,
            "seed": self.seed,
            "episodes": self.size.test_episodes,
        }

    def run(self) -> Products:
        """One row per risk aversion, and one per rank of skill; of an amortised test in a table of its own. The agents
        as a file."""
        first = trainer_of(self.first)
        agents = train_fresh_agents(
            self.game(self.size.test_arguments(self.eta)), self.size.fresh_agents(), self.seed, first
        )
        trained = {"fresh_env_steps": first.env_steps + agents.env_steps, "fresh_converged": agents.converged}
        if self.eta is None:
            rows = [self._measured(agents, eta, self.size.test_arguments(eta))[0] for eta in self.size.tests]
            return Products({AMORTISED: [row | trained for row in rows]}, {})
        row, played = self._measured(agents, self.eta, self.size.test_arguments(self.eta))
        skills = [{**self.labels, "eta_test": self.eta, "fresh_seed": self.seed, **rank} for rank in played.by_skill()]
        (shared,) = {id(learner): learner for learner in agents.learners.values()}.values()
        content = io.BytesIO()
        np.save(content, shared.get_parameters(), allow_pickle=False)
        return Products({TESTS: [row | trained], SKILLS: skills}, {AGENTS_FILE: content.getvalue()})

    def _measured(self, agents: FreshAgents, eta: float, arguments: Mapping[str, Any]) -> tuple[Row, Episodes]:
        """What episodes of the agents at a risk aversion come to."""
        played = play_episodes(
            self.game(arguments), agents.learners, self.size.test_episodes, self.seed, agents.iterations
        )
        row = {**self.labels, "eta_test": eta, "fresh_seed": self.seed, **played.welfare(), **played.outcome()}
        return row | {"rates": numbers_text(played.rates())}, played

    def game(self, arguments: Mapping[str, Any]) -> MakeEnv:
        """The economy with the planner inside."""
        if not isinstance(self.planner, bytes):
            return EnvironmentSpec(economy_v0.NAME, {**arguments, "planner": dict(self.planner)})
        spec, planner = EnvironmentSpec(economy_v0.NAME, arguments), planner_of(self.planner)
        return lambda num_envs: spec(num_envs, planner=planner)
