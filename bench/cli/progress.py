"""Progress as a person reads it: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 5.0
"""Plain lines come at most this often, and at the end of each stage."""


def show_progress() -> PlainProgress | BarProgress:
    """Bars where standard error is a terminal and CI is not set."""
    plain = os.environ.get("CI", "").lower() in ("1", "true") or not sys.stderr.isatty()
    return PlainProgress() if plain else BarProgress()


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
