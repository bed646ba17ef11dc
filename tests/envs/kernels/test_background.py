"""One environment plays in Python, to the same bits, while another process compiles its rules."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.played_games import PLAY_GAME
from helpers.processes import ENDS_WITHIN, is_running, wait_until

from ermas_envs.kernels import background
from ermas_envs.kernels.dispatchers import Kernel, in_python
from ermas_envs.kernels.random_draws import normal, permutation, uniform

pytestmark = pytest.mark.skipif(not isinstance(uniform, Kernel), reason="NUMBA_DISABLE_JIT is set")

PLAY = f"""{PLAY_GAME}
import sys
from ermas_envs import economy_v0, one_step_economy_v0
from ermas_envs.games.economy import metrics, step
from ermas_envs.games.one_step import step as one_step
from ermas_envs.planners import Saez

digest = hashlib.sha256()
play(economy_v0.batched_env(1, horizon=9, planner=Saez(), isoelastic_eta=1.0), digest)
maps = dict(layout=dict(checker_source_blocks=True), fixed_four_skill_and_loc=False)
play(economy_v0.batched_env(1, horizon=9, observations="compact", **maps), digest)
play(one_step_economy_v0.batched_env(1, num_agents=3), digest)
print(digest.hexdigest())
kernels = (step.run, step.run_compactly, step.reset_replicas, one_step.step_replicas, one_step.reset_replicas)
print(sum(len(kernel.overloads) for kernel in (*kernels, metrics._welfare)), file=sys.stderr)
"""

DOUBLING = """
from ermas_envs.kernels.compiled import Entry, compiled, internal

@internal
def twice(value):
    return 2.0 * value

@compiled
def double(values, out):
    for index in range(len(values)):
        out[index] = twice(values[index])
"""
SWITCH = """
import numpy as np
from ermas_envs.kernels import background
values, out = np.array([1.0, 3.0]), np.zeros(2)
entry = Entry(double, waits=False)
code = entry.code((), (values, out))
assert not double.overloads
code(values, out)
assert out.tolist() == [2.0, 6.0]
background.wait()
out[:] = 0.0
code = entry.code((), (values, out))
assert len(double.overloads) == 1
code(values, out)
assert out.tolist() == [2.0, 6.0]
print(double.stats.cache_hits.total(), double.stats.cache_misses.total())
"""


def run(program: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """A Python process with a folder of kernels, and of modules, of its own."""
    modules = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "kernels"), "PYTHONPATH": modules, **variables}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=400, check=True
    )


def test_an_environment_plays_at_once_what_is_not_compiled(tmp_path: Path) -> None:
    at_once = run(PLAY, tmp_path)
    notice, compiled = at_once.stderr.splitlines()
    assert notice == background.NOTICE
    assert int(compiled) == 0
    kept = subprocess.run([sys.executable, "-c", PLAY], capture_output=True, text=True, timeout=400, check=True)
    assert at_once.stdout == kept.stdout


def test_what_another_process_has_compiled_is_taken_from_then_on(tmp_path: Path) -> None:
    (tmp_path / "doubling.py").write_text(DOUBLING)
    assert run("from doubling import Entry, double\n" + SWITCH, tmp_path).stdout.split() == ["1", "0"]
    again = run(SWITCH.replace("assert not double", "assert double").join(["from doubling import *\n", ""]), tmp_path)
    assert again.stdout.split() == ["1", "0"]
    assert not again.stderr


def test_what_another_process_cannot_compile_is_compiled_here(tmp_path: Path) -> None:
    """A kernel of the main module, which only this process has."""
    (tmp_path / "main.py").write_text(DOUBLING + SWITCH)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    command = [sys.executable, str(tmp_path / "main.py")]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=True)
    assert finished.stdout.split() == ["0", "1"]


@pytest.mark.parametrize("interpreter", ["/bin/false", "no-python", ""])
def test_where_no_other_process_can_be_had_this_one_compiles(tmp_path: Path, interpreter: str) -> None:
    (tmp_path / "doubling.py").write_text(DOUBLING)
    program = SWITCH.replace("assert not double.overloads", "")  # it may end before that, or after it
    finished = run(
        f"import sys\nfrom doubling import Entry, double\nsys.executable = {interpreter!r}\n{program}", tmp_path
    )
    assert finished.stdout.split() == ["0", "1"]


@pytest.mark.parametrize("variables", [{"NUMBA_BOUNDSCHECK": "1"}, {}], ids=["bounds", "batch"])
def test_who_asks_for_checks_or_for_a_batch_waits(tmp_path: Path, variables: dict[str, str]) -> None:
    (tmp_path / "doubling.py").write_text(DOUBLING)
    program = "from doubling import Entry, double\n" + SWITCH.replace("assert not double", "assert double")
    if not variables:
        program = program.replace("waits=False", "waits=True")
    finished = run(program, tmp_path, **variables)
    assert finished.stdout.split() == ["0", "1"]
    assert background.NOTICE not in finished.stderr


KILLED = """
import os
import signal
from ermas_envs import one_step_economy_v0
from ermas_envs.kernels import background
one_step_economy_v0.batched_env(1).reset(seed=0)
(compilation,) = background._started.values()
print(compilation.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are looked for as on POSIX")
def test_nothing_goes_on_for_a_process_that_was_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED], env=environment, capture_output=True, text=True, check=False
    )
    assert killed.returncode < 0
    wait_until(lambda: not is_running(int(killed.stdout)), ENDS_WITHIN)


def test_kernels_in_python_draw_the_same_numbers() -> None:
    streams = [np.array([[7, 9]], np.uint64) for _ in range(2)]
    order = [np.zeros(9, np.int64) for _ in range(2)]
    permutation(streams[0], 0, order[0])
    in_python(permutation)(streams[1], 0, order[1])
    assert np.array_equal(order[0], order[1])
    assert np.array_equal(streams[0], streams[1])
    assert normal(streams[0], 0) == normal(streams[1], 0)


def test_after_an_error_in_python_kernels_are_compiled_again() -> None:
    with pytest.raises(IndexError):
        in_python(uniform)(np.array([[7, 9]], np.uint64), 3)
    with np.errstate(over="raise"):  # in Python the addition of the generator would raise
        uniform(np.array([[2**64 - 1, 2**64 - 1]], np.uint64), 0)
