"""The original simulator beside ours: one process of it per core, stepped in rounds."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

INSTALL = (
    "pip install --no-deps ai-economist==1.7.1 && pip install numpy scipy lz4 pycryptodome GPUtil\n"
    "(in an environment of its own; then --against-original PATH/TO/bin/python)"
)


class Original:
    """Processes that step the original.

    Args:
        python: interpreter of an environment in which ai-economist is installed.
        configuration: economy or one_step; see `original_worker`.
        processes: how many; each steps one environment.

    Raises:
        ValueError: it cannot be started there; the message says how to install it.
    """

    def __init__(self, python: str, configuration: str, processes: int) -> None:
        command = [python, "-B", str(Path(__file__).with_name("original_worker.py")), configuration]
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self._workers: list[subprocess.Popen[str]] = []
        try:
            for _ in range(processes):
                pipe = subprocess.PIPE
                worker = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=one_thread)
                self._workers.append(worker)
            self.numpy = ""
            for worker in self._workers:
                self.numpy = self._line(worker)["numpy"]
        except (OSError, ValueError) as error:
            self.close()
            raise ValueError(f"ai-economist does not run in {python}: {error}\nTo install it:\n{INSTALL}") from None

    def steps_per_second(self, seconds: float) -> float:
        """Steps of all processes together per second, in a round."""
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.write(f"{seconds}\n")
            worker.stdin.flush()
        rounds = [self._line(worker) for worker in self._workers]
        return float(sum(found["steps"] / found["seconds"] for found in rounds))

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.kill()
            worker.communicate()

    def _line(self, worker: "subprocess.Popen[str]") -> dict[str, Any]:
        assert worker.stdout is not None
        line = worker.stdout.readline()
        if not line:
            errors = worker.communicate()[1].strip().splitlines()
            raise ValueError(errors[-1] if errors else "it ended without a word.")
        found: dict[str, Any] = json.loads(line)
        return found
