"""Which code produced a result: commit of the checkout and versions of the libraries."""

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_LIBRARIES = (
    *("ermas-envs", "ermas-algos", "numpy", "scipy", "torch", "stable-baselines3", "sb3-contrib", "gymnasium"),
    "jax",  # None where no learner needs it
)


@cache
def provenance() -> dict[str, Any]:
    """`commit` (None outside a checkout), whether the checkout had `uncommitted_changes`, and `versions`."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Output of git in this file's directory; None where git, or the repository, is missing."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
