"""Shares the replicas of a batch among threads: kernels hold no interpreter lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba

from ermas_envs.base.arguments import check_integer

REPLICAS_PER_THREAD = 16
"""Replicas below which a further thread costs more than it saves."""
_APART = 16
"""Rows between two threads' work space: rows of one cache line would be fought for."""


class ReplicaThreads:
    """Threads that work on parts of a batch.

    Args:
        num_envs: replicas of the batch.
        num_threads: None takes what Numba would: as many as this process has cores, or NUMBA_NUM_THREADS. Never more
            than pays for so many replicas.
    """

    def __init__(self, num_envs: int, num_threads: int | None = None) -> None:
        allowed: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
        wanted = allowed if num_threads is None else check_integer("num_threads", num_threads, 1)
        self.count = max(1, min(wanted, num_envs // REPLICAS_PER_THREAD))
        self.slots = (self.count - 1) * _APART + 1
        """Rows that work space needs."""
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def share(self, run: Callable[[int, int, int], None], number: int) -> None:
        """Call `run(slot, first, last)` for parts that cover 0 … number − 1; slot is the thread's row of work
        space."""
        if self.count == 1 or number < self.count * REPLICAS_PER_THREAD:
            run(0, 0, number)
            return
        if self._pool is None or self._pool[0] != os.getpid():  # threads do not survive a fork
            self._pool = os.getpid(), ThreadPoolExecutor(self.count - 1)
        bounds = [number * part // self.count for part in range(self.count + 1)]
        others = [
            self._pool[1].submit(run, part * _APART, bounds[part], bounds[part + 1]) for part in range(1, self.count)
        ]
        run(0, bounds[0], bounds[1])
        for other in others:
            other.result()
