"""Jobs on Ray: killed too often, ends that cannot be sent, a Ray of the user's, Ctrl-C. More in test_backends.py."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from helpers.jobs import Faulty, Sleeper, Square, Writer
from helpers.processes import ENDS_WITHIN, is_running, wait_until
from helpers.ray_processes import ray_leaves_nothing

from ermas_algos.experiments import backends
from ermas_algos.experiments.backends import RayCluster
from ermas_algos.experiments.jobs import run_jobs


@pytest.fixture(scope="module", autouse=True)
def jobs_importable(home_of_ray: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=":")
        yield


@pytest.fixture(scope="module")
def users_ray(jobs_importable: None) -> Iterator[None]:
    """A Ray that runs already; `run_jobs` leaves it running."""
    with ray_leaves_nothing():
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        assert ray.is_initialized()
        ray.shutdown()


def test_failures_stop_no_other(users_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that kills its worker at every attempt, and ends that do not reach the driver as they are."""
    monkeypatch.setattr(backends, "_RAY_RETRIES", 1)
    journal = tmp_path / "journal"
    deadly = Square(0, str(tmp_path / "deaths"), dies_before=str(tmp_path / "never"))
    jobs = [deadly, Faulty("exception"), Faulty("exit"), Faulty("row"), Square(3, str(journal))]
    outcome = run_jobs(jobs, tmp_path / "jobs", RayCluster("local", 2))
    assert outcome.failed == {
        "square-0": "WorkerCrashedError: its worker was killed 2 times",
        "exception": "TwoWordsError: no luck",
        "exit": "SystemExit: early",
        "row": "TypeError: Object of type set is not JSON serializable",
    }
    assert [done.key for done in outcome.finished] == ["square-3"]
    assert (tmp_path / "deaths").read_text() == "0\n0\n"


def test_an_interrupted_command_ends_its_jobs_on_the_users_ray(users_ray: None, tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt(done: int, total: int) -> None:
        if done:
            wait_until(pid.exists)
            raise KeyboardInterrupt

    jobs: list[Any] = [Sleeper(str(pid)), Writer(1, str(tmp_path / "journal"))]
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, tmp_path / "jobs", RayCluster("local", 2), interrupt)
    wait_until(lambda: not is_running(int(pid.read_text())), ENDS_WITHIN)
    assert sorted(path.name for path in (tmp_path / "jobs").iterdir()) == ["writer-1.content.bin", "writer-1.json"]


def test_ctrl_c_ends_the_ray_that_was_started(tmp_path: Path) -> None:
    pid, folder = tmp_path / "pid", tmp_path / "jobs"
    (tmp_path / "command.py").write_text(
        "from pathlib import Path\nfrom helpers.jobs import Sleeper\n"
        "from ermas_algos.experiments.jobs import run_jobs\n"
        "from ermas_algos.experiments.backends import RayCluster\n"
        f"run_jobs([Sleeper({str(pid)!r})], Path({str(folder)!r}), RayCluster('local', 1))\n"
    )
    command = subprocess.Popen([sys.executable, str(tmp_path / "command.py")], stderr=subprocess.PIPE, text=True)
    wait_until(pid.exists)
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=ENDS_WITHIN)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    wait_until(lambda: not is_running(int(pid.read_text())), ENDS_WITHIN)
    assert list(folder.iterdir()) == []
