"""Processes as tests see them: whether one runs, and waiting for something to come true."""

import time
from collections.abc import Callable
from pathlib import Path

ENDS_WITHIN = 200.0
"""Seconds in which what was stopped is gone, on a busy machine, too; moments on a quiet one."""


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def descendants(process: int) -> list[int]:
    """Its children, theirs, and so on; of those that end meanwhile, some."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [found for child in map(int, children) for found in (child, *descendants(child))]


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    """The default is for what only takes its time, longer on a busy machine, such as starting a process."""
    stop = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < stop, "waited in vain"
        time.sleep(0.02)
