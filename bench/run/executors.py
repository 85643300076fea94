"""Who does the jobs: this process, or worker processes through `concurrent.futures.Executor`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from typing import Any, Protocol, TypeVar

import psutil
from threadpoolctl import threadpool_limits

from unmask.bench.core.errors import WorkerDiedError
from unmask.bench.core.registry import load


class Progress(Protocol):
    """Told of every finished job, in units (photos, where a job is a shard of them)."""

    def start(self, stage: str, jobs: int) -> None:
        """``jobs``: the units of the stage."""

    def done(self, job: str, *, skipped: bool, units: int = 1) -> None: ...

    def partly(self, units: int) -> None:
        """``units``: how many are done of jobs that are not finished."""

    def end(self) -> None: ...


class Named(Protocol):
    """A piece of work, as progress shows it."""

    @property
    def name(self) -> str: ...


Job = TypeVar("Job", bound=Named)

START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""Workers are fresh processes, since threads and plain forks do not mix. Where the system can, they are forked from a
process that has done nothing but import: torch and torchvision alone take four seconds, for every method again."""


_listener: Callable[[int], None] | None = None
"""What `advance` calls: in a worker it adds to the pool's count, else to the stage's own."""
_LOOK_S = 0.5
"""How often a stage looks at what its workers have done."""


def advance(units: int) -> None:
    """Tells whoever shows progress that so many units of the job at hand are done."""
    if _listener is not None:
        _listener(units)


def units_of(job: Named) -> int:
    """The units that a job counts for: its photos, else 1."""
    return int(getattr(job, "units", 1))


def warm_up(modules: Sequence[str]) -> None:
    """Starts the process that workers are forked from, and lets it import ``modules``; does not wait for it.

    Once it runs, another list changes nothing. Modules that cannot be imported are left to whoever needs them.
    """
    if START_METHOD == "forkserver":
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(modules))
        start_fork_server()


def start_fork_server() -> None:
    """Starts it deaf to Ctrl-C, which a terminal sends to all processes: only this one answers it, in one line."""
    if START_METHOD != "forkserver":
        return
    if threading.current_thread() is not threading.main_thread():
        forkserver.ensure_running()
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


def end_workers() -> None:
    """Ends all workers at once, whatever they are at: half-done work is never published."""
    for worker in multiprocessing.active_children():
        worker.terminate()
    # One that is just being started is not known yet: it would come up later, alone, and complain.
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "multiprocessing.forkserver" in " ".join(process.cmdline()):
                process.terminate()


def cores_each(processes: int) -> int:
    """Threads for each of so many processes; a network that takes all cores for itself would slow the others down."""
    return max((os.cpu_count() or 1) // processes, 1)


class _CountingPool(ProcessPoolExecutor):
    """Workers that add up what they `advance`."""

    def __init__(self, workers: int) -> None:
        context: Any = multiprocessing.get_context(START_METHOD)
        self._count = context.Value("q", 0)
        arguments = (cores_each(workers), self._count)
        super().__init__(workers, mp_context=context, initializer=_start_worker, initargs=arguments)

    @property
    def units(self) -> int:
        return int(self._count.value)


@contextmanager
def worker_pool(workers: int) -> Iterator[Executor]:
    """Fresh processes that share the machine's cores evenly."""
    start_fork_server()
    with _CountingPool(workers) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            end_workers()
            raise


def _start_worker(threads: int, count: Any) -> None:
    """Runs in a fresh worker."""
    global _listener

    def add(units: int) -> None:
        with count.get_lock():
            count.value += units

    _listener = add
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def limit_threads(threads: int) -> None:
    """Limits the libraries that are loaded already, and by the environment those that are not."""
    threadpool_limits(threads)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    # Threads that spin while they wait steal the cores of the other workers.
    os.environ["OMP_WAIT_POLICY"] = "passive"


def _end_with_parent() -> None:
    """A killed run cannot tell its workers to stop; without this they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def shared_pool(workers: int, executor: str = "processes") -> Iterator[Executor | None]:
    """One pool for several stages, so that each worker opens its instruments once; ``None`` = do it in this process.

    ``executor``: the registered name of what makes the pool: a function of the number of workers that gives a context
    manager with an `Executor`. Raises `UnknownNameError` and `UnavailableError`.
    """
    if workers <= 1:
        yield None
        return
    with load("executor", executor)(workers) as pool:
        yield pool


def run_stage(
    stage: str, work: Callable[[Job], bool], jobs: Sequence[Job], pool: Executor | None, progress: Progress
) -> None:
    """Does all jobs of a stage. The first error stops the stage; finished jobs stay finished."""
    progress.start(stage, sum(map(units_of, jobs)))
    try:
        if pool is None:
            with partly_done(progress) as finished:
                for job in jobs:
                    skipped = not work(job)
                    finished()
                    progress.done(job.name, skipped=skipped, units=units_of(job))
            return
        pending = {pool.submit(work, job): job for job in jobs}
        try:
            _watch(pool, pending, progress)
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenExecutor):
                raise WorkerDiedError(
                    f"a worker process died in stage {stage} (out of memory?); the same command goes on from here, "
                    "and with fewer --workers it needs less memory"
                ) from error
            raise
    finally:
        progress.end()


def _watch(pool: Executor, jobs: dict[Future[bool], Job], progress: Progress) -> None:
    """Waits for all jobs, and shows what workers have done of those that are not finished."""
    before = pool.units if isinstance(pool, _CountingPool) else 0
    left = set(jobs)
    finished = 0
    while left:
        ready, left = wait(left, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
        for future in ready:
            skipped, units = not future.result(), units_of(jobs[future])
            finished += 0 if skipped else units
            progress.done(jobs[future].name, skipped=skipped, units=units)
        if isinstance(pool, _CountingPool):
            progress.partly(max(pool.units - before - finished, 0))


@contextmanager
def partly_done(progress: Progress) -> Iterator[Callable[[], None]]:
    """Shows what this process's threads `advance`; each calls what is yielded when its job is finished."""
    global _listener
    lock = threading.Lock()
    of_thread: dict[int, int] = {}

    def add(units: int) -> None:
        with lock:
            of_thread[threading.get_ident()] = of_thread.get(threading.get_ident(), 0) + units
            progress.partly(sum(of_thread.values()))

    def finished() -> None:
        with lock:
            of_thread.pop(threading.get_ident(), None)

    _listener = add
    try:
        yield finished
    finally:
        _listener = None
