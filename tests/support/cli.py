"""Running the command line as a user does: another process, its exit code and what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def unmask(
    *arguments: str, timeout: float = 300, cwd: Path | None = None, columns: str = "200"
) -> subprocess.CompletedProcess[str]:
    """``unmask ARGUMENTS`` with plain output; ``columns``: what a line may hold, "" = nothing says."""
    return subprocess.run(
        [sys.executable, "-m", "unmask", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd or REPO,
        env={**os.environ, "CI": "true", "COLUMNS": columns},
        check=False,
    )


def start_unmask(*arguments: str) -> subprocess.Popen[bytes]:
    """The same, left running."""
    return subprocess.Popen(
        [sys.executable, "-m", "unmask", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=REPO,
        env={**os.environ, "CI": "true"},
    )
