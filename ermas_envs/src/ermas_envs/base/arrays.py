"""What batches are made of: array types that tell the dtype, the ids of roles, and rows of observations."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
BoolArray: TypeAlias = NDArray[np.bool_]
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
UIntArray: TypeAlias = NDArray[np.uint64]

Observation: TypeAlias = Array | Mapping[str, Array]
"""What one role sees in a batch: (num_envs, *shape); for a Dict space one such array per key, each of its own dtype."""


PLANNER = "planner"
"""Id of the planner, and its group, in the games of this package."""
AGENT_GROUP = "agent"
"""Group of the agents whose ids `agent_id` gives."""


def agent_id(index: int) -> str:
    """Id of agent number `index` (0-based): `"agent_0"`, `"agent_1"`, …"""
    return f"agent_{index}"


def select(observation: Observation, index: Any) -> Observation:
    """`array[index]`, or that of every array; whether it is a view is NumPy's rule for the index."""
    if isinstance(observation, Mapping):
        return {key: array[index] for key, array in observation.items()}
    rows: Observation = observation[index]
    return rows


def num_rows(observation: Observation) -> int:
    """Length of the first axis."""
    return len(next(iter(observation.values())) if isinstance(observation, Mapping) else observation)
