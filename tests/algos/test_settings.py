"""All settings of both packages keep what was checked: plain Python numbers, whatever kind of number was given."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ermas_algos
import ermas_envs
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs
from ermas_envs.games.contract.instances import Instances

WITHOUT_DEFAULTS: dict[str, dict[str, Any]] = {
    "Polynomial": {"coefficients": (0.5, 1.0)},
    "BPR": {"free_flow": 1.0, "capacity": 0.5},
    "Table": {"values": (0.5, 1.0)},
    "RiskConfig": {"utility": "crra", "aversion": 0.5},
    "EnvironmentSpec": {"name": "bimatrix_v0"},
    "Task": {"environment": "bimatrix_v0"},
    "Method": {"algorithm": "MARL"},
    "Processes": {"workers": 2},
    "RayCluster": {"address": "local", "workers": 2},
}
"""Arguments of settings that need some."""
NO_SETTINGS = ("Sweep", "AgentAdvSearch", "Run", "Control", "Layout")
"""Dataclasses of maps, and those that hold what is tested here: mappings of tasks, learners, curves."""


def modules() -> Iterator[Any]:
    for package in (ermas_envs, ermas_algos):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__") and ".bench" not in found.name:
                try:
                    yield importlib.import_module(found.name)
                except ModuleNotFoundError as error:
                    if error.name != "jax":  # may be missing; its learner's settings do without
                        raise


def settings_kinds() -> dict[str, Any]:
    """Frozen dataclasses that check their fields: all that users fill in."""
    return {
        kind.__name__: kind
        for module in modules()
        for kind in vars(module).values()
        if dataclasses.is_dataclass(kind)
        and isinstance(kind, type)
        and kind.__module__ == module.__name__
        and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
        and hasattr(kind, "__post_init__")
        and not kind.__name__.startswith("_")
        and kind.__name__ not in NO_SETTINGS
    }


KINDS = settings_kinds()


def in_numpy(value: Any, narrow: bool) -> Any:
    """The same value in NumPy's numbers, the narrowest that hold it or the usual ones."""
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int):
        return np.min_scalar_type(value).type(value) if narrow else np.int64(value)
    if isinstance(value, float):
        return np.float32(value) if narrow else np.float64(value)
    if isinstance(value, tuple) and value and all(isinstance(entry, int | float) for entry in value):
        return np.array(value)
    return value


def strange(value: Any, where: str) -> list[str]:
    """Where a value is, or holds, something that is no plain Python object; payoffs and instances are arrays."""
    if isinstance(value, BimatrixPayoffs | Instances):
        return []
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {entry.name: getattr(value, entry.name) for entry in dataclasses.fields(value)}
        return [text for name, part in parts.items() for text in strange(part, f"{where}.{name}")]
    if isinstance(value, dict):
        return [text for name, part in value.items() for text in strange(part, f"{where}.{name}")]
    if isinstance(value, tuple):
        return [text for index, part in enumerate(value) for text in strange(part, f"{where}[{index}]")]
    return [] if value is None or type(value) in (bool, int, float, str) else [f"{where}: {value!r}"]


@pytest.mark.parametrize("narrow", [True, False], ids=["narrow", "wide"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_numpy_numbers_become_plain_ones(kind: str, narrow: bool) -> None:
    usual = KINDS[kind](**WITHOUT_DEFAULTS.get(kind, {}))
    given = {
        entry.name: in_numpy(getattr(usual, entry.name), narrow) for entry in dataclasses.fields(usual) if entry.init
    }
    kept = KINDS[kind](**given)
    assert strange(kept, kind) == []


def test_the_settings_that_users_fill_in_are_among_them() -> None:
    wanted = {
        *("EconomySettings", "OneStepSettings", "Build", "ContinuousDoubleAuction", "Gather", "PeriodicBracketTax"),
        *("Resource", "SimpleLabor", "UniformLayoutSettings", "BimatrixSettings"),
        *("MARLConfig", "ERMASConfig", "PopulationConfig", "MultiplierConfig", "RiskConfig", "SB3LearnerConfig"),
        *("ExactLearnerConfig", "JaxLearnerConfig", "FreshAgentsConfig", "Scale"),
    }
    assert wanted <= KINDS.keys()
