"""Methods that crash, hang, leave, flood or break their process cost what they were at, nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image as Pillow

from tests.support.cli import BLACKOUT, unmask
from tests.support.hostile import install, install_here
from tests.support.naming import named_results
from unmask.bench.cli.progress import PlainProgress
from unmask.bench.core.errors import WorkerDiedError
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.bench.run.contestants.calling import Result, call_method
from unmask.bench.run.contestants.contestant import DIED, MOST_LOSSES, Contestant
from unmask.bench.run.jobs.executors import Serial, advance, open_pool, run_stage
from unmask.bench.run.jobs.hosting import Hosts
from unmask.bench.run.jobs.shards import Job, ShardJob, Workplace

pytestmark = pytest.mark.weights


@pytest.fixture
def photos(tmp_path: Path, astronaut: Image) -> Path:
    """Two usual photos, a dark one and a red one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    small = Pillow.fromarray(astronaut).resize((128, 128))
    small.save(folder / "a.png")
    small.point(lambda v: v // 5).save(folder / "dark.png")
    r, g, b = small.split()
    Pillow.merge("RGB", (r, g.point(lambda v: v // 4), b)).save(folder / "red.png")
    small.rotate(5).save(folder / "z.png")
    return folder


ALL = ("a.png", "dark.png", "red.png", "z.png")
CASES: dict[str, dict[str, str]] = {
    # method -> photo -> how its reason begins; every other photo has an output
    "fragile": {"dark.png": DIED, "red.png": "RuntimeError: no red, please"},
    "leaky": {},
    "leaver": {"dark.png": "sys.exit(0) was called"},
    "interrupter": {"dark.png": "KeyboardInterrupt"},
    "absent": dict.fromkeys(ALL, "the method could not be loaded: sys.exit(0) was called"),
    "unloadable": dict.fromkeys(ALL, "the method could not be loaded: OSError: no weights here"),
    "sleeper": {"dark.png": "took longer than 2 s"},
    "stopper": {"dark.png": "took longer than 2 s"},
    "mute": {"dark.png": "Unprintable"},
    "verbose": {"dark.png": "ValueError: ?[31mred xxx"},
    "endless": dict.fromkeys(ALL, "the method returned more images for 1"),
    "trickster": {"dark.png": "what the method returned cannot be read: sys.exit(0) was called"},
    "flood": {},
    "vandal": {},
    "closer": {"dark.png": DIED},
    "parent": {"dark.png": DIED},
    "floats": dict.fromkeys(ALL, "float32 array, uint8 wanted"),
    "forgetful": {
        **dict.fromkeys(ALL, "the method returned nothing; a list is wanted"),
        "dark.png": "the method returned ndarray; a list is wanted",
    },
    "cropper": dict.fromkeys(ALL, "output is 128x120, the input is 128x128"),
    "mumbler": dict.fromkeys(ALL, "two lines xxx"),
    "blackout": {},
}


def test_methods_that_misbehave(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", monkeypatch)
    monkeypatch.setenv("HOSTILE_LOADS", str(tmp_path / "loads"))
    monkeypatch.setenv("HOSTILE_MARK", f"hostile-{tmp_path}")
    out = tmp_path / "run"
    methods = [word for name in CASES for word in ("--method", BLACKOUT if name == "blackout" else name)]
    done = unmask(
        *("run", "--dataset", f"folder:{photos}", *methods, "--metric", "outcome", "--shard-size", "2"),
        *("--time-limit", "2", "--out", str(out), "--no-report"),
        columns="",
    )
    assert done.returncode == 3, done.stderr
    assert f"floats: 4 of 4 images failed: float32 array, uint8 wanted (log: {out}/logs/floats.txt)" in done.stdout
    assert max(map(len, done.stdout.split("images failed")[0].splitlines())) <= 100
    assert "Traceback" not in done.stderr
    assert "flood" not in done.stderr.replace("flood folder", "")
    rows = named_results(out)["failures"]
    for method, reasons in CASES.items():
        seen = {row["sample"]: row["reason"] for row in rows if row["method"] == method}
        assert seen.keys() == reasons.keys(), (method, seen)
        for photo, reason in reasons.items():
            assert seen[photo].startswith(reason), (method, seen[photo])
            assert len(seen[photo].splitlines()) == 1
            assert len(seen[photo]) <= 350
    assert (tmp_path / "loads").read_text() == "load\n"
    assert "no red,\nplease" in (out / "logs" / "fragile.txt").read_text()
    flooded = (out / "logs" / "flood.txt").read_bytes()
    assert flooded.startswith(b"first words")
    assert len(flooded) < 1_100_000
    assert b"\x1b" not in flooded
    assert [p for p in psutil.process_iter() if f"hostile-{tmp_path}" in " ".join(_command_line(p))] == []


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


@dataclass(frozen=True)
class Piece:
    name: str
    units: int = 3


def end_process(job: Piece) -> bool:
    os._exit(9)


def test_a_worker_of_a_stage_that_dies_is_told_in_one_line() -> None:
    jobs = [Piece("one"), Piece("two")]
    with open_pool(2) as pool, pytest.raises(WorkerDiedError, match=r"died in stage score.*goes on from here"):
        run_stage("score", end_process, jobs, pool, PlainProgress())


def go_slowly(job: Piece) -> bool:
    for _ in range(job.units):
        advance(1)
        time.sleep(0.7)
    return True


class Recorder:
    """Notes what a person would see: the units done, of how many."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.total = self.finished = 0

    def start(self, stage: str, jobs: int) -> None:
        self.total = jobs

    def done(self, job: str, *, skipped: bool, units: int = 1) -> None:
        self.finished += units

    def partly(self, units: int) -> None:
        self.seen.append(self.finished + units)

    def end(self) -> None: ...


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_counts_photos_of_shards_that_are_not_finished(workers: int) -> None:
    progress = Recorder()
    with open_pool(workers) as pool:
        run_stage("score", go_slowly, [Piece("one"), Piece("two")], pool, progress)
    assert progress.total == 6
    assert set(progress.seen) & {1, 2}
    assert progress.seen == sorted(progress.seen)
    assert progress.finished == 6


def count_units(job: ShardJob, unit: int) -> bool:
    assert job.workplace.root == Path("/data")
    return job.units == unit


@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_are_names_and_numbers_and_meet_their_folders_where_they_are_done(workers: int) -> None:
    jobs = [Job("photos", 0, units=1), Job("photos", 1, units=2)]
    assert all(isinstance(value, str | int) for job in jobs for value in astuple(job))
    work = Workplace(Path("/run"), Path("/data")).bind(partial(count_units, unit=2))
    with open_pool(workers) as pool:
        results = {job.shard: done for job, done in pool.run(work, jobs, lambda units: None)}
    assert results == {0: False, 1: True}


class Refusing:
    """A pool that nothing may be asked of."""

    def run(self, work: Any, jobs: Any, partly: Any) -> Any:
        raise AssertionError


def test_jobs_that_are_done_at_the_beginning_reach_no_pool() -> None:
    progress, jobs = Recorder(), [Piece("one"), Piece("two"), Piece("three")]
    run_stage("score", end_process, jobs, Refusing(), progress, lambda job: True)
    assert (progress.total, progress.finished) == (9, 9)
    asked, worked = [], []

    def is_first(job: Piece) -> bool:
        asked.append(job.name)
        return job is jobs[0]

    run_stage("score", lambda job: worked.append(job.name) or True, jobs, Serial(), Recorder(), is_first)
    assert asked == ["one", "two"]
    assert worked == ["two", "three"]


def fail(job: Piece) -> bool:
    raise ValueError(job.name)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_error_ends_a_stage(workers: int) -> None:
    progress = Recorder()
    with open_pool(workers) as pool, pytest.raises(ValueError, match="one"):
        run_stage("score", fail, [Piece("one")] * 3, pool, progress)
    assert progress.finished == 0


class RecordedHost:
    def __init__(self, job: Job, threads: int) -> None:
        self.method, self.dataset, self.state = job.method, job.dataset, "open"

    def close(self) -> None:
        self.state += " closed"

    def stop(self) -> None:
        self.state += " stopped"


def test_each_method_has_hosts_of_its_own_and_all_are_closed() -> None:
    opened: list[RecordedHost] = []

    def open_host(job: Job, threads: int) -> RecordedHost:
        opened.append(RecordedHost(job, threads))
        return opened[-1]

    def work(job: Job, host: RecordedHost) -> bool:
        assert host.method == job.method
        assert host.state == "open"
        return True

    jobs = [Job("photos", shard, method) for method in ("a", "b", "done") for shard in range(3)]
    pool = Hosts(open_host, lambda job: job.method == "done", 4)
    results = list(pool.run(work, jobs, lambda units: None))
    assert {(job.method, job.shard): done for job, done in results} == {
        (job.method, job.shard): job.method != "done" for job in jobs
    }
    assert sorted(host.method for host in opened) == ["a", "a", "b", "b"]
    assert {host.state for host in opened} == {"open closed"}


def test_jobs_of_one_method_that_need_another_setting_have_hosts_of_their_own() -> None:
    def work(job: Job, host: RecordedHost) -> bool:
        assert (host.method, host.dataset) == (job.method, job.dataset)
        return True

    jobs = [Job(dataset, shard, method) for method in "ab" for dataset in ("tested", "learned") for shard in range(3)]
    pool = Hosts(RecordedHost, lambda job: False, 2, lambda job: job.dataset)
    assert len(list(pool.run(work, jobs, lambda units: None))) == len(jobs)


def test_an_error_in_one_host_ends_the_others() -> None:
    opened: list[RecordedHost] = []
    at_work = threading.Event()

    def open_host(job: Job, threads: int) -> RecordedHost:
        opened.append(RecordedHost(job, threads))
        return opened[-1]

    def work(job: Job, host: RecordedHost) -> bool:
        if job.method == "fails":
            at_work.wait(10)
            raise IndexError("of the work")
        at_work.set()
        while "stopped" not in host.state:
            time.sleep(0.01)
        return True

    jobs = [Job("photos", shard, method) for method in ("fails", "waits") for shard in range(3)]
    progress = Recorder()
    with pytest.raises(IndexError, match="of the work"):
        run_stage("anonymize", work, jobs, Hosts(open_host, lambda job: False, 2), progress)
    assert {host.method: host.state for host in opened}["waits"] == "open stopped closed"
    assert progress.finished < len(jobs)


def contestant(tmp_path: Path, spec: str, monkeypatch: pytest.MonkeyPatch, **limits: float) -> Contestant:
    install(tmp_path / "site", monkeypatch)
    install_here(tmp_path / "site", monkeypatch)
    return Contestant(spec, "cpu", tmp_path / "log.txt", **{"time_limit": 120.0} | limits)


DARK = Sample("dark", np.zeros((16, 16, 3), np.uint8))
LIGHT = Sample("light", np.full((16, 16, 3), 200, np.uint8))


def reasons(results: list[Result]) -> list[str]:
    return [result.reason if isinstance(result, MethodFailure) else "" for result, _ in results]


def test_a_method_that_never_gets_ready_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = contestant(tmp_path, "slowloader", monkeypatch, load_limit=1.0)
    first = time.monotonic()
    results = call_method(method, [LIGHT, DARK], 0) + call_method(method, [LIGHT], 0)
    assert time.monotonic() - first < 30
    assert reasons(results) == ["the method could not be loaded: took longer than 1 s"] * 3
    method.close()


def test_a_method_that_loses_every_process_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = contestant(tmp_path, "fragile", monkeypatch)
    results = [call_method(method, batch, 0)[0] for batch in [[LIGHT], *[[DARK]] * MOST_LOSSES, [LIGHT]]]
    assert reasons(results)[:2] == ["", DIED]
    assert reasons(results)[-1].startswith("not tried: the method's process was lost 5 times in a row")
    method.close()


def test_a_batch_that_takes_too_long_is_tried_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = contestant(tmp_path, "sleeper", monkeypatch, time_limit=1.5)
    assert reasons(call_method(method, [LIGHT, DARK], 0)) == ["", "took longer than 1.5 s"]
    method.close()


def test_a_method_in_its_own_process_is_told_the_draws_and_the_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = contestant(tmp_path, "drawer", monkeypatch)
    drawn = [replace(DARK, draw="shared"), replace(LIGHT, draw="shared"), DARK]
    drawn += [replace(drawn[0], sequence="clip"), replace(drawn[1], sequence="clip")]
    a, b, own, frame, other = (image for image, _ in call_method(method, drawn, 0))
    np.testing.assert_array_equal(a, b)
    assert (a != own).any()
    np.testing.assert_array_equal(frame, other)
    assert (a != frame).any()
    method.close()


def test_temporary_files_in_too_long_a_path_are_said_in_one_line(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    environment = {**os.environ, "TMPDIR": str(long)}
    command = [sys.executable, "-m", "unmask", "run", "--dataset", "demo", "--out", str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("unmask: the folder for temporary files")
    assert done.stderr.count("\n") == 1
