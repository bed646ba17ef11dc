"""Stable-Baselines3 as a learner: PPO, A2C, and sb3-contrib's TRPO and MaskablePPO, driven from outside.

The rollout buffer is filled in bulk, the update is SB3's own `train()`.
"""

import dataclasses
import inspect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.spaces import flatdim
from numpy.typing import NDArray
from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import FloatSchedule

from ermas_algos.checkpoint import prefixed, with_prefix
from ermas_algos.learners import action_sampling, optimizer_state
from ermas_algos.learners.advantages import bootstrapped_rewards, generalised_advantages
from ermas_algos.learners.placement import CPU, FLOAT32, check_placement, passes, require_device, seeded_devices
from ermas_algos.learners.protocol import (
    InGame,
    Learner,
    LearnerState,
    Rollout,
    Spaces,
    check_updated,
    learner_registry,
)
from ermas_algos.learners.sb3_arguments import checked_arguments
from ermas_algos.saved_state import check_tensors, restore_generator, saved_count, saved_table
from ermas_envs.base.arguments import (
    check_choice,
    check_integer,
    check_number,
    check_positive,
    check_sequence,
    keep,
)
from ermas_envs.base.arrays import Array, BoolArray, FloatArray

ALGORITHMS: Mapping[str, Any] = {"PPO": PPO, "A2C": A2C, "TRPO": TRPO, "MaskablePPO": MaskablePPO}

LARGEST_LEARNING_RATE = 1e3
"""A step of Adam moves a parameter by this much: far beyond what can learn, and far within float32."""
WIDEST_LAYER, MOST_LAYERS, MOST_WEIGHTS = 8192, 32, 10**8
"""Bounds of `hidden_layers`. 10⁸ weights take 3 GB in two networks, with gradients and the optimiser's moments."""


@dataclass(frozen=True)
class SB3LearnerConfig:
    """Hyper-parameters of one SB3 learner."""

    kind: ClassVar[str] = "sb3"
    """See `LearnerConfig.kind`."""
    needs: ClassVar[str] = "samples"
    """See `LearnerConfig.needs`."""

    algorithm: str = "PPO"
    """PPO, A2C, TRPO or MaskablePPO."""
    learning_rate: float = 3e-3
    """Step size of the optimiser, > 0 and at most `LARGEST_LEARNING_RATE`."""
    gamma: float = 0.9
    """Discount of the learner's return, in [0, 1]."""
    gae_lambda: float = 0.9
    """λ of generalised advantage estimation, in [0, 1]."""
    hidden_layers: tuple[int, ...] = ()
    """Widths of the hidden layers of actor and critic, at most `WIDEST_LAYER` each and `MOST_LAYERS` layers; () is
    linear in the observation."""
    minibatch_size: int | None = None
    """Samples per gradient step of PPO and MaskablePPO; None takes the whole rollout.
    A2C always does; TRPO uses it for its critic only."""
    anneal_epochs: int | None = None
    """Epochs (passes over a rollout; a PPO update has n_epochs of them) over which learning rate and entropy
    coefficient fall linearly to `annealed_share` of their values, where they stay; None: they do not fall."""
    annealed_share: float = 0.05
    """What is left of learning rate and entropy coefficient in the end, in [0, 1]."""
    device: str = CPU
    """Where its networks are, `cpu` or `cuda`. Checkpoints do not depend on it: where there is no such device, one is
    loaded to the CPU. Small networks are faster on the CPU."""
    precision: str = FLOAT32
    """Of the passes of updates: `float32`, or `bfloat16`, in which layers take half the memory, and less time on
    processors that know it; parameters, optimiser, losses, values and play stay in float32. Not for TRPO, whose search
    needs exact gradients."""
    algorithm_kwargs: Mapping[str, float | int | bool] = field(default_factory=dict)
    """Further arguments of the algorithm's constructor, such as n_epochs, ent_coef, clip_range, target_kl; checked by
    name (`sb3_arguments`)."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        check_choice("algorithm", self.algorithm, ALGORITHMS)
        check_placement(self.device, self.precision)
        if self.algorithm == "TRPO" and self.precision != FLOAT32:
            raise ValueError(f"precision must be {FLOAT32!r} for TRPO, got {self.precision!r}.")
        layers = check_sequence("hidden_layers", self.hidden_layers, "(64, 64)")
        keep(
            self,
            learning_rate=_checked_learning_rate(self.learning_rate),
            gamma=check_number("gamma", self.gamma, 0.0, 1.0),
            gae_lambda=check_number("gae_lambda", self.gae_lambda, 0.0, 1.0),
            hidden_layers=_checked_layers(layers),
            annealed_share=check_number("annealed_share", self.annealed_share, 0.0, 1.0),
        )
        if self.anneal_epochs is not None:
            keep(self, anneal_epochs=check_integer("anneal_epochs", self.anneal_epochs, 1))
        if self.minibatch_size is not None:
            keep(self, minibatch_size=check_integer("minibatch_size", self.minibatch_size, 2))
        known = set(inspect.signature(ALGORITHMS[self.algorithm].__init__).parameters) - _OURS
        keep(self, algorithm_kwargs=checked_arguments(self.algorithm, self.algorithm_kwargs, known))

    def make(self, spaces: Spaces, seed: int, game: InGame | None = None) -> "SB3Learner":
        return SB3Learner(self, spaces.observation, spaces.action, seed)

    def annealed_over(self, updates: int) -> "SB3LearnerConfig":
        """See `LearnerConfig`."""
        epochs = int(self.algorithm_kwargs.get("n_epochs", 10)) if "PPO" in self.algorithm else 1
        return dataclasses.replace(self, anneal_epochs=updates * epochs)

    def on_this_machine(self) -> "SB3LearnerConfig":
        """See `LearnerConfig`."""
        return self if torch.cuda.is_available() else dataclasses.replace(self, device=CPU)

    def least_numbers(self, spaces: Spaces) -> int:
        widths = (flatdim(spaces.observation), *self.hidden_layers)
        weights = sum(before * after for before, after in itertools.pairwise(widths))
        return 2 * weights + widths[-1] * flatdim(spaces.action)  # actor and critic; the actor's last layer

    def check_deviation(self, other: "SB3LearnerConfig") -> None:
        """ValueError unless a deviation learner with other settings can take over the state of one with these."""
        same_state = other.algorithm in _SAME_STATE.get(self.algorithm, (self.algorithm,))
        if self.hidden_layers != other.hidden_layers or not same_state:
            raise ValueError(
                "deviation_learner must have agent_learner's hidden_layers, and its algorithm (or PPO with TRPO): "
                f"{self.algorithm} {self.hidden_layers}; got {other.algorithm} {other.hidden_layers}."
            )


_SAME_STATE = {"PPO": ("PPO", "TRPO"), "TRPO": ("PPO", "TRPO")}
"""Algorithms whose learners can be synchronised: same policy class, same optimiser."""


_OURS = {"self", "policy", "env", "n_steps", "batch_size", "learning_rate", "gamma", "gae_lambda", "policy_kwargs"} | {
    "seed", "device", "verbose", "tensorboard_log", "rollout_buffer_class", "rollout_buffer_kwargs", "use_sde",
    "sde_sample_freq", "stats_window_size", "_init_setup_model",
}  # fmt: skip
"""Constructor arguments that the adapter sets itself."""


def _checked_learning_rate(given: object) -> float:
    value = check_positive("learning_rate", given)
    return check_number("learning_rate", value, maximum=LARGEST_LEARNING_RATE)


def share_left(anneal_epochs: int | None, annealed_share: float, epochs: int) -> float:
    """Of learning rate and entropy coefficient after so many epochs, see `SB3LearnerConfig.anneal_epochs`."""
    return 1.0 if anneal_epochs is None else 1.0 - min(epochs / anneal_epochs, 1.0) * (1.0 - annealed_share)


def _checked_layers(given: Sequence[Any]) -> tuple[int, ...]:
    if len(given) > MOST_LAYERS:
        raise ValueError(f"hidden_layers must be at most {MOST_LAYERS} layers, got {len(given)}.")
    widths = tuple(check_integer("hidden_layers", width, 1, WIDEST_LAYER) for width in given)
    weights = sum(first * second for first, second in itertools.pairwise(widths))
    if weights > MOST_WEIGHTS:
        raise ValueError(f"hidden_layers must have at most {MOST_WEIGHTS} weights between them, got {weights}.")
    return widths


class SB3Learner:
    """One SB3 on-policy algorithm behind the `Learner` protocol.

    Args:
        config: hyper-parameters.
        observation_space: any space that SB3's MlpPolicy takes (Box, Discrete, MultiDiscrete, MultiBinary).
        action_space: Discrete, MultiDiscrete, MultiBinary or Box (MaskablePPO: no Box).
        seed: initial parameters and the shuffling of minibatches depend on it alone.

    Raises:
        ValueError: spaces that the algorithm does not know, or a device that this machine does not have.
    """

    def __init__(
        self, config: SB3LearnerConfig, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], seed: int
    ) -> None:
        self.config = config
        self.observation_space = observation_space
        self.action_space = action_space
        self.noise_size = action_sampling.noise_size(action_space)
        require_device(config.device, torch.cuda.is_available(), "torch")
        self._shuffling = np.random.default_rng(seed)
        self._masked = config.algorithm == "MaskablePPO"
        if self._masked and isinstance(action_space, spaces.Box):
            raise ValueError(f"MaskablePPO acts in Discrete, MultiDiscrete and MultiBinary spaces, got {action_space}.")
        self._model = self._build(seed)
        self._ent_coef = getattr(self._model, "ent_coef", 0.0)
        self.policy = self._model.policy
        self.policy.set_training_mode(False)

    def _build(self, seed: int) -> Any:
        config = self.config
        arguments = dict(config.algorithm_kwargs)
        if "batch_size" in inspect.signature(ALGORITHMS[config.algorithm].__init__).parameters:
            arguments["batch_size"] = config.minibatch_size or 2
        model = ALGORITHMS[config.algorithm](
            "MlpPolicy",
            None,
            learning_rate=config.learning_rate,
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
            policy_kwargs={"net_arch": list(config.hidden_layers)},
            device=config.device,
            _init_setup_model=False,
            **arguments,
        )
        model.observation_space, model.action_space, model.n_envs = self.observation_space, self.action_space, 1
        with torch.random.fork_rng(devices=seeded_devices(config.device)):
            torch.manual_seed(seed)
            model._setup_model()
        model.set_logger(Logger(None, []))
        return model

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None = None) -> Array:
        with torch.no_grad():
            return action_sampling.sample(self._distribution(observations, action_masks), self.action_space, noise)

    def update(self, rollout: Rollout) -> dict[str, float]:
        """One `train()` of the SB3 algorithm on the rollout; returns SB3's own training metrics.

        Raises:
            NotFiniteError: parameters are not finite afterwards.
        """
        model = self._model
        model.rollout_buffer = self._filled_buffer(rollout)
        if self.config.minibatch_size is None:
            model.batch_size = rollout.rewards.size
        self._anneal()
        seed = int(self._shuffling.integers(2**32))
        with _global_seeds(seed, self.config.device), action_sampling.without_validation(), self._passes():
            model.train()
        self.policy.set_training_mode(False)
        metrics = {name.removeprefix("train/"): float(value) for name, value in model.logger.name_to_value.items()}
        model.logger.name_to_value.clear()
        check_updated(all(bool(torch.isfinite(parameter).all()) for parameter in self.policy.parameters()), metrics)
        return metrics

    def _passes(self) -> Any:
        return passes(self.policy, self.config.device, self.config.precision)

    def _anneal(self) -> None:
        """Learning rate and entropy coefficient as they are after so many epochs."""
        config, model = self.config, self._model
        if config.anneal_epochs is None:
            return
        share = share_left(config.anneal_epochs, config.annealed_share, model._n_updates)
        model.lr_schedule = FloatSchedule(config.learning_rate * share)
        if hasattr(model, "ent_coef"):  # TRPO has none
            model.ent_coef = self._ent_coef * share

    def _filled_buffer(self, rollout: Rollout) -> Any:
        """SB3's buffer with the arrays of the rollout: made small, as it would fill arrays of its own otherwise."""
        steps, rows = shape = rollout.rewards.shape
        model = self._model
        buffer = model.rollout_buffer.__class__(
            1, self.observation_space, self.action_space, model.device, model.gae_lambda, model.gamma, n_envs=1
        )
        buffer.buffer_size, buffer.n_envs, buffer.full = steps, rows, True
        buffer.values, buffer.log_probs = self._evaluate(rollout)
        buffer.observations = rollout.observations.reshape(*shape, *buffer.obs_shape)
        actions = rollout.actions.reshape(*shape, buffer.action_dim)
        # SB3 keeps them as floats, and torch 2.8 wants that
        buffer.actions = actions.astype(np.float32) if isinstance(self.action_space, spaces.MultiBinary) else actions
        if self._masked:
            given = rollout.action_masks
            size = (*shape, buffer.mask_dims)
            buffer.action_masks = np.ones(size, np.bool_) if given is None else given.reshape(size)
        buffer.rewards = bootstrapped_rewards(rollout, self.config.gamma, self._values)
        last_values = self._values(rollout.last_observations)
        buffer.advantages = generalised_advantages(
            buffer.rewards, buffer.values, last_values, rollout.ended, model.gamma, model.gae_lambda
        )
        buffer.returns = buffer.advantages + buffer.values
        return buffer

    def _evaluate(self, rollout: Rollout) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Values and log-probabilities (T, R) of the whole rollout in one pass of the networks, the latter in the
        precision of the update: what its first step compares with is then equal."""
        shape = rollout.rewards.shape
        flat = rollout.observations.reshape(-1, *rollout.observations.shape[2:])
        actions = torch.as_tensor(rollout.actions.reshape(shape[0] * shape[1], *rollout.actions.shape[2:]))
        masks = None if rollout.action_masks is None else rollout.action_masks.reshape(len(flat), -1)
        with torch.no_grad(), action_sampling.without_validation(), self._passes():
            log_probs = self._distribution(flat, masks).log_prob(actions.to(self.policy.device).float())
        return self._values(flat).reshape(shape), log_probs.cpu().numpy().reshape(shape)

    def _values(self, observations: Array) -> NDArray[np.float32]:
        with torch.no_grad():
            values: NDArray[np.float32] = self.policy.predict_values(self._tensor(observations)).cpu().numpy().ravel()
        return values

    def _tensor(self, observations: Array) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(observations), device=self.policy.device)

    def _distribution(self, observations: Array, action_masks: BoolArray | None) -> Any:
        return action_sampling.distribution(self.policy, observations, action_masks, self._masked)

    def state(self) -> LearnerState:
        policy = {f"policy/{name}": tensor.detach().clone().cpu() for name, tensor in self.policy.state_dict().items()}
        moments, settings = optimizer_state.export(self.policy.optimizer)
        facts = {
            "optimizer": settings,
            "shuffling": self._shuffling.bit_generator.state,
            "n_updates": int(self._model._n_updates),
            "network": self._network(),
        }
        return LearnerState({**policy, **{f"optimizer/{name}": t for name, t in moments.items()}}, facts)

    def load_state(self, state: LearnerState) -> None:
        if state.facts.get("network") != self._network():
            raise ValueError(f"the state of {state.facts.get('network')} does not fit this learner, {self._network()}.")
        facts = saved_table("facts", dict(state.facts), ("optimizer", "shuffling", "n_updates", "network"))
        updates = saved_count("n_updates", facts["n_updates"])
        moments = with_prefix("optimizer", state.tensors)
        policy = {name: tensor for name, tensor in state.tensors.items() if not name.startswith("optimizer/")}
        check_tensors(policy, prefixed("policy", self.policy.state_dict()))
        optimizer_state.restore(self.policy.optimizer, moments, facts["optimizer"])
        self.policy.load_state_dict(with_prefix("policy", policy))
        restore_generator("shuffling", self._shuffling, facts["shuffling"])
        self._model._n_updates = updates

    def _network(self) -> dict[str, Any]:
        """What two learners must share for the state of one to fit the other; JSON types."""
        shapes = {name: list(tensor.shape) for name, tensor in self.policy.state_dict().items()}
        kinds = {"policy": type(self.policy).__name__, "optimizer": type(self.policy.optimizer).__name__}
        return {**kinds, "shapes": shapes}

    def get_parameters(self) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = np.concatenate(
            [p.detach().cpu().numpy().ravel() for p in self.policy.parameters()]
        )
        return vector

    def set_parameters(self, vector: NDArray[np.float32]) -> None:
        parameters = list(self.policy.parameters())
        total = sum(p.numel() for p in parameters)
        if vector.shape != (total,):
            raise ValueError(f"vector must have shape ({total},), got {vector.shape}.")
        start = 0
        with torch.no_grad():
            for parameter in parameters:
                part = vector[start : start + parameter.numel()].reshape(parameter.shape)
                parameter.copy_(torch.as_tensor(part))
                start += parameter.numel()

    def kl(self, other: Learner, observations: Array, action_masks: BoolArray | None = None) -> float:
        """See `Learner.kl`; TypeError unless `other` is an SB3 learner too."""
        if not isinstance(other, SB3Learner):
            raise TypeError(f"KL is computed between SB3 learners, other is a {type(other).__name__}.")
        with torch.no_grad():
            own = self._distribution(observations, action_masks)
            others = other._distribution(observations, action_masks)
            pairs = zip(action_sampling.parts(own), action_sampling.parts(others), strict=True)
            divergences = [torch.distributions.kl_divergence(a, b) for a, b in pairs]
        rows = [d.reshape(len(observations), -1).sum(dim=1) for d in divergences]
        return float(torch.stack(rows).sum(dim=0).mean().clamp(min=0.0))  # rounding can leave −1e-8

    def action_probabilities(self, observations: Array, action_masks: BoolArray | None = None) -> FloatArray:
        if not isinstance(self.action_space, spaces.Discrete):
            raise TypeError(f"action probabilities exist for Discrete actions only, not for {self.action_space}.")
        with torch.no_grad():
            return action_sampling.probabilities(self._distribution(observations, action_masks))


@contextmanager
def _global_seeds(seed: int, device: str) -> Iterator[None]:
    """Seed NumPy's and torch's global generators for the block, then put them back: SB3 shuffles minibatches with the
    one, and TRPO starts its conjugate gradients with the other."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=seeded_devices(device)):
            torch.manual_seed(seed)
            yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


learner_registry.register(SB3LearnerConfig.kind, SB3LearnerConfig)
