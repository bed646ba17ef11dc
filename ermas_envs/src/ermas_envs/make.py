"""Environments by name: their registry, their arguments, an environment as data, and PettingZoo's own registry."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pettingzoo

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0, contract_v0, economy_v0, one_step_economy_v0, toll_v0
from ermas_envs.base.arguments import check_choice, check_json, check_mapping, keep, shown, unknown_name
from ermas_envs.base.registry import Registry
from ermas_envs.behaviours import behaviour_registry
from ermas_envs.game.batch import BatchedEnv
from ermas_envs.perturbations import perturbation_registry
from ermas_envs.planners import planner_registry


class EnvironmentModule(Protocol):
    """What an environment offers: its two faces as functions."""

    @property
    def batched_env(self) -> Callable[..., BatchedEnv]:
        """`batched_env(num_envs, **arguments)`: the batched face."""

    @property
    def parallel_env(self) -> Callable[..., Any]:
        """`parallel_env(**arguments)`: a PettingZoo parallel environment."""


class _OwnModule(EnvironmentModule, Protocol):
    """What our own modules offer beside it."""

    @property
    def env(self) -> Callable[..., Any]:
        """`env(**arguments)`: a PettingZoo AEC environment."""


environment_registry: Registry[EnvironmentModule] = Registry("environment")


def batched_env(name: str, num_envs: int, **arguments: Any) -> BatchedEnv:
    """Batched face of a registered environment; ValueError with the nearest match for an unknown name."""
    return environment_registry.make(name).batched_env(num_envs, **arguments)


def parallel_env(name: str, **arguments: Any) -> Any:
    """PettingZoo face of a registered environment; ValueError with the nearest match for an unknown name."""
    return environment_registry.make(name).parallel_env(**arguments)


def argument_names(environment: str) -> list[str]:
    """Arguments that stand in the signature of a registered environment's `batched_env`, its settings apart."""
    _, *parameters = inspect.signature(environment_registry.make(environment).batched_env).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]


def check_arguments(what: str, environment: str, names: Iterable[str]) -> None:
    """Check names of arguments.

    Args:
        what: how the error calls them.
        environment: registered name.
        names: arguments that `batched_env` of this environment must take.

    Raises:
        ValueError: an unknown environment or argument, with the nearest match.
    """
    check_choice("environment", environment, environment_registry)
    _, *parameters = inspect.signature(environment_registry.make(environment).batched_env).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = argument_names(environment)
    for name in names:
        if name not in known:
            raise unknown_name(f"{what} of {environment}", name, known)


@dataclass(frozen=True)
class EnvironmentSpec:
    """An environment as data; called with a number of replicas, it makes the batched face."""

    name: str
    """Registered name."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the environment that JSON can hold, so that a checkpoint can name what it was trained in. A hook is
    `{"name": registered name, **its arguments}`, such as {"planner": {"name": "constant", "action": 4}}."""

    def __post_init__(self) -> None:
        """ValueError for arguments that JSON cannot hold; NumPy's numbers, arrays and tuples are kept as JSON types."""
        if not isinstance(self.name, str):
            raise ValueError(f"name must be a registered environment's, got {shown(self.name)}.")
        keep(self, name=str(self.name), arguments=check_json("arguments", check_mapping("arguments", self.arguments)))

    def changed(self, name: str, value: Any) -> "EnvironmentSpec":
        """The same environment with another value of an argument; a dotted name is one inside a table, such as
        `perturbation.eta`.

        Raises:
            ValueError: the part of the name before a dot is no table of the arguments.
        """
        first, _, rest = name.partition(".")
        if rest:
            inner = self.arguments.get(first)
            if not isinstance(inner, Mapping):
                raise ValueError(f"{name}: {first!r} must be a table among the arguments, got {shown(inner)}.")
            value = EnvironmentSpec(self.name, inner).changed(rest, value).arguments
        return EnvironmentSpec(self.name, {**self.arguments, first: value})

    def __call__(self, num_envs: int, **objects: Any) -> BatchedEnv:
        """Batched face with `num_envs` replicas.

        Args:
            num_envs: number of replicas.
            objects: further arguments, which need not be data, such as a planner object; they go before those that data
                name.

        Raises:
            ValueError: an unknown name.
            TypeError: an unknown argument.
        """
        data = {name: hook(name, value) for name, value in self.arguments.items() if name not in objects}
        return batched_env(self.name, num_envs, **data, **objects)


_HOOKS: Mapping[str, Registry[Any]] = {
    "planner": planner_registry,
    "behaviour": behaviour_registry,
    "perturbation": perturbation_registry,
    "perturbations": perturbation_registry,
}


def hook(argument: str, value: Any) -> Any:
    """The hook object that data describe, those inside it (`bounded`, `sum`) first.

    Args:
        argument: of the environment: `planner`, `perturbation`, `behaviour`; values of any other one stay as they are.
        value: `{"name": registered name, **its arguments}`, or a list of these; anything else is returned as it is.

    Raises:
        ValueError: no name, or an unknown one; an argument that the hook does not take, or lacks, or refuses.
    """
    if argument in _HOOKS and isinstance(value, Mapping):
        if "name" not in value:
            raise ValueError(f"{argument}: a hook as data needs its registered 'name', got {dict(value)!r}.")
        factory = _HOOKS[argument][check_choice(argument, value["name"], _HOOKS[argument])]
        arguments = {key: hook(key, entry) for key, entry in value.items() if key != "name"}
        _check_taken(f"{argument} {value['name']}", factory, arguments)
        try:
            return factory(**arguments)
        except TypeError as error:  # of a value that the hook cannot use
            raise ValueError(f"{argument}: {error}") from error
    if argument in _HOOKS and isinstance(value, list | tuple):
        return [hook(argument, entry) for entry in value]
    return value


def _check_taken(what: str, factory: Callable[..., Any], names: Iterable[str]) -> None:
    """ValueError unless a factory takes arguments of these names, and needs no others."""
    parameters = inspect.signature(factory).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    known, given = [p.name for p in named], list(names)
    for name in given:
        if name not in known and not any(p.kind is p.VAR_KEYWORD for p in parameters):
            raise unknown_name(f"argument of {what}", name, known)
    missing = [p.name for p in named if p.default is p.empty and p.name not in given]
    if missing:
        raise ValueError(f"{what} needs the argument {', '.join(map(repr, missing))}.")


def _register(name: str, module: _OwnModule) -> None:
    environment_registry.register(name, lambda: module)
    if hasattr(pettingzoo, "register"):  # PettingZoo >= 1.27
        theirs = "ermas/" + name.replace("_v", "-v")
        pettingzoo.register("parallel", theirs, module.parallel_env)
        pettingzoo.register("aec", theirs, module.env)


_register(bimatrix_v0.NAME, bimatrix_v0)
_register(augmented_bimatrix_v0.NAME, augmented_bimatrix_v0)
_register(economy_v0.NAME, economy_v0)
_register(one_step_economy_v0.NAME, one_step_economy_v0)
_register(contract_v0.NAME, contract_v0)
_register(toll_v0.NAME, toll_v0)
