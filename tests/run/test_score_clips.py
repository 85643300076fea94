"""What score leaves behind of a contestant's clip, frame beside frame with the original."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import fakes
from tests.support.painted import NOBODY, SFACE_BLIND, Face, Person, picture
from tests.support.painted_runs import ClipRun, write_clip
from unmask.bench.core.errors import StoreError
from unmask.bench.core.evidence import KNOWN_PLACE
from unmask.bench.core.types import Image
from unmask.bench.run.reading.parts import BLANK

pytestmark = pytest.mark.usefixtures("painted_world")

BROKEN, STREET = 0, 1
AXES = np.eye(fakes.DIMENSION, dtype=np.float32)
TABLES = {"outcomes", "extras", "mobilefacenet", "sface", "people-sort"}
FRAMES = 4


def street(number: int) -> Image:
    """Bob stands still; Cat, whom sface cannot read, is there in frame 2; a passer-by throughout."""
    cat = [Face(SFACE_BLIND, 10, 10)] if number == 2 else []
    return picture(1, [*cat, Face(1, 110, 50)], [Person(5, 70, 30)])


def run_of(folder: Path, method: str = "", **settings: Any) -> ClipRun:
    """A run of one method, labelled ``x``, over a clip of which the frame rows are 0, 1, 2, 2, 3."""
    clips = {"street.mp4": [street(k) for k in range(FRAMES)], "broken.mp4": b"no clip"}
    return ClipRun(folder, clips).planned(*([f"x={method}"] if method else []), **settings).through()


def ends(run: ClipRun, label: str = "x") -> list[tuple[str, bool, bool]]:
    """Outcome, explained and equal of each face in each frame."""
    table = run.scored(label, "outcomes", STREET)
    return list(zip(*(table[name].tolist() for name in ("outcome", "explained", "equal")), strict=True))


def test_how_a_face_ends_as_far_as_pixels_and_the_judge_tell(tmp_path: Path) -> None:
    expected = {
        "tone": ("anonymized", True, False),
        "masked": ("anonymized", False, False),
        "black": ("destroyed", False, False),
        "moved": ("destroyed", False, False),
    }
    clips = {"broken.mp4": b"no clip", "street.mp4": [street(k) for k in range(FRAMES)]}
    run = ClipRun(tmp_path, clips).planned(*(f"{how}=edit:how={how}" for how in expected)).through()
    for how, end in expected.items():
        assert ends(run, how) == [end] * 5, how


def test_faces_in_a_frame_that_failed_are_errors_and_are_not_read(tmp_path: Path) -> None:
    run = run_of(tmp_path, f"edit:how=masked,fails_on={SFACE_BLIND}")
    assert [outcome for outcome, *_ in ends(run)] == ["anonymized", "anonymized", "error", "error", "anonymized"]
    for name in ("mobilefacenet", "sface"):
        for column in ("embedding", KNOWN_PLACE):
            rows = np.isnan(run.scored("x", name, STREET)[column]).all(axis=1)
            assert rows.tolist() == [False, False, True, True, False]


def test_a_face_is_read_where_it_is_found_and_where_the_original_lies(tmp_path: Path) -> None:
    run = run_of(tmp_path, "edit:how=tone")
    read = run.scored("x", "mobilefacenet", STREET)
    who = [1, 1, SFACE_BLIND, 1, 1]
    assert read["embedding"].argmax(axis=1).tolist() == read[KNOWN_PLACE].argmax(axis=1).tolist() == who
    # What one instrument cannot read, the other still does.
    blind = run.scored("x", "sface", STREET)
    for column in ("embedding", KNOWN_PLACE):
        assert np.isnan(blind[column]).all(axis=1).tolist() == [False, False, True, False, False]


def test_a_destroyed_face_is_read_at_its_place_alone(tmp_path: Path) -> None:
    read = run_of(tmp_path, "edit:how=black").scored("x", "mobilefacenet", STREET)
    assert np.isnan(read["embedding"]).all()
    assert read[KNOWN_PLACE].tolist() == [AXES[NOBODY].tolist()] * 5
    assert read[BLANK].tolist() == [AXES[NOBODY].tolist()] * 5


def test_where_a_face_is_found_again(tmp_path: Path) -> None:
    run = run_of(tmp_path, "edit:how=masked")
    outcomes, faces = run.scored("x", "outcomes", STREET), run.original("faces", STREET)
    np.testing.assert_array_equal(outcomes["box"], faces["box"])
    np.testing.assert_array_equal(outcomes["landmarks"], faces["landmarks"])


def test_flicker_is_measured_on_the_output_over_the_same_regions(tmp_path: Path) -> None:
    run = run_of(tmp_path, "edit:how=black")
    # Bob's region does not change from frame to frame, whatever was done to it.
    flicker = run.scored("x", "outcomes", STREET)["flicker"]
    assert np.isnan(flicker).tolist() == [True, False, True, False, False]
    assert flicker[[1, 3, 4]].tolist() == [0, 0, 0]


def test_the_lossless_control_is_copied_and_not_read(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    run.table_of("score", "outcomes", "none", STREET).unlink()
    fakes.workload()
    assert run.score("none") == [False, True]
    assert fakes.workload() == {}
    assert ends(run, "none") == [("anonymized", True, True)] * 5
    assert run.evidence("none").outcome.tolist() == ["missed"] * 5
    faces, outcomes = run.original("faces", STREET), run.scored("none", "outcomes", STREET)
    for column in ("box", "landmarks", "score", "flicker"):
        np.testing.assert_array_equal(outcomes[column], faces[column])
    for name in ("mobilefacenet", "sface"):
        original, output = run.original(name, STREET)["embedding"], run.scored("none", name, STREET)
        np.testing.assert_array_equal(output["embedding"], original)
        np.testing.assert_array_equal(output[KNOWN_PLACE], original)
        assert np.isnan(output[BLANK]).all()
    for column, values in run.original("people-sort", STREET).items():
        np.testing.assert_array_equal(run.scored("none", "people-sort", STREET)[column], values)


def test_frames_that_are_the_original_s_have_its_readings_among_others(tmp_path: Path) -> None:
    clips = {"a.mp4": [street(2), picture(1), street(2)]}
    write_clip(tmp_path / "out" / "a.mp4", [street(2), picture(1), picture(1)])
    run = ClipRun(tmp_path / "run", clips).planned(f"x=outputs:dir={tmp_path / 'out'}").through()
    table = run.scored("x", "outcomes")
    # In the last frame both faces were painted over with the wall.
    assert table["equal"].tolist() == [True, True, False, False]
    assert table["outcome"].tolist() == ["anonymized"] * 2 + ["destroyed"] * 2
    read = run.scored("x", "mobilefacenet")
    np.testing.assert_array_equal(read["embedding"][:2], run.original("mobilefacenet")["embedding"][:2])
    assert np.isnan(read["embedding"][2:]).all()
    assert read[KNOWN_PLACE][2:].argmax(axis=1).tolist() == [NOBODY] * 2


def test_people_are_tracked_on_the_output(tmp_path: Path) -> None:
    frames = [picture(1, [Face(1, 110, 50)], [Person(5, 70, 30), Person(6, 5, 10)])] * 3
    gone = [picture(1, [Face(1, 110, 50)], [Person(5, 70, 30)])] * 3
    write_clip(tmp_path / "out" / "a.mp4", gone)
    run = ClipRun(tmp_path / "run", {"a.mp4": frames}).planned(f"x=outputs:dir={tmp_path / 'out'}").through()
    assert run.original("people-sort")["track"].tolist() == [5, 6] * 3
    assert run.scored("x", "people-sort")["track"].tolist() == [5] * 3


def test_each_quality_is_judged_by_its_own_file(tmp_path: Path) -> None:
    run = run_of(tmp_path, "edit:how=masked", qualities=("60k",))
    # The marks of painted faces do not survive compression.
    assert {outcome for outcome, *_ in ends(run, "x")} == {"anonymized"}
    assert {outcome for outcome, *_ in ends(run, "x@60k")} == {"destroyed"}


def test_a_clip_that_cannot_be_read_has_tables_without_rows(tmp_path: Path) -> None:
    run = run_of(tmp_path, "edit")
    assert run.scored("x", "outcomes", BROKEN)["landmarks"].shape == (0, 10)
    for name in ("mobilefacenet", "sface"):
        assert run.scored("x", name, BROKEN)[KNOWN_PLACE].shape == (0, fakes.DIMENSION)
    assert run.scored("x", "people-sort", BROKEN)["track"].tolist() == []
    assert run.score("x") == [False, False]


def test_a_clip_without_a_face_is_scored(tmp_path: Path) -> None:
    frames = [picture(k, [], [Person(5, 70, 30)]) for k in (1, 1)]
    changed = [picture(1, [], [Person(5, 70, 31)])] * 2
    write_clip(tmp_path / "out" / "a.mp4", changed)
    run = ClipRun(tmp_path / "run", {"a.mp4": frames}).planned(f"x=outputs:dir={tmp_path / 'out'}").through()
    assert run.scored("x", "outcomes")["outcome"].tolist() == []
    assert run.scored("x", "mobilefacenet")["embedding"].shape == (0, fakes.DIMENSION)
    assert run.scored("x", "people-sort")["box"][:, 1].tolist() == [31, 31]
    assert run.score("x") == [False]


def test_a_table_that_is_gone_is_made_again(tmp_path: Path) -> None:
    run = run_of(tmp_path, "edit:how=masked")
    for name in sorted(TABLES):
        whole = run.scored("x", name, STREET)
        path = run.table_of("score", name, "x", STREET)
        assert {each.stem for each in path.parent.iterdir()} == TABLES
        for content in (None, b"no table"):
            path.unlink()
            if content is not None:
                path.write_bytes(content)
            assert run.score("x") == [False, True], name
            for column, values in run.scored("x", name, STREET).items():
                np.testing.assert_array_equal(values, whole[column])
    assert run.score("x") == [False, False]


@pytest.mark.parametrize("instrument", [fakes.Judge, fakes.Recogniser, fakes.SFace], ids=lambda cls: cls.card.name)
def test_an_instrument_s_next_version_reads_again(
    tmp_path: Path, painted_world: pytest.MonkeyPatch, instrument: Any
) -> None:
    run = run_of(tmp_path, "edit:how=masked")
    fakes.raise_version(painted_world, instrument)
    run.planned("x=edit:how=masked").prepare()
    assert run.score("x") == [True, True]
    assert run.score("x") == [False, False]


def test_a_recogniser_s_next_version_reads_again_and_nothing_else_does(
    tmp_path: Path, painted_world: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, "edit:how=masked")
    folder = run.table_of("score", "outcomes", "x", STREET).parent
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    fakes.raise_version(painted_world, fakes.SFace)
    run.planned("x=edit:how=masked").prepare()
    fakes.workload()
    assert run.score("x") == [True, True]
    assert {path.name for path in folder.iterdir() if path.stat().st_mtime_ns != before[path.name]} == {"sface.parquet"}
    assert set(fakes.workload()) == {"sface"}


def test_outputs_made_anew_are_scored_anew(tmp_path: Path) -> None:
    run = run_of(tmp_path, "edit:how=masked")
    run.planned("x=edit:how=black").prepare()
    run.anonymize("x")
    assert run.score("x") == [True, True]
    assert {outcome for outcome, *_ in ends(run)} == {"destroyed"}


@pytest.mark.parametrize("frames", [list(range(FRAMES)), list(range(FRAMES - 1)), [], None])
def test_a_stored_clip_that_is_another_short_broken_or_gone_is_no_reading(
    tmp_path: Path, frames: list[int] | None
) -> None:
    run = run_of(tmp_path, "edit:how=masked")
    run.table_of("score", "outcomes", "x", STREET).unlink()
    stored = run.table_of("output", "outputs", "x", STREET).parent / "lossless.mp4"
    stored.write_bytes(b"no clip")
    if frames:
        write_clip(stored, [street(k) for k in frames])
    elif frames is None:
        stored.unlink()
    what = "cannot be read (No such file or directory)" if frames is None else "is not the clip that was stored there"
    with pytest.raises(StoreError, match=re.escape(f"{what}; delete its folder and run the same `unmask run` again")):
        run.score("x")


def test_without_the_rows_of_its_outputs_a_clip_is_not_scored(tmp_path: Path) -> None:
    run = run_of(tmp_path, "edit:how=masked")
    run.table_of("score", "outcomes", "x", STREET).unlink()
    for name in ("outputs", "written"):
        run.table_of("output", name, "x", STREET).unlink()
        with pytest.raises(StoreError, match=rf"{name}.parquet is missing; run the same"):
            run.score("x")
