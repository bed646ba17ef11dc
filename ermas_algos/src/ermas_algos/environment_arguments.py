"""Names of an environment's arguments, checked before it is made."""

import inspect
from collections.abc import Iterable

from ermas_envs.base.arguments import check_choice, unknown_name
from ermas_envs.make import environment_registry


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
    check_choice("environment", environment, environment_registry.names())
    _, *parameters = inspect.signature(environment_registry.make(environment).batched_env).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = argument_names(environment)
    for name in names:
        if name not in known:
            raise unknown_name(f"{what} of {environment}", name, known)
