"""Configuration of the trainers: one documented dataclass each, and their way to and from JSON."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ermas_algos.algorithms.deviations import META_GRADIENTS, MODES
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.algorithms.risk import RiskConfig
from ermas_algos.algorithms.sharing import PolicySharing, check_policy_sharing
from ermas_algos.learners.commitment import CommitmentSearch
from ermas_algos.learners.exact import ExactLearnerConfig
from ermas_algos.learners.protocol import LearnerConfig, learner_registry, num_seeds
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_envs.base.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_json,
    check_number,
    check_positive,
    check_sequence,
    keep,
    shown,
    unknown_name,
)

AGENT_PPO = SB3LearnerConfig(
    learning_rate=5e-3, gamma=0.9, gae_lambda=0.9, algorithm_kwargs={"n_epochs": 4, "ent_coef": 0.02, "clip_range": 0.3}
)
"""PPO settings that follow the exact optimum of Agent-Adv-Search in the bimatrix games (docs/ermas.md)."""

PLANNER_PPO = dataclasses.replace(AGENT_PPO, algorithm_kwargs={**AGENT_PPO.algorithm_kwargs, "ent_coef": 0.01})
"""The same with less entropy: neighbouring stakes of the augmented game differ by 2 % of its scale only."""

PLANNER_OBJECTIVES = ("payoff", "lagrangian")
MOST_REPLICAS = 2**20
"""Of the joint rollout."""
LONGEST_ROLLOUT, LARGEST_ROLLOUT = 10**7, 2**31
"""Steps of a rollout, and steps times replicas: a rollout beyond these would not end, or not fit into memory."""
MOST_UPDATES = 1000
"""Of one learner within an outer iteration, which would not end with more."""


def rollout_length(rollout_steps: int | None, horizon: int | None, num_envs: int) -> int:
    """Steps of a rollout: those that are set, otherwise the environment's horizon.

    Raises:
        ValueError: neither is known; the rollout is no whole number of episodes, or larger than a rollout may be.
    """
    steps = rollout_steps or horizon
    if steps is None:
        raise ValueError("rollout_steps must be given (>= 1): the environment has no fixed horizon.")
    if horizon is not None and steps % horizon:
        raise ValueError(f"rollout_steps must be a multiple of the horizon {horizon}, got {steps}.")
    name = "rollout_steps" if rollout_steps else "rollout_steps, which is the environment's horizon,"
    if steps > LONGEST_ROLLOUT:
        raise ValueError(f"{name} must be at most {LONGEST_ROLLOUT}, got {steps}.")
    if steps * num_envs > LARGEST_ROLLOUT:
        raise ValueError(
            f"{name} times the number of replicas must be at most {LARGEST_ROLLOUT}, got {steps} * {num_envs}."
        )
    return steps


@dataclass(frozen=True)
class TrainerConfig:
    """Settings that every trainer has."""

    num_envs: int = 128
    """Replicas of the joint rollout; exact learners need none."""
    rollout_steps: int | None = None
    """Steps of a rollout, which starts with a reset; None takes the environment's horizon (whole episodes). At most
    `LONGEST_ROLLOUT`, and at most `LARGEST_ROLLOUT` in all replicas together."""
    seed: int = 0
    """Everything random follows from it."""
    agent_learner: LearnerConfig = AGENT_PPO
    """Learner of every agent."""
    planner_learner: LearnerConfig = PLANNER_PPO
    """Learner of the planner; exact where the agents' is, with as many seeds."""
    planner_warmup: int = 0
    """Outer iterations before the planner's first update: agents learn to answer before it learns from the answers."""
    practice_updates: int = 0
    """Further updates of every agent per outer iteration, each on a rollout in which the planner acts at random,
    uniformly among what its masks allow: agents that know the answer to every policy do not mislead a planner that
    moves (M. Gerstgrasser, D. Parkes, arXiv:2210.11942). Sampled learners only."""
    planner_risk: RiskConfig | None = None
    """The planner's attitude to risk; None maximises the expected payoff. Sampled learners only."""
    policy_sharing: PolicySharing = "none"
    """`none`: a learner for every agent; `group`: one for all agents of a group (`BatchedEnv.groups`); or a table that
    names each agent's learner. λ, regret and ε are each agent's own; agents that share a policy share a deviation."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        keep(
            self,
            num_envs=check_integer("num_envs", self.num_envs, 2, MOST_REPLICAS),
            seed=check_integer("seed", self.seed, 0),
            planner_warmup=check_integer("planner_warmup", self.planner_warmup, 0),
            practice_updates=check_integer("practice_updates", self.practice_updates, 0, MOST_UPDATES),
            policy_sharing=check_policy_sharing(self.policy_sharing),
        )
        if self.rollout_steps is not None:
            keep(self, rollout_steps=check_integer("rollout_steps", self.rollout_steps, 1, LONGEST_ROLLOUT))
        _check_alike("planner_learner", self.planner_learner, self.agent_learner)
        sampled = {"planner_risk": self.planner_risk is not None, "practice_updates": self.practice_updates > 0}
        for name, used in sampled.items():
            if used and self.planner_learner.needs != "samples":
                raise ValueError(f"{name} needs sampled episodes; planner_learner is {self.planner_learner.kind}.")


@dataclass(frozen=True)
class MARLConfig(TrainerConfig):
    """Settings of MARL: planner and agents learn simultaneously, each on its own reward."""

    extra_agent_updates: int = 0
    """Further updates of every agent per outer iteration, each on a joint rollout of its own, before the planner's."""
    agent_risk: RiskConfig | None = None
    """The agents' attitude to risk, whatever it comes from: the others, the game, or their own draws; None maximises
    the expected payoff. Sampled learners only."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        super().__post_init__()
        keep(self, extra_agent_updates=check_integer("extra_agent_updates", self.extra_agent_updates, 0, MOST_UPDATES))
        if self.agent_risk is not None and self.agent_learner.needs != "samples":
            raise ValueError(f"agent_risk needs sampled episodes; agent_learner is {self.agent_learner.kind}.")
        check_writable(self)


@dataclass(frozen=True)
class PopulationConfig(TrainerConfig):
    """Settings of a planner that learns against several sets of adversarial agents at once."""

    multipliers: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    """λ ≥ 0 of each set of agents, constant: small ones are adversaries, large ones mind their own reward only."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        super().__post_init__()
        given = check_sequence("multipliers", self.multipliers, "(1.0, 4.0)")
        keep(self, multipliers=tuple(check_number("multipliers", value, minimum=0.0) for value in given))
        if not self.multipliers:
            raise ValueError("multipliers must name at least one λ.")
        check_writable(self)


@dataclass(frozen=True)
class CommitmentConfig(TrainerConfig):
    """Settings of a planner that searches for the best commitment, one fixed action, while agents learn; those of
    `planner_learner` have no effect."""

    search: CommitmentSearch = field(default_factory=CommitmentSearch)
    """How it searches."""
    extra_agent_updates: int = 0
    """Further rollouts under every commitment, ≥ 0, on each of which agents learn before its reward is counted."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        super().__post_init__()
        keep(self, extra_agent_updates=check_integer("extra_agent_updates", self.extra_agent_updates, 0, MOST_UPDATES))
        if self.agent_learner.needs != "samples":
            raise ValueError(f"search needs sampled episodes; agent_learner is {self.agent_learner.kind}.")
        check_writable(self)


@dataclass(frozen=True)
class ERMASConfig(TrainerConfig):
    """Settings of ERMAS."""

    epsilon: float = 0.05
    """ε ≥ 0: regret that an agent may have, payoff per step."""
    warmup_iterations: int = 40
    """Outer iterations before the first regret estimate; λ stays at λ_0."""
    planner_objective: str = "payoff"
    """What the planner learns from: `payoff`, its own reward (paper); `lagrangian`, the objective of the saddle point,
    its reward and Σ_i λ_i regret_i. What agents can lose depends on the planner, too: the first leaves that gradient
    out. The second is for planners that act alike whatever agents do, such as those who commit themselves; sampled
    learners."""
    deviation: str = "persistent"
    """`persistent`: deviations are kept, synchronised once after warm-up; `restarted`: from θ_i each time (paper)."""
    deviating_agents: int | None = None
    """Agents whose deviations learn and whose regret is measured in an outer iteration, at least 1; None takes all.
    With fewer, all take turns in random order, and λ moves further in its turn (`ERMAS`)."""
    deviation_updates: int = 2
    """Updates of every deviation per outer iteration, M ≥ 1."""
    deviation_learner: LearnerConfig | None = None
    """Learner of the deviations; None takes the agents'. Same networks and algorithm as theirs; PPO goes with TRPO."""
    trust_region: float | None = None
    """Largest KL(agent ‖ deviation) in nats, > 0; None sets no bound."""
    multiplier: MultiplierConfig = field(default_factory=MultiplierConfig)
    """How λ moves."""
    regret_of_others: bool = False
    """True: agents also count what they do to each other's regret, the whole gradient of Eq. 8; False: only their own
    part of it (the paper). Exact where agents do not see what others do in an episode (`joint_lagrangian`). Sampled
    learners only."""
    ordinary_agents: bool = False
    """True: agents who maximise their own reward, regret 0, play in a further block, and the planner learns from both:
    one that observes then learns what to do where nobody deviates, too (docs/figure-4.md). Part of the checkpoint."""
    meta_step_size: float = 0.0
    """β ≥ 0, weight of the meta-step; 0 leaves it out."""
    meta_gradient: str = "fomaml"
    """How ∇J_i(θ′_i) is estimated: `reptile` or `fomaml` (`Deviations.take_meta_gradient`)."""
    meta_step_every: int = 1
    """The meta-step is taken every k-th outer iteration, k ≥ 1."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        super().__post_init__()
        keep(
            self,
            epsilon=check_number("epsilon", self.epsilon, minimum=0.0),
            warmup_iterations=check_integer("warmup_iterations", self.warmup_iterations, 0),
            planner_objective=check_choice("planner_objective", self.planner_objective, PLANNER_OBJECTIVES),
            deviation=check_choice("deviation", self.deviation, MODES),
            deviation_updates=check_integer("deviation_updates", self.deviation_updates, 1, MOST_UPDATES),
            meta_step_size=check_number("meta_step_size", self.meta_step_size, minimum=0.0),
            meta_gradient=check_choice("meta_gradient", self.meta_gradient, META_GRADIENTS),
            meta_step_every=check_integer("meta_step_every", self.meta_step_every, 1),
            regret_of_others=check_flag("regret_of_others", self.regret_of_others),
            ordinary_agents=check_flag("ordinary_agents", self.ordinary_agents),
        )
        if self.planner_objective == "lagrangian" and self.planner_learner.needs != "samples":
            raise ValueError(f"planner_objective lagrangian needs sampled episodes; got {self.planner_learner.kind}.")
        if self.regret_of_others and self.agent_learner.needs != "samples":
            raise ValueError(f"regret_of_others needs sampled episodes; agent_learner is {self.agent_learner.kind}.")
        if self.deviating_agents is not None:
            keep(self, deviating_agents=check_integer("deviating_agents", self.deviating_agents, 1))
        if self.trust_region is not None:
            keep(self, trust_region=check_positive("trust_region", self.trust_region))
        ours, theirs = self.agent_learner, self.deviation_learner or self.agent_learner
        _check_alike("deviation_learner", theirs, ours)
        if theirs.kind != ours.kind:
            raise ValueError(f"deviation_learner must be of agent_learner's kind {ours.kind!r}, got {theirs.kind!r}.")
        if check := getattr(ours, "check_deviation", None):
            check(theirs)
        check_writable(self)


def to_json(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON types (tuples become lists); settings of a learner begin with its kind."""
    kind = {"kind": config.kind} if config_kind(config) else {}
    fields = {entry.name: getattr(config, entry.name) for entry in dataclasses.fields(config)}
    return {**kind, **{name: check_json(name, _plain(value)) for name, value in fields.items()}}


def on_this_machine(config: Any) -> Any:
    """A trainer's settings as far as this machine has what its learners ask for (`LearnerConfig`)."""
    learners = {entry.name: getattr(config, entry.name) for entry in dataclasses.fields(config)}
    found = {name: value.on_this_machine() for name, value in learners.items() if hasattr(value, "on_this_machine")}
    return dataclasses.replace(config, **found)


def config_kind(config: Any) -> str | None:
    """The kind of a learner's settings; None for any other configuration."""
    kind = getattr(type(config), "kind", None)
    return kind if isinstance(kind, str) and kind in learner_registry else None


def _plain(value: Any) -> Any:
    """Dataclasses, also inside mappings, as tables."""
    if dataclasses.is_dataclass(value):
        return to_json(value)
    return {key: _plain(entry) for key, entry in value.items()} if isinstance(value, Mapping) else value


def check_writable(config: Any) -> None:
    """ValueError unless every field comes back as it is from what `to_json` writes: what cannot be saved must not be
    found out hours later."""
    hints, plain = get_type_hints(type(config)), to_json(config)
    for entry in dataclasses.fields(config):
        value = getattr(config, entry.name)
        if _from_json(entry.name, hints[entry.name], plain[entry.name], _default(entry)) != value:
            raise ValueError(f"{entry.name} could not be saved and read again: {shown(value)}.")


def from_json(config_type: Any, values: Mapping[str, Any], base: Any = None) -> Any:
    """A configuration from JSON types; what `to_json` wrote comes back as it was.

    Args:
        config_type: a dataclass. Fields that hold dataclasses, or mappings of names to dataclasses, are made of tables.
            A table of a learner's settings names its `kind`; without one, it is the first of ours with all the fields.
        values: by field. What a nested table leaves out is as in the default of its field.
        base: the configuration that gives the fields left out; None takes the dataclass's own defaults.

    Raises:
        ValueError: a field that does not exist, one without default that is missing, or a table or list that is none.
    """
    hints, entries = get_type_hints(config_type), {entry.name: entry for entry in dataclasses.fields(config_type)}
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        if name not in entries:
            raise unknown_name(f"{config_type.__name__} field", name, entries)
        default = _default(entries[name]) if base is None else getattr(base, name)
        arguments[name] = _from_json(name, hints[name], value, default)
    if base is not None:
        return dataclasses.replace(base, **arguments)
    missing = [name for name, entry in entries.items() if _default(entry) is dataclasses.MISSING and name not in values]
    if missing:
        raise ValueError(f"{config_type.__name__}: needs {', '.join(missing)}.")
    return config_type(**arguments)


def _default(entry: "dataclasses.Field[Any]") -> Any:
    return entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()


def _from_json(name: str, hint: Any, value: Any, default: Any) -> Any:
    """A field's value, of the type that its annotation asks for; ValueError for what should be a table or a list."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if value is None and type(None) in kinds:
        return None
    tables = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
    if LearnerConfig in kinds:
        return _learner_from_json(name, value, default)
    if not isinstance(value, Mapping) and (tables or get_origin(hint) is Mapping):
        raise ValueError(f"{name} must be a table of names and values, got {shown(value)}.")
    if not isinstance(value, list | tuple) and any(get_origin(kind) is tuple for kind in kinds):
        raise ValueError(f"{name} must be a list, got {shown(value)}.")
    if isinstance(value, Mapping) and tables:
        fitting = [kind for kind in tables if value.keys() <= {entry.name for entry in dataclasses.fields(kind)}]
        kind = (fitting or tables)[0]
        return from_json(kind, value, default if type(default) is kind else None)
    if isinstance(value, Mapping) and get_origin(hint) is Mapping and dataclasses.is_dataclass(get_args(hint)[1]):
        return {key: _from_json(f"{name}.{key}", get_args(hint)[1], entry, None) for key, entry in value.items()}
    if isinstance(value, list) and any(get_origin(kind) is tuple for kind in kinds):
        return tuple(value)
    return value


def _learner_from_json(name: str, value: Any, default: Any) -> Any:
    """Settings of a learner from a table."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a table of names and values, got {shown(value)}.")
    table = dict(value)
    if "kind" in table:
        given = check_choice(f"{name}.kind", table.pop("kind"), learner_registry)
        config_type: Any = learner_registry[given]
    else:
        candidates = _OURS if type(default) in (*_OURS, type(None)) else (type(default), *_OURS)
        fitting = [kind for kind in candidates if table.keys() <= {entry.name for entry in dataclasses.fields(kind)}]
        config_type = (fitting or candidates)[0]
    return from_json(config_type, table, default if type(default) is config_type else None)


_OURS: tuple[Any, ...] = (SB3LearnerConfig, ExactLearnerConfig)


def _check_alike(name: str, learner: LearnerConfig, agents: LearnerConfig) -> None:
    """ValueError unless a learner is played as the agents' are: sampled, or exactly with as many seeds."""
    for field_name, config in (("agent_learner", agents), (name, learner)):
        if config_kind(config) is None:
            raise ValueError(
                f"{field_name} must be a table of names and values, or settings of a registered kind of learner "
                f"({', '.join(learner_registry.names())}), got {shown(config)}."
            )
    played = [(config.needs, num_seeds(config)) for config in (learner, agents)]
    if played[0] != played[1]:
        kinds = ["sampled" if needs == "samples" else f"exact, num_seeds={count}" for needs, count in played]
        raise ValueError(f"{name} must be played as agent_learner is: it is {kinds[0]}, agent_learner {kinds[1]}.")
