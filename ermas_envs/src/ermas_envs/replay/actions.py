"""Recorded actions as arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import PLANNER, IntArray, agent_id


def take_actions(
    given: Mapping[str, Any], agents: IntArray, planner: IntArray, action_spaces: Mapping[str, spaces.Space[Any]]
) -> None:
    """Write recorded actions into zeros; who is missing does nothing.

    Args:
        given: per role an integer or a list.
        agents: (n, entries) int64.
        planner: (entries,) int64.
        action_spaces: of all roles; ValueError for what lies outside: kernels do not check.
    """
    for role, action in given.items():
        row = planner if role == "p" else agents[int(role)]
        row[:] = action
        if not _contains(action_spaces[PLANNER if role == "p" else agent_id(int(role))], row):
            raise ValueError(f"the action {action} of {role!r} is not one of its actions.")


def _contains(space: spaces.Space[Any], row: IntArray) -> bool:
    sizes = space.nvec if isinstance(space, spaces.MultiDiscrete) else np.array([space.n])  # type: ignore[attr-defined]
    return bool((row >= 0).all() and (row < sizes).all())
