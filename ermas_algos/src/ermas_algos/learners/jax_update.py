"""The whole update of PPO (Schulman et al., arXiv:1707.06347) as one compiled program of JAX.

All epochs and minibatches run in one loop over rows of indices. Padding, which weighs nothing, fills up what is
shorter, so that programs are compiled for few lengths. Losses, clipping and Adam are Stable-Baselines3's and torch's.
"""

import itertools
import math
import os
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ermas_algos.learners.mlp import BERNOULLI, CATEGORICAL, MASKED_LOGIT, Layers, Network
from ermas_algos.learners.placement import CPU, FLOAT32

BETA_1, BETA_2, SMALL = 0.9, 0.999, 1e-5
"""Adam's, as SB3 sets them."""
METRICS = ("entropy_loss", "policy_gradient_loss", "value_loss", "approx_kl", "clip_fraction", "loss")
"""Of a gradient step."""
CHUNK, SMALLEST_CHUNK = 1024, 256
"""Samples that one forward pass takes at once, so that what is between layers stays in the processor's cache."""
PADDING = -1
"""In the place of an index of a row."""


class Rows(NamedTuple):
    """Samples, in any order."""

    features: Any
    """(n, inputs) float32."""
    actions: Any
    """(n, components): int32, or float32 of Bernoulli and Gaussian actions."""
    masks: Any
    """(n, outputs) bool, or None."""


class Targets(NamedTuple):
    """What is known of the samples before the update, (n,) float32 each."""

    log_probs: Any
    advantages: Any
    returns: Any


class Adam(NamedTuple):
    """State of the optimiser."""

    mean: Any
    """(P,) of gradients."""
    square: Any
    """(P,) of their squares."""
    steps: Any
    """Steps done."""


class Weights(NamedTuple):
    """Numbers of the update; learners that differ in them only share a program."""

    learning_rate: float
    ent_coef: float
    clip_range: float
    vf_coef: float
    max_grad_norm: float
    normalize_advantage: bool


@cache
def cpu() -> Any:
    """JAX's CPU. Where JAX has not started before, it gets one thread, like our other processes: with more, programs of
    this size take half as much time again."""
    before = os.environ.get("NPROC")
    os.environ["NPROC"] = "1"  # the number of threads that XLA starts; it is read once
    try:
        return jax.devices("cpu")[0]
    finally:
        if before is None:
            del os.environ["NPROC"]
        else:
            os.environ["NPROC"] = before


def device(name: str) -> Any:
    """JAX's device of that name (`placement.DEVICES`), which it has."""
    return cpu() if name == CPU else jax.devices(name)[0]


@cache
def has(name: str) -> bool:
    """Whether JAX finds a device of that name."""
    try:
        return bool(device(name))
    except RuntimeError:  # how JAX says that it knows no such platform
        return False


def _outputs(layers: tuple[tuple[Any, Any], ...], seen: Any, precision: str = FLOAT32) -> Any:
    """(n, outputs) float32 of a network whose layers calculate in this precision."""
    layers, seen = jax.tree.map(lambda array: array.astype(precision), (layers, seen))
    for weights, biases in layers[:-1]:
        seen = jnp.tanh(seen @ weights.T + biases)
    weights, biases = layers[-1]
    return (seen @ weights.T + biases).astype(FLOAT32)


def _log_probs(network: Network, layers: Layers, rows: Rows, precision: str) -> tuple[Any, Any]:
    """Of the actions of the rows, and the entropy of their distributions, (n,) each."""
    given = _outputs(layers.actor, rows.features, precision)
    if network.distribution == CATEGORICAL:
        return _categorical(network, given, rows)
    if network.distribution == BERNOULLI:
        log_probs = rows.actions * given - jnp.logaddexp(0.0, given)
        entropy = jnp.logaddexp(0.0, given) - given * jax.nn.sigmoid(given)
        return log_probs.sum(axis=1), entropy.sum(axis=1)
    standard = (rows.actions - given) * jnp.exp(-layers.log_std)
    constant = layers.log_std + 0.5 * np.log(2.0 * np.pi)
    entropy = jnp.broadcast_to((constant + 0.5).sum(), given.shape[:1])
    return (-0.5 * standard**2 - constant).sum(axis=1), entropy


def _categorical(network: Network, logits: Any, rows: Rows) -> tuple[Any, Any]:
    """Components of equal size that follow each other are taken at once: one by one takes seconds to compile."""
    if rows.masks is not None:
        logits = jnp.where(rows.masks, logits, MASKED_LOGIT)
    log_probs, entropy, start, first = jnp.float32(0.0), jnp.float32(0.0), 0, 0
    for count, components in itertools.groupby(network.parts):
        several = len(list(components))
        shape, stop = (-1, several, count), start + several * count
        logs = jax.nn.log_softmax(logits[:, start:stop].reshape(shape))
        terms = jnp.exp(logs) * logs
        if rows.masks is not None:
            terms = jnp.where(rows.masks[:, start:stop].reshape(shape), terms, 0.0)
        chosen = jnp.arange(count) == rows.actions[:, first : first + several, None]
        log_probs += jnp.where(chosen, logs, 0.0).sum(axis=(1, 2))
        entropy -= terms.sum(axis=(1, 2))
        start, first = stop, first + several
    return log_probs, entropy


def _evaluate(network: Network, precision: str, vector: Any, rows: Rows) -> tuple[Any, Any]:
    layers, length = network.layers(vector), len(rows.features)
    chunk = math.gcd(length, CHUNK)

    def of_chunk(some: Rows) -> tuple[Any, Any]:
        return _outputs(layers.critic, some.features)[:, 0], _log_probs(network, layers, some, precision)[0]

    chunks = jax.tree.map(lambda array: array.reshape(-1, chunk, *array.shape[1:]), rows)
    found = jax.lax.map(of_chunk, chunks) if chunk >= SMALLEST_CHUNK else of_chunk(rows)
    values, log_probs = (array.ravel() for array in found)
    return values, log_probs


def _loss(
    layers: Layers, network: Network, precision: str, rows: Rows, targets: Targets, present: Any, weights: Weights
) -> Any:
    """Loss and `METRICS` of a minibatch; `present` (width,) is 0 where a row is padding."""
    count = present.sum()

    def mean(terms: Any) -> Any:
        return (present * terms).sum() / count

    advantages = targets.advantages
    centred = advantages - mean(advantages)
    deviation = jnp.sqrt((present * centred**2).sum() / jnp.maximum(count - 1.0, 1.0))
    normalised = weights.normalize_advantage & (count > 1.0)  # one row has no deviation
    advantages = jnp.where(normalised, centred / (deviation + 1e-8), advantages)
    log_probs, entropy = _log_probs(network, layers, rows, precision)
    log_ratio = log_probs - targets.log_probs
    ratio = jnp.exp(log_ratio)
    clipped = jnp.clip(ratio, 1.0 - weights.clip_range, 1.0 + weights.clip_range)
    policy_loss = -mean(jnp.minimum(advantages * ratio, advantages * clipped))
    value_loss = mean((targets.returns - _outputs(layers.critic, rows.features, precision)[:, 0]) ** 2)
    entropy_loss = -mean(entropy)
    loss = policy_loss + weights.ent_coef * entropy_loss + weights.vf_coef * value_loss
    approx_kl = mean((ratio - 1.0) - log_ratio)
    clip_fraction = mean(jnp.abs(ratio - 1.0) > weights.clip_range)
    return loss, jnp.stack([entropy_loss, policy_loss, value_loss, approx_kl, clip_fraction, loss])


def _step(vector: Any, adam: Adam, gradient: Any, weights: Weights) -> tuple[Any, Adam]:
    """A step of Adam on a gradient whose norm is clipped."""
    norm = jnp.sqrt((gradient**2).sum())
    gradient = gradient * jnp.minimum(weights.max_grad_norm / (norm + 1e-6), 1.0)
    mean = BETA_1 * adam.mean + (1.0 - BETA_1) * gradient
    square = BETA_2 * adam.square + (1.0 - BETA_2) * gradient**2
    steps = adam.steps + 1
    first, second = (-jnp.expm1(steps * np.log(beta)) for beta in (BETA_1, BETA_2))  # 1 − βᵗ without cancellation
    moved = weights.learning_rate / first * mean / (jnp.sqrt(square) / jnp.sqrt(second) + SMALL)
    return vector - moved, Adam(mean, square, steps)


def _update(
    network: Network,
    precision: str,
    vector: Any,
    adam: Adam,
    rows: Rows,
    targets: Targets,
    minibatches: Any,
    count: Any,
    weights: Weights,
) -> tuple[Any, Adam, Any]:
    differentiate = jax.grad(partial(_loss, network=network, precision=precision, weights=weights), has_aux=True)

    def gradient_step(index: Any, carried: tuple[Any, Adam, Any]) -> tuple[Any, Adam, Any]:
        parameters, moments, log = carried
        chosen = minibatches[index]
        present = (chosen != PADDING).astype(jnp.float32)
        taken, aims = jax.tree.map(lambda array: array[jnp.maximum(chosen, 0)], (rows, targets))
        gradients, metrics = differentiate(network.layers(parameters), rows=taken, targets=aims, present=present)
        gradient = jnp.concatenate([part.ravel() for part in network.ordered(gradients)])
        return *_step(parameters, moments, gradient, weights), log.at[index].set(metrics)

    log = jnp.zeros((len(minibatches), len(METRICS)), jnp.float32)
    after: tuple[Any, Adam, Any] = jax.lax.fori_loop(0, count, gradient_step, (vector, adam, log))
    return after


_compiled_evaluate: Any = jax.jit(_evaluate, static_argnums=(0, 1))
_compiled_update: Any = jax.jit(_update, static_argnums=(0, 1))


def evaluate(network: Network, vector: Any, rows: Rows, place: str = CPU, precision: str = FLOAT32) -> tuple[Any, Any]:
    """Values, and log-probabilities of the actions in this precision, NumPy arrays (n,) float32."""
    with jax.default_device(device(place)):
        values, log_probs = _compiled_evaluate(network, precision, vector, rows)
    return np.asarray(values), np.asarray(log_probs)


def update(
    network: Network,
    vector: Any,
    adam: Adam,
    rows: Rows,
    targets: Targets,
    minibatches: Any,
    count: int,
    weights: Weights,
    place: str = CPU,
    precision: str = FLOAT32,
) -> tuple[Any, Adam, Any]:
    """Gradient steps on minibatches of the rows.

    Args:
        network: shapes.
        vector: (P,) float32 parameters.
        adam: of NumPy arrays.
        rows: the samples.
        targets: of the same samples.
        minibatches: (S, width) int32 indices of samples, or `PADDING`.
        count: minibatches that count, the first ones; at most S.
        weights: settings of this update.
        place: device that calculates.
        precision: of the layers; all else is float32.

    Returns:
        New NumPy arrays: parameters, the optimiser's state, `METRICS` (count, 6) of each step.
    """
    with jax.default_device(device(place)):
        found = _compiled_update(network, precision, vector, adam, rows, targets, minibatches, count, weights)
    parameters, moments, log = jax.tree.map(np.array, found)
    return parameters, Adam(moments.mean, moments.square, int(moments.steps)), log[:count]
