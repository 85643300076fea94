"""`unmask video` as a user runs it: every clip ends in a row, a kill costs a clip at most, numbers add up."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest

from tests.support.cli import BLACKOUT, start_unmask, unmask_here
from tests.support.clips import cut_short, drifting_face, wall, write_clip
from unmask.bench.data.media import VideoReader
from unmask.bench.store.run_folder import RunFolder

pytestmark = pytest.mark.weights

# One recogniser and one tracker: enough to go through every stage.
QUICK = ("--instrument", "mobilefacenet", "--tracker", "sort", "--detector", "yolov3-tiny:size=160", "--no-report")


def run_video(clips: Path, out: Path, *more: str) -> dict[str, Any]:
    done = unmask_here("video", "--dataset", f"clips:{clips}", *QUICK, *more, "--out", str(out))
    assert done.returncode == 0, done.stderr
    return RunFolder.open(out, show_names=True).estimates.model_dump(mode="json")


def value(estimates: dict[str, Any], method: str, metric: str, instrument: str, group: str = "all") -> float | None:
    rows = [
        row
        for row in estimates["estimates"]
        if (row["method"], row["metric"], row["instrument"], row["group"]) == (method, metric, instrument, group)
    ]
    assert len(rows) == 1, (method, metric, instrument)
    found: float | None = rows[0]["value"]
    return found


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Path]:
    """A run over good and bad clips; (clips, estimates, run folder)."""
    clips = tmp_path_factory.mktemp("clips")
    whole = write_clip(clips / "face.mp4", 12)
    write_clip(clips / "odd size.mp4", 6, lambda n: wall(n, (121, 161)))
    write_clip(clips / "sub" / "uneven.mp4", 6, pts=[0, 40, 300, 320, 900, 1000])
    cut_short(whole, clips / "truncated.mp4")
    (clips / "empty.mp4").write_bytes(b"")
    (clips / "letter <b>.mp4").write_text("no clip at all")
    (clips / "notes.txt").write_text("not even called one")
    out = tmp_path_factory.mktemp("run") / "run"
    estimates = run_video(
        clips, out, "--method", BLACKOUT, "--method", "blur:sigma=0.15,detector=harness", "--quality", "60k"
    )
    return clips, estimates, out


def test_every_clip_ends_in_a_row_with_its_reason(hostile: tuple[Path, dict[str, Any], Path]) -> None:
    _, estimates, _ = hostile
    rows = {row["clip"]: row for row in estimates["clips"]}
    assert set(rows) == {
        "face.mp4", "odd size.mp4", "sub/uneven.mp4", "truncated.mp4", "empty.mp4", "letter <b>.mp4",
    }  # fmt: skip
    usable = {name for name, row in rows.items() if not row["problem"]}
    assert {"face.mp4", "odd size.mp4", "sub/uneven.mp4"} <= usable
    for name in ("empty.mp4", "letter <b>.mp4"):
        assert rows[name]["problem"]
        assert rows[name]["frames"] == 0
    assert rows["truncated.mp4"]["problem"] or rows["truncated.mp4"]["damage"]
    assert rows["face.mp4"]["frames"] == 12
    assert (rows["odd size.mp4"]["width"], rows["odd size.mp4"]["height"]) == (161, 121)
    assert rows["sub/uneven.mp4"]["variable_rate"]
    assert not rows["face.mp4"]["variable_rate"]
    assert 0.1 < rows["face.mp4"]["face_width"] / rows["face.mp4"]["width"] < 0.6
    assert rows["odd size.mp4"]["face_width"] is None


def test_the_control_exposes_everybody_and_a_black_box_nobody(hostile: tuple[Path, dict[str, Any], Path]) -> None:
    _, estimates, _ = hostile
    assert value(estimates, "none", "tracks_exposed", "mobilefacenet") == 1.0
    assert value(estimates, "none", "frames_missed", "yunet") == 1.0
    assert value(estimates, "none", "flicker", "frames") == pytest.approx(1.0)
    assert value(estimates, "blackout", "frames_destroyed", "yunet") == 1.0
    assert value(estimates, "blackout", "tracks_exposed", "mobilefacenet") == 0.0
    worst = value(estimates, "none", "tracks_exposed", "worst")
    assert worst == 1.0


def test_the_lossless_control_is_tracked_as_the_original(hostile: tuple[Path, dict[str, Any], Path]) -> None:
    _, estimates, _ = hostile
    by_clip = {row["clip"]: row["people"] for row in estimates["clips"]}
    for row in estimates["results"]:
        if row["method"] == "none":
            assert row["people"] == by_clip[row["clip"]]
    assert value(estimates, "none", "people_difference", "sort") == 0.0


def test_outputs_keep_frames_times_and_size(hostile: tuple[Path, dict[str, Any], Path]) -> None:
    clips, estimates, out = hostile
    numbers = {row["clip"]: k for k, row in enumerate(estimates["clips"])}
    for name in ("face.mp4", "odd size.mp4", "sub/uneven.mp4"):
        source = list(VideoReader(clips / name))
        folder = out / "outputs" / next((out / "outputs").iterdir()).name
        for method in ("none", "blackout"):
            made = list(VideoReader(folder / method / f"{numbers[name]:05d}" / "lossless.mp4"))
            assert [frame.image.shape for frame in made] == [frame.image.shape for frame in source]
            np.testing.assert_allclose([f.seconds for f in made], [f.seconds for f in source], atol=1e-3)
        control = list(VideoReader(folder / "none" / f"{numbers[name]:05d}" / "lossless.mp4"))
        assert all(np.array_equal(a.image, b.image) for a, b in zip(source, control, strict=True))


def test_bitrates_are_reported_and_matched_is_near_the_source(hostile: tuple[Path, dict[str, Any], Path]) -> None:
    _, estimates, _ = hostile
    source = {row["clip"]: row["kbps"] for row in estimates["clips"]}
    rates = {(row["method"], row["clip"]): row["kbps"] for row in estimates["results"]}
    assert rates["none@matched", "face.mp4"] == pytest.approx(source["face.mp4"], rel=0.6)
    assert rates["none@60k", "face.mp4"] < rates["none@matched", "face.mp4"] < rates["none", "face.mp4"]
    assert {method for method, _ in rates} >= {"blackout@60k", "blur-sigma-0.15@60k"} or any(
        method.endswith("@60k") and method.startswith("blur") for method, _ in rates
    )


def test_timelines_tell_when_a_face_was_left_as_it_was(hostile: tuple[Path, dict[str, Any], Path]) -> None:
    _, estimates, out = hostile
    missed = next(row["missed"] for row in estimates["results"] if (row["method"], row["clip"]) == ("none", "face.mp4"))
    assert missed
    assert missed[0][0] == 0.0
    assert missed[-1][1] == pytest.approx(1.2)
    table = pq.read_table(next((out / "timelines").glob("*/blackout.parquet"))).to_pydict()
    assert set(table["state"]) == {"destroyed"}


@pytest.mark.slow
def test_killed_in_each_stage_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    for number in range(2):
        write_clip(clips / f"{number}.mp4", 6, lambda n, k=number: drifting_face(n + 5 * k))
    more = ("--method", BLACKOUT)
    straight = run_video(clips, tmp_path / "straight", *more)
    run = tmp_path / "killed"
    stages = ("prepare/*/*/faces.parquet", "outputs/*/blackout/*/outputs.parquet", "score/*/*/*/outcomes.parquet")
    before: dict[str, tuple[int, int]] = {}
    for pattern in stages:
        process = start_unmask("video", "--dataset", f"clips:{clips}", *QUICK, *more, "--out", str(run))
        deadline = time.monotonic() + 180
        while not any(run.glob(pattern)) and process.poll() is None:
            assert time.monotonic() < deadline, f"no {pattern} within three minutes"
            time.sleep(0.01)
        workers = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        psutil.wait_procs(workers, timeout=60)
        now = {
            str(path.relative_to(run)): (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in run.rglob("*")
            if path.is_file() and ".tmp-" not in str(path) and path.suffix in (".parquet", ".mp4")
            and "timelines" not in path.parts
        }  # fmt: skip
        assert [name for name, identity in before.items() if now.get(name) != identity] == [], "redone after a kill"
        before = now
    resumed = run_video(clips, run, *more)
    for estimates in (straight, resumed):
        estimates.pop("seal")
        for row in estimates["results"]:
            row.pop("ms")
        for rows in ("estimates", "comparisons"):
            estimates[rows] = [row for row in estimates[rows] if row["metric"] != "ms_per_frame"]
    assert resumed == straight


def test_clips_made_elsewhere_are_scored(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "a.mp4", 6)
    write_clip(tmp_path / "in" / "b.mp4", 6)
    write_clip(tmp_path / "theirs" / "a.mkv.mp4", 6, lambda n: np.zeros((240, 320, 3), np.uint8))
    (tmp_path / "theirs" / "a.mkv.mp4").rename(tmp_path / "theirs" / "a.mp4")
    write_clip(tmp_path / "theirs" / "b.mp4", 4, lambda n: np.zeros((240, 320, 3), np.uint8))
    method = f"theirs=outputs:dir={tmp_path / 'theirs'}"
    estimates = run_video(tmp_path / "in", tmp_path / "run", "--method", method)
    results = {row["clip"]: row for row in estimates["results"] if row["method"] == "theirs"}
    assert results["a.mp4"]["failed_frames"] == 0
    assert results["b.mp4"]["failed_frames"] == 2  # the clip that came back is two frames short
    assert value(estimates, "theirs", "frames_destroyed", "yunet") == pytest.approx(10 / 12)
    assert value(estimates, "theirs", "frames_error", "yunet") == pytest.approx(2 / 12)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dataset", "clips:/nowhere/at/all"), "nowhere"),
        (("--quality", "best"), "matched"),
        (("--tracker", "deepsrot"), "deepsort"),
        (("--detector", "yolov3"), "cfg"),
        (("--method", "blurr"), "blur"),
        (("--instrument", "sface"), "mobilefacenet"),
    ],
)
def test_mistakes_end_in_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = unmask_here("video", *arguments, "--out", str(tmp_path / "run"))
    assert done.returncode != 0
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
