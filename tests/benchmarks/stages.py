"""How long each stage of a run takes."""

from __future__ import annotations

import sys
import time


class Stages:
    """Progress listener that notes the seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.stage = ""
        """The one under way, or the last one."""
        self._began = 0.0

    def start(self, stage: str, jobs: int) -> None:
        self.stage, self._began = stage, time.perf_counter()

    def partly(self, units: int) -> None:
        """Not shown."""

    def done(self, job: str, *, skipped: bool, units: int = 1) -> None:
        print(f"{self.stage}: {job}", file=sys.stderr)

    def end(self) -> None:
        self.seconds[self.stage] = time.perf_counter() - self._began
