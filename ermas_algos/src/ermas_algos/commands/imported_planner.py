"""A planner from the user's own module: whatever its code raises becomes an error that names it."""

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from gymnasium import spaces

from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import TaxRule
from ermas_envs.planners import Planner, TaxPlanner, as_planner

T = TypeVar("T")


def imported_planner(module: str, name: str) -> Planner:
    """The function or planner object `name` of a module that is found from the current directory, as a planner.

    What the current directory has goes before all that is loaded already; its modules are loaded for this planner, and
    nobody else sees them.

    Raises:
        ValueError: the module cannot be imported, whatever it raises; or it has no such planner. The planner's methods
            raise it, too, for all that the user's code raises.
    """
    title = f"{module}:{name}"
    try:
        modules = _Modules(Path.cwd(), module.partition(".")[0])
        with modules.visible():
            loaded = importlib.import_module(module)
            found = getattr(loaded, name)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{title}: cannot be imported ({type(error).__name__}: {error}).") from error
    file = getattr(loaded, "__file__", None)
    if isinstance(found, TaxPlanner):
        return _ImportedTaxes(title, file, modules, found)
    return _Imported(title, file, modules, found)


class _Modules:
    """The modules that lie in a folder, in `sys.modules` only while code of theirs runs.

    So those of another folder may have the same names, and so may the library's: the standard library's are replaced
    only by the module that was asked for.
    """

    def __init__(self, folder: Path, wanted: str) -> None:
        self._folder = folder
        importlib.invalidate_caches()  # a file may have come since the folder was last looked at
        names = {found.name for found in pkgutil.iter_modules([str(folder)])} - sys.stdlib_module_names - {"__main__"}
        spec = PathFinder.find_spec(wanted, [str(folder), *sys.path]) if wanted else None
        if spec is not None and self._holds(spec.origin, spec.submodule_search_locations):
            names.add(wanted)
        self._names = [name for name in sorted(names) if not self._has_loaded(name)]
        self._own: dict[str, ModuleType] = {}

    @contextmanager
    def visible(self) -> Iterator[None]:
        """The folder's modules can be imported, and those that have been are loaded."""
        others = self._taken_out()
        sys.modules.update(self._own)
        sys.path.insert(0, str(self._folder))
        try:
            yield
        finally:
            if str(self._folder) in sys.path:
                sys.path.remove(str(self._folder))
            self._own = self._taken_out()
            sys.modules.update(others)

    def _taken_out(self) -> dict[str, ModuleType]:
        taken = {}
        for name in self._names:
            if name in sys.modules:
                taken[name] = sys.modules.pop(name)
                if hasattr(taken[name], "__path__"):
                    below = [other for other in sys.modules if other.startswith(f"{name}.")]
                    taken |= {other: sys.modules.pop(other) for other in below}
        return taken

    def _has_loaded(self, name: str) -> bool:
        module = sys.modules.get(name)
        return self._holds(getattr(module, "__file__", None), getattr(module, "__path__", None))

    def _holds(self, file: str | None, packages: Any) -> bool:
        places = list(packages or ()) or [file]
        return any(place is not None and Path(place).parent == self._folder for place in places)


class _Imported:
    """Plays the user's planner."""

    def __init__(self, title: str, file: str | None, modules: _Modules, found: object) -> None:
        self._title, self._file, self._modules = title, file, modules
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
            with self._modules.visible():
                return call()
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if self._file and frame.filename == self._file]
            where = f", line {lines[-1]} of {self._file}" if lines else ""
            raise ValueError(f"{self._title}: {type(error).__name__}: {error}{where}") from error


class _ImportedTaxes(_Imported, TaxPlanner):
    """Sets taxes by the user's rule: engines ask a `TaxPlanner` for it."""

    noise_size = 0

    def __init__(self, title: str, file: str | None, modules: _Modules, found: TaxPlanner) -> None:
        super().__init__(title, file, modules, found)
        self._taxes = found

    def rates(self, cutoffs: FloatArray, spacing: str) -> FloatArray | None:
        return self._guarded(lambda: self._taxes.rates(cutoffs, spacing))

    def rule(self, component: PeriodicBracketTax | None) -> TaxRule:
        return self._guarded(lambda: self._taxes.rule(component))
