"""PPO whose update is one compiled program of JAX, with the same numbers as Stable-Baselines3's; acting is NumPy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ermas_algos.learners import jax_update, mlp
from ermas_algos.learners.action_sampling import noise_size
from ermas_algos.learners.advantages import bootstrapped_rewards, generalised_advantages
from ermas_algos.learners.jax_config import JaxLearnerConfig
from ermas_algos.learners.jax_update import PADDING, Adam, Rows, Targets, Weights
from ermas_algos.learners.placement import require_device
from ermas_algos.learners.protocol import Learner, LearnerState, NotFiniteError, Rollout, check_updated
from ermas_algos.learners.sb3 import SB3Learner, SB3LearnerConfig, share_left
from ermas_algos.saved_state import check_tensors, restore_generator, saved_count, saved_table
from ermas_envs.base.arrays import Array, BoolArray, FloatArray

_DIGITS = 4
"""Leading binary digits of a length that programs are compiled for: at most an eighth of the rows are padding."""


class JaxLearner:
    """PPO behind the `Learner` protocol.

    Initial parameters and the order of minibatches are those of an `SB3Learner` of the same seed. Parameters and the
    optimiser's state are NumPy arrays between updates.

    Args:
        config: hyper-parameters.
        observation_space: Box (no images), MultiBinary or Discrete.
        action_space: Discrete, MultiDiscrete, MultiBinary or Box.
        seed: initial parameters and the shuffling of minibatches depend on it alone.

    Raises:
        ValueError: another space, or a device that JAX does not find.
    """

    def __init__(
        self, config: JaxLearnerConfig, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], seed: int
    ) -> None:
        self.config = config
        self.observation_space = observation_space
        self.action_space = action_space
        self.network = mlp.Network.of(observation_space, action_space, config.hidden_layers)
        self.noise_size = noise_size(action_space)
        require_device(config.device, jax_update.has(config.device), "JAX")
        self._shuffling = np.random.default_rng(seed)
        self._n_updates = 0
        twin = SB3Learner(SB3LearnerConfig(hidden_layers=config.hidden_layers), observation_space, action_space, seed)
        self._use(twin.get_parameters())
        self._adam = Adam(np.zeros_like(self._vector), np.zeros_like(self._vector), 0)

    def _use(self, vector: NDArray[np.float32]) -> None:
        self._vector = vector
        self._layers = self.network.layers(vector)

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None = None) -> Array:
        given = self._outputs(observations)
        chosen = mlp.sample(self.network, self._layers, given, action_masks, noise)
        return chosen.reshape(len(chosen), *(self.action_space.shape or ()))

    def _outputs(self, observations: Array) -> NDArray[np.float32]:
        """(R, outputs) of the actor; NotFiniteError where they are not finite."""
        seen = mlp.features(self.observation_space, observations, 1)
        given = mlp.outputs(self._layers.actor, seen)
        if not np.isfinite(given).all():
            raise NotFiniteError("the policy's outputs are not finite: parameters, or what was observed, are not.")
        return given

    def update(self, rollout: Rollout) -> dict[str, float]:
        """All epochs of PPO on the rollout; returns SB3's training metrics.

        Raises:
            NotFiniteError: parameters are not finite afterwards; they are then left as they were.
        """
        config, samples, how = self.config, rollout.rewards.size, (self.config.device, self.config.precision)
        rows = self._rows(rollout)
        values, log_probs = (array[:samples] for array in jax_update.evaluate(self.network, self._vector, rows, *how))
        advantages = self._advantages(rollout, values)
        returns = advantages + values
        known = (_padded(array, len(rows.features)) for array in (log_probs, advantages, returns))
        minibatches, count = self._minibatches(*rollout.rewards.shape)
        weights = self._weights()
        vector, adam, log = jax_update.update(
            self.network, self._vector, self._adam, rows, Targets(*known), minibatches, count, weights, *how
        )
        finite = bool(np.isfinite(vector).all() and np.isfinite(log[:, -1]).all())
        check_updated(finite, dict(zip(jax_update.METRICS, log[-1], strict=True)))
        self._use(vector)
        self._adam = adam
        self._n_updates += config.n_epochs
        return {"learning_rate": weights.learning_rate, **self._metrics(log, values, returns)}

    def _rows(self, rollout: Rollout) -> Rows:
        """The samples, step by step, padded to a length that programs are compiled for."""
        samples = rollout.rewards.size
        size = _rounded(samples)
        kind = np.int32 if self.network.distribution == mlp.CATEGORICAL else np.float32
        actions = rollout.actions.reshape(samples, -1).astype(kind)
        masks = None
        if rollout.action_masks is not None and self.network.distribution == mlp.CATEGORICAL:
            masks = _padded(rollout.action_masks.reshape(samples, -1), size)
        seen = mlp.features(self.observation_space, rollout.observations, 2)
        return Rows(_padded(seen, size), _padded(actions, size), masks)

    def _advantages(self, rollout: Rollout, values: NDArray[np.float32]) -> NDArray[np.float32]:
        config, shape = self.config, rollout.rewards.shape
        rewards = bootstrapped_rewards(rollout, config.gamma, self._values)
        following = self._values(rollout.last_observations)
        return generalised_advantages(
            rewards, values.reshape(shape), following, rollout.ended, config.gamma, config.gae_lambda
        ).ravel()

    def _values(self, observations: Array) -> NDArray[np.float32]:
        seen = mlp.features(self.observation_space, observations, 1)
        return mlp.outputs(self._layers.critic, seen).ravel()

    def _minibatches(self, steps: int, rows: int) -> tuple[NDArray[np.int32], int]:
        """Indices (S, width) of samples, and how many minibatches they are; SB3's order of the same seed.

        SB3 numbers samples row by row, here they stand step by step.
        """
        samples, epochs = steps * rows, self.config.n_epochs
        size = min(self.config.minibatch_size or samples, samples)
        width, each = size if size == self.config.minibatch_size else _rounded(size), -(-samples // size)
        generator = np.random.RandomState(int(self._shuffling.integers(2**32)))  # what SB3 draws from
        indices = np.full((_rounded(epochs * each), width), PADDING, np.int32)
        for epoch in range(epochs):
            order = generator.permutation(samples)
            order = order % steps * rows + order // steps
            for number in range(each):
                chosen = order[number * size : (number + 1) * size]
                indices[epoch * each + number, : len(chosen)] = chosen
        return indices, epochs * each

    def _weights(self) -> Weights:
        """Settings as they are after so many epochs."""
        config = self.config
        share = share_left(config.anneal_epochs, config.annealed_share, self._n_updates)
        return Weights(
            learning_rate=config.learning_rate * share,
            ent_coef=config.ent_coef * share,
            clip_range=config.clip_range,
            vf_coef=config.vf_coef,
            max_grad_norm=config.max_grad_norm,
            normalize_advantage=config.normalize_advantage,
        )

    def _metrics(self, log: NDArray[np.float32], values: Array, returns: Array) -> dict[str, float]:
        """SB3's names and means: over all gradient steps, the divergence over those of the last epoch."""
        columns = dict(zip(jax_update.METRICS, log.T.astype(np.float64), strict=True))
        last, variance = len(log) // self.config.n_epochs, float(np.var(returns))
        found = {name: float(column.mean()) for name, column in columns.items()}
        found["approx_kl"] = float(columns["approx_kl"][-last:].mean())
        found["loss"] = float(columns["loss"][-1])
        found["explained_variance"] = (
            float("nan") if variance == 0.0 else 1.0 - float(np.var(returns - values)) / variance
        )
        if self.network.distribution == mlp.NORMAL:
            found["std"] = float(np.exp(self._layers.log_std).mean())
        return {**found, "n_updates": float(self._n_updates), "clip_range": self.config.clip_range}

    def state(self) -> LearnerState:
        facts = {
            "network": self._network(),
            "shuffling": self._shuffling.bit_generator.state,
            "n_updates": self._n_updates,
            "optimizer_steps": self._adam.steps,
        }
        return LearnerState({name: array.copy() for name, array in self._tensors().items()}, facts)

    def _tensors(self) -> dict[str, NDArray[np.float32]]:
        return {"parameters": self._vector, "exp_avg": self._adam.mean, "exp_avg_sq": self._adam.square}

    def load_state(self, state: LearnerState) -> None:
        if state.facts.get("network") != self._network():
            raise ValueError(f"the state of {state.facts.get('network')} does not fit this learner, {self._network()}.")
        names = ("network", "shuffling", "n_updates", "optimizer_steps")
        facts = saved_table("facts", dict(state.facts), names)
        updates, steps = (saved_count(name, facts[name]) for name in names[2:])
        tensors: Mapping[str, NDArray[np.float32]] = state.tensors
        check_tensors(tensors, self._tensors())
        if (tensors["exp_avg_sq"] < 0.0).any():
            raise ValueError("exp_avg_sq must not be negative.")
        restore_generator("shuffling", self._shuffling, facts["shuffling"])
        self._use(tensors["parameters"].copy())
        self._adam = Adam(tensors["exp_avg"].copy(), tensors["exp_avg_sq"].copy(), steps)
        self._n_updates = updates

    def _network(self) -> dict[str, Any]:
        """What two learners must share for the state of one to fit the other; JSON types."""
        network = self.network
        return {
            "inputs": network.inputs,
            "hidden": list(network.hidden),
            "parts": list(network.parts),
            "distribution": network.distribution,
        }

    def get_parameters(self) -> NDArray[np.float32]:
        return self._vector.copy()

    def set_parameters(self, vector: NDArray[np.float32]) -> None:
        if vector.shape != self._vector.shape:
            raise ValueError(f"vector must have shape {self._vector.shape}, got {vector.shape}.")
        self._use(vector.astype(np.float32))

    def kl(self, other: Learner, observations: Array, action_masks: BoolArray | None = None) -> float:
        """See `Learner.kl`; TypeError unless `other` is such a learner too."""
        if not isinstance(other, JaxLearner):
            raise TypeError(f"KL is computed between learners of kind jax, other is a {type(other).__name__}.")
        own, others = ((one._layers, one._outputs(observations)) for one in (self, other))
        return mlp.divergence(self.network, own, others, action_masks)

    def action_probabilities(self, observations: Array, action_masks: BoolArray | None = None) -> FloatArray:
        if not isinstance(self.action_space, spaces.Discrete):
            raise TypeError(f"action probabilities exist for Discrete actions only, not for {self.action_space}.")
        found = mlp.probabilities(self.network, self._outputs(observations), action_masks)[0].astype(np.float64)
        return np.asarray(found / found.sum(axis=1, keepdims=True))


def _rounded(count: int) -> int:
    """The next length of `_DIGITS` binary digits and zeros."""
    unit = 1 << max(0, (count - 1).bit_length() - _DIGITS)
    return -(-count // unit) * unit


def _padded(array: Array, length: int) -> Array:
    """(length, …): zeros follow."""
    if len(array) == length:
        return array
    padded = np.zeros((length, *array.shape[1:]), dtype=array.dtype)
    padded[: len(array)] = array
    return padded
