"""Where jobs run: in processes of this machine, or as tasks of a Ray cluster. One torch thread per worker."""

import concurrent.futures
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import torch

Results = Generator[tuple[str, Any], None, None]
"""Key of each job as it ends, with what its work returned, or the `Exception` that it raised."""

_RAY_RETRIES = 5
"""How often a task whose worker was killed runs again."""


def run_in_processes(jobs: Mapping[str, Any], work: Callable[[Any], Any], workers: int) -> Results:
    """Run jobs in `workers` processes; they end with this process, and at once when the iterator is closed.

    Raises:
        RuntimeError: a worker was killed.
    """
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with concurrent.futures.ProcessPoolExecutor(workers, context, _start_process) as pool:
        running = {pool.submit(work, job): key for key, job in jobs.items()}
        try:
            for future in concurrent.futures.as_completed(running):
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    raise RuntimeError(f"a worker was killed, perhaps at {running[future]}; repeat the command.")
                yield running[future], error or future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise


def run_on_ray(jobs: Mapping[str, Any], work: Callable[[Any], Any], workers: int, address: str) -> Results:
    """Run jobs as Ray tasks of one CPU each; a task whose worker is killed runs again, a few times.

    Args:
        jobs: by key.
        work: what is done with a job.
        workers: CPUs of a Ray that is started here.
        address: "local" starts a Ray on this machine; anything else is an address for `ray.init`.

    Raises:
        ValueError: Ray is not installed.
        ConnectionError: no cluster answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # an optional extra
    except ImportError:
        raise ValueError("running on Ray needs it installed: pip install 'ermas-algos[ray]'.") from None
    ours = not ray.is_initialized()
    if ours:
        own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address == "local" else {}
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    try:
        task = ray.remote(num_cpus=1, max_retries=_RAY_RETRIES)(_on_ray)
        running = {task.remote(work, job): key for key, job in jobs.items()}
        while running:
            (ended,), _ = ray.wait(list(running), num_returns=1)
            yield running.pop(ended), _result(ray, ended)
    finally:
        if ours:
            ray.shutdown()


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        return error.cause
    except ray.exceptions.RayError as error:
        return RuntimeError(f"{type(error).__name__}: its worker was killed {_RAY_RETRIES + 1} times")


def _on_ray(work: Callable[[Any], Any], job: Any) -> Any:
    _prepare_torch()
    return work(job)


def _start_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    _prepare_torch()


def _prepare_torch() -> None:
    torch.set_num_threads(1)
    # A fifth of the time of small updates goes into checks of arguments that are right.
    torch.distributions.Distribution.set_default_validate_args(False)


def _end_with_parent(parent: int) -> None:
    """Without it, the workers of a killed command would wait for jobs for ever."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
