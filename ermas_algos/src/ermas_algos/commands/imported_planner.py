"""A planner from the user's own module: whatever its code raises becomes an error that names it."""

import importlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gymnasium import spaces

from ermas_envs.arrays import Array, BoolArray, FloatArray
from ermas_envs.planners import Planner, as_planner

T = TypeVar("T")


def imported_planner(module: str, name: str) -> Planner:
    """The function or planner object `name` of a module that is found from the current directory, as a planner.

    Raises:
        ValueError: the module cannot be imported, whatever it raises; or it has no such planner. The planner's methods
            raise it, too, for all that the user's code raises.
    """
    title = f"{module}:{name}"
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{title}: cannot be imported ({type(error).__name__}: {error}).") from error
    finally:
        sys.path.pop(0)
    return _Imported(title, getattr(sys.modules[module], "__file__", None), found)


class _Imported:
    """Plays the user's planner."""

    def __init__(self, title: str, file: str | None, found: object) -> None:
        self._title, self._file = title, file
        self._planner = self._guarded(lambda: as_planner(found))

    @property
    def noise_size(self) -> int:
        return self._guarded(lambda: self._planner.noise_size)

    def bind(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        self._guarded(lambda: self._planner.bind(observation_space, action_space))

    def act(self, observations: Any, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        return self._guarded(lambda: self._planner.act(observations, noise, action_masks))

    def tabular(self, observations: Any, action_masks: BoolArray | None) -> FloatArray | None:
        return self._guarded(lambda: self._planner.tabular(observations, action_masks))

    def _guarded(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if self._file and frame.filename == self._file]
            where = f", line {lines[-1]} of {self._file}" if lines else ""
            raise ValueError(f"{self._title}: {type(error).__name__}: {error}{where}") from error
