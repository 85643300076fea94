"""Running the command line as a user does: its exit code and what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from unmask.bench.cli import main

REPO = Path(__file__).resolve().parents[2]
BLACKOUT = "blackout=blackout:detector=harness"
"""A method that needs no network of its own, which would take seconds to import."""


def unmask(
    *arguments: str, timeout: float = 300, cwd: Path | None = None, columns: str = "200"
) -> subprocess.CompletedProcess[str]:
    """``unmask ARGUMENTS`` in a process of its own, with plain output; ``columns``: what a line may hold, "" = nothing
    says."""
    return subprocess.run(
        [sys.executable, "-m", "unmask", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd or REPO,
        env={**os.environ, "CI": "true", "COLUMNS": columns},
        check=False,
    )


def unmask_here(*arguments: str, columns: str = "200") -> subprocess.CompletedProcess[str]:
    """The same command in this process, which has imported everything and keeps instruments open: for tests of what
    commands do, say and leave behind, not of exit, signals, memory, imports or plug-ins that a test installs."""
    streams = [TextIOWrapper(BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    code: int | str | None = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(streams[0]), redirect_stderr(streams[1]):
        patch.setattr(sys, "argv", ["unmask", *arguments])
        patch.setenv("CI", "true")
        patch.setenv("COLUMNS", columns)
        patch.chdir(REPO)
        try:
            main()
        except SystemExit as left:
            code = left.code
        except Exception:
            traceback.print_exc()
            code = 1
    printed = [stream.buffer.getvalue().decode("utf-8") for stream in streams]  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(arguments, int(code or 0), *printed)


def start_unmask(*arguments: str) -> subprocess.Popen[bytes]:
    """``unmask ARGUMENTS`` in a process of its own, left running."""
    return subprocess.Popen(
        [sys.executable, "-m", "unmask", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=REPO,
        env={**os.environ, "CI": "true"},
    )
