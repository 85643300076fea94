"""Progress of runs and downloads as a person reads it: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from unmask.bench.cli.listing import human_size
from unmask.bench.core.types import FetchProgress

LINE_EVERY_S = 5.0
"""Plain lines come at most this often, and at the end of each stage."""
FETCH_LINE_EVERY_S = 10.0
"""Seconds between two plain lines about the same download."""


def _is_plain(console: Console) -> bool:
    """Whether nothing that moves should be printed: CI, a pipe, a dumb terminal."""
    return not console.is_terminal or console.is_dumb_terminal or os.environ.get("CI", "").lower() in ("true", "1")


def show_progress() -> PlainProgress | BarProgress:
    """Of a run's stages."""
    return PlainProgress() if _is_plain(Console(stderr=True)) else BarProgress()


class PlainProgress:
    """One line every few seconds on standard error."""

    def __init__(self) -> None:
        self._stage, self._job = "", ""
        self._jobs = self._done = self._skipped = self._position = 0
        self._start_at = self._line_at = 0.0

    def start(self, stage: str, jobs: int) -> None:
        self._stage, self._job, self._jobs = stage, "", jobs
        self._done = self._skipped = self._position = 0
        self._start_at = self._line_at = time.monotonic()

    def done(self, job: str, *, skipped: bool, units: int = 1) -> None:
        self._job = job
        self._done += units
        self._skipped += units if skipped else 0
        self.partly(0)

    def partly(self, units: int) -> None:
        # A job that ends is counted a moment before what others have done of theirs.
        now, self._position = time.monotonic(), max(self._position, self._done + units)
        done = self._position
        if now - self._line_at >= LINE_EVERY_S and done < self._jobs:
            self._line_at = now
            last = f" ({self._job})" if self._job else ""
            print(f"{self._stage}: {done}/{self._jobs}{last}", file=sys.stderr, flush=True)

    def end(self) -> None:
        before = f", {self._skipped} done before" if self._skipped else ""
        seconds = time.monotonic() - self._start_at
        print(f"{self._stage}: {self._done}/{self._jobs} in {seconds:.1f} s{before}", file=sys.stderr, flush=True)


class BarProgress:
    """A bar a stage."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._task = TaskID(0)
        self._done = self._total = self._position = 0

    def start(self, stage: str, jobs: int) -> None:
        self._done, self._total, self._position = 0, jobs, 0
        self._bars = Progress(
            TextColumn(f"{stage:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
        )
        self._task = self._bars.add_task("", total=jobs)
        self._bars.start()

    def done(self, job: str, *, skipped: bool, units: int = 1) -> None:
        if self._bars is not None:
            self._done += units
            text = f"{job}{' (done before)' if skipped else ''}"
            self._bars.update(self._task, description=text)
            self.partly(0)

    def partly(self, units: int) -> None:
        if self._bars is not None:
            self._position = max(self._position, min(self._done + units, self._total))
            self._bars.update(self._task, completed=self._position)

    def end(self) -> None:
        if self._bars is not None:
            self._bars.update(self._task, description="")
            self._bars.stop()
            self._bars = None


@contextmanager
def fetch_progress() -> Iterator[FetchProgress]:
    """Yields the callback that `bench.fetch.packages` and `bench.fetch.https` report to."""
    console = Console(stderr=True)
    if _is_plain(console):
        yield _plain_fetching(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield show


def _plain_fetching(console: Console) -> FetchProgress:
    last: dict[str, float] = {}
    finished: set[str] = set()

    def show(name: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if done == total:
            if name not in finished:
                console.print(f"fetched {name} ({human_size(done)})", highlight=False, markup=False, soft_wrap=True)
            finished.add(name)
        elif name not in last or now - last[name] >= FETCH_LINE_EVERY_S:
            of = f" of {human_size(total)}" if total else ""
            text = f"fetching {name}: {human_size(done)}{of}" if name in last else f"fetching {name}{of}"
            console.print(text, highlight=False, markup=False, soft_wrap=True)
            last[name] = now

    return show


def instrument_files(names: Sequence[str]) -> dict[str, dict[str, Path]]:
    """Instrument -> key -> its file, fetched where it is not here yet."""
    from unmask.bench.core import registry
    from unmask.bench.fetch import packages

    with fetch_progress() as progress:
        cards = {name: registry.instrument_class(name).card for name in names}
        return {name: packages.fetch_all(card.files, progress=progress) for name, card in cards.items()}
