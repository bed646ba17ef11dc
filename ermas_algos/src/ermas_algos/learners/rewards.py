"""Rewards in the precision of networks: float32, whose range ends long before that of the environments' float64."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ermas_envs.arrays import FloatArray


def float32_rewards(rewards: FloatArray, axes: Sequence[str]) -> NDArray[np.float32]:
    """Float64 rewards of any shape as float32.

    Args:
        rewards: what environments give.
        axes: a word for each axis, for the message.

    Raises:
        ValueError: a reward is no number, or infinite in float32; says where and which.
    """
    with np.errstate(over="ignore"):
        converted = rewards.astype(np.float32)
    wrong = np.argwhere(~np.isfinite(converted))
    if len(wrong):
        where = ", ".join(f"{axis} {index}" for axis, index in zip(axes, wrong[0], strict=True))
        largest = float(np.finfo(np.float32).max)
        raise ValueError(
            f"the reward of {where} is {float(rewards[tuple(wrong[0])]):g}; learners calculate in float32, which is "
            f"finite up to {largest:.2g}."
        )
    return converted
