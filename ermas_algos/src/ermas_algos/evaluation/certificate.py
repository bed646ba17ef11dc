"""Certificates of checkpoints: exact regret of the trained agents, planner payoff, worst ε-equilibrium."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ermas_algos.algorithms import TRAINERS
from ermas_algos.algorithms.collection import MakeEnv
from ermas_algos.algorithms.run import trainer_type
from ermas_algos.algorithms.saved_planner import saved_planner
from ermas_algos.algorithms.saved_training import SavedTraining, read_training
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.checkpoint import CheckpointError, checkpoint_kind, content_of
from ermas_envs import EnvironmentSpec
from ermas_envs.make import hook
from ermas_envs.oracles import Certificate, certify
from ermas_envs.planners import Planner


def read_any_training(path: Path | str) -> tuple[str, SavedTraining]:
    """The name of the trainer that wrote a checkpoint, and what the file holds; CheckpointError for an unusable one."""
    kind = checkpoint_kind(path)
    if kind not in TRAINERS:
        raise CheckpointError(f"{path}: holds a checkpoint of kind {kind!r}; one of {sorted(TRAINERS)} was expected")
    return kind, read_training(path, kind)


def load_trainer(path: Path | str, make_env: MakeEnv | None = None) -> Trainer[Any]:
    """The trainer of a checkpoint, whichever algorithm wrote it.

    Args:
        path: checkpoint file.
        make_env: the environment; None takes what the checkpoint names, if it was trained with an `EnvironmentSpec`.

    Raises:
        CheckpointError: unusable file, or one that names no environment where none is given.
    """
    kind, saved = read_any_training(path)
    trainer: Trainer[Any] = trainer_type(kind).from_saved(path, saved, _environment(path, saved, make_env))
    return trainer


def load_planner(path: Path | str, make_env: MakeEnv | None = None) -> Planner:
    """The planner of a checkpoint: a trained one frozen, or the one that the arguments of the environment name, such as
    a tax rule; no agents are made.

    Args:
        path: checkpoint file.
        make_env: see `load_trainer`.

    Raises:
        CheckpointError: see `load_trainer`.
        ValueError: no learner plays the planner, and no data name it; or a batch of several seeds does.
    """
    kind, saved = read_any_training(path)
    environment = _environment(path, saved, make_env)
    named = environment.arguments.get("planner") if isinstance(environment, EnvironmentSpec) else None
    if isinstance(named, Mapping):
        with content_of(path):
            rule: Planner = hook("planner", named)
        return rule
    return saved_planner(trainer_type(kind), path, saved, environment)


def _environment(path: Path | str, saved: SavedTraining, make_env: MakeEnv | None) -> MakeEnv:
    chosen = saved.environment_spec if make_env is None else make_env
    if chosen is None:
        raise CheckpointError(f"{path}: does not name its environment; it must be given")
    return chosen


def certify_checkpoint(
    path: Path | str, make_env: MakeEnv | None = None, epsilon: float | None = None
) -> list[Certificate]:
    """Certificate of the agents and the planner in a checkpoint, for tabular games; see `ermas_envs.oracles.certify`.

    Args:
        path: checkpoint file.
        make_env: see `load_trainer`.
        epsilon: ε of the worst equilibrium, payoff per step; None takes that of the training, or, for MARL, the largest
            regret found.

    Returns:
        One certificate; one per seed for a batch of exact learners.

    Raises:
        CheckpointError: see `load_trainer`.
        ValueError: the environment has no tables.
    """
    return certify_trainer(load_trainer(path, make_env), epsilon)


def certify_trainer(trainer: Trainer[Any], epsilon: float | None = None) -> list[Certificate]:
    """`certify_checkpoint` of a trainer as it is now."""
    wanted = getattr(trainer.config, "epsilon", None) if epsilon is None else epsilon
    policies = trainer.policies()
    members = [len(table) for table in policies.values() if table.ndim == 4]
    if not members:
        return [certify(trainer.tables(), policies, wanted)]
    return [certify(trainer.tables(), {r: t[k] for r, t in policies.items()}, wanted) for k in range(members[0])]
