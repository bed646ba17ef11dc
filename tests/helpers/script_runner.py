"""Runs Python scripts, each in a process of its own that has the libraries imported already: they take seconds."""

import os
import runpy
import signal
import subprocess
import sys
import traceback
from pathlib import Path

LIBRARIES = (
    "matplotlib.pyplot",
    "numba",
    "pettingzoo",
    "sb3_contrib",
    "scipy.optimize",
    "stable_baselines3",
    "supersuit",
)
"""Third parties' only: whether a script imports what it uses of ours is to show."""


class ScriptRunner:
    """Forks a process without threads for each script."""

    def __init__(self) -> None:
        self._process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, script: Path) -> tuple[int, str]:
        """Exit status, and what the script wrote; it runs in its folder, with no input."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{script}\n")
        self._process.stdin.flush()
        try:
            status = int(self._process.stdout.readline())
        except BaseException:  # such as a test's timeout: the next script must not get this one's answer
            self.close()
            self._process = self._started()
            raise
        return status, script.with_suffix(".output").read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """Ends the process, also one whose script has not ended."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def serve() -> None:
    """Read paths of scripts, a line each; write exit statuses."""
    for name in LIBRARIES:
        __import__(name)
    answers = os.fdopen(os.dup(1), "w")
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if not child:
            os._exit(status_of(Path(line.rstrip("\n"))))
        _, ended = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(ended), file=answers, flush=True)


def status_of(script: Path) -> int:
    """Run a script as `python script` does in its folder."""
    os.chdir(script.parent)
    for number, path, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, script.with_suffix(".output"), os.O_CREAT | os.O_WRONLY),
    ):
        opened = os.open(path, mode, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.dup2(1, 2)
    sys.argv, sys.path[0], status = [script.name], str(script.parent), 0
    try:
        runpy.run_path(script.name, run_name="__main__")
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    serve()
