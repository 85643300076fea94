"""Who does the jobs: this process, or worker processes through `concurrent.futures.Executor`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from typing import Any, Protocol, TypeVar

import psutil
from threadpoolctl import threadpool_limits

from bench.core.errors import WorkerDiedError

Work = Callable[..., bool]


class Progress(Protocol):
    """Told of every finished job."""

    def start(self, stage: str, jobs: int) -> None: ...

    def done(self, job: str, *, skipped: bool) -> None: ...

    def end(self) -> None: ...


class Named(Protocol):
    """A piece of work, as progress shows it."""

    @property
    def name(self) -> str: ...


class Isolated(Named, Protocol):
    """A piece of one method's work."""

    @property
    def method(self) -> str: ...

    @property
    def dataset(self) -> str: ...

    @property
    def samples(self) -> Sequence[str]: ...


Job = TypeVar("Job", bound=Named)
IsolatedJob = TypeVar("IsolatedJob", bound=Isolated)

START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""Workers are fresh processes, since threads and plain forks do not mix. Where the system can, they are forked from a
process that has done nothing but import: torch and torchvision alone take four seconds, for every method again."""


def warm_up(modules: Sequence[str]) -> None:
    """Starts the process that workers are forked from, and lets it import ``modules``; does not wait for it.

    Once it runs, another list changes nothing. Modules that cannot be imported are left to whoever needs them.
    """
    if START_METHOD == "forkserver":
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(modules))
        _start_fork_server()


def _start_fork_server() -> None:
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


@contextmanager
def worker_pool(workers: int, sharing: int | None = None) -> Iterator[Executor]:
    """Fresh processes. ``sharing``: how many of them share the machine's cores evenly; a network that takes all cores
    for itself would slow the others down."""
    threads = max((os.cpu_count() or 1) // (sharing or workers), 1)
    _start_fork_server()
    context = multiprocessing.get_context(START_METHOD)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(threads,)) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            _end_workers()
            raise


def _start_worker(threads: int) -> None:
    """Runs in a fresh worker: limits libraries that are loaded already, and by the environment those that are not."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(threads)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    # Threads that spin while they wait steal the cores of the other workers.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    threading.Thread(target=_end_with_parent, daemon=True).start()


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


def run_isolated(
    stage: str,
    work: Work,
    try_one: Callable[[IsolatedJob, str], object],
    is_done: Callable[[IsolatedJob], bool],
    groups: Sequence[Sequence[IsolatedJob]],
    workers: int,
    progress: Progress,
) -> None:
    """Does each group of jobs (those of one method) in processes of its own, so that a method that kills its process
    takes neither the run nor another method's memory figure with it. Up to ``workers`` processes are at work at once:
    on several groups, or on the shards of one where there are fewer groups than workers.

    When a process dies, its job is tried again sample by sample with ``try_one``, and the deadly samples are given to
    ``work`` as ``doomed``. Raises `WorkerDiedError` where a process dies without them too.
    """
    progress.start(stage, sum(len(group) for group in groups))
    try:
        left = []
        for group in groups:
            todo = []
            for job in group:
                if is_done(job):
                    progress.done(job.name, skipped=True)
                else:
                    todo.append(job)
            if todo:
                left.append(todo)
        at_once = min(workers, len(left)) or 1
        stopping = threading.Event()
        with ThreadPoolExecutor(at_once) as threads:
            each = max(workers // at_once, 1)
            running = [
                threads.submit(_run_group, work, try_one, todo, each, at_once, progress, stopping) for todo in left
            ]
            try:
                for future in as_completed(running):
                    future.result()
            except BaseException:
                stopping.set()
                threads.shutdown(wait=False, cancel_futures=True)
                _end_workers()
                raise
    finally:
        progress.end()


def _run_group(
    work: Work,
    try_one: Callable[[IsolatedJob, str], object],
    jobs: Sequence[IsolatedJob],
    workers: int,
    groups: int,
    progress: Progress,
    stopping: threading.Event,
) -> None:
    """``stopping``: set when the stage ends early and workers are being ended; their deaths then mean nothing."""
    left = list(jobs)
    try:
        with worker_pool(min(workers, len(jobs)), sharing=workers * groups) as pool:
            pending = {pool.submit(work, job): job for job in jobs}
            for future in as_completed(pending):
                future.result()
                left.remove(pending[future])
                progress.done(pending[future].name, skipped=False)
    except BrokenExecutor:
        for job in left:
            deadly = _deadly_samples(try_one, job, stopping)
            if stopping.is_set():
                return
            try:
                _in_one_process(work, job, deadly)
            except BrokenExecutor as error:
                raise WorkerDiedError(
                    f"method {job.method} kills its process on {job.dataset}, between {job.samples[0]!r} and "
                    f"{job.samples[-1]!r}, though on no single image (out of memory?); leave it out, or choose a "
                    "smaller --shard-size and another --out"
                ) from error
            progress.done(job.name, skipped=False)


def _deadly_samples(
    try_one: Callable[[IsolatedJob, str], object], job: IsolatedJob, stopping: threading.Event
) -> frozenset[str]:
    """The samples of a job that end a fresh process when the method is given them alone."""
    deadly = set()
    for sample in job.samples:
        if stopping.is_set():
            break
        try:
            _in_one_process(try_one, job, sample)
        except BrokenExecutor:
            deadly.add(sample)
    return frozenset(deadly)


def _in_one_process(work: Callable[..., Any], *arguments: Any) -> Any:
    with worker_pool(1) as pool:
        return pool.submit(work, *arguments).result()
