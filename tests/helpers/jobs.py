"""Jobs that a spawned worker can import, for test_jobs.py."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ermas_algos.experiments.jobs import Products


@dataclass(frozen=True)
class Square:
    """Squares a number; leaves a line in a file each time it runs."""

    number: int
    journal: str
    fails: bool = False
    dies_before: str | None = None
    """Kills its process as long as this file does not exist."""
    leaves: bool = False
    """Makes that file before it dies."""

    @property
    def key(self) -> str:
        return f"square-{self.number}"

    def configuration(self) -> dict[str, Any]:
        return {"number": self.number}

    def run(self) -> dict[str, list[dict[str, Any]]]:
        with open(self.journal, "a") as file:
            file.write(f"{self.number}\n")
        if self.fails:
            raise ZeroDivisionError(f"no square for {self.number}")
        if self.dies_before is not None and not Path(self.dies_before).exists():
            if self.leaves:
                Path(self.dies_before).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"squares": [{"number": self.number, "square": self.number**2}]}


@dataclass(frozen=True)
class Sleeper:
    """Leaves the number of its process in a file, then sleeps for a quarter of an hour: longer than `ENDS_WITHIN`."""

    file: str
    key: str = "sleeper"

    def configuration(self) -> dict[str, Any]:
        return {}

    def run(self) -> dict[str, list[dict[str, Any]]]:
        path = Path(self.file)
        path.with_suffix(".part").write_text(str(os.getpid()))
        path.with_suffix(".part").rename(path)
        time.sleep(900)
        return {}


@dataclass(frozen=True)
class Writer:
    """Leaves a file beside its table; takes a moment."""

    number: int
    journal: str
    size: int = 5

    @property
    def key(self) -> str:
        return f"writer-{self.number}"

    def configuration(self) -> dict[str, Any]:
        return {"number": self.number}

    def run(self) -> Products:
        with open(self.journal, "a") as file:
            file.write(f"{self.number}\n")
        time.sleep(0.3)
        return Products({"numbers": [{"number": self.number}]}, {"content.bin": bytes([self.number] * self.size)})


class TwoWordsError(Exception):
    """Cannot be unpickled: it is made from two arguments and keeps one."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} {other}")


@dataclass(frozen=True)
class Faulty:
    """Ends in a way that does not reach the other process as it is."""

    key: str
    """"exception", "exit" or "row"."""

    def configuration(self) -> dict[str, Any]:
        return {}

    def run(self) -> dict[str, list[dict[str, Any]]]:
        if self.key == "exception":
            raise TwoWordsError("no", "luck")
        if self.key == "exit":
            raise SystemExit("early")
        return {"table": [{"column": {1, 2}}]}
