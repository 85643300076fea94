"""A pool for methods: each has processes of its own, several at once, all ended at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol

from unmask.bench.run.jobs.executors import Partly, Work, cores_each, end_workers, listening


class Host(Protocol):
    """Does one method's jobs, one after the other, and can be ended from another thread."""

    def close(self) -> None: ...

    def stop(self) -> None: ...


class Hosts:
    """A pool that does the jobs of each method (their ``method``) with hosts of its own, so that what a method does to
    its process stays there. ``work`` takes the host too.

    ``open_host`` takes a job and the number of threads that the host may use. Up to ``workers`` hosts are at work at
    once, several of one method where there are fewer methods. ``is_done``: whether a job needs no host. ``setting_of``:
    what a host is opened with; jobs of one method that differ in it have hosts of their own.
    """

    def __init__(
        self,
        open_host: Callable[[Any, int], Host],
        is_done: Callable[[Any], bool],
        workers: int,
        setting_of: Callable[[Any], str] = lambda job: "",
    ) -> None:
        self._open_host, self._is_done, self._workers = open_host, is_done, workers
        self._setting_of = setting_of
        self._hosts: list[Host] = []
        self._finished: SimpleQueue[Any] = SimpleQueue()
        """Jobs; `None` for each host that has nothing left to do; errors."""
        self._stopping = False

    def run(self, work: Work, jobs: Sequence[Any], partly: Partly) -> Generator[tuple[Any, bool], None, None]:
        queues: dict[tuple[str, str], deque[Any]] = {}
        for job in jobs:
            if self._is_done(job):
                yield job, False
            else:
                queues.setdefault((job.method, self._setting_of(job)), deque()).append(job)
        methods = min(self._workers, len(queues)) or 1
        each = max(self._workers // methods, 1)
        with listening(partly), ThreadPoolExecutor(methods * each) as threads:
            try:
                at_work = 0
                for first, queue in [(queue[0], queue) for queue in queues.values()]:
                    for _ in range(min(each, len(queue))):
                        threads.submit(self._serve, work, queue, first, cores_each(methods * each))
                        at_work += 1
                while at_work:
                    result = self._finished.get()
                    if isinstance(result, BaseException):
                        raise result
                    if result is None:
                        at_work -= 1
                    else:
                        yield result, True
            except BaseException:
                self._stopping = True
                for host in list(self._hosts):
                    host.stop()
                threads.shutdown(wait=False, cancel_futures=True)
                end_workers()
                raise

    def _serve(self, work: Work, queue: deque[Any], first: Any, threads: int) -> None:
        """Does the jobs of a method that no other host has taken."""
        try:
            host = self._open_host(first, threads)
            self._hosts.append(host)
            try:
                if self._stopping:
                    host.stop()
                while not self._stopping:
                    try:
                        job = queue.popleft()
                    except IndexError:  # another host took the last one
                        break
                    work(job, host)
                    self._finished.put(job)
            finally:
                self._hosts.remove(host)
                host.close()
            self._finished.put(None)
        except BaseException as error:
            self._finished.put(error)
