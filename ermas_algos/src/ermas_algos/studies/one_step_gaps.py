"""Reality gaps of the one-step economy in which Figure 5 is made: who the people are, and what differs in the test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ermas_algos.learners.jax_config import JaxLearnerConfig
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_algos.presets import preset_registry
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.oracles.taxes import Population

PRESET = "one-step"


@dataclass(frozen=True)
class Gap:
    """A fact about people that has one value where planners are trained, and others where they are tested."""

    name: str
    """Of the experiment and its tables."""
    argument: str
    """Of the environment: the fact."""
    symbol: str
    """Of the fact, in the names of columns."""
    words: str
    """The fact in pictures."""
    home: float
    """Its value in training."""
    tests: tuple[float, ...]
    """Its values in the test, ascending; `home` among them."""
    validation: tuple[float, ...]
    """Where ε is chosen; none of the tests."""
    population: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the environment in which these people differ from the preset's."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings in which every training differs from the preset's."""
    ermas_settings: Mapping[str, Any] = field(default_factory=dict)
    """Further ones of ERMAS."""
    learner: str = SB3LearnerConfig.kind
    """Kind of all learners, those of fresh agents too: `sb3` or `jax` (the same PPO, three times as fast)."""
    equal_compute: bool = True
    """Whether MARL is trained with as many environment steps as ERMAS, too."""
    randomised: bool = False
    """Whether MARL is trained by domain randomisation, too: every episode draws the risk aversion, which is the fact of
    this gap, from the tests' values, and people see it."""
    robust_starts: int = 2
    """Of the search for robust schedules, in which every schedule takes a search for its worst case."""

    @property
    def column(self) -> str:
        """Of the tables: the value in a test."""
        return f"{self.symbol}_test"

    def arguments(self, value: float) -> dict[str, Any]:
        """Of the environment, at a value of the fact."""
        return {**preset_registry.make(PRESET).arguments, **self.population, self.argument: value}

    def people(self, value: float) -> Population:
        """For the oracles, at a value of the fact."""
        return Population.of(OneStepSettings(**self.arguments(value)))


ETAS = (0.11, 0.15, 0.19, 0.23, 0.27, 0.31, 0.35)
_RISK_AVERSION: dict[str, Any] = {
    "argument": "isoelastic_eta",
    "symbol": "eta",
    "words": "risk aversion η",
    "home": 0.23,
    "tests": ETAS,
    "validation": (0.17, 0.29),
}
RISK_AVERSION = Gap("figure-5-one-step", **_RISK_AVERSION, randomised=True)
"""The paper's: isoelastic utility of another risk aversion."""
_AGENTS = preset_registry.make(PRESET).settings["agent_learner"]
_QUICKER_DEVIATIONS: dict[str, Any] = {
    **_AGENTS,
    "anneal_epochs": 2 * _AGENTS["anneal_epochs"],
    "annealed_share": 0.3,
    "algorithm_kwargs": {**_AGENTS["algorithm_kwargs"], "n_epochs": 8, "ent_coef": 0.05},
}
"""Deviations whose steps stay large, with little entropy: what a deviation gains falls short of a best response by its
entropy, and by what it lags behind a planner that moves."""
HUNDRED_AGENTS = Gap(
    "figure-5-one-step-100",
    **_RISK_AVERSION,
    population={"num_agents": 100},
    settings={"num_envs": 64},
    learner=JaxLearnerConfig.kind,
    ermas_settings={
        "num_envs": 32,
        "deviating_agents": 20,
        "deviation_learner": _QUICKER_DEVIATIONS,
        "multiplier": {"initial": 0.2, "step_size": 0.6, "proportional": 6.0},
    },
    equal_compute=False,
    robust_starts=1,
)
"""The same with a hundred agents, without the comparison that would take three times as long as all others. One of them
moves the planner's payoff by a hundredth, so that λ and its gains are a tenth of those for ten. ERMAS plays half as
many replicas, in which twice as many agents deviate: everybody's regret is measured twice as often, by as many rows."""
LABOR = Gap(
    "figure-5-one-step-labor",
    argument="labor_exponent",
    symbol="exponent",
    words="labor exponent δ (elasticity of labor 1 / (δ − 1))",
    home=2.0,
    tests=(1.85, 1.9, 1.95, 2.0, 2.05, 2.1, 2.15),
    validation=(1.925, 2.075),
    population={"agent_reward_type": "coin_minus_labor_cost", "labor_cost": 0.012},
    learner=JaxLearnerConfig.kind,
    ermas_settings={"deviation_learner": _QUICKER_DEVIATIONS},
    equal_compute=False,
)
"""Another elasticity of labor: quasi-linear agents, utility coin − .012 hours^δ; the wages are those of Figure 5."""

GAPS = (RISK_AVERSION, HUNDRED_AGENTS, LABOR)
