"""Stored tables of clips become evidence and timelines: how every face in every frame ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support import fakes
from tests.support.painted import SFACE_BLIND, Face, picture
from tests.support.painted_runs import ClipRun
from tests.support.video import POINTS, RECOGNISER, Clip, build_clip
from tests.support.video import Face as Seen
from tests.support.video import video_evidence as made_up
from unmask.bench.core.clips import NOT_MEASURED
from unmask.bench.core.errors import StoreError, VideoError
from unmask.bench.core.evidence import KNOWN_PLACE
from unmask.bench.core.types import Image, Outcome
from unmask.bench.core.video import Tracks
from unmask.bench.run.figures.clips import EXPOSED, reference_of, states, timeline
from unmask.bench.run.outputs import writing
from unmask.bench.store.tables import read_table

pytestmark = pytest.mark.usefixtures("painted_world")

FRAMES = 4


def street(number: int) -> Image:
    """Bob stands still; Cat, whom sface cannot read, is there in frame 2."""
    cat = [Face(SFACE_BLIND, 10, 10)] if number == 2 else []
    return picture(1, [*cat, Face(1, 110, 50)])


def run_of(folder: Path, *methods: str, **settings: object) -> ClipRun:
    clips: dict[str, Sequence[Image] | bytes] = {
        "broken.mp4": b"no clip", "street.mp4": [street(k) for k in range(FRAMES)], "wall.mp4": [picture(5)] * 2,
    }  # fmt: skip
    return ClipRun(folder, clips).planned(*methods, **settings).through()


def test_how_faces_end_now_that_recognisers_have_been_asked(tmp_path: Path) -> None:
    expected = {"nothing": "missed", "tone": "missed", "masked": "anonymized", "black": "destroyed"}
    run = run_of(tmp_path, *(f"{how}=edit:how={how}" for how in expected))
    for how, outcome in expected.items():
        evidence = run.evidence(how)
        # The clip that could not be read is in no evidence; the one without a face is.
        assert evidence.clips.id.tolist() == ["street.mp4", "wall.mp4"]
        assert evidence.outcome.tolist() == [outcome] * 5, how
        assert evidence.clips.clip.tolist() == [0] * 5
        assert evidence.anonymized["sface"][KNOWN_PLACE].shape == (5, fakes.DIMENSION)


def test_frames_that_failed_are_errors_whatever_recognisers_say(tmp_path: Path) -> None:
    evidence = run_of(tmp_path, f"x=edit:how=tone,fails_on={SFACE_BLIND}").evidence("x")
    assert evidence.outcome.tolist() == ["missed", "missed", "error", "error", "missed"]


def test_the_evidence_is_that_of_originals_beside_outputs(tmp_path: Path) -> None:
    evidence = run_of(tmp_path, "x=edit:how=black", control_qualities=("60k",)).evidence("x")
    clips = evidence.clips
    np.testing.assert_allclose(clips.seconds[0], np.arange(FRAMES) / 10)
    assert clips.frame.tolist() == [0, 1, 2, 2, 3]
    assert evidence.faces.sample.tolist() == [f"street.mp4/{k:06d}" for k in clips.frame]
    assert evidence.faces.cluster.tolist() == [0] * 5
    assert evidence.images.cluster.tolist() == [0] * FRAMES + [1] * 2
    assert evidence.faces_per_image.tolist() == [1, 1, 2, 1, 0, 0]
    assert len(evidence.ms) == FRAMES + 2
    assert np.isfinite(evidence.ms).all()
    assert evidence.original["mobilefacenet"]["embedding"].argmax(axis=1).tolist() == [1, 1, SFACE_BLIND, 1, 1]
    assert np.isnan(evidence.anonymized["mobilefacenet"]["embedding"]).all()
    assert np.isfinite(evidence.anonymized["mobilefacenet"][KNOWN_PLACE]).all()
    assert np.isnan(evidence.landmarks).all()
    assert evidence.truth.landmarks.shape == (5, 5, 2)
    for people in (clips.people, clips.people_output, clips.people_recoded):
        assert [set(each) for each in people] == [{"sort"}] * 2
    # Bob's faces and Cat's: one track each, numbered through the clips.
    assert [rows.tolist() for rows in clips.tracks] == [[0, 1, 3, 4], [2]]
    assert clips.track_clip.tolist() == [0, 0]
    assert evidence.truth.identity.tolist() == [f"street.mp4#{k}" for k in (0, 0, 1, 0, 0)]
    assert [evidence.count(unit) for unit in ("face", "image", "track", "clip")] == [5, FRAMES + 2, 2, 2]


def test_who_is_held_against_which_control(tmp_path: Path) -> None:
    run = ClipRun(tmp_path, {"wall.mp4": [picture(5)] * 2})
    for qualities, expected in {
        (): {"x": None, "x@50k": "none@50k"},
        ("60k", "matched"): {"x": "none@matched", "x@50k": "none@50k", "none": "none@matched"},
        ("60k",): {"x": "none@60k", "x@50k": "none@50k"},
    }.items():
        plan = run.planned("x=edit", control_qualities=qualities, qualities=("50k",) if qualities else ()).plan
        for contestant in plan.releases:
            if contestant.label in expected:
                reference = reference_of(plan, contestant)
                assert (None if reference is None else reference.label) == expected[contestant.label]


def test_a_quality_that_could_not_be_written_is_not_measured(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    real = writing.VideoWriter

    class FullDisk(real):  # type: ignore[misc, valid-type]
        def write(self, frame: object, image: Image) -> None:
            if self.path.name.startswith("60k"):
                raise VideoError("no space left")
            super().write(frame, image)

    painted_world.setattr(writing, "VideoWriter", FullDisk)
    run = run_of(tmp_path, "x=edit", qualities=("60k",))
    evidence = run.evidence("x@60k")
    assert evidence.outcome.tolist() == [NOT_MEASURED] * 5
    for readings in evidence.anonymized.values():
        assert all(np.isnan(rows).all() for rows in readings.values())
    assert np.isnan(evidence.clips.flicker_output).all()
    assert [*evidence.clips.people_output] == [{}, {}]
    assert np.isnan(evidence.clips.kbps).all()
    assert NOT_MEASURED in states(evidence)
    run.reduce()
    assert len(read_table(run.folder.timelines_path("clips", "x@60k"))["clip"]) == 0
    assert run.evidence("x").outcome.tolist() == ["destroyed"] * 5


def test_a_table_that_is_missing_or_damaged_is_named_and_not_passed_over(tmp_path: Path) -> None:
    run = run_of(tmp_path, "x=edit")
    tables = {"original": ("faces", "sface"), "output": ("outputs", "written"),
              "score": ("outcomes", "sface", "people-sort")}  # fmt: skip
    for stage, name in [(stage, name) for stage, names in tables.items() for name in names]:
        path = run.table_of(stage, name, "x", clip=1)
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(StoreError, match=rf"{name}.parquet is missing; run the same"):
            run.evidence("x")
        path.write_bytes(b"no table")
        with pytest.raises(StoreError, match=r"cannot be read .*; delete it and run the same"):
            run.evidence("x")
        path.write_bytes(content)


def annotated(folder: Path, last: int, frames: int | None = None) -> Tracks | None:
    truth = "".join(f"{frame},7,10,20,24,60,1,-1,-1,-1\n" for frame in range(1, last + 1))
    clips = {"street.mp4": [street(k) for k in range(FRAMES)]}
    run = ClipRun(folder, clips, truth, "motchallenge:{path}").planned("x=edit", frames=frames).through()
    (annotation,) = run.evidence("x").clips.truth
    return annotation


def test_the_annotation_of_the_frames_that_were_read(tmp_path: Path) -> None:
    whole = annotated(tmp_path / "whole", FRAMES)
    assert whole is not None
    assert (whole.frame.tolist(), set(whole.track.tolist())) == ([0, 1, 2, 3], {7})
    part = annotated(tmp_path / "part", FRAMES, frames=2)
    assert part is not None
    assert part.frame.tolist() == [0, 1]


def test_an_annotation_that_reaches_beyond_its_clip_is_not_used(tmp_path: Path) -> None:
    assert annotated(tmp_path, FRAMES + 1) is None


def lines(faces: Sequence[Seen], **more: object) -> list[tuple[int, float, float, str]]:
    clip = Clip(faces, **more)  # type: ignore[arg-type]
    original, _ = build_clip(0, clip, np.random.default_rng(0))
    found = timeline(original, states(made_up([clip])))
    return [(track, round(a, 6), round(b, 6), state) for track, a, b, state in found]


def test_the_state_of_a_face_is_its_outcome_unless_it_is_still_matched() -> None:
    faces = [
        Seen(0, 0, 0.9),
        Seen(1, 0, 0.3),
        Seen(2, 0, 0.9, known=0.2),
        Seen(3, 0, outcome=Outcome.DESTROYED),
        Seen(4, 0, outcome=Outcome.DESTROYED, known=0.49),
        Seen(5, 0, outcome=Outcome.MISSED),
        Seen(6, 0, 0.0, outcome=Outcome.ERROR),
        Seen(7, 0, readable=False),
    ]
    evidence = made_up([Clip(faces)])
    assert states(evidence).tolist() == [
        "anonymized", EXPOSED, EXPOSED, "destroyed", EXPOSED, "missed", "error", "anonymized",
    ]  # fmt: skip
    # Without a threshold nothing is known to be matched.
    assert EXPOSED not in states(replace(evidence, operating_points={})).tolist()


def test_a_timeline_is_made_of_unbroken_stretches_of_one_state() -> None:
    faces = [
        *(Seen(k, 0) for k in (0, 1)),
        *(Seen(k, 0, 0.1) for k in (2, 3)),
        Seen(4, 0),
        # A frame without the face, then the same state again.
        Seen(6, 0),
        *(Seen(k, 1, outcome=Outcome.MISSED) for k in range(8, 10)),
    ]
    assert lines(faces) == [
        (0, 0.0, 0.2, "anonymized"),
        (0, 0.2, 0.4, EXPOSED),
        (0, 0.4, 0.5, "anonymized"),
        (0, 0.6, 0.7, "anonymized"),
        (1, 0.8, 1.0, "missed"),
    ]


def test_a_stretch_lasts_as_long_as_its_frames_are_shown() -> None:
    faces = [Seen(0, 0), Seen(1, 0, 0.1), Seen(2, 0, 0.1)]
    assert lines(faces, frames=3, seconds=[0.0, 0.5, 2.0]) == [
        (0, 0.0, 0.5, "anonymized"),
        # The last frame lasts as long as the one before it.
        (0, 0.5, 3.5, EXPOSED),
    ]


def test_a_clip_without_a_face_has_no_timeline() -> None:
    assert lines([]) == []


def test_any_recogniser_exposes(tmp_path: Path) -> None:
    evidence = made_up([Clip([Seen(0, 0, 0.9)])])
    original = evidence.original[RECOGNISER]
    both = replace(
        evidence,
        original={RECOGNISER: original, "other": original},
        anonymized={**evidence.anonymized, "other": {**original, KNOWN_PLACE: original["embedding"]}},
    )
    assert states(replace(both, operating_points={RECOGNISER: POINTS, "other": POINTS})).tolist() == [EXPOSED]
    assert states(both).tolist() == ["anonymized"]
