"""Where compiled kernels are kept: a directory that can be written, named after the sources of all kernels."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ermas_envs
from ermas_envs.economy import compiled


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`cache_directory`, without what it remembers, and without the variables that name a place."""
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return compiled.cache_directory.__wrapped__


def test_it_lies_in_the_user_s_cache(directory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = Path(directory())
    assert found.is_dir()
    assert found.parent == tmp_path / ".cache" / "ermas_envs"


@pytest.mark.parametrize("variable", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME"])
def test_a_variable_moves_it(directory: Any, variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(variable, str(tmp_path))
    assert Path(directory()).parent == tmp_path / "ermas_envs"


def test_a_home_that_cannot_be_written_is_replaced(
    directory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file in the way, as rights do not bind root."""
    (tmp_path / "home").write_text("no directory")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(compiled.tempfile, "mkdtemp", lambda prefix: str(tmp_path / f"{prefix}elsewhere"))
    assert directory() == str(tmp_path / "ermas_envs-elsewhere")


def key_of(sources: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> str:
    """The name of the directory that a package with these sources uses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    spec = importlib.util.spec_from_file_location("compiled_copy", sources / "economy" / "compiled.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Path(module.cache_directory()).name


def test_its_name_follows_the_sources_of_kernels_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sources, cache = tmp_path / "ermas_envs", tmp_path / "cache"
    shutil.copytree(Path(ermas_envs.__file__).parent, sources, ignore=shutil.ignore_patterns("__pycache__"))
    before = key_of(sources, monkeypatch, cache)
    with (sources / "economy" / "scripted.py").open("a", encoding="utf-8") as file:  # no kernels there
        file.write("\n# a remark\n")
    assert key_of(sources, monkeypatch, cache) == before
    kernels = sources / "economy" / "trade.py"
    trade = kernels.read_text(encoding="utf-8")
    kernels.write_text(trade.replace("HISTORY_DECAY = 0.995", "HISTORY_DECAY = 0.9"), encoding="utf-8")
    assert key_of(sources, monkeypatch, cache) != before
    kernels.write_text(trade, encoding="utf-8")
    assert key_of(sources, monkeypatch, cache) == before


def test_an_internal_kernel_is_for_kernels_only() -> None:
    """Without a way in from Python a call would end the process."""

    @compiled.internal
    def twice(number: int) -> int:
        return 2 * number

    @compiled.compiled
    def four_times(number: int) -> int:
        return twice(twice(number))

    assert four_times(3) == 12
    for _ in range(2):  # compiled for this type by now, too
        with pytest.raises(TypeError, match="twice is internal: only kernels can call it"):
            twice(3)


def test_code_with_bounds_checks_is_kept_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Numba's own cache would give the code without checks to a process that wants them."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    usual = compiled.cache_directory.__wrapped__()
    monkeypatch.setattr(compiled.numba.config, "BOUNDSCHECK", 1)
    assert compiled.cache_directory.__wrapped__() != usual


PLAY = """
import hashlib
import numpy as np
from ermas_envs import augmented_bimatrix_v0, bimatrix_v0, economy_v0, one_step_economy_v0
from ermas_envs.economy.tax_planners import Saez
from ermas_envs.spaces import split_mask

def play(env, digest):
    generator, seen = np.random.default_rng(0), env.reset(seed=1)
    for _ in range(12):
        actions = {}
        for role, space in env.action_spaces.items():
            parts = split_mask(space, seen.action_masks[role])
            chosen = np.stack([(generator.random(part.shape) * part).argmax(axis=1) for part in parts], axis=1)
            actions[role] = chosen if space.shape else chosen[:, 0]
        seen = env.step(actions)
        for array in (*seen.observations.values(), *seen.rewards.values(), *seen.action_masks.values()):
            digest.update(np.ascontiguousarray(array).tobytes())

digest = hashlib.sha256()
same = {"observations": "compact", "layout": {"checker_source_blocks": True}, "fixed_four_skill_and_loc": False}
play(economy_v0.batched_env(2, horizon=9, planner=Saez(), isoelastic_eta=1.0, **same), digest)
play(one_step_economy_v0.batched_env(2, num_agents=3, observations="compact"), digest)
play(bimatrix_v0.batched_env(2, horizon=5), digest)
play(augmented_bimatrix_v0.batched_env(2, horizon=5), digest)
print(digest.hexdigest())
"""


def run_without_compiler(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """A Python process in which kernels stay Python functions."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=500, check=False
    )


def test_games_are_the_same_without_the_compiler() -> None:
    """NUMBA_DISABLE_JIT=1, the way to debug kernels and to measure their coverage."""
    compiled_run = subprocess.run([sys.executable, "-c", PLAY], capture_output=True, text=True, timeout=500, check=True)
    plain_run = run_without_compiler("-c", PLAY)
    assert plain_run.stderr == ""
    assert plain_run.stdout == compiled_run.stdout


def test_recordings_replay_without_the_compiler() -> None:
    files = sorted((Path(__file__).parent / "trajectories").glob("*.gz"))
    assert len(files) == 7
    finished = run_without_compiler("-m", "ermas_envs.economy.replay", *map(str, files))
    assert finished.returncode == 0, finished.stdout + finished.stderr
