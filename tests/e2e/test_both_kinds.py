"""Photos and clips in one run: scored again, grown, moved and purged alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.support.cli import BLACKOUT, unmask_here
from tests.support.clips import write_clip
from unmask.bench.core.types import Image
from unmask.bench.store.run_folder import RunFolder

pytestmark = pytest.mark.weights

QUICK = ("--instrument", "mobilefacenet", "--tracker", "sort", "--detector", "yolov3-tiny:size=160", "--no-report")


def stamps(run: Path, pattern: str) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in run.glob(pattern) if path.is_file()}


def test_one_folder_of_outputs_answers_for_photos_and_clips(tmp_path: Path, astronaut: Image) -> None:
    for place in ("photos", "theirs"):
        (tmp_path / place).mkdir()
        Pillow.fromarray(astronaut).resize((256, 256)).save(tmp_path / place / "a.png")
    write_clip(tmp_path / "clips" / "a.mp4", 3)
    sets = ("--dataset", f"p=folder:{tmp_path / 'photos'}", "--dataset", f"c=clips:{tmp_path / 'clips'}")
    run = tmp_path / "run"
    asked = (
        "--method",
        f"theirs=outputs:dir={tmp_path / 'theirs'}",
        "--quality",
        "jpeg75",
        "--metric",
        "outcome,exposure",
    )
    done = unmask_here("run", *sets, *asked, *QUICK, "--out", str(run))
    assert done.returncode == 2
    assert "none of 1 clips has an output in" in done.stderr
    write_clip(tmp_path / "theirs" / "a.mp4", 3)
    done = unmask_here("run", *sets, *asked, *QUICK, "--out", str(run))
    assert done.returncode == 0, done.stderr
    estimates = RunFolder.open(run).estimates
    assert {row.method for row in estimates.estimates if row.dataset == "p"} == {
        "none", "none@jpeg75", "theirs", "theirs@jpeg75",
    }  # fmt: skip
    assert {row.method for row in estimates.results} == {"none", "none@matched", "theirs"}
    missed = {row.method: row.value for row in estimates.estimates if row.metric == "outcome_missed"}
    assert missed["theirs"] == 1.0
    done = unmask_here("report", str(run))
    assert done.returncode == 0, done.stderr
    first, clips = ((run / "report" / name).read_text("utf-8") for name in ("index.html", "clips-c.html"))
    assert "theirs@jpeg75" in first
    assert "jpeg75" not in clips
    assert first.count("control: only re-encoded") == 2


def test_a_run_over_photos_and_clips(tmp_path: Path, astronaut: Image) -> None:
    (tmp_path / "photos").mkdir()
    Pillow.fromarray(astronaut).resize((256, 256)).save(tmp_path / "photos" / "Jane Doe.png")
    write_clip(tmp_path / "clips" / "Jane Doe.mp4", 5)
    run = tmp_path / "run"

    def go_on(*methods: str) -> None:
        sets = ("--dataset", f"p=folder:{tmp_path / 'photos'}", "--dataset", f"c=clips:{tmp_path / 'clips'}")
        asked = [word for method in methods for word in ("--method", method)]
        measured = ("--metric", "outcome,people,exposure")
        done = unmask_here("run", *sets, *asked, *measured, *QUICK, "--out", str(run))
        assert done.returncode == 0, done.stderr

    go_on(BLACKOUT)
    first = RunFolder.open(run).estimates
    asked = {(row.dataset, row.metric) for row in first.estimates}
    assert {("p", "outcome_destroyed"), ("c", "tracks_exposed"), ("c", "people")} <= asked
    assert ("c", "flicker") not in asked
    regions = {row.metric: row.region for row in first.estimates if row.dataset == "c"}
    of_photos = {row.metric for row in first.estimates if row.dataset == "p"} & regions.keys()
    assert {"outcome_missed", "detection_rate"} <= of_photos
    assert {metric for metric, region in regions.items() if region == "face"} == of_photos
    assert {regions[metric] for metric in regions.keys() - of_photos} == {None}
    assert {row.method for row in first.estimates if row.dataset == "p"} == {"none", "blackout"}
    assert {row.method for row in first.results} == {"none", "none@matched", "blackout"}
    assert run.stat().st_mode & 0o777 == 0o700
    assert not [path for path in run.rglob("*.json") if str(tmp_path) in path.read_text("utf-8")][1:]

    outputs = stamps(run, "outputs/**/*")
    readings = stamps(run, "prepare/**/*") | stamps(run, "score/**/*")
    # A method is added: it alone runs.
    go_on(BLACKOUT, "pixelate:blocks=4,detector=harness")
    assert stamps(run, "outputs/**/*").items() > outputs.items()
    assert (stamps(run, "prepare/**/*") | stamps(run, "score/**/*")).items() > readings.items()
    outputs = stamps(run, "outputs/**/*")

    # The clips move, and a metric is added: no method runs again.
    (tmp_path / "clips").rename(tmp_path / "moved")
    done = unmask_here("score", str(run), "--metric", "outcome,people,exposure,motion")
    assert done.returncode == 1
    assert "--locate c=FOLDER" in done.stderr
    done = unmask_here(
        *("score", str(run), "--metric", "outcome,people,exposure,motion", "--instrument", "mobilefacenet"),
        *("--locate", f"c={tmp_path / 'moved'}"),
    )
    assert done.returncode == 0, done.stderr
    scored = RunFolder.open(run)
    assert ("c", "flicker") in {(row.dataset, row.metric) for row in scored.estimates.estimates}
    assert stamps(run, "outputs/**/*") == outputs
    done = unmask_here("report", str(run))
    assert done.returncode == 0, done.stderr
    assert {"index.html", "clips-c.html", "numbers-p.html"} <= {path.name for path in (run / "report").iterdir()}

    done = unmask_here("purge", str(run))
    assert done.returncode == 0, done.stderr
    assert not [path for path in run.rglob("*") if path.is_file() and b"Jane" in path.read_bytes()]
    assert RunFolder.open(run).estimates.estimates == scored.estimates.estimates
    assert "was purged" in unmask_here("score", str(run)).stderr
