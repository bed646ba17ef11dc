"""Ctrl-C in the process of a command: it ends in order, and says so once, however often the keys are pressed."""

import atexit
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ermas_algos.commands.exit_status import INTERRUPTED

ONE_PRESS = 1.0
"""Seconds in which further signals are the same Ctrl-C: pressed twice, or passed on by a program around this one."""
PATIENCE = 5.0
"""Seconds that Python may take to end after the command has; Ctrl-C after them ends the process as it is."""


@contextmanager
def one_interrupt() -> Iterator[None]:
    """Ctrl-C in the block raises KeyboardInterrupt, once; after the block, the process is ending, and it does nothing.

    Otherwise a second one would break off whatever tidies up, with a traceback. A process that ignores Ctrl-C, as a
    shell's background job does, goes on doing so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    heard = -ONE_PRESS

    def interrupt(number: int, frame: Any) -> None:
        nonlocal heard
        if time.monotonic() >= heard + ONE_PRESS:  # again, if some library has swallowed the first
            heard = time.monotonic()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        _end_in_peace()


def _end_in_peace() -> None:
    enough = time.monotonic() + PATIENCE

    def interrupt(number: int, frame: Any) -> None:
        if time.monotonic() >= enough:
            os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, interrupt)
    # At its very end Python gives up handlers, and Ctrl-C would kill the process; what is ignored stays so.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
