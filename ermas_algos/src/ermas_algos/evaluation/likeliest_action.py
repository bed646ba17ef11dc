"""The likeliest action of a frozen learner, read from what it does with given noise."""

from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_algos.learners.protocol import Learner
from ermas_envs.base.arrays import Array, BoolArray

NOISE_LEVELS = 2**13
"""At which distribution functions are read: probabilities are known to 1 / 2¹³."""


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


def drawn_at_all_levels(learner: Learner, observation: Array, mask: BoolArray | None) -> Array:
    """(NOISE_LEVELS, *action shape) what a learner does in one state with noise at all levels; arguments as those
    of `likeliest_action`."""
    levels = (np.arange(NOISE_LEVELS) + 0.5) / NOISE_LEVELS
    noise = np.repeat(levels[:, None], learner.noise_size, axis=1)
    masks = None if mask is None else np.repeat(mask, NOISE_LEVELS, axis=0)
    return learner.act(np.repeat(observation, NOISE_LEVELS, axis=0), noise, masks)
