"""Copies of a kernel are found by name; long compilations say so."""

import functools
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core.caching import NullCache

from ermas_envs import one_step_economy_v0
from ermas_envs.games.one_step.step import step_replicas
from ermas_envs.kernels import dispatchers
from ermas_envs.kernels.compiled import compiled
from ermas_envs.kernels.kernel_files import KernelCache
from ermas_envs.kernels.random_draws import uniform

pytestmark = pytest.mark.skipif(not isinstance(uniform, dispatchers.Kernel), reason="NUMBA_DISABLE_JIT is set")

LOAD = """
import pickle, sys
from ermas_envs.games.one_step.step import step_replicas
loaded = pickle.loads(bytes.fromhex(sys.argv[1]))
assert loaded is step_replicas, loaded
assert type(loaded._cache).__name__ == "KernelCache", loaded._cache
"""


def calling(function: Any) -> Any:
    def outer(streams: Any, replica: int) -> float:
        return 2.0 * function(streams, replica)  # type: ignore[no-any-return]

    kernel: Any = compiled(outer)
    kernel._cache = NullCache()
    return kernel


def test_another_process_finds_a_pickled_kernel_by_name() -> None:
    pickled = pickle.dumps(step_replicas)
    assert pickle.loads(pickled) is step_replicas
    subprocess.run([sys.executable, "-c", LOAD, pickled.hex()], check=True)


def test_an_engine_can_be_copied_after_its_kernels_were_called() -> None:
    env = one_step_economy_v0.batched_env(2)
    env.reset(seed=0)
    actions = {role: np.stack([space.sample()] * 2) for role, space in env.action_spaces.items()}
    copy = pickle.loads(pickle.dumps(env))
    first, second = env.step(actions), copy.step(actions)
    assert all(np.array_equal(first.rewards[role], second.rewards[role]) for role in env.possible_agents)


def test_compilations_that_take_long_say_so_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dispatchers, "PATIENCE", 0.001)
    monkeypatch.setattr(dispatchers, "announce", functools.cache(dispatchers.announce.__wrapped__))
    for _ in range(2):
        calling(uniform)(np.array([[1, 2]], np.uint64), 0)
    assert capfd.readouterr().err.count(dispatchers.NOTICE) == 1


def test_a_kernel_that_is_read_from_a_file_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Also where that takes long: on a busy machine a hundred kernels may take seconds."""

    def doubled(value: float) -> float:
        return 2.0 * value

    made: list[Any] = [compiled(doubled) for _ in range(2)]
    for kernel in made:
        kernel._cache = KernelCache(doubled, str(tmp_path))
    made[0](1.0)
    reads = made[1]._cache.load_overload
    monkeypatch.setattr(made[1]._cache, "load_overload", lambda *which: (time.sleep(0.1), reads(*which))[1])
    monkeypatch.setattr(dispatchers, "PATIENCE", 0.01)
    monkeypatch.setattr(dispatchers, "announce", functools.cache(dispatchers.announce.__wrapped__))
    capfd.readouterr()
    assert made[1](1.0) == 2.0
    assert made[1].stats.cache_hits.total() == 1
    assert not capfd.readouterr().err


def test_a_short_one_says_nothing(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatchers, "PATIENCE", 60.0)
    calling(uniform)(np.array([[1, 2]], np.uint64), 0)
    assert not capfd.readouterr().err
