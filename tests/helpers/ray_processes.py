"""What Ray leaves behind in a process that has used it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import ray  # noqa: F401 - extends sys.path for good; the same in every test that may use it


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
