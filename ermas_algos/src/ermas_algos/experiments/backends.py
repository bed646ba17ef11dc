"""Where jobs run: in processes of this machine, or as tasks of a Ray cluster. One torch thread per worker."""

import concurrent.futures
import logging
import multiprocessing
import multiprocessing.context
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ermas_envs.base.arguments import check_integer, keep


@dataclass(frozen=True)
class Failure:
    """Stands for the result of a job that has none."""

    message: str
    """Type and text of what it raised."""


Results = Generator[tuple[str, Any], None, None]
"""Key of each job as it ends, with what its work returned, or a `Failure`."""

_RAY_RETRIES = 5
"""How often a task whose worker was killed runs again."""


class Backend(Protocol):
    """Where jobs run."""

    def run(self, jobs: Mapping[str, Any], work: Callable[[Any], Any]) -> Results:
        """Do `work` with each of the jobs, which are picklable."""


@dataclass(frozen=True)
class Processes:
    """Processes of this machine; they end with the one that started them, and at once when the iterator is closed."""

    workers: int
    """How many, ≥ 1."""

    def __post_init__(self) -> None:
        """ValueError naming the field."""
        keep(self, workers=check_integer("workers", self.workers, 1))

    def run(self, jobs: Mapping[str, Any], work: Callable[[Any], Any]) -> Results:
        """See `Backend.run`; RuntimeError if a worker was killed."""
        context = _fresh_processes()
        others = set(multiprocessing.active_children())
        killed: str | None = None
        with concurrent.futures.ProcessPoolExecutor(self.workers, context, _start_process) as pool:
            try:
                with _children_without_interrupts():
                    running = {pool.submit(_attempt, work, job): key for key, job in jobs.items()}
                for future in concurrent.futures.as_completed(running):
                    key = running.pop(future)  # its result is let go of as soon as it was used
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        killed = killed or key  # the others that ended before are still to come
                    else:
                        yield key, future.result() if error is None else _failure(error)
            except BaseException:
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()  # before the pool closes what those that are starting still look for
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if killed is not None:
            raise RuntimeError(f"a worker was killed, perhaps at {killed}; repeat the command.")


@dataclass(frozen=True)
class RayCluster:
    """Tasks of one CPU each on a Ray cluster; a task whose worker is killed runs again, a few times."""

    address: str
    """Such as "auto" or "ray://host:10001", or "local" to start Ray on this machine."""
    workers: int
    """CPUs of a Ray that is started here, ≥ 1; a cluster that runs already has its own."""

    def __post_init__(self) -> None:
        """ValueError naming the field."""
        keep(self, workers=check_integer("workers", self.workers, 1))

    def run(self, jobs: Mapping[str, Any], work: Callable[[Any], Any]) -> Results:
        """See `Backend.run`; ValueError if Ray is not installed, ConnectionError if no cluster answers."""
        try:
            import ray  # an optional extra
        except ImportError:
            raise ValueError(
                "running on Ray needs it: pip install 'ermas-algos[ray]', or './ermas_algos[ray]' in a checkout."
            ) from None
        ours = not ray.is_initialized()
        running: dict[Any, str] = {}
        try:
            if ours:
                here: dict[str, Any] = {"num_cpus": self.workers, "include_dashboard": False}
                own = here if self.address == "local" else {}
                with _no_usage_statistics():
                    ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR, **own)
            task = ray.remote(num_cpus=1, max_retries=_RAY_RETRIES)(_on_ray)
            for key, job in jobs.items():
                running[task.remote(work, job)] = key
            while running:
                (ended,), _ = ray.wait(list(running), num_returns=1)
                yield running.pop(ended), _result(ray, ended)
        except BaseException:
            if not ours:  # else they end with the shutdown
                for reference in running:
                    ray.cancel(reference, force=True)
            raise
        finally:
            if ours:
                ray.shutdown()


def backend_of(workers: int, address: str | None) -> Backend:
    """Processes of this machine, or the Ray cluster at an address."""
    return Processes(workers) if address is None else RayCluster(address, workers)


def _fresh_processes() -> multiprocessing.context.BaseContext:
    """Starts processes that share nothing with this one, on Linux from one that has imported the libraries already.

    Importing torch takes a worker seconds. Elsewhere a process that has imported it may not be forked.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ermas_algos", "stable_baselines3", "sb3_contrib"])  # of no effect once it runs
    return context


@contextmanager
def _children_without_interrupts() -> Iterator[None]:
    """Processes that are started in the block, by this thread, never see Ctrl-C, not even while they import.

    Without it, those that have not reached `_start_process` would each end in a traceback. Windows has no such mask.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    with _interrupts_afterwards():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupts_afterwards() -> Iterator[None]:
    """Ctrl-C comes after the block: another thread may take the signal, and the main thread would leave a process that
    it has started and does not know yet."""
    if threading.current_thread() is not threading.main_thread():
        yield  # this thread is never interrupted
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _no_usage_statistics() -> Iterator[None]:
    """Ray sends nothing home, unless its user has said so; the environment is left as it was."""
    name = "RAY_USAGE_STATS_ENABLED"
    given = os.environ.get(name)
    os.environ.setdefault(name, "0")
    try:
        yield
    finally:
        if given is None:
            os.environ.pop(name, None)


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:  # outside the job's own work: a result that cannot be sent
        return _failure(error.cause)
    except ray.exceptions.WorkerCrashedError:
        return Failure(f"WorkerCrashedError: its worker was killed {_RAY_RETRIES + 1} times")
    except ray.exceptions.RayError as error:
        return _failure(error)


def _on_ray(work: Callable[[Any], Any], job: Any) -> Any:
    torch.set_num_threads(1)
    return _attempt(work, job)


def _attempt(work: Callable[[Any], Any], job: Any) -> Any:
    """Text instead of an exception: not every one survives the way from process to process."""
    try:
        return work(job)
    except (Exception, SystemExit) as error:
        return _failure(error)


def _failure(error: BaseException) -> Failure:
    return Failure(f"{type(error).__name__}: {error}")


def _start_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """Without it, the workers of a killed command would wait for jobs for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()  # returns at once if the command was killed while this process was starting
    os._exit(1)
