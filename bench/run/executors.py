"""Who does the jobs: this process, or worker processes through `concurrent.futures.Executor`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from typing import Protocol, TypeVar

import psutil
from threadpoolctl import threadpool_limits

from bench.core.errors import WorkerDiedError


class Progress(Protocol):
    """Told of every finished job."""

    def start(self, stage: str, jobs: int) -> None: ...

    def done(self, job: str, *, skipped: bool) -> None: ...

    def end(self) -> None: ...


class Named(Protocol):
    """A piece of work, as progress shows it."""

    @property
    def name(self) -> str: ...


class Stoppable(Protocol):
    """What does one method's jobs, one after the other, and can be ended from another thread."""

    def close(self) -> None: ...

    def stop(self) -> None: ...


Job = TypeVar("Job", bound=Named)
Host = TypeVar("Host", bound=Stoppable)

START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""Workers are fresh processes, since threads and plain forks do not mix. Where the system can, they are forked from a
process that has done nothing but import: torch and torchvision alone take four seconds, for every method again."""


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


def _end_workers() -> None:
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


@contextmanager
def worker_pool(workers: int) -> Iterator[Executor]:
    """Fresh processes that share the machine's cores evenly."""
    start_fork_server()
    context = multiprocessing.get_context(START_METHOD)
    share = (cores_each(workers),)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=share) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            _end_workers()
            raise


def _start_worker(threads: int) -> None:
    """Runs in a fresh worker."""
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
def shared_pool(workers: int) -> Iterator[Executor | None]:
    """One pool for several stages, so that each worker opens its instruments once; ``None`` = do it in this process."""
    if workers <= 1:
        yield None
        return
    with worker_pool(workers) as pool:
        yield pool


def run_stage(
    stage: str, work: Callable[[Job], bool], jobs: Sequence[Job], pool: Executor | None, progress: Progress
) -> None:
    """Does all jobs of a stage. The first error stops the stage; finished jobs stay finished."""
    progress.start(stage, len(jobs))
    try:
        if pool is None:
            for job in jobs:
                progress.done(job.name, skipped=not work(job))
            return
        pending = {pool.submit(work, job): job for job in jobs}
        try:
            for future in as_completed(pending):
                progress.done(pending[future].name, skipped=not future.result())
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


def run_hosted(
    stage: str,
    work: Callable[[Job, Host], bool],
    is_done: Callable[[Job], bool],
    groups: Sequence[Sequence[Job]],
    open_host: Callable[[Job, int], Host],
    workers: int,
    progress: Progress,
) -> None:
    """Does each group of jobs (those of one method) with hosts of its own, which keep what the method does to its
    process from everybody else. Up to ``workers`` hosts are at work at once: of several groups, or for the jobs of one
    where there are fewer groups than workers.

    ``open_host`` is given the first job of the group and the number of threads that the host may use. The first error
    stops the stage; finished jobs stay finished.
    """
    progress.start(stage, sum(len(group) for group in groups))
    left = []
    for group in groups:
        todo: deque[Job] = deque()
        for job in group:
            if is_done(job):
                progress.done(job.name, skipped=True)
            else:
                todo.append(job)
        if todo:
            left.append(todo)
    at_once = min(workers, len(left)) or 1
    each = max(workers // at_once, 1)
    hosts = _Hosts()

    def do(todo: deque[Job], first: Job) -> None:
        with hosts.opened(open_host, first, cores_each(at_once * each)) as host:
            while todo and not hosts.stopping:
                try:
                    job = todo.popleft()
                except IndexError:  # another host of this group was faster
                    return
                work(job, host)
                progress.done(job.name, skipped=False)

    try:
        with ThreadPoolExecutor(at_once * each) as threads:
            running = [threads.submit(do, todo, todo[0]) for todo in left for _ in range(min(each, len(todo)))]
            try:
                for future in as_completed(running):
                    future.result()
            except BaseException:
                hosts.stop()
                threads.shutdown(wait=False, cancel_futures=True)
                _end_workers()
                raise
    finally:
        progress.end()


class _Hosts:
    """The hosts at work, so that all can be ended at once."""

    def __init__(self) -> None:
        self.stopping = False
        self._open: list[Stoppable] = []

    @contextmanager
    def opened(self, open_host: Callable[[Job, int], Host], job: Job, threads: int) -> Iterator[Host]:
        host = open_host(job, threads)
        self._open.append(host)
        if self.stopping:
            host.stop()
        try:
            yield host
        finally:
            self._open.remove(host)
            host.close()

    def stop(self) -> None:
        self.stopping = True
        for host in list(self._open):
            host.stop()
