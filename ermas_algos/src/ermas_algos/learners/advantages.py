"""Generalised advantage estimation (Schulman et al., arXiv:1506.02438) in bulk, as Stable-Baselines3 calculates it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ermas_algos.learners.protocol import Rollout, float32_rewards
from ermas_envs.base.arrays import Array, BoolArray


def bootstrapped_rewards(
    rollout: Rollout, gamma: float, values_of: Callable[[Array], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Rewards (T, R); where a limit of time cuts an episode off, plus γ times the value of what is seen then."""
    rewards = float32_rewards(rollout.rewards, ["step", "row"])
    cut = rollout.bootstrapped
    if rollout.bootstrap_observations is not None and cut is not None and cut.any():
        rewards[cut] += gamma * values_of(rollout.bootstrap_observations[cut])
    return rewards


def generalised_advantages(
    rewards: NDArray[np.float32],
    values: NDArray[np.float32],
    last_values: NDArray[np.float32],
    ended: BoolArray,
    gamma: float,
    gae_lambda: float,
) -> NDArray[np.float32]:
    """A_t = Σ_k (γλ)^k δ_{t+k} up to the end of the episode, with δ_t = r_t + γ V_{t+1} − V_t; (T, R).

    Bit for bit what SB3's buffer calculates step by step; here only the recursion is.

    Args:
        rewards: (T, R).
        values: (T, R) of what was seen before each step.
        last_values: (R,) of what was seen after the last step.
        ended: (T, R) whether an episode ended with the step.
        gamma: discount γ.
        gae_lambda: λ.
    """
    goes_on = np.float32(1.0) - ended.astype(np.float32)
    following = np.concatenate([values[1:], last_values[None]])
    advantages = rewards + gamma * following * goes_on - values
    decay = gamma * gae_lambda * goes_on
    for step in range(len(rewards) - 2, -1, -1):
        advantages[step] += decay[step] * advantages[step + 1]
    return np.asarray(advantages, dtype=np.float32)
