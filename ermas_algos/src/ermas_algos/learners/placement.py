"""Where the networks of learners calculate, and in which precision: names, what this machine has, torch's contexts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ermas_envs.base.arguments import check_choice

CPU, CUDA = "cpu", "cuda"
DEVICES = (CPU, CUDA)
"""What `device` can be in the settings of a learner."""
FLOAT32, BFLOAT16 = "float32", "bfloat16"
PRECISIONS = (FLOAT32, BFLOAT16)
"""What `precision` can be in the settings of a learner."""


def check_placement(device: object, precision: object) -> None:
    """ValueError naming the field. That a device exists is asked when a learner is made: settings travel."""
    check_choice("device", device, DEVICES)
    check_choice("precision", precision, PRECISIONS)


def require_device(device: str, available: bool, library: str) -> None:
    """ValueError where a device is asked for that a library does not find."""
    if device == CUDA and not available:
        raise ValueError(f"device must be 'cpu' on this machine: {library} finds no CUDA device here.")


def seeded_devices(device: str) -> list[int]:
    """For `torch.random.fork_rng`: devices whose generators `torch.manual_seed` changes, beside the CPU's."""
    return list(range(torch.cuda.device_count())) if device == CUDA else []


@contextmanager
def passes(policy: Any, device: str, precision: str) -> Iterator[None]:
    """Torch calculates the layers of an SB3 policy in this precision in the block.

    Parameters, their gradients and the optimiser stay in float32, and so does everything behind the last layers: the
    distributions and the losses. Weights are cast anew in every pass, as steps of the optimiser change them in place.
    """
    if precision == FLOAT32:
        yield
        return
    last = (policy.action_net, policy.value_net)
    hooks = [layer.register_forward_hook(lambda _, __, given: given.float()) for layer in last]
    try:
        with torch.autocast(device, dtype=torch.bfloat16, cache_enabled=False):
            yield
    finally:
        for hook in hooks:
            hook.remove()
