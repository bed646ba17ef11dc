"""Files of jobs, Ctrl-C, and Ray: a local cluster of several processes, a worker killed mid-run, results alike."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.jobs import Square, Writer
from helpers.processes import ENDS_WITHIN, wait_until
from helpers.ray_processes import ray_leaves_nothing

from ermas_algos.experiments.backends import Processes, RayCluster
from ermas_algos.experiments.jobs import read_file, run_jobs


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=":")
    return str(tmp_path / "journal")


def contents(folder: Path) -> dict[str, Any]:
    """Every file's content, without what differs from run to run."""
    found: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        content: Any = path.read_bytes()
        if path.suffix == ".json":
            content = {k: v for k, v in json.loads(content).items() if k not in ("seconds", "provenance")}
        found[path.name] = content
    return found


# Files


def test_a_jobs_files_lie_beside_its_result(journal: str, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    (finished,) = run_jobs([Writer(3, journal)], folder, Processes(1)).finished
    assert read_file(folder, finished, "content.bin") == bytes([3] * 5)
    assert (folder / "writer-3.content.bin").read_bytes() == bytes([3] * 5)
    (again,) = run_jobs([Writer(3, journal)], folder, Processes(1)).finished
    assert again == finished
    assert Path(journal).read_text() == "3\n"


@pytest.mark.parametrize("content", [None, b"other"])
def test_a_missing_or_changed_file_is_named(content: bytes | None, journal: str, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    run_jobs([Writer(3, journal)], folder, Processes(1))
    (folder / "writer-3.content.bin").unlink()
    if content is not None:
        (folder / "writer-3.content.bin").write_bytes(content)
    with pytest.raises(ValueError, match=r"writer-3.content.bin: damaged; remove .*writer-3.json to run the job again"):
        run_jobs([Writer(3, journal)], folder, Processes(1))


# Ctrl-C and kill


def run_eight(journal: str, folder: Path) -> subprocess.Popen[str]:
    """A command with eight jobs."""
    script = folder.with_suffix(".py")
    script.write_text(
        "from pathlib import Path\nfrom helpers.jobs import Writer\n"
        "from ermas_algos.experiments.jobs import run_jobs\n"
        "from ermas_algos.experiments.backends import Processes\n"
        "if __name__ == '__main__':\n"
        f"    run_jobs([Writer(k, {journal!r}) for k in range(8)], Path({str(folder)!r}), Processes(2))\n"
    )
    return subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE, text=True)


def test_an_interrupted_command_repeated_gives_what_an_undisturbed_one_gives(journal: str, tmp_path: Path) -> None:
    jobs, whole = [Writer(k, journal) for k in range(8)], tmp_path / "whole"
    run_jobs(jobs, whole, Processes(2))
    for sent in (signal.SIGINT, signal.SIGKILL):
        folder = tmp_path / sent.name
        process = run_eight(journal, folder)
        wait_until(lambda folder=folder: len(list(folder.glob("*.json"))) >= 2)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=ENDS_WITHIN)
        assert process.returncode != 0
        assert ("KeyboardInterrupt" in errors) == (sent == signal.SIGINT)
        assert 2 <= len(list(folder.glob("*.json"))) < 8
        run_jobs(jobs, folder, Processes(2))
        assert contents(folder) == contents(whole)


# Ray


def test_ray_gives_what_local_processes_give_even_if_a_worker_is_killed(
    journal: str, home_of_ray: None, tmp_path: Path
) -> None:
    """One Ray of two processes: four writers, a job that fails, and one that kills its worker the first time."""
    marker = tmp_path / "alive"
    jobs = [*(Writer(k, journal) for k in range(4)), Square(5, journal, fails=True), Square(6, journal)]
    local = run_jobs(jobs, tmp_path / "local", Processes(2))
    mortal = [*jobs[:-1], Square(6, journal, dies_before=str(marker), leaves=True)]
    seen: list[tuple[int, int]] = []
    with ray_leaves_nothing():
        on_ray = run_jobs(
            mortal, tmp_path / "ray", RayCluster("local", 2), lambda done, total: seen.append((done, total))
        )
    assert marker.exists()
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert on_ray.failed == local.failed == {"square-5": "ZeroDivisionError: no square for 5"}
    assert [done.key for done in on_ray.finished] == [done.key for done in local.finished]
    assert seen == [(k, 6) for k in range(7)]


def test_ray_missing_says_what_to_install(journal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'ermas-algos\[ray\]'"):
        run_jobs([Square(1, journal)], tmp_path / "jobs", RayCluster("local", 1))


def test_ray_is_not_imported_unless_it_is_wanted() -> None:
    code = "import sys, ermas_algos.command_line; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
