"""Configuration of MARL and ERMAS: one documented dataclass each, and their way to and from JSON."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from ermas_algos.algorithms.deviations import MODES
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_envs.arguments import check_choice, check_integer, check_number, unknown_name

AGENT_PPO = SB3LearnerConfig(
    learning_rate=5e-3, gamma=0.9, gae_lambda=0.9, algorithm_kwargs={"n_epochs": 4, "ent_coef": 0.05, "clip_range": 0.3}
)
"""PPO settings that follow the exact optimum of Agent-Adv-Search in the bimatrix games (docs/ermas.md)."""

PLANNER_PPO = dataclasses.replace(AGENT_PPO, algorithm_kwargs={**AGENT_PPO.algorithm_kwargs, "ent_coef": 0.01})
"""The same with less entropy: neighbouring stakes of the augmented game differ by 2 % of its scale only."""


@dataclass(frozen=True)
class MARLConfig:
    """Settings of MARL: planner and agents learn simultaneously, each on its own reward."""

    num_envs: int = 128
    """Replicas of the joint rollout."""
    rollout_steps: int | None = None
    """Steps of a rollout, which starts with a reset; None takes the environment's horizon (whole episodes)."""
    seed: int = 0
    """Everything random follows from it."""
    agent_learner: SB3LearnerConfig = AGENT_PPO
    """Learner of every agent."""
    planner_learner: SB3LearnerConfig = PLANNER_PPO
    """Learner of the planner."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        check_integer("num_envs", self.num_envs, 2)
        if self.rollout_steps is not None:
            check_integer("rollout_steps", self.rollout_steps, 1)
        check_integer("seed", self.seed, 0)


@dataclass(frozen=True)
class ERMASConfig(MARLConfig):
    """Settings of ERMAS."""

    epsilon: float = 0.05
    """ε ≥ 0: regret that an agent may have, payoff per step."""
    warmup_iterations: int = 40
    """Outer iterations before the first regret estimate; λ stays at λ_0."""
    deviation: str = "persistent"
    """`persistent`: deviations are kept, synchronised once after warm-up; `restarted`: from θ_i each time (paper)."""
    deviation_updates: int = 2
    """Updates of every deviation per outer iteration, M ≥ 1."""
    deviation_learner: SB3LearnerConfig | None = None
    """Learner of the deviations; None takes `agent_learner`. Same networks and algorithm as the agents'."""
    trust_region: float | None = None
    """Largest KL(agent ‖ deviation) in nats, > 0; None sets no bound."""
    multiplier: MultiplierConfig = field(default_factory=MultiplierConfig)
    """How λ moves."""
    meta_step_size: float = 0.0
    """β ≥ 0, weight of the meta-step; 0 leaves it out."""
    meta_step_every: int = 1
    """The meta-step is taken every k-th outer iteration, k ≥ 1."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        super().__post_init__()
        check_number("epsilon", self.epsilon, minimum=0.0)
        check_integer("warmup_iterations", self.warmup_iterations, 0)
        check_choice("deviation", self.deviation, MODES)
        check_integer("deviation_updates", self.deviation_updates, 1)
        if self.trust_region is not None and check_number("trust_region", self.trust_region) <= 0:
            raise ValueError(f"trust_region must be > 0, got {self.trust_region}.")
        check_number("meta_step_size", self.meta_step_size, minimum=0.0)
        check_integer("meta_step_every", self.meta_step_every, 1)
        ours, theirs = self.agent_learner, self.deviation_learner or self.agent_learner
        if (ours.algorithm, ours.hidden_layers) != (theirs.algorithm, theirs.hidden_layers):
            raise ValueError(
                "deviation_learner must have agent_learner's algorithm and hidden_layers, "
                f"{ours.algorithm} {ours.hidden_layers}; got {theirs.algorithm} {theirs.hidden_layers}."
            )


def to_json(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON types (tuples become lists)."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def from_json(config_type: Any, values: Mapping[str, Any]) -> Any:
    """The configuration that `to_json` wrote; ValueError for a field that does not exist."""
    hints = get_type_hints(config_type)
    known = {entry.name for entry in dataclasses.fields(config_type)}
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise unknown_name(f"{config_type.__name__} field", name, known)
        nested = _NESTED.get(name)
        if nested is not None and value is not None:
            value = from_json(nested, value)
        elif isinstance(value, list) and "tuple" in str(hints[name]):
            value = tuple(value)
        arguments[name] = value
    return config_type(**arguments)


_NESTED: Mapping[str, Any] = {
    "agent_learner": SB3LearnerConfig,
    "planner_learner": SB3LearnerConfig,
    "deviation_learner": SB3LearnerConfig,
    "multiplier": MultiplierConfig,
}
