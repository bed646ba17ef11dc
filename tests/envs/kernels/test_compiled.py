"""Where compiled kernels are kept: a directory that can be written, named after the sources of all kernels."""

import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest
from helpers.played_games import PLAY_GAME

import ermas_envs
from ermas_envs.kernels import compiled, kernel_files


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


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A temporary folder of one's own, and a home that cannot be made: rights do not bind root."""
    (tmp_path / "file").write_text("no directory")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setattr(kernel_files.tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def mode_of(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def test_without_a_home_all_processes_of_a_user_share_a_temporary_folder(directory: Any, temporary: Path) -> None:
    found = Path(directory())
    assert found.parent == temporary / f"ermas_envs-{os.geteuid()}"
    assert mode_of(found) == mode_of(found.parent) == 0o700
    assert Path(directory()) == found


def test_nobody_else_can_write_what_a_process_executes(
    directory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    before = os.umask(0)
    try:
        found = Path(directory())
    finally:
        os.umask(before)
    assert mode_of(found) == mode_of(found.parent) == 0o700


@pytest.mark.parametrize("which", ["the folder", "the one around it"])
@pytest.mark.parametrize("how", ["others can write there", "another user's", "another user's link"])
def test_a_folder_that_somebody_else_could_write_is_not_used(
    how: str, which: str, directory: Any, temporary: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    found = Path(directory())
    folder = found if which == "the folder" else found.parent
    if how == "others can write there":
        folder.chmod(0o777)
    else:
        true_stat = Path.stat

        def stat_as_if(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
            fields = list(true_stat(path, follow_symlinks=follow_symlinks))
            fields[stat.ST_UID] += path == folder and not (follow_symlinks and how == "another user's link")
            return os.stat_result(fields)

        monkeypatch.setattr(Path, "stat", stat_as_if)
    reason = f"{folder}: is another user's, or others can write there; compiled kernels are kept in the temporary"
    with pytest.warns(UserWarning, match=re.escape(reason)):
        assert Path(directory()).parent.parent == temporary


def test_a_link_of_one_s_own_may_lead_elsewhere(
    directory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / "large disk").mkdir(0o700)
    (tmp_path / "ermas_envs").symlink_to(tmp_path / "large disk")
    assert Path(directory()).parent == tmp_path / "ermas_envs"


def test_a_temporary_folder_that_somebody_else_has_made_is_not_used(directory: Any, temporary: Path) -> None:
    (temporary / f"ermas_envs-{os.geteuid()}").mkdir()
    (temporary / f"ermas_envs-{os.geteuid()}").chmod(0o777)
    first, second = Path(directory()), Path(directory())
    assert first.parent == second.parent == temporary
    assert first != second
    assert mode_of(first) == 0o700


def test_a_relative_place_stays_where_it_was(directory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "kernels")
    assert Path(directory()).parent == tmp_path / "kernels" / "ermas_envs"


def test_processes_that_compile_for_different_types_at_once_keep_their_code_apart(tmp_path: Path) -> None:
    """The second begins while the first has not written yet: with numbered files both took number 1."""

    def total(numbers: Any) -> float:
        return float(numbers.sum())

    first, second = (kernel_files.KernelCache(total, str(tmp_path))._cache_file for _ in range(2))
    save = first._save_data

    def second_overtakes(name: str, data: Any) -> None:
        second._load_index = dict  # what it read before the first began to write
        second.save("floats", "code for floats")
        save(name, data)

    first._save_data = second_overtakes
    first.save("integers", "code for integers")
    del second._load_index
    assert second.load("floats") in ("code for floats", None)
    assert second.load("integers") in ("code for integers", None)


def test_installations_in_several_places_share_what_is_compiled(tmp_path: Path) -> None:
    """Numba names a cache after where a function's file lies: every virtual environment compiled again."""
    source = "def double(number):\n    return 2 * number\n"
    hits = []
    for place, text in (("one", source), ("other", source), ("changed", source.replace("2", "3"))):
        file = tmp_path / place / "doubling.py"
        file.parent.mkdir()
        file.write_text(text)
        found = importlib.util.spec_from_file_location("doubling", file)
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        kernel = numba.njit(module.double)
        kernel._cache = kernel_files.KernelCache(module.double, str(tmp_path / "kernels"))
        assert kernel(4) == (12 if place == "changed" else 8)
        hits.append(sum(kernel.stats.cache_hits.values()))
    assert hits == [0, 1, 0]


KEPT = """
import math
from ermas_envs.kernels.compiled import compiled


@compiled
def draw(values, out, generator):
    out[0] = math.erf(values[0]) + math.gamma(values[1]) ** values[0] + math.hypot(values[0], values[1]) % 1.3
    out[1] = generator.normal() + generator.random()
    out[2] = round(values[1], 1)
"""
LOAD = """
import sys
import numpy as np
from drawing import draw

out = np.zeros(3)
draw(np.array([1.25, 2.5]), out, np.random.default_rng(0))
print(out.tolist())
loaded = "numba.np.arraymath" in sys.modules
draw(np.array([1.25, 2.5], np.float32), out, np.random.default_rng(1))  # other types: it is compiled
print(out.tolist())
print("hits", sum(draw.stats.cache_hits.values()), "compiler loaded", loaded, file=sys.stderr)
"""


def test_what_is_kept_is_played_without_what_only_the_compiler_needs(tmp_path: Path) -> None:
    """Numba's registries of types: .4 s in every process. Types that are not kept yet are compiled as before."""
    (tmp_path / "drawing.py").write_text(KEPT)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels"), "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = []
    for kept, loaded in ((0, True), (2, False)):
        finished = subprocess.run(
            [sys.executable, "-c", LOAD],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=True,
        )
        assert finished.stderr.endswith(f"hits {kept} compiler loaded {loaded}\n")
        runs.append(finished.stdout)
    assert runs[0] == runs[1]


def key_of(sources: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> str:
    """The name of the directory that a package with these sources uses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    spec = importlib.util.spec_from_file_location("compiled_copy", sources / "kernels/compiled.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Path(module.cache_directory()).name


def test_its_name_follows_the_sources_of_kernels_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sources, cache = tmp_path / "ermas_envs", tmp_path / "cache"
    shutil.copytree(Path(ermas_envs.__file__).parent, sources, ignore=shutil.ignore_patterns("__pycache__"))
    before = key_of(sources, monkeypatch, cache)
    with (sources / "games/economy/scripted.py").open("a", encoding="utf-8") as file:  # no kernels there
        file.write("\n# a remark\n")
    assert key_of(sources, monkeypatch, cache) == before
    kernels = sources / "games/economy/trade.py"
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


PLAY = f"""{PLAY_GAME}
from ermas_envs import augmented_bimatrix_v0, bimatrix_v0, economy_v0, one_step_economy_v0
from ermas_envs.games.taxation.tax_planners import Saez

digest = hashlib.sha256()
same = dict(observations="compact", layout=dict(checker_source_blocks=True), fixed_four_skill_and_loc=False)
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
    files = sorted((Path(__file__).parents[1] / "replay/trajectories").glob("*.gz"))
    assert len(files) == 7
    finished = run_without_compiler("-m", "ermas_envs.replay", *map(str, files))
    assert finished.returncode == 0, finished.stdout + finished.stderr
