"""Distributions of Stable-Baselines3 policies, and sampling by inverse distribution functions of given uniform noise.

Equal noise gives coupled actions (common random numbers), and no global generator is touched.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from scipy.special import ndtri

from ermas_algos.learners.protocol import NotFiniteError
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, Observation

SMALLEST_UNIFORM = 2.0**-54
"""Uniforms are multiples of 2**-53 and may be 0, where the normal quantile is −∞."""


def noise_size(space: spaces.Space[Any]) -> int:
    """Uniform numbers that one action of `space` needs; ValueError for a space that SB3 cannot act in as it is."""
    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)) and np.any(space.start):
        raise ValueError(f"action space must start at 0, got {space}.")
    if isinstance(space, (spaces.MultiDiscrete, spaces.MultiBinary)) and len(space.shape) != 1:
        raise ValueError(f"action space must have one axis, got {space} of shape {space.shape}.")
    if isinstance(space, spaces.Box) and not np.issubdtype(space.dtype, np.floating):
        raise ValueError(f"Box action space must have a floating dtype, got {space}.")
    if isinstance(space, spaces.Discrete):
        return 1
    if isinstance(space, (spaces.MultiDiscrete, spaces.Box, spaces.MultiBinary)):
        return int(np.prod(space.shape or ()))
    raise ValueError(f"action space must be Discrete, MultiDiscrete, MultiBinary or Box, got {space}.")


@contextmanager
def without_validation() -> Iterator[None]:
    """Torch's distributions do not check their arguments in the block: in small networks that takes as long as a tenth
    of everything. Whoever leaves it out checks that numbers are finite."""
    before = torch.distributions.Distribution._validate_args
    torch.distributions.Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        torch.distributions.Distribution.set_default_validate_args(before)


def distribution(policy: Any, observations: Observation, action_masks: BoolArray | None, masked: bool) -> Any:
    """The SB3 `Distribution` of a policy over R rows, arrays per key where it observes a Dict; only a `masked` one
    (MaskablePPO's) is given the masks.

    Raises:
        NotFiniteError: parameters or observations, and so the distribution, are not numbers.
    """
    if isinstance(observations, Mapping):
        seen: Any = {key: _tensor(array, policy.device) for key, array in observations.items()}
    else:
        seen = _tensor(observations, policy.device)
    with without_validation():
        if masked:
            masks = None if action_masks is None else np.ascontiguousarray(action_masks)
            found = policy.get_distribution(seen, action_masks=masks)
        else:
            found = policy.get_distribution(seen)
    for part in parts(found):
        if bool(torch.isnan(part.logits if hasattr(part, "logits") else part.mean).any()):
            raise NotFiniteError("the policy's outputs are not numbers: parameters, or what was observed, are not.")
    return found


def _tensor(array: Array, device: Any) -> Any:
    return torch.as_tensor(np.ascontiguousarray(array), device=device)  # torch takes no negative strides


def parts(distribution: Any) -> list[Any]:
    """The torch distributions inside an SB3 distribution (several for MultiDiscrete)."""
    inner = getattr(distribution, "distribution", None) or distribution.distributions
    return list(inner) if isinstance(inner, list) else [inner]


def probabilities(distribution: Any) -> FloatArray:
    """(R, number of actions) of a categorical SB3 `Distribution`; float64 that sums to 1."""
    found = distribution.distribution.probs.cpu().numpy().astype(np.float64)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def sample(distribution: Any, space: spaces.Space[Any], noise: FloatArray) -> Array:
    """Actions (R, *space.shape) for an SB3 `Distribution` over R rows and noise (R, noise_size)."""
    if isinstance(space, spaces.Discrete):
        return inverse_categorical(distribution.distribution.probs.cpu().numpy(), noise[:, 0])
    if isinstance(space, spaces.MultiDiscrete) or hasattr(distribution, "distributions"):
        several = parts(distribution)
        return np.stack(
            [inverse_categorical(one.probs.cpu().numpy(), noise[:, k]) for k, one in enumerate(several)], axis=1
        )
    if isinstance(space, spaces.MultiBinary):
        return np.asarray(noise < distribution.distribution.probs.cpu().numpy(), dtype=np.int8)
    normal = distribution.distribution
    quantiles = ndtri(np.maximum(noise, SMALLEST_UNIFORM))
    actions = normal.mean.cpu().numpy() + normal.stddev.cpu().numpy() * quantiles
    return np.asarray(actions, dtype=np.float32).reshape(len(noise), *(space.shape or ()))


def inverse_categorical(probabilities: NDArray[Any], uniforms: FloatArray) -> NDArray[np.int64]:
    """Actions (R,) for probabilities (R, actions), which need not sum to 1, and uniform numbers (R,)."""
    cumulative = np.cumsum(probabilities, axis=1, dtype=np.float64)
    below = cumulative <= uniforms[:, None] * cumulative[:, -1:]
    below[:, -1] = False  # where rounding has gone up to the sum
    return np.asarray(below.argmin(axis=1), dtype=np.int64)  # the first that is not
