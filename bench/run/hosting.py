"""Methods at work: each with hosts of its own, several at once, all ended at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Protocol, TypeVar

from unmask.bench.run.executors import Named, Progress, cores_each, end_workers, partly_done, units_of


class Stoppable(Protocol):
    """What does one method's jobs, one after the other, and can be ended from another thread."""

    def close(self) -> None: ...

    def stop(self) -> None: ...


Job = TypeVar("Job", bound=Named)
Host = TypeVar("Host", bound=Stoppable)


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
    progress.start(stage, sum(units_of(job) for group in groups for job in group))
    left = []
    for group in groups:
        todo: deque[Job] = deque()
        for job in group:
            if is_done(job):
                progress.done(job.name, skipped=True, units=units_of(job))
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
                finished()
                progress.done(job.name, skipped=False, units=units_of(job))

    try:
        with partly_done(progress) as finished, ThreadPoolExecutor(at_once * each) as threads:
            running = [threads.submit(do, todo, todo[0]) for todo in left for _ in range(min(each, len(todo)))]
            try:
                for future in as_completed(running):
                    future.result()
            except BaseException:
                hosts.stop()
                threads.shutdown(wait=False, cancel_futures=True)
                end_workers()
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
