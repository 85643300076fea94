"""``make bench-startup``: CPU seconds (user and system) of commands that measure nothing, against what they may take.

The gate judges two made-up runs of 200 faces that are there, each as an unchanged gate does a second time.

Timings are benchmarks, not tests: the figures are printed, nothing is asserted. Each command runs once to fill the
machine's caches and then UNMASK_BENCH_TIMES times (3); the median counts.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.support.cli import REPO
from tests.support.gate_runs import gate_run, near

BASELINE, CANDIDATE = "baseline", "candidate"
TARGETS = (
    ("--help", 0.4),
    ("run --help", 0.4),
    ("data", 0.4),
    ("instruments", 0.4),
    ("list methods", 2.0),
    ("list metrics", 2.0),
    ("list instruments", 2.0),
    ("list datasets", 2.0),
    ("data list", 2.0),
    ("instruments list", 2.0),
    ("run --method nosuch", 2.0),
    ("run --metric nosuch", 2.0),
    ("run --instrument nosuch", 2.0),
    ("run --dataset nosuch", 2.0),
    ("video --method nosuch", 2.0),
    ("score nosuch", 2.0),
    ("report nosuch", 2.0),
    ("doctor", 5.0),
    (f"gate --baseline {BASELINE} --candidate {CANDIDATE}", 1.5),
)
"""Commands and the CPU seconds that each may take."""


def cpu_seconds(arguments: list[str], folder: str) -> float:
    """Of ``unmask ARGUMENTS`` and the processes that it waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "unmask", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        check=False,
    )
    if done.returncode not in (0, 1, 2) or "Traceback" in done.stderr or "No module named" in done.stderr:
        raise SystemExit(f"unmask {' '.join(arguments)} failed: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    times = int(os.environ.get("UNMASK_BENCH_TIMES", "3"))
    print("| command | CPU seconds | may take |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, matched in ((BASELINE, 20), (CANDIDATE, 19)):
            gate_run(Path(folder) / name, near((np.arange(200) < matched).astype(float)))
        for command, target in TARGETS:
            cpu_seconds(command.split(), folder)
            took = statistics.median(cpu_seconds(command.split(), folder) for _ in range(times))
            missed = "" if took <= target else " (missed)"
            print(f"| `unmask {command}` | {took:.2f} | {target:g}{missed} |", flush=True)


if __name__ == "__main__":
    main()
