"""Checkpoints as bytes, as jobs leave and take them: a cluster's worker may not see the folder of the others."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ermas_algos.algorithms.trainer import CHECKPOINT, Trainer
from ermas_algos.evaluation.certificate import load_planner, load_trainer
from ermas_envs.planners import Planner

T = TypeVar("T")


def checkpoint_of(trainer: Trainer[Any]) -> bytes:
    """Content of a trainer's checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CHECKPOINT
        trainer.save(path)
        return path.read_bytes()


def trainer_of(checkpoint: bytes) -> Trainer[Any]:
    """The trainer in a checkpoint's content; errors as those of `load_trainer`."""
    return _read(checkpoint, load_trainer)


def planner_of(checkpoint: bytes) -> Planner:
    """The frozen planner in a checkpoint's content; errors as those of `load_planner`."""
    return _read(checkpoint, load_planner)


def _read(checkpoint: bytes, load: Callable[[Path], T]) -> T:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CHECKPOINT
        path.write_bytes(checkpoint)
        return load(path)
