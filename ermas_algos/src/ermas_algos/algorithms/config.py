"""Configuration of MARL and ERMAS: one documented dataclass each, and their way to and from JSON."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from ermas_algos.algorithms.deviations import META_GRADIENTS, MODES
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.learners.exact import ExactLearnerConfig
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_envs.arguments import check_choice, check_integer, check_number, unknown_name

LearnerConfig = SB3LearnerConfig | ExactLearnerConfig
"""Settings of a learner, and so the choice of one: Stable-Baselines3, or the exact learner of tabular games."""

AGENT_PPO = SB3LearnerConfig(
    learning_rate=5e-3, gamma=0.9, gae_lambda=0.9, algorithm_kwargs={"n_epochs": 4, "ent_coef": 0.02, "clip_range": 0.3}
)
"""PPO settings that follow the exact optimum of Agent-Adv-Search in the bimatrix games (docs/ermas.md)."""

PLANNER_PPO = dataclasses.replace(AGENT_PPO, algorithm_kwargs={**AGENT_PPO.algorithm_kwargs, "ent_coef": 0.01})
"""The same with less entropy: neighbouring stakes of the augmented game differ by 2 % of its scale only."""


@dataclass(frozen=True)
class MARLConfig:
    """Settings of MARL: planner and agents learn simultaneously, each on its own reward."""

    num_envs: int = 128
    """Replicas of the joint rollout; exact learners need none."""
    rollout_steps: int | None = None
    """Steps of a rollout, which starts with a reset; None takes the environment's horizon (whole episodes)."""
    seed: int = 0
    """Everything random follows from it."""
    agent_learner: LearnerConfig = AGENT_PPO
    """Learner of every agent."""
    planner_learner: LearnerConfig = PLANNER_PPO
    """Learner of the planner; exact where the agents' is, with as many seeds."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        check_integer("num_envs", self.num_envs, 2)
        if self.rollout_steps is not None:
            check_integer("rollout_steps", self.rollout_steps, 1)
        check_integer("seed", self.seed, 0)
        _check_alike("planner_learner", self.planner_learner, self.agent_learner)


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
    deviation_learner: LearnerConfig | None = None
    """Learner of the deviations; None takes the agents'. Same networks and algorithm as theirs; PPO goes with TRPO."""
    trust_region: float | None = None
    """Largest KL(agent ‖ deviation) in nats, > 0; None sets no bound."""
    multiplier: MultiplierConfig = field(default_factory=MultiplierConfig)
    """How λ moves."""
    meta_step_size: float = 0.0
    """β ≥ 0, weight of the meta-step; 0 leaves it out."""
    meta_gradient: str = "fomaml"
    """How ∇J_i(θ′_i) is estimated: `reptile` or `fomaml` (`Deviations.take_meta_gradient`)."""
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
        check_choice("meta_gradient", self.meta_gradient, META_GRADIENTS)
        check_integer("meta_step_every", self.meta_step_every, 1)
        ours, theirs = self.agent_learner, self.deviation_learner or self.agent_learner
        _check_alike("deviation_learner", theirs, ours)
        if isinstance(ours, SB3LearnerConfig) and isinstance(theirs, SB3LearnerConfig):
            same_state = theirs.algorithm in _SAME_STATE.get(ours.algorithm, (ours.algorithm,))
            if ours.hidden_layers != theirs.hidden_layers or not same_state:
                raise ValueError(
                    "deviation_learner must have agent_learner's hidden_layers, and its algorithm (or PPO with TRPO): "
                    f"{ours.algorithm} {ours.hidden_layers}; got {theirs.algorithm} {theirs.hidden_layers}."
                )


_SAME_STATE = {"PPO": ("PPO", "TRPO"), "TRPO": ("PPO", "TRPO")}
"""Algorithms whose learners can be synchronised: same policy class, same optimiser."""


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
        if isinstance(value, Mapping) and name in _NESTED:
            value = from_json(_nested_type(name, value), value)
        elif isinstance(value, list) and "tuple" in str(hints[name]):
            value = tuple(value)
        arguments[name] = value
    return config_type(**arguments)


def _nested_type(name: str, values: Mapping[str, Any]) -> Any:
    """The type, of those that the field may have, that has all the fields of `values`; the first if none has."""
    candidates = _NESTED[name]
    fitting = [c for c in candidates if values.keys() <= {entry.name for entry in dataclasses.fields(c)}]
    return (fitting or candidates)[0]


def _check_alike(name: str, learner: LearnerConfig, agents: LearnerConfig) -> None:
    """ValueError unless a learner is played as the agents' are: sampled, or exactly with as many seeds."""
    seeds = [config.num_seeds if isinstance(config, ExactLearnerConfig) else None for config in (learner, agents)]
    if seeds[0] != seeds[1]:
        kinds = ["sampled" if count is None else f"exact, num_seeds={count}" for count in seeds]
        raise ValueError(f"{name} must be played as agent_learner is: it is {kinds[0]}, agent_learner {kinds[1]}.")


_LEARNERS = (SB3LearnerConfig, ExactLearnerConfig)
_NESTED: Mapping[str, tuple[Any, ...]] = {
    "agent_learner": _LEARNERS,
    "planner_learner": _LEARNERS,
    "deviation_learner": _LEARNERS,
    "multiplier": (MultiplierConfig,),
}
