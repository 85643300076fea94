"""What an audit costs: the seconds of its stages, and the share of a run's time that a quick one adds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.cli import REPO
from unmask.bench.cli.progress import PlainProgress
from unmask.bench.store.readings import VARIABLE

QUICK_PHOTOS: Final = 100
QUICK_METHODS: Final = ("blur:sigma=0.15", "k-same", "dp-att")
_FILE: Final = "times.json"


class TimedProgress(PlainProgress):
    """Adds up the seconds of each stage and the units that it did, in a file that outlives a kill. What was there from
    an earlier call counts neither as time nor as done."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder, self._began, self._new, self._name = folder, 0.0, 0, ""

    def start(self, stage: str, jobs: int) -> None:
        self._name, self._new, self._began = stage, 0, time.monotonic()
        super().start(stage, jobs)

    def done(self, job: str, *, skipped: bool, units: int = 1) -> None:
        self._new += 0 if skipped else units
        super().done(job, skipped=skipped, units=units)

    def end(self) -> None:
        super().end()
        if self._new:
            seconds, units = stored(self._folder).get(self._name, (0.0, 0))
            store(self._folder, self._name, (seconds + time.monotonic() - self._began, units + self._new))


def stored(folder: Path) -> dict[str, tuple[float, int]]:
    """Stage -> seconds and units done, as `TimedProgress` stores them."""
    path = folder / _FILE
    return {k: (float(s), int(n)) for k, (s, n) in json.loads(path.read_text()).items()} if path.is_file() else {}


def store(folder: Path, name: str, figures: tuple[float, int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FILE).write_text(json.dumps({**stored(folder), name: figures}))


def minutes_each(folder: Path, stages: Sequence[str] = ("attack", "reduce")) -> float | None:
    """Minutes that ``stages``, of which every method is a unit, took a method: learning from readings and judging, or
    others; ``None`` where one of them was not done here."""
    done = [stored(folder).get(stage) for stage in stages]
    return sum(each[0] / each[1] for each in done if each) / 60 if all(done) else None


def added_by_quick(
    folder: Path, photos: int = QUICK_PHOTOS, methods: Sequence[str] = QUICK_METHODS, more: Sequence[str] = ()
) -> float:
    """Share of a run's time that ``--audit quick`` adds: three runs over the first photos of lfw, each in a process and
    a folder of its own, without, with, and again without it; the faster of those without counts. ``more``: further
    arguments of all of them. Not measured again where ``folder`` holds it."""
    name = " ".join(["quick", str(photos), *methods, *more])
    if name not in stored(folder):
        without = _seconds(photos, methods, "none", more)
        audited = _seconds(photos, methods, "quick", more)
        without = min(without, _seconds(photos, methods, "none", more))
        print(f"{photos} photos: {without:.0f} s without, {audited:.0f} s with a quick audit", file=sys.stderr)
        store(folder, name, (audited / without - 1, photos))
    return stored(folder)[name][0]


def _seconds(photos: int, methods: Sequence[str], audit: str, more: Sequence[str]) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "unmask", "run", "--dataset", "lfw", "--limit", str(photos), "--audit", audit]
        named = [part for method in methods for part in ("--method", method)]
        start = time.monotonic()
        subprocess.run(
            [*command, "--no-report", "--workers", "2", "--out", f"{scratch}/run", *named, *more],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=REPO,
            # Readings that one run borrows from another would make it look fast.
            env={name: value for name, value in os.environ.items() if name != VARIABLE},
        )
        return time.monotonic() - start
