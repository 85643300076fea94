"""Clips that come back with other frames, times, names or sizes than they had: said, never scored as private."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.clips_made import make_clip
from tests.e2e.test_video import run_video, value
from tests.support.cli import BLACKOUT
from tests.support.clips import drifting_face, wall, write_clip
from unmask.bench.store.run_folder import RunFolder

pytestmark = pytest.mark.weights

UNEVEN = (0, 40, 80, 200, 240, 280, 400, 440, 560, 600, 720, 760)
"""Milliseconds: 12 frames at a variable rate, on a grid of 40."""


def moving(number: int) -> Any:
    return drifting_face(4 * number)


def checks(number: int) -> Any:
    """A chequered ground with a square that moves."""
    down, across = np.mgrid[0:120, 0:160] // 20
    image = np.repeat(np.where((down + across) % 2 == 0, 40, 210).astype(np.uint8)[:, :, None], 3, 2)
    image[50:70, 10 + 5 * number : 40 + 5 * number] = (200, 30, 30)
    return image


def results(clips: Path, outputs: Path, out: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of the outputs by clip, with the clips' own names in reasons, and all estimates."""
    estimates = run_video(clips, out, "--method", f"theirs=outputs:dir={outputs}")
    rows = {row["clip"]: row for row in estimates["results"] if row["method"] == "theirs"}
    (names,) = RunFolder(out).names.datasets.values()
    for row in rows.values():
        row["error"] = re.sub(r"clip-\d+", lambda shown: names.samples[shown[0]], row["error"])
    return rows, estimates


def doubled(times: Sequence[int], step: int) -> list[int]:
    """The frame shown at each tick of a constant rate."""
    return [max(k for k, time in enumerate(times) if time <= tick) for tick in range(0, times[-1] + step, step)]


@pytest.fixture(scope="module")
def returned(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """Untouched copies of one clip, each with other frames or times than the original."""
    clips, outputs = tmp_path_factory.mktemp("clips"), tmp_path_factory.mktemp("outputs")
    for name, form, codec, pixels in (("codec", "avi", "mpeg4", "yuv420p"), ("full", "mp4", "libx264", "yuvj420p")):
        write_clip(clips / f"{name}.mp4", 12, moving)
        coded = [moving(n) for n in range(12)]
        make_clip(
            outputs / f"{name}.{form}", coded, form=form, codec=codec, pixel_format=pixels,
            rate=Fraction(10), time_base=Fraction(1, 10),
        )  # fmt: skip
    write_clip(clips / "range.mp4", 12, moving)
    write_clip(outputs / "range.mp4", 12, lambda n: np.rint(16 + moving(n) * (219 / 255)).astype(np.uint8))
    names = ("constant", "lost", "half", "sped-up", "longer", "same", "turned", "mirrored")
    for name in names:
        write_clip(clips / f"{name}.mp4", 12, moving, pts=UNEVEN if name == "constant" else None)
    for name in ("x/shared", "y/shared"):
        write_clip(clips / f"{name}.mp4", 3, moving)
    write_clip(outputs / "shared.mp4", 3, moving)
    write_clip(clips / "tall.mp4", 3, lambda n: wall(n, (232, 320)))
    write_clip(outputs / "tall.mp4", 3, lambda n: wall(n, (240, 320)))
    make_clip(clips / "phone.mov", [wall(n) for n in range(3)], form="mov", rotation=90)
    write_clip(outputs / "phone.mp4", 3, wall)
    write_clip(clips / "stripes.mp4", 3, wall)
    write_clip(clips / "checks.mp4", 3, checks)
    write_clip(outputs / "stripes.mp4", 3, checks)
    write_clip(outputs / "checks.mp4", 3, wall)
    ticks = doubled(UNEVEN, 40)
    assert len(ticks) == 20
    write_clip(outputs / "constant.mp4", 20, lambda n: moving(ticks[n]), pts=range(0, 800, 40))
    write_clip(outputs / "lost.mp4", 12, lambda n: moving(min(n + 4, 11)))
    write_clip(outputs / "half.mp4", 6, lambda n: moving(2 * n), pts=range(0, 1200, 200))
    write_clip(outputs / "sped-up.mp4", 12, moving, pts=range(0, 600, 50))
    write_clip(outputs / "longer.mp4", 21, lambda n: moving(min(n, 11)))
    write_clip(outputs / "same.mp4", 12, moving)
    write_clip(outputs / "turned.mp4", 12, lambda n: moving(n)[::-1, ::-1].copy())
    write_clip(outputs / "mirrored.mp4", 12, lambda n: moving(n)[:, ::-1].copy())
    return results(clips, outputs, tmp_path_factory.mktemp("run") / "run")


def test_an_untouched_clip_is_missed_whatever_its_frame_rate_codec_and_luma_range(returned: Any) -> None:
    rows, _ = returned
    for name in ("constant.mp4", "same.mp4", "codec.mp4", "full.mp4", "range.mp4"):
        assert rows[name]["failed_frames"] == 0
        assert rows[name]["missed"][0][0] == 0.0
        assert len(rows[name]["missed"]) == 1, "every frame was left as it was"


def test_another_length_is_said_with_both_figures(returned: Any) -> None:
    rows, _ = returned
    assert rows["longer.mp4"]["error"] == "the output clip has 21 frames in 2.10 s, the input 12 in 1.20 s"
    assert rows["sped-up.mp4"]["error"] == "the output clip has 12 frames in 0.60 s, the input 12 in 1.20 s"


def test_a_frame_that_shows_another_one_is_a_failure_not_an_anonymized_face(returned: Any) -> None:
    rows, _ = returned
    # Frames 4 to 11 and the last one repeated: only the last one is in its place.
    assert rows["lost.mp4"]["failed_frames"] == 11
    # Every second frame dropped: the ones that are left stay.
    assert rows["half.mp4"]["failed_frames"] == 6
    assert rows["half.mp4"]["missed"][0] == [0.0, 0.1]


def test_another_size_is_said_as_for_photos_and_a_lost_turn_is_named(returned: Any) -> None:
    rows, _ = returned
    assert rows["tall.mp4"]["error"] == "output is 320x240, the input is 320x232"
    assert rows["phone.mov"]["error"] == (
        "output is 160x120, the input is 120x160; it lies turned by 90 degrees (the input's turn of 90 degrees is lost)"
    )


def test_a_clip_that_lies_turned_or_mirrored_is_a_failure(returned: Any) -> None:
    rows, _ = returned
    assert rows["turned.mp4"]["error"] == "the output lies turned by 180 degrees"
    assert rows["mirrored.mp4"]["error"] == "the output is the mirrored input"


def test_outputs_that_are_other_clips_are_named(returned: Any) -> None:
    rows, _ = returned
    assert rows["stripes.mp4"]["error"] == "the output is another input: checks.mp4"
    assert rows["checks.mp4"]["error"] == "the output is another input: stripes.mp4"


def test_an_output_that_fits_two_clips_is_an_error_for_both(returned: Any) -> None:
    rows, _ = returned
    for name, other in (("x/shared.mp4", "y/shared.mp4"), ("y/shared.mp4", "x/shared.mp4")):
        assert rows[name]["error"] == f"its output clip (a file) is also that of {other}"


def test_what_was_not_anonymized_never_counts_as_anonymized(returned: Any) -> None:
    _, estimates = returned
    for outcome in ("anonymized", "destroyed"):
        assert value(estimates, "theirs", f"frames_{outcome}", "yunet") == 0.0, "nothing was anonymized"


def test_a_clip_that_cannot_be_written_costs_only_itself(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    write_clip(clips / "whole.mp4", 6)
    faces = [drifting_face(k) for k in range(6)]
    make_clip(
        clips / "spoken.avi", faces, form="avi", codec="mjpeg", pixel_format="yuvj420p", sound=True,
        sound_codec="pcm_s16le", layout="stereo",
    )  # fmt: skip
    make_clip(clips / "raw.h264", faces, form="h264", codec="libx264", pixel_format="yuv420p")
    estimates = run_video(clips, tmp_path / "run", "--method", BLACKOUT, "--keep-audio")
    rows = {(row["clip"], row["method"]): row for row in estimates["results"]}
    why = "its sound (pcm_s16le) cannot be put into an MP4; leave the sound out"
    assert {key: row["error"] for key, row in rows.items() if row["error"]} == {("spoken.avi", "none@matched"): why}
    assert rows["raw.h264", "none@matched"]["kbps"] is not None
    assert {row["clip"]: row["problem"] for row in estimates["clips"]} == dict.fromkeys(
        ("raw.h264", "spoken.avi", "whole.mp4"), ""
    )
    tracks = {row["method"]: row for row in estimates["estimates"] if row["metric"] == "tracks_missed"}
    assert (tracks["none"]["n"], tracks["none"]["unscored"]) == (3, 0)
    assert (tracks["none@matched"]["n"], tracks["none@matched"]["unscored"]) == (2, 1)
    frames = [row for row in estimates["estimates"] if row["method"] == "none@matched" and row["instrument"] == "yunet"]
    shares = {row["metric"]: row["value"] for row in frames if row["metric"].startswith("frames_")}
    assert sum(shares.values()) == pytest.approx(1.0), "a clip that was not measured is no outcome"
