"""Metrics of photos asked of clips: by the same parts, evidence and numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support import fakes
from tests.support.painted import Face, picture
from tests.support.painted_runs import ClipRun, PhotoRun
from unmask.bench.core.errors import ConfigError
from unmask.bench.core.evidence import KNOWN_PLACE, look_column
from unmask.bench.store.results import Estimates

pytestmark = pytest.mark.usefixtures("painted_world")

FRAMES = [picture(1, [Face(0, 10 + k, 20, 30, 0.9), Face(1, 110, 50, 50, 0.1)]) for k in range(3)]


def run_of(folder: Path, method: str = "edit:how=masked", **settings: object) -> ClipRun:
    return ClipRun(folder, {"a.mp4": FRAMES, "b.mp4": FRAMES[:2]}).planned(f"x={method}", **settings).through()


def metrics_in(estimates: Estimates) -> set[str]:
    return {row.metric for row in estimates.estimates}


def test_unasked_a_run_over_clips_reads_no_more_than_clips_need(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    tables = {path.stem for path in run.table_of("score", "outcomes", "x").parent.glob("*.parquet")}
    assert tables == {"outcomes", "extras", "mobilefacenet", "sface", "people-sort"}
    assert not {row.region for row in run.reduce().estimates} - {None}


def test_the_parts_of_photos_read_clips_where_a_metric_is_asked_for(tmp_path: Path) -> None:
    run = run_of(tmp_path, "edit:how=moved", metrics=("privacy", "utility", "quality", "skin", "exposure"))
    evidence = run.evidence("x")
    faces, frames = 10, 5
    assert evidence.original["face-api"]["age"].shape == (faces,)
    assert np.isfinite(evidence.original["skin-kmeans"]["ita"]).all()
    assert evidence.anonymized["mobilefacenet"][look_column("mirrored")].shape == (faces, fakes.DIMENSION)
    assert evidence.anonymized["mobilefacenet"][KNOWN_PLACE].shape == (faces, fakes.DIMENSION)
    assert evidence.features["face"][1]["inception"]["features"].shape[0] == faces
    assert evidence.features["image"][1]["inception"]["features"].shape[0] == frames
    assert evidence.pairs["background"]["pixels"]["l1|standard"].shape == (frames,)
    # The whole picture moved: its faces lie elsewhere.
    assert set(evidence.extra.sample.tolist()) <= set(evidence.images.id.tolist())
    assert len(evidence.extra.sample) == len(evidence.extra.readings["sface"]["embedding"]) > 0
    assert [card.name for card in run.jobs("x")[0].instruments("detector")] == ["blazeface"]
    assert {name.partition("=")[0] for name in evidence.faces.groups} >= {"gender", "age", "skin"}


def test_their_numbers_are_rows_like_those_of_photos(tmp_path: Path) -> None:
    estimates = run_of(tmp_path, metrics=("deid_rate", "gender", "pixel_quality", "exposure")).reduce()
    found = metrics_in(estimates)
    assert {"deid_rate@1e-3", "gender_estimated_correct"} <= found
    rows = {(row.metric, row.region) for row in estimates.estimates if row.method == "x" and row.group == "all"}
    assert ("deid_rate@1e-3", "face") in rows
    assert {region for metric, region in rows if metric in {"l1|standard", "l1"}} <= {"face", "image", "background"}
    groups = {row.group for row in estimates.estimates if row.metric == "deid_rate@1e-3"}
    assert any(group.startswith("gender=") for group in groups)


def test_a_metric_added_to_a_finished_run_never_runs_a_method_again(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    outputs = run.table_of("output", "frames", "x")
    before = {path: path.stat().st_mtime_ns for path in outputs.parent.iterdir()}
    run.planned("x=edit:how=masked", metrics=("gender", "exposure"))
    fakes.workload()
    run.prepare()
    for release in run.plan.releases:
        run.score(release.label)
    # Only what the metric needs is read: no face is looked for again.
    assert fakes.workload() == {"face-api": 10 + 10}
    assert run.anonymize("x") == [False, False]
    assert {path: path.stat().st_mtime_ns for path in outputs.parent.iterdir()} == before
    assert "gender_estimated_correct" in metrics_in(run.reduce())


def test_what_means_nothing_for_photos_says_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^metric exposure asks about time, tracks or people; the run has no clips"):
        PhotoRun(tmp_path, {"a.png": FRAMES[0]}).planned("edit", metrics=("exposure",))
