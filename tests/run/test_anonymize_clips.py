"""What anonymize leaves behind of a clip: files by quality, black frames with a reason, and when it runs again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.data.clips_made import hide, make_clip, make_clip_with
from tests.support import fakes
from tests.support.painted import Face, picture, place_of
from tests.support.painted_runs import ClipRun, write_clip
from unmask.bench.core.errors import StoreError, VideoError
from unmask.bench.core.types import Image, Sample
from unmask.bench.data.media import VideoReader
from unmask.bench.run.contestants.calling import Attempt
from unmask.bench.run.outputs import writing

pytestmark = pytest.mark.usefixtures("painted_world")

FRAMES = 6
BROKEN, STREET = 0, 1


def street(number: int) -> Image:
    """Bob stands still; Ann is there in frames 2 and 3."""
    ann = [Face(0, 10, 10)] if number in (2, 3) else []
    return picture(1, [*ann, Face(1, 110, 50)])


def covered(number: int) -> Image:
    """A frame as ``edit`` makes it."""
    image = street(number)
    for face in [Face(1, 110, 50), *([Face(0, 10, 10)] if number in (2, 3) else [])]:
        image[place_of(face.box)] = 0
    return image


@pytest.fixture
def run(tmp_path: Path) -> ClipRun:
    return ClipRun(tmp_path, {"street.mp4": [street(k) for k in range(FRAMES)], "broken.mp4": b"no clip"})


def ready(run: ClipRun, *methods: str, **settings: object) -> ClipRun:
    run.planned(*methods, **settings).prepare()
    return run


def frames_of(run: ClipRun, method: str, quality: str = "lossless", clip: int = STREET) -> list[Image]:
    path = run.table_of("output", "outputs", method, clip).parent / f"{quality}.mp4"
    return [frame.image for frame in VideoReader(path)]


def test_every_frame_is_written_as_the_method_made_it(run: ClipRun) -> None:
    ready(run, "edit")
    assert run.anonymize("edit") == [True, True]
    for number, image in enumerate(frames_of(run, "edit")):
        np.testing.assert_array_equal(image, covered(number))
    frames = run.output("edit", "outputs", STREET)
    assert frames["error"].tolist() == [""] * FRAMES
    assert (frames["ms"] > 0).all()
    assert (frames["peak_memory_mib"] >= 0).all()
    written = run.output("edit", "written", STREET)
    assert (written["quality"].tolist(), written["problem"].tolist()) == (["lossless"], [""])
    assert written["kbps"][0] > 0


def test_the_times_of_frames_are_kept(tmp_path: Path) -> None:
    run = ClipRun(tmp_path, {})
    times = [0, 40, 300, 320, 900, 1000]
    write_clip(run.data / "uneven.mp4", [street(k) for k in range(FRAMES)], times)
    ready(run, "edit").anonymize("edit")
    path = run.table_of("output", "outputs", "edit").parent / "lossless.mp4"
    assert [round(frame.seconds * 1000) for frame in VideoReader(path)] == times


def test_a_frame_that_a_method_fails_on_is_black_and_a_row(run: ClipRun) -> None:
    ready(run, "x=edit:fails_on=0").anonymize("x")
    frames = run.output("x", "outputs", STREET)
    reason = "ValueError: cannot do person 0"
    assert frames["error"].tolist() == ["", "", reason, reason, "", ""]
    assert np.isnan(frames["ms"]).tolist() == [False, False, True, True, False, False]
    images = frames_of(run, "x")
    assert [bool(image.any()) for image in images] == [True, True, False, False, True, True]
    np.testing.assert_array_equal(images[4], covered(4))


def test_a_clip_that_cannot_be_read_has_no_outputs_and_is_not_tried_again(run: ClipRun) -> None:
    ready(run, "edit").anonymize("edit")
    assert run.output("edit", "outputs", BROKEN)["error"].tolist() == []
    assert run.output("edit", "written", BROKEN)["quality"].tolist() == []
    assert list(run.table_of("output", "outputs", "edit", BROKEN).parent.glob("*.mp4")) == []
    assert run.anonymize("edit") == [False, False]


def test_each_quality_is_a_file_and_what_cannot_be_written_has_its_reason(
    run: ClipRun, painted_world: pytest.MonkeyPatch
) -> None:
    ready(run, "edit", qualities=("matched", "60k")).anonymize("edit")
    written = run.output("edit", "written", STREET)
    assert written["quality"].tolist() == ["lossless", "matched", "60k"]
    assert written["problem"].tolist() == ["", "", ""]
    assert written["kbps"][2] < written["kbps"][1] < written["kbps"][0]
    assert len(frames_of(run, "edit", "60k")) == FRAMES


def test_one_quality_that_cannot_be_written_costs_that_one(run: ClipRun, painted_world: pytest.MonkeyPatch) -> None:
    real = writing.VideoWriter

    class FullDisk(real):  # type: ignore[misc, valid-type]
        def write(self, frame: object, image: Image) -> None:
            if self.path.name.startswith("60k") and self.frames == 3:
                raise VideoError("no space left")
            super().write(frame, image)

    painted_world.setattr(writing, "VideoWriter", FullDisk)
    ready(run, "edit", qualities=("60k", "30k")).anonymize("edit")
    written = run.output("edit", "written", STREET)
    assert dict(zip(written["quality"].tolist(), written["problem"].tolist(), strict=True)) == {
        "lossless": "", "60k": "no space left", "30k": "",
    }  # fmt: skip
    assert np.isnan(written["kbps"]).tolist() == [False, True, False]
    folder = run.table_of("output", "outputs", "edit", STREET).parent
    assert sorted(path.name for path in folder.glob("*.mp4")) == ["30k.mp4", "lossless.mp4"]
    assert run.output("edit", "outputs", STREET)["error"].tolist() == [""] * FRAMES


def test_a_source_without_a_bitrate_cannot_be_matched(run: ClipRun, painted_world: pytest.MonkeyPatch) -> None:
    real = VideoReader.__init__

    def opened(self: VideoReader, path: Path) -> None:
        real(self, path)
        self.info = replace(self.info, kbps=None)

    painted_world.setattr(VideoReader, "__init__", opened)
    ready(run, "edit", qualities=("matched",)).anonymize("edit")
    written = run.output("edit", "written", STREET)
    assert written["problem"].tolist()[0] == ""
    assert written["problem"].tolist()[1].startswith("its bitrate is not known")
    assert written["quality"].tolist() == ["lossless", "matched"]


def test_nothing_is_run_twice_and_what_changes_the_outputs_runs_again(run: ClipRun) -> None:
    ready(run, "x=edit").anonymize("x")
    fakes.EditFaces.seen.clear()
    assert run.anonymize("x") == [False, False]
    assert fakes.EditFaces.seen == []
    changes: list[tuple[str, dict[str, object]]] = [
        ("x=edit:how=masked", {}),
        ("x=edit:how=masked,version=2", {}),
        ("x=edit:how=masked,version=2", {"seed": 1}),
        ("x=edit:how=masked,version=2", {"seed": 1, "qualities": ("60k",)}),
        ("x=edit:how=masked,version=2", {"seed": 1, "qualities": ("60k",), "frames": 2}),
    ]
    for spec, settings in changes:
        assert ready(run, spec, **settings).anonymize("x") == [True, True]
        assert run.anonymize("x") == [False, False]
    assert len(frames_of(run, "x")) == 2


def test_only_methods_that_use_the_harness_s_boxes_depend_on_its_detector(
    run: ClipRun, painted_world: pytest.MonkeyPatch
) -> None:
    methods = ("own=edit", "handed=edit:detector=harness")
    ready(run, *methods).anonymize("own")
    run.anonymize("handed")
    fakes.raise_version(painted_world, fakes.Judge)
    ready(run, *methods)
    assert (run.anonymize("own"), run.anonymize("handed")) == ([False, False], [True, True])


def test_a_method_is_handed_frames_with_boxes_in_order_and_no_names(run: ClipRun) -> None:
    ready(run, "edit:batch=4").anonymize(run.plan.methods[1].label)
    assert fakes.EditFaces.batches == [4, 2]
    seen = fakes.EditFaces.seen
    assert [len(sample.boxes or ()) for sample in seen] == [1, 1, 2, 2, 1, 1]
    names = [re.fullmatch(r"([0-9a-f]{64})#(\d{6})", sample.id) for sample in seen]
    assert [int(name[2]) for name in names if name] == list(range(FRAMES))
    assert len({name[1] for name in names if name}) == 1


def test_a_method_that_wants_to_know_every_input_is_told_all_frames(tmp_path: Path) -> None:
    clips = {"a.mp4": [street(0)] * 2, "b.mp4": [street(2)] * 3, "c.mp4": b"no clip"}
    run = ready(ClipRun(tmp_path, clips), "by-name")
    run.anonymize("by-name")
    assert [len(ids) for ids in fakes.ByName.expected] == [5, 5]
    assert len(set(fakes.ByName.expected[0])) == 5
    assert {sample.id for sample in fakes.EditFaces.seen} == set(fakes.ByName.expected[0])


class Failing:
    """A loaded method that fails on every frame."""

    memory = 12.5

    def __init__(self, error: str, time_limit: float) -> None:
        self.time_limit = time_limit
        self._error = error

    def expect(self, ids: Sequence[str]) -> None: ...

    def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
        return Attempt(failure=self._error, final=True)

    def note(self, line: str) -> None: ...


@pytest.mark.parametrize(
    ("error", "limit", "again"),
    [
        ("the method could not be loaded: OSError: no weights here", 0.0, True),
        ("took longer than 5 s", 5.0, False),
        ("took longer than 5 s", 5.5, True),
        ("ValueError: no", 99.0, False),
    ],
)
def test_what_is_worth_another_try(run: ClipRun, error: str, limit: float, again: bool) -> None:
    ready(run, "edit").anonymize("edit", Failing(error, 0.0))
    frames = run.output("edit", "outputs", STREET)
    assert frames["error"].tolist() == [error] * FRAMES
    assert frames["peak_memory_mib"].tolist() == [12.5] * FRAMES
    # Of a clip that cannot be read no frame has failed.
    assert run.anonymize("edit", Failing(error, limit)) == [False, again]


def test_frames_say_which_clip_they_are_of_and_come_in_order(run: ClipRun) -> None:
    seen: list[Sample] = []

    class Recording(Failing):
        def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
            seen.extend(batch)
            return Attempt([sample.image.copy() for sample in batch], ms=1.0)

    ready(run, "edit").anonymize("edit", Recording("", 9.0))
    (sequence,) = {sample.sequence for sample in seen}
    assert re.fullmatch("[0-9a-f]{64}", sequence)
    assert [sample.id for sample in seen] == [f"{sequence}#{k:06d}" for k in range(FRAMES)]


def test_outputs_that_show_another_frame_are_failures(run: ClipRun, painted_world: pytest.MonkeyPatch) -> None:
    class Late(Failing):
        def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
            return Attempt([run_frames[max(int(s.id[-6:]) - 3, 0)] for s in batch], ms=1.0)

    run_frames = [picture(k, [Face(1, 110, 50)]) for k in range(6)]
    write_clip(run.data / "street.mp4", run_frames)
    ready(run, "edit").anonymize("edit", Late("", 9.0))
    # The time of an output that is a failure counts for nothing.
    assert np.isnan(run.output("edit", "outputs", STREET)["ms"]).tolist() == [False] + [True] * 5
    assert run.output("edit", "outputs", STREET)["error"].tolist() == [
        "",
        *(f"the output shows frame {max(k - 3, 0)} of the input instead of frame {k}" for k in range(1, 6)),
    ]


def test_the_control_hands_everything_back(run: ClipRun) -> None:
    ready(run)
    run.anonymize("none")
    for number, image in enumerate(frames_of(run, "none")):
        np.testing.assert_array_equal(image, street(number))


def test_without_its_tables_nothing_is_anonymized(run: ClipRun) -> None:
    ready(run, "edit")
    run.table_of("original", "faces", clip=STREET).unlink()
    with pytest.raises(StoreError, match=r"faces.parquet is missing; run the same"):
        run.anonymize("edit")
    assert not run.table_of("output", "outputs", "edit", STREET).exists()


class TestClipsMadeElsewhere:
    """``outputs:dir=FOLDER``."""

    def outputs(self, tmp_path: Path, run: ClipRun, clips: dict[str, list[Image]]) -> dict[str, list[str]]:
        """Clip -> the error of each frame."""
        for name, frames in clips.items():
            write_clip(tmp_path / "theirs" / name, frames)
        ready(run, f"theirs=outputs:dir={tmp_path / 'theirs'}")
        run.anonymize("theirs")
        return {job.clip: run.output("theirs", "outputs", job.shard)["error"].tolist() for job in run.jobs("theirs")}

    def test_frame_beside_frame(self, tmp_path: Path, run: ClipRun) -> None:
        errors = self.outputs(tmp_path, run, {"street.mp4": [covered(k) for k in range(FRAMES)]})
        assert errors["street.mp4"] == [""] * FRAMES
        np.testing.assert_array_equal(frames_of(run, "theirs")[2], covered(2))
        assert np.isnan(run.output("theirs", "outputs", STREET)["ms"]).all()

    def test_a_clip_that_is_not_there_or_of_another_size(self, tmp_path: Path) -> None:
        run = ClipRun(tmp_path, {name: [street(k) for k in range(3)] for name in ("a.mp4", "b.mp4", "c.mp4")})
        small = [street(k)[:80, :120] for k in range(3)]
        turned = [np.ascontiguousarray(np.rot90(street(k))) for k in range(3)]
        errors = self.outputs(tmp_path, run, {"a.mp4": small, "b.mp4": turned})
        assert set(errors["a.mp4"]) == {"output is 120x80, the input is 160x96"}
        assert set(errors["b.mp4"]) == {
            "output is 96x160, the input is 160x96: it lies turned by 90 degrees; apply the orientation tag"
        }
        assert len(set(errors["c.mp4"])) == 1
        assert errors["c.mp4"][0] == "no output clip"

    def test_a_clip_that_holds_more_than_its_picture_is_a_failure_that_says_so(self, tmp_path: Path) -> None:
        """What is beside the picture could be the original; one sound track may stay."""
        further = {
            "sounds.mkv": "sound track",
            "subtitle.mkv": "subtitle track",
            "cover.mp4": "cover picture",
            "chapter.mp4": "data track",
            "klv.ts": "data track",
        }
        run = ClipRun(tmp_path, {name: [street(k) for k in range(3)] for name in (*further, "sound.mp4", "twice.mkv")})
        folder = tmp_path / "theirs"
        folder.mkdir()
        frames = [covered(k) for k in range(3)]
        rate = Fraction(10)
        make_clip(folder / "sound.mp4", frames, time_base=1 / rate, rate=rate, sound=True)
        make_clip(folder / "twice.mkv", frames, form="matroska", time_base=1 / rate, rate=rate, streams=2)
        for name in further:
            make_clip_with(folder / name, frames, name.partition(".")[0])
        errors = self.outputs(tmp_path, run, {})
        assert {name: set(reasons) for name, reasons in errors.items()} == {
            name: {f"the output clip holds more than its picture: 1 {what}"}
            for name, what in {**further, "twice.mkv": "further picture track"}.items()
        } | {"sound.mp4": {""}}

    @pytest.mark.parametrize(
        ("hidden", "frames"), [({}, 0), ({"first": 0.2}, 2), ({"last": 0.1}, 1), ({"first": 0.4, "last": 0.2}, 6)]
    )
    def test_frames_that_an_edit_list_hides_are_a_failure(
        self, tmp_path: Path, hidden: dict[str, float], frames: int
    ) -> None:
        """The original could be there, and whoever has the file can look at it."""
        run = ClipRun(tmp_path, {"street.mp4": [street(k) for k in range(FRAMES)]})
        rate = Fraction(10)
        seen = [covered(k) for k in range(FRAMES)]
        first, last = (round(hidden.get(end, 0.0) * 10) for end in ("first", "last"))
        (tmp_path / "theirs").mkdir()
        clip = make_clip(
            tmp_path / "theirs" / "street.mp4", [*[street(0)] * first, *seen, *[street(0)] * last],
            time_base=1 / rate, rate=rate,
        )  # fmt: skip
        hide(clip, **hidden)
        assert len(list(VideoReader(clip))) == FRAMES
        said = f"the output clip holds {frames} frame{'s' * (frames > 1)} that players do not show (edit list); "
        errors = self.outputs(tmp_path, run, {})
        assert set(errors["street.mp4"]) == {said + "write it without them" if frames else ""}

    def test_a_clip_that_ends_early_lacks_its_end(self, tmp_path: Path, run: ClipRun) -> None:
        errors = self.outputs(tmp_path, run, {"street.mp4": [covered(k) for k in range(4)]})
        assert errors["street.mp4"] == ["", "", "", "", *["the output clip ends after 4 of 6 frames"] * 2]
        assert [bool(image.any()) for image in frames_of(run, "theirs")] == [True] * 4 + [False] * 2
