"""The protocol between the outer loop and a learner: act, update on a rollout, state, parameters, KL.

Everything that an algorithm of this package knows about learning stands here; a third party that implements `Learner`
and passes a `LearnerFactory` replaces Stable-Baselines3.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ermas_algos.presets import NO_PRESET, default_preset, preset_registry
from ermas_envs import BatchedEnv
from ermas_envs.base.arguments import shown
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, Observation
from ermas_envs.base.registry import Registry
from ermas_envs.oracles import TabularGame


class NotFiniteError(ValueError):
    """A number that was learned or played is NaN or infinite, so that nothing further can be learned from it; says
    which."""


@dataclass(frozen=True)
class Rollout:
    """T steps of R rows (replicas, or replicas × agents that share the learner), collected by the current policy."""

    observations: Array
    """(T, R, *observation shape), seen before each step."""
    actions: Array
    """(T, R, *action shape), as the policy chose them (Box actions not yet clipped)."""
    action_masks: BoolArray | None
    """(T, R, mask size; see `ermas_envs.BatchObservation`), or None where actions are not discrete."""
    rewards: FloatArray
    """(T, R) what the learner maximises."""
    ended: BoolArray
    """(T, R) True where no reward of the same episode follows the step."""
    bootstrap_observations: Array | None
    """(T, R, *observation shape): where `ended` is True by a time limit that is not part of the game, what was seen at
    the cut, so that the value behind it is counted; None where time limits are part of the game."""
    bootstrapped: BoolArray | None
    """(T, R) True where `bootstrap_observations` counts."""
    last_observations: Array
    """(R, *observation shape) after the last step, for rows whose episode goes on."""


@dataclass(frozen=True)
class LearnerState:
    """Everything that a learner needs to go on bit for bit: tensors, and facts that JSON can hold."""

    tensors: Mapping[str, Any]
    """Parameters and optimiser moments, all NumPy arrays or all torch tensors: a checkpoint gives back what they were.
    Copies, never views of live ones."""
    facts: Mapping[str, Any]
    """JSON-serialisable: optimiser settings, generator state, counters."""


class Learner(Protocol):
    """A policy that can act in a batch and learn from a rollout."""

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """Space of one observation."""

    @property
    def action_space(self) -> spaces.Space[Any]:
        """Space of one action."""

    @property
    def noise_size(self) -> int:
        """Uniform random numbers that one action needs."""

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None = None) -> Array:
        """Sample actions by the inverse distribution function, so that equal noise gives coupled actions.

        Args:
            observations: (R, *observation shape).
            noise: (R, noise_size) uniform in [0, 1).
            action_masks: (R, mask size) or None; learners that know no masks ignore it.

        Returns:
            (R, *action shape).
        """

    def update(self, rollout: Any) -> dict[str, Any]:
        """Learn from a rollout of the *current* policy; returns metrics by name.

        Args:
            rollout: a `Rollout`; for learners that are played exactly an `ermas_algos.learners.exact.ExactRollout`.

        Raises:
            NotFiniteError: parameters, or a loss, are not finite afterwards.
        """

    def state(self) -> LearnerState:
        """A copy of everything that is needed to go on."""

    def load_state(self, state: LearnerState) -> None:
        """Go on from `state`; ValueError if it does not fit this learner."""

    def get_parameters(self) -> NDArray[Any]:
        """All trainable parameters as one copied vector of floats (P,)."""

    def set_parameters(self, vector: NDArray[Any]) -> None:
        """Copy a vector (P,) into the parameters; the optimiser is left alone."""

    def kl(self, other: "Learner", observations: Array, action_masks: BoolArray | None = None) -> float:
        """Mean over observations (R, …) of KL(own policy ‖ other's policy), nats, over this learner's support."""

    def action_probabilities(self, observations: Array, action_masks: BoolArray | None = None) -> FloatArray:
        """(R, number of actions) probabilities; TypeError where the action space is not Discrete."""


class Spaces(NamedTuple):
    """What the roles of a learner see and do."""

    observation: spaces.Space[Any]
    """Space of one observation."""
    action: spaces.Space[Any]
    """Space of one action."""


class InGame(NamedTuple):
    """A learner's place in a game that is known as tables."""

    game: TabularGame
    """The tables."""
    roles: tuple[str, ...]
    """Which roles it plays."""


class LearnerConfig(Protocol):
    """Settings of a learner, and so the choice of one: a frozen dataclass of JSON types that checks them when made.

    Its class is registered under its `kind` (`learner_registry`). It may have `num_seeds`, where several seeds are
    trained in one batch, `check_deviation(other)`, which raises a ValueError for other settings of the same kind whose
    deviation learner could not take over the state of a learner with these, `on_this_machine()`, which gives the
    same settings as far as this machine has what they ask for: checkpoints are loaded by these; and
    `annealed_over(updates)`, the same settings for a learner whose steps become small within so many updates.
    """

    @property
    def kind(self) -> str:
        """Its name in configurations, files and checkpoints; a class variable."""

    @property
    def needs(self) -> str:
        """What a learner learns from: `samples` (a `Rollout`) or `tables` (an `ExactRollout`); a class variable."""

    def make(self, spaces: Spaces, seed: int, game: InGame | None = None) -> Learner:
        """A fresh learner; all that is random in it follows from the seed.

        Args:
            spaces: what it sees and does.
            seed: in [0, 2**31).
            game: the tables, where it `needs` them.
        """

    def least_numbers(self, spaces: Spaces) -> int:
        """A lower bound of the numbers in the state of a learner with these settings: a checkpoint that has fewer is
        refused before anything is made."""


learner_registry: Registry[LearnerConfig] = Registry("learner kind")


def num_seeds(config: LearnerConfig) -> int:
    """Seeds that a learner trains in one batch."""
    return int(getattr(config, "num_seeds", 1))


class LearnerFactory(Protocol):
    """Makes the learner of one role."""

    def __call__(
        self, role: str, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], seed: int
    ) -> Learner:
        """A fresh learner; its initial parameters and own randomness depend on `seed` only.

        Args:
            role: id of the role, or `deviation/<agent>` for the deviation learner of an agent.
            observation_space: what the role sees.
            action_space: what the role does.
            seed: in [0, 2**31).
        """


def check_array_observations(env: BatchedEnv, roles: Iterable[str]) -> None:
    """ValueError naming the first of `roles` that observes a Dict, a Box without axes, or what counts from another
    number than 0."""
    for role in roles:
        space = env.observation_spaces[role]
        if isinstance(space, spaces.Dict):
            raise ValueError(f"learners need array observations, {role!r} has {shown(space)}{_hint(env.name)}.")
        counted = isinstance(space, spaces.Discrete | spaces.MultiDiscrete) and np.any(space.start)
        if counted or (isinstance(space, spaces.Box) and not space.shape):
            raise ValueError(
                f"learners need observations that count from 0, or have an axis, {role!r} has {shown(space)}; "
                "ermas_envs.wrappers.FlatObservations makes a vector of it."
            )


def _hint(environment: str) -> str:
    """What a preset of the environment does about it, if there is one."""
    name = default_preset(environment)
    arguments = {} if name == NO_PRESET else preset_registry.make(name).arguments
    return f"; choose observations={arguments['observations']!r}" if "observations" in arguments else ""


def arrays(observations: Mapping[str, Observation]) -> Mapping[str, Array]:
    """`observations` of roles that `check_array_observations` has passed."""
    return cast("Mapping[str, Array]", observations)


def check_updated(finite: bool, metrics: Mapping[str, Any]) -> None:
    """NotFiniteError unless parameters are `finite` after an update; names the first loss that is not, if one is."""
    if not finite:
        losses = [name for name, value in metrics.items() if name.endswith("loss") and not np.isfinite(value)]
        reason = "".join(f"; {name} is {metrics[name]}" for name in losses[:1])
        raise NotFiniteError(f"the update left parameters that are not finite{reason}")


def float32_rewards(rewards: FloatArray, axes: Sequence[str]) -> NDArray[np.float32]:
    """Float64 rewards of any shape as float32.

    Args:
        rewards: what environments give.
        axes: a word for each axis, for the message.

    Raises:
        NotFiniteError: a reward is no number, or infinite in float32; says where and which.
    """
    with np.errstate(over="ignore"):
        converted = rewards.astype(np.float32)
    wrong = np.argwhere(~np.isfinite(converted))
    if len(wrong):
        where = ", ".join(f"{axis} {index}" for axis, index in zip(axes, wrong[0], strict=True))
        largest = float(np.finfo(np.float32).max)
        raise NotFiniteError(
            f"the reward of {where} is {float(rewards[tuple(wrong[0])]):g}; learners calculate in float32, which is "
            f"finite up to {largest:.2g}."
        )
    return converted
