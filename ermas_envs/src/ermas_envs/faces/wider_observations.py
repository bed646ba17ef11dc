"""Observations of agents with another entry, which a face adds: vectors become longer, Dicts get one more vector."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import shown
from ermas_envs.base.arrays import Array, FloatArray, Observation


def wider_spaces(
    by_role: Mapping[str, spaces.Space[Any]], agents: Collection[str], key: str, low: FloatArray, high: FloatArray
) -> dict[str, spaces.Space[Any]]:
    """Observation spaces of every role, with the entry in those of agents; roles that share one go on sharing it.

    Args:
        by_role: without the entry.
        agents: who see it.
        key: its name in Dicts, and in messages.
        low: (k,) its least numbers.
        high: (k,) its largest.

    Raises:
        ValueError: an agent that observes neither a vector of floats nor a Dict.
    """
    wider: dict[int, spaces.Space[Any]] = {}
    for role, space in by_role.items():
        if role in agents and id(space) not in wider:
            wider[id(space)] = _wider(role, space, key, low, high)
    return {role: wider[id(space)] if role in agents else space for role, space in by_role.items()}


def _wider(agent: str, space: spaces.Space[Any], key: str, low: FloatArray, high: FloatArray) -> spaces.Space[Any]:
    if isinstance(space, spaces.Dict):
        return spaces.Dict({**space.spaces, key: spaces.Box(low.astype(np.float32), high.astype(np.float32))})
    if isinstance(space, spaces.Box) and len(space.shape) == 1 and space.dtype == np.float32:
        least, largest = np.append(space.low, low), np.append(space.high, high)
        return spaces.Box(least.astype(np.float32), largest.astype(np.float32), dtype=np.float32)
    raise ValueError(f"{key} needs float32 vectors or Dicts as observations; {agent!r} has {shown(space)}.")


def with_entry(seen: Observation, key: str, rows: Array) -> Observation:
    """`seen` (…, size), or a mapping of arrays (R, n, …), with the rows (…, k), which are broadcast, added."""
    if isinstance(seen, Mapping):
        some = next(iter(seen.values()))
        return {**seen, key: np.broadcast_to(rows, (*some.shape[:2], rows.shape[-1])).copy()}
    return np.concatenate([seen, np.broadcast_to(rows, (*seen.shape[:-1], rows.shape[-1]))], axis=-1)
