"""What prepare leaves behind of an original clip: frames, faces with tracks, people, readings, and what it skips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import fakes
from tests.support.painted import SFACE_BLIND, SIZE, Face, Person, picture
from tests.support.painted_runs import ClipRun, write_avi, write_clip
from unmask.bench.core.errors import VideoError
from unmask.bench.core.types import Image
from unmask.bench.data.media import VideoReader

pytestmark = pytest.mark.usefixtures("painted_world")

TABLES = {"clip", "frames", "faces", "mobilefacenet", "sface", "detections", "people-sort"}
FRAMES = 6


def street(number: int) -> Image:
    """Bob stands still, Ann walks by from frame 2 on, hidden in frame 4; one passer-by is there throughout."""
    faces = [Face(1, 110, 50)]
    if number >= 2 and number != 4:
        faces.insert(0, Face(0, 10 + 4 * number, 10))
    return picture(1, faces, [Person(5, 70 + number, 30), *([Person(6, 5, 30)] if number == 0 else [])])


@pytest.fixture
def run(tmp_path: Path) -> ClipRun:
    return ClipRun(
        tmp_path, {"street.mp4": [street(k) for k in range(FRAMES)], "broken.mp4": b"no clip"}
    ).planned()  # fmt: skip


STREET, BROKEN = 1, 0
"""Numbers of the clips: they come in the order of their names."""


def stamps(run: ClipRun, clip: int = STREET) -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in run.table_of("original", "clip", clip=clip).parent.iterdir()}


def test_every_frame_has_a_row_with_its_time(run: ClipRun) -> None:
    assert run.prepare() == [True, True]
    assert set(stamps(run)) == TABLES
    frames = run.original("frames", STREET)
    np.testing.assert_allclose(frames["seconds"], np.arange(FRAMES) / 10)
    assert np.all(np.diff(frames["pts"]) > 0)
    row = {name: values[0] for name, values in run.original("clip", STREET).items()}
    assert (row["problem"], row["damage"], row["height"], row["width"]) == ("", "", *SIZE)
    assert (row["rate"], row["rotation"], row["audio"]) == (10, 0, False)


def test_a_clip_that_cannot_be_read_has_its_reason_and_no_frames(run: ClipRun) -> None:
    run.prepare()
    row = {name: values[0] for name, values in run.original("clip", BROKEN).items()}
    assert row["problem"] == "not a video, or of an unknown format"
    assert (row["width"], row["height"], row["codec"]) == (0, 0, "")
    assert np.isnan(row["rate"])
    for name in TABLES - {"clip"}:
        for values in run.original(name, BROKEN).values():
            assert len(values) == 0
    assert run.original("mobilefacenet", BROKEN)["embedding"].shape == (0, fakes.DIMENSION)
    assert run.original("faces", BROKEN)["box"].shape == (0, 4)
    assert run.prepare() == [False, False]


def test_faces_have_tracks_from_their_first_frame_on_numbered_from_0(run: ClipRun) -> None:
    run.prepare()
    faces = run.original("faces", STREET)
    rows = list(zip(faces["frame"].tolist(), faces["track"].tolist(), faces["box"][:, 0].tolist(), strict=True))
    assert rows == [
        (0, 0, 110),
        (1, 0, 110),
        (2, 1, 18), (2, 0, 110),
        (3, 1, 22), (3, 0, 110),
        (4, 0, 110),
        (5, 1, 30), (5, 0, 110),
    ]  # fmt: skip
    assert run.original("mobilefacenet", STREET)["embedding"].argmax(axis=1).tolist() == [1, 1, 0, 1, 0, 1, 1, 0, 1]
    assert faces["landmarks"][0].tolist()[:2] == [120, 62]


def test_flicker_is_the_change_since_the_frame_before_of_the_same_track(tmp_path: Path) -> None:
    def blinking(number: int) -> Image:
        image = picture(1, [Face(0, 60, 30)])
        # The row with the marks stays as it is.
        image[20:30, 50:102] += np.uint8(number % 2)
        image[31:80, 50:102] += np.uint8(10 * (number % 2))
        return image

    frames = [blinking(0), blinking(0), blinking(1), picture(1), blinking(1), blinking(1)]
    run = ClipRun(tmp_path, {"a.mp4": frames}).planned()
    run.prepare()
    flicker = run.original("faces")["flicker"]
    assert np.isnan(flicker).tolist() == [True, False, False, True, False]
    assert flicker[1] == flicker[4] == 0
    # A region is 1.3 times the box: 42 rows, of which 5 changed by 1, one not at all, and 36 by 10.
    assert flicker[2] == pytest.approx((5 * 1 + 36 * 10) / 42, abs=0.1)


def test_people_are_detected_in_each_frame_and_tracked(run: ClipRun) -> None:
    run.prepare()
    detections, tracks = run.original("detections", STREET), run.original("people-sort", STREET)
    assert np.bincount(detections["frame"]).tolist() == [2, 1, 1, 1, 1, 1]
    assert sorted(set(detections["score"].round(2).tolist())) == pytest.approx([0.05, 0.06])
    assert tracks["track"].tolist() == [5, 6, 5, 5, 5, 5, 5]
    assert tracks["frame"].tolist() == [0, 0, 1, 2, 3, 4, 5]
    assert tracks["box"][0].tolist() == [70, 30, 24, 60]


def test_a_face_that_the_default_recogniser_cannot_read_is_like_nobody(
    tmp_path: Path, painted_world: pytest.MonkeyPatch
) -> None:
    painted_world.setattr(fakes.Recogniser, "blind", SFACE_BLIND)
    painted_world.setattr(fakes.SFace, "blind", None)
    frames = [picture(1, [Face(SFACE_BLIND, 10, 10), Face(1, 90, 40)])] * 3
    run = ClipRun(tmp_path, {"a.mp4": frames}).planned()
    run.prepare()
    faces = run.original("faces")
    unreadable = np.isnan(run.original("mobilefacenet")["embedding"]).all(axis=1)
    assert unreadable.tolist() == [True, False] * 3
    # Each is a track of its own, and none is joined to another person.
    assert len(set(faces["track"][unreadable].tolist())) == 3
    assert len(set(faces["track"][~unreadable].tolist())) == 1
    assert np.isfinite(run.original("sface")["embedding"]).all()


def test_only_the_first_frames_where_that_was_asked_for(run: ClipRun) -> None:
    run.planned(frames=3).prepare()
    assert len(run.original("frames", STREET)["pts"]) == 3
    assert run.original("faces", STREET)["frame"].max() == 2


def test_more_frames_than_a_chunk_holds(tmp_path: Path) -> None:
    frames = [picture(1, [Face(0, 10 + k, 20)]) for k in range(37)]
    run = ClipRun(tmp_path, {"a.mp4": frames}).planned()
    run.prepare()
    faces = run.original("faces")
    assert faces["frame"].tolist() == list(range(37))
    assert faces["box"][:, 0].tolist() == [10 + k for k in range(37)]
    assert set(faces["track"].tolist()) == {0}
    assert np.isnan(faces["flicker"]).sum() == 1


def test_a_clip_without_a_face_has_empty_tables_of_faces(tmp_path: Path) -> None:
    run = ClipRun(tmp_path, {"a.mp4": [picture(1)] * 2}).planned()
    assert run.prepare() == [True]
    assert len(run.original("frames")["pts"]) == 2
    assert run.original("faces")["landmarks"].shape == (0, 10)
    assert run.original("sface")["embedding"].shape == (0, fakes.DIMENSION)
    assert run.prepare() == [False]


@pytest.mark.parametrize("content", [None, b"no table"], ids=["missing", "damaged"])
def test_a_table_that_is_gone_is_made_again(run: ClipRun, content: bytes | None) -> None:
    run.prepare()
    for name in sorted(TABLES):
        whole = run.original(name, STREET)
        path = run.table_of("original", name, clip=STREET)
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        assert run.prepare() == [False, True], name
        for column, values in run.original(name, STREET).items():
            np.testing.assert_array_equal(values, whole[column])
    assert run.prepare() == [False, False]


@pytest.mark.parametrize("instrument", [fakes.Judge, fakes.Recogniser, fakes.SFace], ids=lambda cls: cls.card.name)
def test_an_instrument_s_next_version_reads_again(
    run: ClipRun, painted_world: pytest.MonkeyPatch, instrument: Any
) -> None:
    run.prepare()
    fakes.raise_version(painted_world, instrument)
    assert run.planned().prepare() == [True, True]
    assert run.prepare() == [False, False]


def test_a_recogniser_s_next_version_reads_again_and_nothing_else_does(
    run: ClipRun, painted_world: pytest.MonkeyPatch
) -> None:
    run.prepare()
    before = {name: run.table_of("original", name, clip=STREET).stat().st_mtime_ns for name in TABLES}
    fakes.raise_version(painted_world, fakes.SFace)
    fakes.workload()
    assert run.planned().prepare() == [True, True]
    after = {name: run.table_of("original", name, clip=STREET).stat().st_mtime_ns for name in TABLES}
    assert {name for name in TABLES if after[name] != before[name]} == {"sface"}
    assert set(fakes.workload()) == {"sface"}


def test_another_tracker_or_setting_of_it_tracks_again(run: ClipRun) -> None:
    run.prepare()
    assert run.planned(trackers=("mine=sort:prefix=100",)).prepare() == [True, True]
    assert run.original("people-mine", STREET)["track"].min() == 105
    # What does not touch originals is no reason to look again.
    assert run.planned("edit", trackers=("mine=sort:prefix=100",), seed=5).prepare() == [False, False]


def test_a_clip_that_breaks_off_is_used_as_far_as_it_goes_and_said_to_be_damaged(tmp_path: Path) -> None:
    write_avi(tmp_path / "whole.avi", [picture(k, [Face(0, 60, 30)]) for k in range(30)])
    whole = (tmp_path / "whole.avi").read_bytes()
    run = ClipRun(tmp_path, {"short.avi": whole[: len(whole) * 6 // 10]}).planned()
    run.prepare()
    row = {name: values[0] for name, values in run.original("clip").items()}
    count = len(run.original("frames")["pts"])
    assert 10 < count < 20
    assert row["problem"] == ""
    assert row["damage"].startswith(f"breaks off after {count} frames of 30")
    assert run.original("faces")["frame"].tolist() == list(range(count))


def test_a_clip_without_its_list_of_frames_has_none(tmp_path: Path) -> None:
    write_clip(tmp_path / "whole.mp4", [picture(k, [Face(0, 60, 30)]) for k in range(10)])
    run = ClipRun(tmp_path, {"short.mp4": (tmp_path / "whole.mp4").read_bytes()[:-100]}).planned()
    run.prepare()
    assert run.original("clip")["problem"].tolist() == ["truncated or damaged: its list of frames cannot be read"]


def test_a_reader_that_fails_half_way_leaves_no_half_clip(run: ClipRun, painted_world: pytest.MonkeyPatch) -> None:
    real: Callable[[VideoReader], Any] = VideoReader.__iter__

    def broken(self: VideoReader) -> Any:
        for frame in real(self):
            if frame.number == 4:
                raise VideoError("the disk is gone")
            yield frame

    painted_world.setattr(VideoReader, "__iter__", broken)
    painted_world.setattr("unmask.bench.run.jobs.items.CHUNK_FRAMES", 2)
    run.prepare()
    assert run.original("clip", STREET)["problem"].tolist() == ["the disk is gone"]
    assert len(run.original("frames", STREET)["pts"]) == 0
    assert len(run.original("faces", STREET)["frame"]) == 0
