"""How long the first step of a process takes: with kernels to be compiled, and with those of an earlier process."""

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

ENVIRONMENTS = ("economy_v0", "one_step_economy_v0")
_FIRST_STEP = """
from ermas_envs import {module}
env = {module}.batched_env(1)
env.reset(seed=0)
env.step({{role: [space.sample()] for role, space in env.action_spaces.items()}})
"""


def measure_start() -> list[dict[str, Any]]:
    """Seconds from the start of a Python process until its first step is done, per environment."""
    found = []
    for environment in ENVIRONMENTS:
        with tempfile.TemporaryDirectory() as folder:
            first, cached = _seconds(environment, folder), min(_seconds(environment, folder) for _ in range(2))
        found.append({"environment": environment, "first_seconds": first, "cached_seconds": cached})
    return found


def _seconds(module: str, folder: str) -> float:
    began = time.perf_counter()
    variables = {**os.environ, "NUMBA_CACHE_DIR": folder}
    subprocess.run([sys.executable, "-c", _FIRST_STEP.format(module=module)], check=True, env=variables)
    return time.perf_counter() - began


def table(rows: list[dict[str, Any]]) -> str:
    """For people."""
    lines = ["from the start of a process until its first step is done"]
    for row in rows:
        lines.append(
            f"{row['environment']:20} first time, compiling: {row['first_seconds']:.1f} s; "
            f"afterwards: {row['cached_seconds']:.1f} s"
        )
    return "\n".join(lines)
