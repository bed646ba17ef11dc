"""One registry class for everything that is chosen by name: environments, payoffs, planners, perturbations."""

from collections.abc import Callable
from typing import Generic, TypeVar

from ermas_envs.base.arguments import check_choice

T = TypeVar("T")


class Registry(Generic[T]):
    """Named factories of one kind; third parties add theirs with `register`.

    Args:
        kind: what is registered, used in error messages ("environment", "payoffs", …).
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._factories: dict[str, Callable[..., T]] = {}

    def register(self, name: str, factory: Callable[..., T]) -> None:
        """Add `factory` under `name`; ValueError if the name is taken or empty."""
        if not name or name in self._factories:
            raise ValueError(f"{self.kind}: the name {name!r} is {'taken' if name else 'empty'}.")
        self._factories[name] = factory

    def names(self) -> tuple[str, ...]:
        """Registered names, sorted."""
        return tuple(sorted(self._factories))

    def make(self, name: str, /, *args: object, **kwargs: object) -> T:
        """Call the factory of `name`; ValueError with the nearest match if it is unknown."""
        check_choice(self.kind, name, self._factories)
        return self._factories[name](*args, **kwargs)
