"""From stored readings of clips to `estimates.json`: values worked out by hand, and all that is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.support import fakes
from tests.support.painted import SFACE_BLIND, Face, Person, picture
from tests.support.painted_runs import ClipRun, write_clip
from unmask.bench.core.errors import StoreError
from unmask.bench.core.types import Image
from unmask.bench.store.purging import purge
from unmask.bench.store.results import Estimates
from unmask.bench.store.run_folder import RunFolder

FRAMES = 4
METHODS = ("masked=edit:how=masked", "twin=edit:how=masked,batch=2", "tone=edit:how=tone",
           "fails=edit:how=masked,fails_on=0", "black=edit")  # fmt: skip


def street(number: int) -> Image:
    """Bob throughout; Ann in frames 2 and 3."""
    ann = [Face(0, 10, 10)] if number >= 2 else []
    return picture(1, [*ann, Face(1, 110, 50)], [Person(5, 70, 30)])


CLIPS: Mapping[str, Sequence[Image] | bytes] = {
    "broken.mp4": b"no clip",
    "cat.mp4": [picture(2, [Face(SFACE_BLIND, 60 + k, 30)]) for k in range(FRAMES)],
    "street.mp4": [street(k) for k in range(FRAMES)],
    "wall.mp4": [picture(5, [], [Person(5, 20, 30), Person(6, 90, 30)])] * 2,
}


STREET = {"street.mp4": CLIPS["street.mp4"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All methods, reduced once for the whole file."""
    with pytest.MonkeyPatch.context() as patch:
        fakes.install(patch)
        made = ClipRun(tmp_path_factory.mktemp("reduced"), CLIPS)
        made.planned(*METHODS, control_qualities=("60k",)).through().reduce()
        yield made


@pytest.fixture(scope="module")
def estimates(run: ClipRun) -> Estimates:
    return run.folder.estimates


def row(estimates: Estimates, method: str, metric: str, instrument: str) -> Any:
    (only,) = [
        row
        for row in estimates.estimates
        if (row.method, row.metric, row.instrument, row.group) == (method, metric, instrument, "all")
    ]
    return only


@pytest.mark.parametrize(
    ("method", "outcome", "value"),
    [
        ("none", "missed", 1.0),
        ("tone", "missed", 1.0),
        ("masked", "anonymized", 1.0),
        ("black", "destroyed", 1.0),
        # In the two frames with Ann both faces are lost: 4 of 6 faces in the street, 4 of 10 in all.
        ("fails", "error", 0.4),
        ("fails", "anonymized", 0.6),
    ],
)
def test_shares_of_outcomes_are_over_all_faces_in_all_frames(
    estimates: Estimates, method: str, outcome: str, value: float
) -> None:
    assert row(estimates, method, f"frames_{outcome}", "yunet").value == pytest.approx(value)


@pytest.mark.parametrize(
    ("method", "instrument", "value", "n"),
    [
        ("none", "mobilefacenet", 1.0, 3),
        ("masked", "mobilefacenet", 0.0, 3),
        # A frame that failed would be released as it was: Ann's and Bob's tracks, but not Cat's.
        ("fails", "mobilefacenet", 2 / 3, 3),
        # sface cannot read Cat in the original either, so that it is the worse of two for the others.
        ("masked", "sface", 0.0, 2),
        ("fails", "sface", 1.0, 2),
        ("fails", "worst", 1.0, 2),
    ],
)
def test_tracks_exposed(estimates: Estimates, method: str, instrument: str, value: float, n: int) -> None:
    share = row(estimates, method, "tracks_exposed", instrument)
    assert (share.value, share.n, share.unscored) == (pytest.approx(value), n, 3 - n)


def test_exposed_frames_and_seconds_are_averages_over_tracks(estimates: Estimates) -> None:
    # none: four, four and two frames of a tenth of a second; fails: Bob's two and Ann's two.
    assert row(estimates, "none", "frames_exposed", "mobilefacenet").value == pytest.approx(10 / 3)
    assert row(estimates, "none", "longest_exposure", "mobilefacenet").value == pytest.approx(1 / 3)
    assert row(estimates, "fails", "longest_exposure", "mobilefacenet").value == pytest.approx((0.2 + 0.2 + 0) / 3)


def test_people_are_averages_over_readable_clips(estimates: Estimates) -> None:
    people = row(estimates, "masked", "people_original", "sort")
    assert (people.value, people.n) == (pytest.approx((0 + 1 + 2) / 3), 3)
    assert row(estimates, "masked", "people_difference", "sort").value == 0.0


def test_every_clip_has_a_row_whatever_became_of_it(estimates: Estimates) -> None:
    rows = {row.clip: row for row in estimates.clips}
    assert list(rows) == sorted(CLIPS)
    broken, crowd = rows["broken.mp4"], rows["street.mp4"]
    assert broken.problem == "not a video, or of an unknown format"
    assert (broken.frames, broken.seconds, broken.rate, broken.face_width, broken.faces) == (0, 0.0, None, None, 0)
    assert (crowd.frames, crowd.faces, crowd.face_tracks, crowd.face_width) == (FRAMES, 6, 2, 32.0)
    assert crowd.seconds == pytest.approx(0.4)
    assert (crowd.people, crowd.truth_people, crowd.variable_rate) == ({"sort": 1}, None, False)
    # Ann and Bob share two frames; neither recogniser takes them for one person.
    assert crowd.strangers == {"mobilefacenet": (0, 2), "sface": (0, 2)}
    assert rows["wall.mp4"].people == {"sort": 2}


def test_results_of_a_clip_under_a_method(estimates: Estimates) -> None:
    results = {(row.method, row.clip): row for row in estimates.results}
    contestants = ["none", "none@60k", "masked", "twin", "tone", "fails", "black"]
    assert set(results) == {(m, clip) for m in contestants for clip in CLIPS if clip != "broken.mp4"}
    fails = results["fails", "street.mp4"]
    assert (fails.failed_frames, fails.tracks_exposed, fails.error) == (2, 2, "")
    assert fails.longest_exposure == pytest.approx(0.2)
    assert fails.missed == []
    assert fails.ms is not None
    tone = results["tone", "street.mp4"]
    assert sorted(tone.missed) == [(pytest.approx(0.0), pytest.approx(0.4)), (pytest.approx(0.2), pytest.approx(0.4))]
    assert tone.longest_exposure == pytest.approx(0.4)
    assert results["none@60k", "street.mp4"].kbps != results["none", "street.mp4"].kbps
    assert results["black", "wall.mp4"].tracks_exposed == 0


def test_a_clip_of_which_every_frame_failed_says_why(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    run = ClipRun(tmp_path, STREET).planned("x=edit:fails_on=1,batch=1").through()
    result = {row.clip: row for row in run.reduce().results if row.method == "x"}["street.mp4"]
    assert (result.error, result.failed_frames, result.ms) == ("ValueError: cannot do person 1", FRAMES, None)


def test_contestants_are_compared_but_for_the_control_s_other_qualities(estimates: Estimates) -> None:
    pairs = [(r.a, r.b) for r in estimates.comparisons if (r.metric, r.instrument) == ("frames_error", "yunet")]
    labels = ["masked", "twin", "tone", "fails", "black"]
    assert pairs == [(a, b) for k, a in enumerate(labels) for b in labels[k + 1 :]]
    assert {rank.method for rank in estimates.ranks} == set(labels)


def test_timelines_of_all_clips(run: ClipRun) -> None:
    table = run.folder.timelines("clips", "fails")
    stretches = list(
        zip(table["clip"].tolist(), table["track"].tolist(), table["from"].round(3).tolist(),
            table["to"].round(3).tolist(), table["state"].tolist(), strict=True)
    )  # fmt: skip
    assert stretches == [
        ("cat.mp4", 0, 0.0, 0.4, "anonymized"),
        ("street.mp4", 0, 0.0, 0.2, "anonymized"),
        ("street.mp4", 0, 0.2, 0.4, "error"),
        ("street.mp4", 1, 0.2, 0.4, "error"),
    ]


def test_the_same_readings_give_the_same_bytes(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    run = ClipRun(tmp_path, STREET).planned("masked=edit:how=masked").through()
    run.reduce()
    paths = (run.folder.estimates_path, run.folder.timelines_path("clips", "masked").local)
    before = {path: path.read_bytes() for path in paths}
    run.reduce()
    assert {path: path.read_bytes() for path in paths} == before


def test_a_missing_table_is_no_number(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    run = ClipRun(tmp_path, STREET).planned("masked=edit:how=masked").through()
    run.table_of("score", "outcomes", "masked").unlink()
    with pytest.raises(StoreError, match=r"outcomes.parquet is missing; run the same"):
        run.reduce()
    assert not run.folder.estimates_path.exists()


def test_a_recogniser_that_was_not_calibrated_is_not_measured(
    tmp_path: Path, painted_world: pytest.MonkeyPatch
) -> None:
    run = ClipRun(tmp_path, STREET).planned("masked=edit:how=masked").through()
    fakes.raise_version(painted_world, fakes.SFace)
    numbers = run.reduce()
    stale = row(numbers, "masked", "tracks_exposed", "sface")
    assert (stale.value, stale.low, stale.high, stale.n) == (None, None, None, 0)
    assert row(numbers, "masked", "tracks_exposed", "mobilefacenet").value == 0.0


def test_clips_of_which_none_can_be_read_have_rows_without_numbers(
    tmp_path: Path, painted_world: pytest.MonkeyPatch
) -> None:
    numbers = ClipRun(tmp_path, {"a.mp4": b"?", "b.mp4": b"?"}).planned("masked=edit:how=masked").through().reduce()
    assert [bool(clip.problem) for clip in numbers.clips] == [True, True]
    assert numbers.results == []
    assert {each.value for each in numbers.estimates} <= {None}


def test_groups_of_clips_have_rows_of_their_own(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    who = {"fight": Face(1, 110, 50), "noFight": Face(0, 10, 10)}
    clips = {f"{group}/{k}.mp4": [picture(k, [face])] * 2 for group, face in who.items() for k in (0, 1)}
    run = ClipRun(tmp_path, clips, dataset="surv-fight")
    run.data.rename(tmp_path / "surv_fight")
    painted_world.setenv("UNMASK_DATA", str(tmp_path))
    numbers = run.planned("fails=edit:fails_on=1").through().reduce()
    wanted = ("fails", "tracks_exposed", "mobilefacenet")
    values = {r.group: r.value for r in numbers.estimates if (r.method, r.metric, r.instrument) == wanted}
    assert values == {"all": 0.5, "group=fight": 1.0, "group=noFight": 0.0}
    assert {clip.clip: clip.group for clip in numbers.clips} == {name: name.split("/")[0] for name in clips}


def test_an_uneven_clip_is_said_to_be_of_a_variable_rate(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    run = ClipRun(tmp_path, {})
    write_clip(run.data / "a.mp4", [street(k) for k in range(4)], [0, 40, 300, 320])
    (clip,) = run.planned("masked=edit:how=masked").through().reduce().clips
    assert clip.variable_rate
    # The last frame lasts as long as the one before it.
    assert clip.seconds == pytest.approx(0.34)
    assert np.isfinite(clip.seconds)


def test_clips_have_pseudonyms_and_only_names_json_says_whose(
    tmp_path: Path, painted_world: pytest.MonkeyPatch
) -> None:
    run = ClipRun(tmp_path, {"Jane Doe/home.mp4": STREET["street.mp4"], "Jane Doe/office.mp4": b"no clip"})
    run.planned("masked=edit:how=masked").through().reduce()
    numbers = RunFolder(run.folder.path).estimates
    assert [row.clip for row in numbers.clips] == ["clip-00001", "clip-00002"]
    assert numbers.clips[1].problem
    for path in (run.folder.estimates_path, run.folder.timelines_path("clips", "masked").local):
        data = path.read_bytes()
        assert not any(name in data for name in (b"Jane", b"home", b"office"))
    assert [row.clip for row in run.folder.estimates.clips] == ["Jane Doe/home.mp4", "Jane Doe/office.mp4"]
    assert str(run.data) not in run.folder.plan_path.read_text("utf-8")


def test_a_purged_run_keeps_its_figures_and_no_name(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    run = ClipRun(tmp_path, {"Jane Doe.mp4": STREET["street.mp4"]}).planned("masked=edit:how=masked").through()
    run.reduce()
    before = RunFolder(run.folder.path).estimates
    purge(RunFolder.open(run.folder.path))
    left = RunFolder.open(run.folder.path)
    assert left.estimates.estimates == before.estimates
    assert left.estimates.results == before.results
    assert left.timelines("clips", "masked")["clip"].tolist()[0] == "clip-00001"
    for path in run.folder.path.rglob("*"):
        assert not path.is_file() or b"Jane" not in path.read_bytes()
    assert not list(run.folder.path.rglob("*.mp4"))


@pytest.mark.parametrize("file", ["plan.json", "estimates.json", "timelines/clips/masked.parquet"])
def test_what_was_changed_by_hand_is_refused(tmp_path: Path, painted_world: pytest.MonkeyPatch, file: str) -> None:
    run = ClipRun(tmp_path, {"a.mp4": STREET["street.mp4"]}).planned("masked=edit:how=masked").through()
    run.reduce()
    path = run.folder.path / file
    if path.suffix == ".json":
        path.write_text(
            path.read_text("utf-8").replace('"seed": 0', '"seed": 1').replace('"error": ""', '"error": "x"')
        )
    else:
        table = pq.read_table(path)
        pq.write_table(table.slice(0, table.num_rows - 1), path)
    folder = RunFolder(run.folder.path)
    with pytest.raises(StoreError, match="changed"):
        _ = folder.plan, folder.estimates, folder.timelines("clips", "masked")
