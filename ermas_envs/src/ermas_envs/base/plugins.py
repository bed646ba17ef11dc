"""Plugins: modules of third parties that register what is theirs, imported when a registry is asked for a name.

They are named by installed packages, as entry points of the group `ermas.plugins`, and by the environment variable
`ERMAS_PLUGINS`, modules separated by commas. Worker processes inherit both, so that a name means the same there.
"""

import importlib
import os
from importlib.metadata import entry_points

GROUP = "ermas.plugins"
VARIABLE = "ERMAS_PLUGINS"
_loaded: set[str] = set()


def load_plugins() -> None:
    """Import what has not been imported yet; ValueError that names the plugin and why it cannot be imported."""
    named = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    installed = [] if GROUP in _loaded else [entry.value for entry in entry_points(group=GROUP)]
    _loaded.add(GROUP)
    for name in (*installed, *filter(None, named)):
        if name not in _loaded:
            _loaded.add(name)  # first: a plugin may look up names itself
            _import(name)


def _import(name: str) -> None:
    try:
        importlib.import_module(name.partition(":")[0])
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"the plugin {name!r} ({VARIABLE}, or {GROUP}) cannot be imported: {reason}") from error
