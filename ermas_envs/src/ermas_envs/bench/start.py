"""How long the first step of a process takes: with rules to be compiled, and with those that another one compiled."""

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

ENVIRONMENTS = ("economy_v0", "one_step_economy_v0")
_FIRST_STEP = """
from ermas_envs import {module}
env = {module}.batched_env({num_envs})
env.reset(seed=0)
env.step({{role: [space.sample()] * {num_envs} for role, space in env.action_spaces.items()}})
"""


def measure_start() -> list[dict[str, Any]]:
    """Seconds from the start of a Python process until its first step is done, per environment: of one replica, and of
    a batch, which waits for the compiler."""
    found = []
    for environment in ENVIRONMENTS:
        with tempfile.TemporaryDirectory() as folder:
            first = _seconds(environment, 1, folder)
        with tempfile.TemporaryDirectory() as folder:
            compiling = _seconds(environment, 2, folder)
            cached = min(_seconds(environment, 1, folder) for _ in range(2))
        row = {"first_seconds": first, "first_of_a_batch_seconds": compiling, "cached_seconds": cached}
        found.append({"environment": environment, **row})
    return found


def _seconds(module: str, num_envs: int, folder: str) -> float:
    began = time.perf_counter()
    variables = {**os.environ, "NUMBA_CACHE_DIR": folder}
    program = _FIRST_STEP.format(module=module, num_envs=num_envs)
    subprocess.run([sys.executable, "-c", program], check=True, env=variables)
    return time.perf_counter() - began


def table(rows: list[dict[str, Any]]) -> str:
    """For people."""
    lines = ["from the start of a process until its first step is done"]
    for row in rows:
        lines.append(
            f"{row['environment']:20} first time: {row['first_seconds']:.1f} s; of a batch, which waits for the "
            f"compiler: {row['first_of_a_batch_seconds']:.1f} s; afterwards: {row['cached_seconds']:.1f} s"
        )
    return "\n".join(lines)
