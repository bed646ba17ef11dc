"""A policy that draws every action uniformly from those that are allowed: whom agents practise against."""

from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_algos.learners.action_sampling import noise_size
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.base.spaces import split_mask, uniform_choice


class UniformPolicy:
    """Acts like a `Learner`, by inverse distribution functions of given noise, and learns nothing.

    Args:
        action_space: Discrete, MultiDiscrete, MultiBinary, or a Box with bounds.

    Raises:
        ValueError: a Box without bounds, or another space.
    """

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.noise_size = noise_size(action_space)
        if isinstance(action_space, spaces.Box) and not action_space.is_bounded():
            raise ValueError(f"actions can be drawn uniformly from a bounded Box only, got {action_space}.")
        self._space: Any = action_space

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None = None) -> Array:
        """Actions (R, *action shape) from noise (R, noise_size), see `Learner.act`; observations do not matter."""
        space = self._space
        if isinstance(space, spaces.Box):
            drawn = space.low + noise.reshape(-1, *space.shape) * (space.high - space.low)
            return np.asarray(drawn, dtype=space.dtype)
        if isinstance(space, spaces.MultiBinary):
            return np.asarray(noise < 0.5, dtype=space.dtype)
        sizes = [int(space.n)] if isinstance(space, spaces.Discrete) else space.nvec.tolist()
        masks = [np.ones((len(noise), size), dtype=np.bool_) for size in sizes]
        if action_masks is not None:
            masks = split_mask(space, action_masks)
        chosen = np.stack([uniform_choice(mask, noise[:, part]) for part, mask in enumerate(masks)], axis=1)
        return chosen[:, 0] if isinstance(space, spaces.Discrete) else chosen
