"""Learners see one array per role: roles with Dict observations are refused here, where something is built for them."""

from collections.abc import Iterable, Mapping
from typing import cast

from gymnasium import spaces

from ermas_algos.presets import NO_PRESET, default_preset, preset_registry
from ermas_envs import BatchedEnv
from ermas_envs.arguments import shown
from ermas_envs.arrays import Array, Observation


def check_array_observations(env: BatchedEnv, roles: Iterable[str]) -> None:
    """ValueError naming the first of `roles` that observes a Dict."""
    for role in roles:
        space = env.observation_spaces[role]
        if isinstance(space, spaces.Dict):
            raise ValueError(f"learners need array observations, {role!r} has {shown(space)}{_hint(env.name)}.")


def _hint(environment: str) -> str:
    """What a preset of the environment does about it, if there is one."""
    name = default_preset(environment)
    arguments = {} if name == NO_PRESET else preset_registry.make(name).arguments
    return f"; choose observations={arguments['observations']!r}" if "observations" in arguments else ""


def arrays(observations: Mapping[str, Observation]) -> Mapping[str, Array]:
    """`observations` of roles that `check_array_observations` has passed."""
    return cast("Mapping[str, Array]", observations)
