"""How much memory this process has taken."""

from __future__ import annotations

import math
import re
from pathlib import Path

import psutil


def peak_memory() -> float:
    """The largest resident memory this process has had so far, MiB; NaN where the system does not tell."""
    if psutil.LINUX:
        # Not getrusage: its peak outlives exec, and a fresh process would answer with that of the one which started it.
        peak = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
        return int(peak[1]) / 1024 if peak else math.nan
    if psutil.WINDOWS:
        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if psutil.MACOS else 1024) / 2**20
