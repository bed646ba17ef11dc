"""Actor and critic as multilayer perceptrons over one vector of parameters, and the actor's distributions, in NumPy.

The order of the parameters is that of Stable-Baselines3's MlpPolicy, so that vectors fit both.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import flatdim
from numpy.typing import NDArray
from scipy.special import expit, ndtri
from stable_baselines3.common.preprocessing import is_image_space

from ermas_algos.learners.action_sampling import SMALLEST_UNIFORM, inverse_categorical, noise_size
from ermas_envs.base.arrays import Array, BoolArray, FloatArray

CATEGORICAL, BERNOULLI, NORMAL = "categorical", "bernoulli", "normal"
MASKED_LOGIT = -1e8
"""Logit of an action that the mask forbids, as in sb3-contrib."""
SUPPORTED = (
    "observations: Box (no images), MultiBinary, Discrete; actions: Discrete, MultiDiscrete, MultiBinary, Box of floats"
)


class Layers(NamedTuple):
    """Weights (outputs, inputs) and biases of both networks, and the logarithms of a Gaussian's deviations."""

    log_std: Any
    """(outputs,), or of length 0 where actions are no Box."""
    actor: tuple[tuple[Any, Any], ...]
    """Hidden layers and the last one."""
    critic: tuple[tuple[Any, Any], ...]
    """The same."""


@dataclass(frozen=True)
class Network:
    """Shapes of actor and critic, and what the actor's outputs mean; hashable."""

    inputs: int
    """Numbers in an observation."""
    hidden: tuple[int, ...]
    """Widths of the hidden layers of each network."""
    parts: tuple[int, ...]
    """Outputs of each component of an action."""
    distribution: str
    """`CATEGORICAL`, `BERNOULLI` or `NORMAL`."""

    @classmethod
    def of(cls, observes: spaces.Space[Any], acts: spaces.Space[Any], hidden: tuple[int, ...]) -> "Network":
        """The network between two spaces; ValueError where one of them is not supported."""
        seen = isinstance(observes, spaces.Box | spaces.MultiBinary | spaces.Discrete)
        if not seen or is_image_space(observes) or (isinstance(observes, spaces.Discrete) and observes.start):
            raise ValueError(f"observation space {observes} is not supported by this learner. It is for {SUPPORTED}.")
        size = noise_size(acts)
        if isinstance(acts, spaces.Discrete | spaces.MultiDiscrete):
            nvec = (int(acts.n),) if isinstance(acts, spaces.Discrete) else tuple(int(n) for n in acts.nvec)
            return cls(flatdim(observes), hidden, nvec, CATEGORICAL)
        kind = BERNOULLI if isinstance(acts, spaces.MultiBinary) else NORMAL
        return cls(flatdim(observes), hidden, (1,) * size, kind)

    @property
    def outputs(self) -> int:
        """Numbers that the actor gives."""
        return sum(self.parts)

    @property
    def size(self) -> int:
        """Parameters."""
        return sum(int(np.prod(shape)) for shape in self._shapes())

    def _shapes(self) -> Iterator[tuple[int, ...]]:
        """Of all parameters in SB3's order: deviations, hidden layers of actor and critic, last layers of both."""
        if self.distribution == NORMAL:
            yield (self.outputs,)
        widths = (self.inputs, *self.hidden)
        for _ in ("actor", "critic"):
            for before, after in itertools.pairwise(widths):
                yield from ((after, before), (after,))
        for outputs in (self.outputs, 1):
            yield from ((outputs, widths[-1]), (outputs,))

    def layers(self, vector: Any) -> Layers:
        """Views of a vector (size,) of NumPy or JAX."""
        parameters, start = [], 0
        for shape in self._shapes():
            count = int(np.prod(shape))
            parameters.append(vector[start : start + count].reshape(shape))
            start += count
        log_std = parameters.pop(0) if self.distribution == NORMAL else vector[:0]
        pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
        depth = len(self.hidden)
        return Layers(log_std, (*pairs[:depth], pairs[-2]), (*pairs[depth : 2 * depth], pairs[-1]))

    def ordered(self, layers: Layers) -> list[Any]:
        """The inverse of `layers`: all parameters in SB3's order."""
        hidden = [*layers.actor[:-1], *layers.critic[:-1]]
        pairs = [parameter for pair in (*hidden, layers.actor[-1], layers.critic[-1]) for parameter in pair]
        return [layers.log_std, *pairs]


def features(space: spaces.Space[Any], observations: Array, lead: int) -> NDArray[np.float32]:
    """(rows, inputs): what the networks see of observations with `lead` axes of rows."""
    if isinstance(space, spaces.Discrete):
        return np.eye(int(space.n), dtype=np.float32)[np.asarray(observations, dtype=np.int64).ravel()]
    rows = int(np.prod(observations.shape[:lead]))
    return np.ascontiguousarray(observations.reshape(rows, -1), dtype=np.float32)


def outputs(layers: tuple[tuple[Any, Any], ...], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """(R, outputs) of one of the networks."""
    for weights, biases in layers[:-1]:
        seen = seen @ weights.T
        seen += biases
        np.tanh(seen, out=seen)
    weights, biases = layers[-1]
    return np.asarray(seen @ weights.T + biases)


def _chances(network: Network, logits: Array, masks: BoolArray | None) -> list[NDArray[np.float32]]:
    """Per component of a categorical action (R, actions of the component): multiples of the probabilities."""
    if masks is not None:
        logits = np.where(masks, logits, np.float32(MASKED_LOGIT))
    parts = np.split(logits, np.cumsum(network.parts)[:-1], axis=1) if len(network.parts) > 1 else [logits]
    return [np.exp(part - part.max(axis=1, keepdims=True)) for part in parts]


def probabilities(network: Network, logits: Array, masks: BoolArray | None) -> list[NDArray[np.float32]]:
    """Per component of a categorical action (R, actions of the component), float32."""
    return [chances / chances.sum(axis=1, keepdims=True) for chances in _chances(network, logits, masks)]


def sample(network: Network, layers: Layers, given: Array, masks: BoolArray | None, noise: FloatArray) -> Array:
    """Actions (R, components) by inverse distribution functions, given the actor's outputs; see `action_sampling`."""
    if network.distribution == CATEGORICAL:
        parts = _chances(network, given, masks)
        return np.stack([inverse_categorical(part, noise[:, k]) for k, part in enumerate(parts)], axis=1)
    if network.distribution == BERNOULLI:
        return np.asarray(noise < expit(given), dtype=np.int8)
    quantiles = ndtri(np.maximum(noise, SMALLEST_UNIFORM))
    return np.asarray(given + np.exp(layers.log_std) * quantiles, dtype=np.float32)


def divergence(
    network: Network, own: tuple[Layers, Array], other: tuple[Layers, Array], masks: BoolArray | None
) -> float:
    """Mean over rows of KL(own ‖ other), nats, of two policies' layers and outputs (R, outputs); 0 at least."""
    (mine, given), (theirs, others) = own, other
    if network.distribution == NORMAL:
        ratio = np.exp(2.0 * (mine.log_std - theirs.log_std))
        distance = (given - others) ** 2 / np.exp(2.0 * theirs.log_std)
        return max(0.0, float(0.5 * (ratio + distance - 1.0 - np.log(ratio)).sum(axis=1).mean()))
    if network.distribution == BERNOULLI:
        ours = [np.stack([1.0 - expit(given), expit(given)], axis=-1).astype(np.float64)]
        its = [np.stack([1.0 - expit(others), expit(others)], axis=-1).astype(np.float64)]
    else:
        ours = [part.astype(np.float64) for part in probabilities(network, given, masks)]
        its = [part.astype(np.float64) for part in probabilities(network, others, masks)]
    smallest = np.finfo(np.float64).tiny
    rows = sum(
        (p * (np.log(np.maximum(p, smallest)) - np.log(np.maximum(q, smallest)))).reshape(len(given), -1).sum(axis=1)
        for p, q in zip(ours, its, strict=True)
    )
    return max(0.0, float(np.mean(rows)))
