"""One registry class for everything that is chosen by name: environments, payoffs, planners, perturbations and more."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from ermas_envs.base.arguments import check_choice
from ermas_envs.base.plugins import load_plugins

T = TypeVar("T")


class Registry(Mapping[str, Callable[..., T]], Generic[T]):
    """Named factories of one kind, a mapping from names to factories; third parties add theirs with `register`, in a
    module of their own or in a plugin (`plugins`).

    Plugins are imported when all names, or one that is not known yet, are asked for. A name of ours needs none, so that
    our own modules can be imported, with settings that look it up, before a plugin can import them.

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
        return tuple(sorted(self))

    def make(self, name: str, /, *args: object, **kwargs: object) -> T:
        """Call the factory of `name`; ValueError with the nearest match if it is unknown."""
        if not isinstance(name, str) or name not in self._factories:
            check_choice(self.kind, name, self)
        return self._factories[name](*args, **kwargs)

    def __getitem__(self, name: str) -> Callable[..., T]:
        if name not in self._factories:
            load_plugins()
        return self._factories[name]

    def __iter__(self) -> Iterator[str]:
        load_plugins()
        return iter(tuple(self._factories))

    def __len__(self) -> int:
        return len(tuple(iter(self)))
