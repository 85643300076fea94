"""Ctrl-C: one line and exit code 130, soon, with no process left; the same command then goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.cli import BLACKOUT, REPO, unmask_here

pytestmark = pytest.mark.weights

ARGUMENTS = (
    *("run", "--dataset", "demo", "--limit", "6", "--shard-size", "1", "--method", BLACKOUT),
    *("--method", "blur=blur:sigma=0.1,detector=harness"),
    *("--metric", "outcome", "--no-report", "--workers", "2", "--out"),
)


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("pattern", ["prepare/*/*/faces.parquet", "outputs/demo/blur*/*/outputs.parquet"])
def test_ctrl_c(pattern: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "unmask", *ARGUMENTS, str(run)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPO,
        env={**os.environ, "CI": "true"},
        start_new_session=True,  # so that it has a process group of its own, as a terminal would give it
    )
    deadline = time.monotonic() + 120
    while len(list(run.glob(pattern))) < 3:  # of two workers, one has finished a shard by then
        assert process.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "unmask: interrupted; the same command goes on from here"
    assert "Traceback" not in errors
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    assert not (run / "estimates.json").exists()
    resumed = unmask_here(*ARGUMENTS, str(run))
    assert resumed.returncode == 0, resumed.stderr
    assert "done before" in resumed.stderr
    assert not list(run.rglob(".tmp-*"))
