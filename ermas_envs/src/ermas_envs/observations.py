"""Rows of a batch of observations, which is one array or, for a Dict space, one array per key."""

from collections.abc import Mapping
from typing import Any

from ermas_envs.arrays import Observation


def select(observation: Observation, index: Any) -> Observation:
    """`array[index]`, or that of every array; whether it is a view is NumPy's rule for the index."""
    if isinstance(observation, Mapping):
        return {key: array[index] for key, array in observation.items()}
    rows: Observation = observation[index]
    return rows


def num_rows(observation: Observation) -> int:
    """Length of the first axis."""
    return len(next(iter(observation.values())) if isinstance(observation, Mapping) else observation)
