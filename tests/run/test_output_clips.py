"""Which frame of a clip made elsewhere belongs to which frame of the input, by time and by what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.clips import drifting_face
from unmask.bench.core.types import Box, Image
from unmask.bench.core.video import Frame
from unmask.bench.data.media import VideoReader
from unmask.bench.run.checks.neighbours import Neighbours
from unmask.bench.run.contestants.output_clips import Times, frames_shown
from unmask.bench.run.figures.assemble import readable_at_place
from unmask.bench.run.reading.parts import BLANK

FACE = Box(110, 60, 100, 120)


def times(seconds: Sequence[float], rate: int = 25) -> Times:
    return Times(np.asarray(seconds, np.float64), float(Fraction(1, rate)))


def constant(frames: int, rate: int = 25) -> Times:
    return times([k / rate for k in range(frames)], rate)


class TestTimes:
    def test_as_many_frames_are_compared_in_order_whatever_their_times(self) -> None:
        uneven = times([0, 0.04, 0.2, 0.24, 0.3])
        shown, reason = frames_shown(uneven, times([0, 0.06, 0.13, 0.2, 0.27], 15))
        assert (shown.tolist(), reason) == ([0, 1, 2, 3, 4], "")

    def test_doubled_frames_are_compared_at_their_time(self) -> None:
        shown, reason = frames_shown(times([0, 0.04, 0.16, 0.2]), constant(6))
        assert (shown.tolist(), reason) == ([0, 2, 4, 5], "")

    def test_twice_the_rate(self) -> None:
        shown, _ = frames_shown(constant(5, 25), constant(10, 50))
        assert shown.tolist() == [1, 3, 5, 7, 9]

    def test_dropped_frames_leave_the_one_before_on_screen(self) -> None:
        shown, _ = frames_shown(constant(6, 30), constant(3, 15))
        assert shown.tolist() == [0, 0, 1, 1, 2, 2]

    def test_a_clip_that_breaks_off_lacks_its_end(self) -> None:
        shown, reason = frames_shown(constant(6), constant(4))
        assert shown.tolist() == [0, 1, 2, 3, -1, -1]
        assert reason == "the output clip ends after 4 of 6 frames"

    @pytest.mark.parametrize(
        ("output", "said"),
        [
            (constant(21), "the output clip has 21 frames in 0.84 s, the input 12 in 0.48 s"),
            (constant(12, 50), "the output clip has 12 frames in 0.24 s, the input 12 in 0.48 s"),
            (constant(12, 6), "the output clip has 12 frames in 2.00 s, the input 12 in 0.48 s"),
            (constant(5, 50), "the output clip has 5 frames in 0.10 s, the input 12 in 0.48 s"),
        ],
    )
    def test_another_length_is_no_match(self, output: Times, said: str) -> None:
        shown, reason = frames_shown(constant(12), output)
        assert set(shown.tolist()) == {-1}
        assert reason == said

    def test_the_first_frames_of_a_longer_clip(self) -> None:
        assert frames_shown(constant(4), constant(4), whole=False)[0].tolist() == [0, 1, 2, 3]
        shown, reason = frames_shown(constant(4), constant(2, 5), whole=False)
        assert (shown.tolist(), reason) == ([0, 0, 0, 0], "")


def walk(number: int) -> Image:
    """A room with a window, and somebody in the foreground who moves."""
    image = drifting_face(4 * number).copy()
    image[:20] = np.linspace(0, 255, 320, dtype=np.uint8)[None, :, None]
    left = 10 + 6 * number
    image[200:, left : left + 40] = (30, 60, 200)
    return image


def still(number: int) -> Image:
    return drifting_face(0)


def shown(output: Callable[[int], Image], paint: Callable[[int], Image] = walk, frames: int = 12) -> list[int | None]:
    """What each output frame is taken for."""
    clip = Neighbours(Frame(k, k, k / 25, paint(k)) for k in range(frames))
    faces = frozenset(range(frames))
    return [clip.shown(k, output(k), [FACE.scaled(2.0)], faces) for k in range(frames)]


def black_box(image: Image) -> Image:
    image[60:180, 110:210] = 0
    return image


def other_range(image: Image) -> Image:
    return np.asarray(np.rint(16 + image * (219 / 255)), np.uint8)


def noisy(image: Image) -> Image:
    rng = np.random.default_rng(0)
    return np.asarray(np.clip(image + rng.normal(0, 6, image.shape), 0, 255), np.uint8)


CHANGES: dict[str, Callable[[Image], Image]] = {
    "untouched": lambda image: image,
    "black box": black_box,
    "face blurred": lambda image: np.where(
        np.indices(image.shape[:2])[0][..., None] > 50, cv2.GaussianBlur(image, (0, 0), 8), image
    ),
    "all blurred": lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 6), np.uint8),
    "another luma range": other_range,
    "noise": noisy,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_frame_that_follows_its_own_is_its_own_whatever_a_method_does(name: str) -> None:
    assert shown(lambda k: CHANGES[name](walk(k))) == [None] * 12


def test_nothing_is_said_of_a_black_frame() -> None:
    assert shown(lambda k: np.zeros((240, 320, 3), np.uint8)) == [None] * 12


@pytest.mark.parametrize("name", ["untouched", "black box", "another luma range", "noise"])
def test_a_frame_that_shows_another_is_named(name: str) -> None:
    assert shown(lambda k: CHANGES[name](walk(min(k + 4, 11)))) == [4, 5, 6, 7, 8, 9, 10, 11, 11, 11, 11, None]


def test_a_removed_person_is_not_an_earlier_frame_without_them() -> None:
    def enters(number: int) -> Image:
        return walk(3) if number < 6 else drifting_face(12)

    def gone(number: int) -> Image:
        return walk(3)

    clip = Neighbours(Frame(k, k, k / 25, enters(k)) for k in range(12))
    everything = [Box(0, 0, 320, 240)]
    assert [clip.shown(k, gone(k), everything, frozenset(range(6, 12))) for k in range(12)] == [None] * 12


def test_between_equal_frames_there_is_nothing_to_tell() -> None:
    assert shown(lambda k: black_box(still(k)), still) == [None] * 12


def test_long_clips_are_compared_with_what_is_near() -> None:
    assert shown(lambda k: walk((k - 1) % 8), lambda k: walk(k % 8), 150)[100:104] != [None] * 4


@pytest.mark.data
@pytest.mark.parametrize("name", ["pets2009_s2l1/vtest.avi", "surv_fight/fight/fi049.mp4"])
def test_real_footage(shared_data: Path, name: str) -> None:
    frames = [frame.image for frame in islice(VideoReader(shared_data / name), 40)]
    height, width = frames[0].shape[:2]
    face = Box(width / 3, height / 4, width / 6, height / 4)
    left, top, right, bottom = face.clipped(height, width)

    def covered(image: Image) -> Image:
        made = image.copy()
        made[top:bottom, left:right] = 0
        return made

    def coarse(image: Image) -> Image:
        return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [1, 20])[1], cv2.IMREAD_COLOR), np.uint8)

    def told(outputs: Sequence[Image]) -> list[int | None]:
        clip = Neighbours(Frame(k, k, k / 25, image) for k, image in enumerate(frames))
        return [clip.shown(k, output, [face.scaled(2.0)], frozenset()) for k, output in enumerate(outputs)]

    for change in (
        covered,
        coarse,
        other_range,
        lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 8), np.uint8),
    ):
        assert told([change(image) for image in frames]) == [None] * len(frames)
    late = told([covered(frames[min(k + 5, len(frames) - 1)]) for k in range(len(frames))])
    assert sum(number is not None for number in late) >= 0.85 * len(frames)


def test_an_original_that_looks_like_a_black_picture_says_nothing_at_its_place() -> None:
    axes = np.eye(4, dtype=np.float32)
    tiny, face, black = axes[0] * 0.9 + axes[1] * 0.436, axes[2], axes[0]
    table = {"known_place": np.stack([black, face]), BLANK: np.stack([black, black])}
    left = readable_at_place(np.stack([tiny, face]), table, 0.5)
    assert np.isnan(left[0]).all()
    assert left[1].tolist() == face.tolist()
