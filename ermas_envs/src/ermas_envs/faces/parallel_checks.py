"""Checks of other people's PettingZoo parallel environments: what they are, that copies are alike, what they answer."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from pettingzoo import AECEnv, ParallelEnv

from ermas_envs.base.arguments import shown

AnyParallelEnv: TypeAlias = ParallelEnv[Any, Any, Any]
ByAgent: TypeAlias = Mapping[str, Any]

_NEEDED = ("possible_agents", "observation_space", "action_space", "reset", "step")


def check_parallel_env(what: str, given: object) -> AnyParallelEnv:
    """Return `given`; ValueError, which calls it `what`, unless it has what a PettingZoo parallel environment has."""
    if isinstance(given, AECEnv):
        raise ValueError(
            f"{what} must be a parallel environment, in which all agents act at once; {given} is an AEC one, in which "
            "they act in turns. Take its module's parallel_env, or pettingzoo.utils.aec_to_parallel where turns do not "
            "matter."
        )
    missing = [name for name in _NEEDED if not hasattr(given, name)]
    if missing:
        raise ValueError(f"{what} must be a PettingZoo parallel environment, got {shown(given)}: no {missing[0]}.")
    return cast("AnyParallelEnv", given)


def copies(make_env: Callable[[], object], count: int) -> list[AnyParallelEnv]:
    """As many environments; ValueError unless they are parallel ones, each its own, with like agents and spaces."""
    if not callable(make_env):
        raise ValueError(f"make_env must be a function that makes an environment, got {shown(make_env)}.")
    made = [check_parallel_env("what make_env makes", make_env()) for _ in range(count)]
    if len({id(env) for env in made}) < count:
        raise ValueError("make_env must make a new environment at every call, got the same object twice.")
    first, names = made[0], tuple(made[0].possible_agents)
    for env in made[1:]:
        if tuple(env.possible_agents) != names:
            raise ValueError(
                f"make_env must make environments of the same possible_agents, got {shown(names)} and "
                f"{shown(tuple(env.possible_agents))}."
            )
        for agent in names:
            for one, other in (
                (first.observation_space(agent), env.observation_space(agent)),
                (first.action_space(agent), env.action_space(agent)),
            ):
                if one is not other and one != other:
                    raise ValueError(
                        f"make_env must make environments of the same spaces, got {shown(one)} and {shown(other)} for "
                        f"{agent!r}."
                    )
    return made


def reset_answer(given: object) -> tuple[ByAgent, ByAgent]:
    """Observations and infos; ValueError unless a reset has given two mappings by agent."""
    observations, infos = _mappings("reset", given, ("observations", "infos"))
    return observations, infos


def step_answer(given: object) -> tuple[ByAgent, ByAgent, ByAgent, ByAgent, ByAgent]:
    """What a step has given; ValueError unless it is five mappings by agent."""
    names = ("observations", "rewards", "terminations", "truncations", "infos")
    observations, rewards, terminations, truncations, infos = _mappings("step", given, names)
    return observations, rewards, terminations, truncations, infos


def _mappings(method: str, given: object, names: tuple[str, ...]) -> Sequence[ByAgent]:
    if isinstance(given, tuple | list) and len(given) == len(names):
        if all(isinstance(part, Mapping) for part in given):
            return given
        wrong = next(name for name, part in zip(names, given, strict=True) if not isinstance(part, Mapping))
        raise ValueError(f"{method} must return mappings by agent ({', '.join(names)}); {wrong} is none.")
    found = f"{len(given)} values" if isinstance(given, tuple) else shown(given)
    raise ValueError(f"{method} must return {len(names)} mappings by agent ({', '.join(names)}), got {found}.")


def check_told(what: str, given: ByAgent, agents: Collection[str], where: str) -> None:
    """ValueError unless `given` has an entry for each of `agents`; left out, it would count as 0."""
    for agent in agents:
        if agent not in given:
            raise ValueError(f"{what} in {where} must have an entry for {agent!r}, got {shown(list(given))}.")


def flag_of(agent: str, told: object, where: str) -> bool:
    """Whether an agent's part is over; ValueError unless what a step has told is true or false, 0 or 1."""
    if isinstance(told, bool):
        return told
    found = np.asarray(told)
    if found.size != 1 or found.dtype.kind not in "biu" or found.item() not in (0, 1):
        raise ValueError(f"termination of {agent!r} in {where} must be True or False, got {shown(told)}.")
    return bool(found.item())


def check_known(living: Collection[str], names: Collection[str], where: str) -> None:
    """ValueError unless all `living` agents are among the possible ones, `names`."""
    for agent in living:
        if agent not in names:
            raise ValueError(f"agents in {where} must be among possible_agents {shown(list(names))}, got {agent!r}.")
