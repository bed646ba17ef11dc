"""What stops a training: a quantity that is NaN or infinite, or λ that stands at its maximum; the error names it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ermas_algos.learners.protocol import Learner, LearnerState, NotFiniteError
from ermas_algos.saved_state import check_finite


class TrainingStopped(RuntimeError):
    """A training has come to where it must not go on; says which quantity, in which outer iteration, and what is left.

    The last checkpoint is the one that was written before: nothing of the iteration that failed is in it.
    """


def stop(reason: str, iteration: int, checkpoint: Path | None) -> TrainingStopped:
    """The error that ends a training.

    Args:
        reason: the quantity, and what is wrong with it.
        iteration: outer iteration, from 1, in which it was found.
        checkpoint: where checkpoints go; None: there are none.
    """
    left = ""
    if checkpoint is not None:
        left = f"; {checkpoint} is kept as it was" if checkpoint.exists() else "; there was no checkpoint yet"
    return TrainingStopped(f"stopped in outer iteration {iteration}: {reason}{left}.")


@contextmanager
def stopping(iteration: int, checkpoint: Path | None) -> Iterator[None]:
    """What is not finite in the block stops the training; arguments as those of `stop`."""
    try:
        yield
    except NotFiniteError as error:
        raise stop(f"{error}".removesuffix("."), iteration, checkpoint) from error


@contextmanager
def naming(label: str) -> Iterator[None]:
    """What is not finite in the block is told with the learner's label."""
    try:
        yield
    except NotFiniteError as error:
        raise NotFiniteError(f"{label}: {error}") from error


def updated(label: str, learner: Learner, rollout: Any) -> dict[str, Any]:
    """One update of a learner; its own metrics under `train/<label>/`. NotFiniteError, with the label, where it has
    diverged."""
    with naming(label):
        metrics = learner.update(rollout)
        for name, value in metrics.items():
            if name.endswith("loss") and not np.isfinite(value).all():
                raise NotFiniteError(f"{name} is {value}")
    return {f"train/{label}/{name}": value for name, value in metrics.items()}


def check_states(states: Mapping[str, LearnerState]) -> None:
    """NotFiniteError naming a learner, and which of its tensors could not be gone on from."""
    for label, state in states.items():
        try:
            check_finite(state.tensors)
        except ValueError as error:
            raise NotFiniteError(f"{label}: {error}") from None
