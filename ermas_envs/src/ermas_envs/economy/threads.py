"""Shares the replicas of a batch among threads: kernels hold no interpreter lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ermas_envs.arguments import check_integer

REPLICAS_PER_THREAD = 16
"""Replicas below which a further thread costs more than it saves."""


class ReplicaThreads:
    """Threads that work on parts of a batch.

    Args:
        num_envs: replicas of the batch.
        num_threads: None takes as many as this process has cores; never more than pays for so many replicas.
    """

    def __init__(self, num_envs: int, num_threads: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        wanted = cores if num_threads is None else check_integer("num_threads", num_threads, 1)
        self.count = max(1, min(wanted, num_envs // REPLICAS_PER_THREAD))
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def share(self, run: Callable[[int, int, int], None], number: int) -> None:
        """Call `run(slot, first, last)` for parts that cover 0 … number − 1; slot is the thread's number."""
        if self.count == 1 or number < self.count * REPLICAS_PER_THREAD:
            run(0, 0, number)
            return
        if self._pool is None or self._pool[0] != os.getpid():  # threads do not survive a fork
            self._pool = os.getpid(), ThreadPoolExecutor(self.count - 1)
        bounds = [number * slot // self.count for slot in range(self.count + 1)]
        others = [self._pool[1].submit(run, slot, bounds[slot], bounds[slot + 1]) for slot in range(1, self.count)]
        run(0, bounds[0], bounds[1])
        for other in others:
            other.result()
