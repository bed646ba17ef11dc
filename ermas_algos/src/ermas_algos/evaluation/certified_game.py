"""What certificates with an oracle ask of an environment: its engine, and what a role sees in the first replica."""

from typing import TypeVar

from ermas_algos.learners.protocol import arrays
from ermas_envs import BatchedEnv
from ermas_envs.base.arrays import Array, BoolArray
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.game.batch import BatchObservation
from ermas_envs.game.engine import Engine

EngineT = TypeVar("EngineT", bound=Engine)


def is_game(env: BatchedEnv, kind: type[Engine]) -> bool:
    """Whether the environment is the batched face of such an engine."""
    return isinstance(env, EngineBatch) and isinstance(env.engine, kind)


def engine_of(env: BatchedEnv, kind: type[EngineT], what: str, whom: str) -> EngineT:
    """The engine of a game that an oracle knows.

    Args:
        env: the environment.
        kind: of its engine.
        what: is certified, and where; the beginning of a message.
        whom: the oracles know; the end of one.

    Raises:
        ValueError: another game, or one whose agents do not do what they choose.
    """
    if not isinstance(env, EngineBatch) or not isinstance(env.engine, kind):
        raise ValueError(f"{what}, not in {env.name}.")
    if env.changes_actions:
        raise ValueError(f"action_noise must be 0 and behaviour None: the oracles know {whom}.")
    return env.engine


def first_row(seen: BatchObservation, role: str) -> tuple[Array, BoolArray | None]:
    """(1, …) what a role sees in the first replica, and its mask if it has one."""
    masks = seen.action_masks
    return arrays(seen.observations)[role][:1], masks[role][:1] if role in masks else None
