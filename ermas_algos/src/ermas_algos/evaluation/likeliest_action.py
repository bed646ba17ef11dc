"""The likeliest actions of a frozen learner, read from what it does with given noise."""

from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_algos.learners.protocol import Learner
from ermas_envs.base.arrays import Array, BoolArray

NOISE_LEVELS = 2**13
"""At which distribution functions are read: probabilities are known to 1 / 2¹³."""
_FEW_LEVELS = 2**8
"""The same in many states at once."""
_ROWS_AT_ONCE = 2**17
"""Most rows that a learner is asked for at once."""


def likeliest_action(
    learner: Learner, space: spaces.Space[Any], observation: Array, mask: BoolArray | None
) -> tuple[Array, float | None]:
    """The likeliest action of a learner, and its probability; None where actions are any numbers.

    Learners act by inverse distribution functions: noise at all levels gives the distribution of every part of a
    MultiDiscrete action, and noise of one half the median, which is the mean of a Gaussian.

    Args:
        learner: of one action.
        space: Box or MultiDiscrete.
        observation: (1, …).
        mask: (1, mask size) or None.
    """
    if isinstance(space, spaces.Box):
        drawn = learner.act(observation, np.full((1, learner.noise_size), 0.5), mask)[0]
        return np.clip(drawn, space.low, space.high).astype(space.dtype), None
    drawn = drawn_at_all_levels(learner, observation, mask)
    counts = [np.bincount(part) for part in drawn.T]
    likeliest = np.array([count.argmax() for count in counts])
    return likeliest, float(np.prod([count.max() / NOISE_LEVELS for count in counts]))


def drawn_at_all_levels(
    learner: Learner, observations: Array, masks: BoolArray | None, levels: int = NOISE_LEVELS
) -> Array:
    """(R · levels, *action shape) what a learner does with noise at all levels in one state after another.

    Args:
        learner: any.
        observations: (R, …).
        masks: (R, mask size) or None.
        levels: of the noise.
    """
    noise = np.tile((np.arange(levels) + 0.5) / levels, len(observations))
    many = None if masks is None else np.repeat(masks, levels, axis=0)
    repeated = np.repeat(noise[:, None], learner.noise_size, axis=1)
    return learner.act(np.repeat(observations, levels, axis=0), repeated, many)


def likeliest_actions(
    learner: Learner, space: spaces.Space[Any], observations: Array, masks: BoolArray | None
) -> Array:
    """(R, *action shape) the likeliest action in each of many states; of several parts, each's.

    Args:
        learner: of one action.
        space: Box, Discrete, MultiDiscrete or MultiBinary.
        observations: (R, …).
        masks: (R, mask size) or None.
    """
    if isinstance(space, spaces.Box):
        drawn = learner.act(observations, np.full((len(observations), learner.noise_size), 0.5), masks)
        return np.clip(drawn, space.low, space.high).astype(space.dtype)
    if isinstance(space, spaces.Discrete):
        return np.asarray(learner.action_probabilities(observations, masks).argmax(axis=-1) + space.start)
    rows = _ROWS_AT_ONCE // _FEW_LEVELS
    found = []
    for first in range(0, len(observations), rows):
        part = slice(first, first + rows)
        drawn = drawn_at_all_levels(learner, observations[part], None if masks is None else masks[part], _FEW_LEVELS)
        drawn = drawn.reshape(-1, _FEW_LEVELS, *drawn.shape[1:])
        values = np.arange(drawn.max() + 1).reshape(-1, *[1] * (drawn.ndim - 1))
        counts = np.stack([(drawn == value).sum(axis=1) for value in values])
        found.append(counts.argmax(axis=0))
    return np.concatenate(found).astype(space.dtype)
