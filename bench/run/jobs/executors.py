"""Pools, which do the jobs of a stage: in this process, or in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from itertools import takewhile
from multiprocessing import forkserver
from typing import Any, Protocol, TypeVar

import psutil
from threadpoolctl import threadpool_limits

from unmask.bench.core.errors import UnavailableError, WorkerDiedError
from unmask.bench.core.registry import load


class Progress(Protocol):
    """Shows finished jobs, in units (photos, where a job is a shard of them)."""

    def start(self, stage: str, jobs: int) -> None:
        """``jobs``: the units of the stage."""

    def done(self, job: str, *, skipped: bool, units: int = 1) -> None: ...

    def partly(self, units: int) -> None:
        """``units``: how many are done of jobs that are not finished."""

    def end(self) -> None: ...


class PoolJob(Protocol):
    """A piece of work: plain data, with its name and its units of progress. `Hosts` also need its ``method``."""

    @property
    def name(self) -> str: ...

    @property
    def units(self) -> int: ...


Job = TypeVar("Job", bound=PoolJob)
Work = Callable[..., bool]
"""Does a job; False = there was nothing to do."""
Partly = Callable[[int], None]
"""Is called with all units that a stage has advanced by so far."""


class Pool(Protocol):
    """Does the jobs of a stage."""

    def run(self, work: Work, jobs: Sequence[Job], partly: Partly) -> Generator[tuple[Job, bool], None, None]:
        """Yields each job once it is finished, in any order, with what ``work(job)`` returned. The first error ends the
        others and is raised; closing the iterator ends them too."""


START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""Workers are fresh processes, since threads and plain forks do not mix. Where the system can, they are forked from a
process that has done nothing but import: torch and torchvision alone take four seconds, for every method again."""
_POLL_S = 0.5
"""How often the pool asks its worker processes for their units."""
_listener: Partly | None = None
"""What `advance` calls."""


def run_stage(
    stage: str,
    work: Work,
    jobs: Sequence[Job],
    pool: Pool,
    progress: Progress,
    is_done: Callable[[Any], bool] = lambda job: False,
) -> None:
    """Does all jobs of a stage. The first error stops it; finished jobs stay finished. ``is_done``: whether nothing is
    left to do of a job; where that is so of all, no process is started. Raises what ``work`` raises, and
    `WorkerDiedError`."""
    finished = 0
    progress.start(stage, sum(job.units for job in jobs))
    try:
        # Only up to the first that is not done: what follows finds out for itself.
        before = list(takewhile(is_done, jobs))
        for job in before:
            progress.done(job.name, skipped=True, units=job.units)
        left = jobs[len(before) :]
        if not left:
            return
        with closing(pool.run(work, left, lambda units: progress.partly(max(units - finished, 0)))) as results:
            for job, done in results:
                finished += job.units if done else 0
                progress.done(job.name, skipped=not done, units=job.units)
    except BrokenExecutor as error:
        raise WorkerDiedError(
            f"a worker process died in stage {stage} (out of memory?); the same command goes on from here, "
            "and with fewer --workers it needs less memory"
        ) from error
    finally:
        progress.end()


def advance(units: int) -> None:
    """Counts units of the job at hand as done."""
    if _listener is not None:
        _listener(units)


@contextmanager
def listening(partly: Partly) -> Iterator[None]:
    """Reports what the threads of this process `advance` by."""
    global _listener
    lock, total = threading.Lock(), 0

    def add(units: int) -> None:
        nonlocal total
        with lock:
            total += units
            partly(total)

    _listener = add
    try:
        yield
    finally:
        _listener = None


class Serial:
    """A pool that does one job after the other in this process."""

    def run(self, work: Work, jobs: Sequence[Job], partly: Partly) -> Generator[tuple[Job, bool], None, None]:
        with listening(partly):
            yield from ((job, work(job)) for job in jobs)


class Workers:
    """A pool over any `concurrent.futures.Executor`."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def run(self, work: Work, jobs: Sequence[Job], partly: Partly) -> Generator[tuple[Job, bool], None, None]:
        # Other executors do not count units: of those only whole jobs are shown.
        count = self._executor.units if isinstance(self._executor, _Processes) else None
        before = count.value if count is not None else 0
        try:
            left = {self._executor.submit(work, job): job for job in jobs}
            while left:
                for future in wait(left, timeout=_POLL_S, return_when=FIRST_COMPLETED).done:
                    yield left.pop(future), future.result()
                if count is not None:
                    partly(count.value - before)
        except BaseException:
            self._executor.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def open_pool(workers: int, executor: str = "processes") -> Iterator[Pool]:
    """One pool for several stages, so that each worker opens its instruments once; with one worker, this process.
    ``executor``: the registered name of a function of the number of workers that returns a context manager with an
    `Executor`. Raises `UnknownNameError` and `UnavailableError`."""
    if workers <= 1:
        yield Serial()
        return
    with load("executor", executor)(workers) as opened:
        yield Workers(opened)


@contextmanager
def worker_processes(workers: int) -> Iterator[Executor]:
    """Fresh processes that share the machine's cores evenly; none is started before there is something to do."""
    with _Processes(workers) as processes:
        try:
            yield processes
        except KeyboardInterrupt:
            end_workers()
            raise


class _Processes(ProcessPoolExecutor):
    """Worker processes with a common count of the units that they `advance` by."""

    def __init__(self, workers: int) -> None:
        context: Any = multiprocessing.get_context(START_METHOD)
        self.units = context.Value("q", 0)
        arguments = (cores_each(workers), self.units)
        super().__init__(workers, mp_context=context, initializer=_start_worker, initargs=arguments)

    def submit(self, *call: Any, **named: Any) -> Future[Any]:
        start_fork_server()
        return super().submit(*call, **named)


def warm_up(modules: Sequence[str], *, now: bool) -> None:
    """Has the process that workers are forked from import ``modules``. ``now``: starts it, and does not wait for it;
    else it starts with the first worker. Once it runs, another list changes nothing. Modules that cannot be imported
    are left to whoever needs them."""
    if START_METHOD == "forkserver":
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(modules))
        if now:
            start_fork_server()


def start_fork_server() -> None:
    """Starts it so that it ignores SIGINT, which a terminal sends to all processes: only this one answers Ctrl-C."""
    if START_METHOD != "forkserver":
        return
    if threading.current_thread() is not threading.main_thread():
        _ensure_fork_server()
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _ensure_fork_server()
    finally:
        signal.signal(signal.SIGINT, before)


def _ensure_fork_server() -> None:
    try:
        forkserver.ensure_running()
    except OSError as error:
        if "too long" not in str(error):
            raise
        raise UnavailableError(
            f"the folder for temporary files, {tempfile.gettempdir()}, has too long a path for the sockets of worker "
            "processes; set TMPDIR to a folder with fewer than 70 characters"
        ) from error


def end_workers() -> None:
    """Ends all worker processes at once: unfinished work is never published."""
    for worker in multiprocessing.active_children():
        worker.terminate()
    # A worker that is just being started is not among them yet.
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "multiprocessing.forkserver" in " ".join(process.cmdline()):
                process.terminate()


def cores_each(processes: int) -> int:
    """Threads for each of so many processes; a network that takes all cores for itself would slow the others down."""
    return max((os.cpu_count() or 1) // processes, 1)


def limit_threads(threads: int) -> None:
    """Limits the libraries that are loaded already, and by the environment those that are not."""
    threadpool_limits(threads)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    # Threads that spin while they wait take the cores of the other workers.
    os.environ["OMP_WAIT_POLICY"] = "passive"


def _start_worker(threads: int, count: Any) -> None:
    """Runs in a fresh worker process."""
    global _listener

    def add(units: int) -> None:
        with count.get_lock():
            count.value += units

    _listener = add
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_threads(threads)
    end_with_parent()


def end_with_parent(first: Callable[[], None] = lambda: None) -> None:
    """Ends this process, after ``first``, once its parent is gone: a killed run cannot tell its processes to stop, and
    they would wait, or work, for ever."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            first()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
