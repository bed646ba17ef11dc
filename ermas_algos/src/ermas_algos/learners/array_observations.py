"""Learners see one array per role: roles with Dict observations are refused here, where something is built for them."""

from collections.abc import Iterable, Mapping
from typing import cast

from gymnasium import spaces

from ermas_envs import BatchedEnv
from ermas_envs.arrays import Array, Observation


def check_array_observations(env: BatchedEnv, roles: Iterable[str]) -> None:
    """ValueError naming the first of `roles` that observes a Dict."""
    for role in roles:
        space = env.observation_spaces[role]
        if isinstance(space, spaces.Dict):
            raise ValueError(f"learners need array observations, {role!r} has {space}.")


def arrays(observations: Mapping[str, Observation]) -> Mapping[str, Array]:
    """`observations` of roles that `check_array_observations` has passed."""
    return cast("Mapping[str, Array]", observations)
