"""Callbacks of a training, in the manner of Stable-Baselines3: at its start and end, after iterations, checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Callback:
    """What happens beside the training; every method may be left as it is. `trainer` is the one that is training."""

    def on_start(self, trainer: Any) -> None:
        """Called by `learn` before its first iteration."""

    def on_iteration(self, trainer: Any, metrics: Mapping[str, Any]) -> bool | None:
        """Called after every outer iteration with its metrics; False stops the training after a last checkpoint."""

    def on_checkpoint(self, trainer: Any, path: Path) -> None:
        """Called when a checkpoint has been written."""

    def on_end(self, trainer: Any) -> None:
        """Called when `learn` is done, or was stopped; not after an error."""
