"""Processes as tests see them: whether one runs, waiting for something to come true, what Ray leaves."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ray  # noqa: F401 - extends sys.path for good; the same in every test that may use it

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


@contextmanager
def ray_leaves_nothing() -> Iterator[None]:
    """Puts back environment variables and handlers of signals, which Ray sets and leaves so when it ends."""
    variables = dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        os.environ.update(variables)
        for number, handler in handlers.items():
            signal.signal(number, handler)
