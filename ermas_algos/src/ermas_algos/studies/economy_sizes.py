"""Sizes of the full economy in which Figure 5 is made: the village, and the paper's map and episode."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ermas_algos.algorithms.run import Run, merged
from ermas_algos.evaluation.fresh_agents import FreshAgentsConfig
from ermas_algos.learners.jax_config import JaxLearnerConfig
from ermas_algos.presets import preset_registry
from ermas_algos.studies.learner_kinds import learning_with
from ermas_envs import economy_v0

HOME = 0.23
"""Risk aversion of the training."""
ETAS = (0.11, 0.15, 0.19, HOME, 0.27, 0.31, 0.35)
"""Risk aversion of the tests."""
_ANNEALING = "tax_annealing_schedule"


def _seen(etas: Sequence[float]) -> dict[str, Any]:
    """Arguments by which agents see their risk aversion, which every episode draws from these."""
    return {"perturbation": {"name": "random_risk_aversion", "etas": list(etas)}}


@dataclass(frozen=True)
class Size:
    """An economy, and how long planners and fresh agents are trained in it; all learn with JAX."""

    name: str
    """Of the experiment and its tables."""
    preset: str
    """Arguments and settings of the training."""
    iterations: int
    """Outer iterations of a training, of which in the first ones (`alone`) agents learn without taxes."""
    fresh_alone: int
    """Outer iterations in which fresh agents learn before they meet a planner: `alone` without taxes, then under random
    rates, which those of trainings practise later."""
    fresh_iterations: int
    """Outer iterations of fresh agents under the planner of a test."""
    epsilons: tuple[float, ...]
    """ε of ERMAS, payoff per step."""
    curve_every: int
    """Outer iterations between two rows of the curves."""
    curve_episodes: int = 64
    """Episodes of a row of the curves."""
    test_episodes: int = 256
    """Episodes that a test measures."""
    fresh_sets: int = 2
    """Sets of fresh agents per test, trained from seeds of their own; a test's welfare is the mean over them."""
    formula_sets: int = 3
    """Sets of agents whose incomes Saez's formula is asked with, others than those of tests."""
    home: float = HOME
    """Risk aversion of the training."""
    tests: tuple[float, ...] = ETAS
    """Risk aversion of the tests, ascending; `home` among them."""
    validation: tuple[float, ...] = (0.17, 0.29)
    """Where ε is chosen; none of the tests."""
    oracles: bool = True
    """Whether a planner is trained at every test's risk aversion, too."""
    equal_compute: bool = True
    """Whether MARL is trained with as many environment steps as ERMAS, too."""
    randomised: bool = True
    """Whether MARL is trained by domain randomisation over the risk aversion, too."""
    amortised: bool = True
    """Whether rules and MARL are also tested with one set of fresh agents who see their risk aversion."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings in which every training differs from the preset's."""
    symbol: str = "eta"
    """Of the fact that differs in the test, in the names of columns."""

    @property
    def column(self) -> str:
        """Of the tables: the value in a test."""
        return f"{self.symbol}_test"

    @property
    def alone(self) -> int:
        """Outer iterations in which agents learn without taxes, those of a training and fresh ones."""
        return int(merged(preset_registry.make(self.preset).settings, self.settings)["planner_warmup"])

    def first_phase(self, eta: float | None, seed: int) -> Run:
        """The first `alone` iterations of every training at a risk aversion, without taxes; `eta` as there."""
        return self._before_planner(eta, seed, self.alone)

    def fresh_first_phase(self, seed: int) -> Run:
        """Fresh agents before they meet a planner (`fresh_alone`), people of every risk aversion of the tests."""
        run = self._before_planner(None, seed, self.fresh_alone)
        config = dataclasses.replace(run.config, agent_learner=self.fresh_agents().agent_learner)
        return dataclasses.replace(run, config=config)

    def _before_planner(self, eta: float | None, seed: int, iterations: int) -> Run:
        """Agents with a planner who does not learn: its rates are 0 for `alone` iterations, then random."""
        run = self.training("MARL", {"practice_updates": 0, "planner_warmup": iterations}, eta, seed)
        return dataclasses.replace(run, iterations=iterations)

    def training(self, algorithm: str, settings: Mapping[str, Any], eta: float | None, seed: int) -> Run:
        """A training at a risk aversion, with its first phase; None: by domain randomisation, where every episode draws
        one of the tests' values, which agents see."""
        run = Run.from_options(
            {
                "environment": economy_v0.NAME,
                "preset": self.preset,
                "arguments": self.people(eta),
                "algorithm": algorithm,
                "settings": merged(merged(self.settings, settings), {"seed": seed}),
                "iterations": self.iterations,
            }
        )
        return learning_with(JaxLearnerConfig.kind, run)

    def people(self, eta: float | None) -> dict[str, Any]:
        """Arguments of the environment that say who lives there, and from when on rates may grow; None: every episode
        draws one of the tests' values, and agents see it."""
        _, slope = preset_registry.make(self.preset).arguments["components"]["PeriodicBracketTax"][_ANNEALING]
        taxes = {"components": {"PeriodicBracketTax": {_ANNEALING: [float(self.alone), slope]}}}
        if eta is None:
            return {"isoelastic_eta": self.home, **_seen(self.tests), **taxes}
        return {"isoelastic_eta": eta, **taxes}

    def test_arguments(self, eta: float | None) -> dict[str, Any]:
        """Of the environment of fresh agents, who see their risk aversion; None: as in `people`."""
        arguments = merged(preset_registry.make(self.preset).arguments, self.people(eta))
        return arguments if eta is None else merged(arguments, _seen((eta,)))

    def fresh_agents(self) -> FreshAgentsConfig:
        """How fresh agents are trained after a first phase: as those of a training, with a learning rate and an entropy
        that fall within their time, the first phase included."""
        config = self.training("MARL", {}, self.home, 0).config
        learner = config.agent_learner
        assert isinstance(learner, JaxLearnerConfig)
        epochs = learner.n_epochs * (self.fresh_alone + self.fresh_iterations)
        return FreshAgentsConfig(
            agent_learner=dataclasses.replace(learner, anneal_epochs=epochs),
            num_envs=config.num_envs,
            policy_sharing=config.policy_sharing,
            window=self.fresh_iterations // 2,
            tolerance=0.02,
            max_iterations=self.fresh_iterations,
        )

    def quick(self) -> "Size":
        """The same in little time, to see that everything runs; the numbers mean nothing."""
        short = {"num_envs": 8, "planner_warmup": 2}
        return dataclasses.replace(
            self,
            iterations=6,
            fresh_alone=3,
            fresh_iterations=4,
            epsilons=self.epsilons[:1],
            curve_every=3,
            curve_episodes=8,
            test_episodes=8,
            fresh_sets=1,
            formula_sets=1,
            tests=(self.home, self.tests[-1]),
            oracles=False,
            equal_compute=False,
            randomised=False,
            amortised=False,
            settings={**self.settings, **short},
        )


VILLAGE = Size("figure-5", "village", 800, 700, 200, (0.0025, 0.005, 0.01, 0.02), 20)
"""Four people, 100 steps, a map of 13 × 13; what exploiters gain among fresh agents: docs/figure-5.md."""
PAPER = Size(
    "figure-5-paper",
    "ai-economist",
    800,
    700,
    200,
    (0.01,),
    40,
    curve_episodes=16,
    test_episodes=64,
    fresh_sets=1,
    formula_sets=1,
    tests=(0.11, HOME, 0.35),
    oracles=False,
    equal_compute=False,
    randomised=False,
    amortised=False,
)
"""Four people, the original's 1000 steps and map of 25 × 25: three tests, and of what learns MARL and one ε."""
SIZES = (VILLAGE, PAPER)
