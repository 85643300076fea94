"""A process's peak memory is its own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from unmask.bench.run.memory import peak_memory

LARGE = 300
"""MiB; well above what the child takes."""

CHILD = f"""
import numpy as np
from unmask.bench.run.memory import peak_memory
before = peak_memory()
large = np.ones({LARGE} << 20, np.uint8)
with_it = peak_memory()
del large
print(before, with_it, peak_memory())
"""


def test_peak_counts_what_this_process_had_and_nothing_else() -> None:
    held = np.ones(4 * LARGE << 20, np.uint8)  # by the parent, when the child starts: nothing of the child's
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    before, with_it, after = map(float, done.stdout.split())
    assert peak_memory() > held.nbytes / 2**20
    assert before < 2 * LARGE
    assert 0.95 * LARGE < with_it - before < 1.1 * LARGE
    assert abs(after - with_it) < 1  # the kernel counts pages lazily
