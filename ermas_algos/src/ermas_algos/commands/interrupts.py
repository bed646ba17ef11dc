"""Ctrl-C in the process of a command: it ends in order, and says so once, however often the keys are pressed."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ermas_algos.commands.exit_status import INTERRUPTED

PATIENCE = 5.0
"""Seconds for an orderly end; Ctrl-C after them ends the process as it is, without a word."""


@contextmanager
def one_interrupt() -> Iterator[None]:
    """The first Ctrl-C in the block raises KeyboardInterrupt; from then on, and after the block, the process is ending.

    While it ends, another Ctrl-C would break off whatever tidies up, with a traceback: it does nothing. A process that
    ignores Ctrl-C, as a shell's background job does, goes on doing so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is _interrupt:
            _be_patient()


def _interrupt(number: int, frame: Any) -> None:
    _be_patient()
    raise KeyboardInterrupt


def _be_patient() -> None:
    enough = time.monotonic() + PATIENCE

    def interrupt_again(number: int, frame: Any) -> None:
        if time.monotonic() >= enough:
            os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, interrupt_again)
