"""Faces over the frames of a clip: a still one's place does not tremble, a moving one stays in its box."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.bench.core.types import Box, Detection
from unmask.methods.shared.steady import LAPSE, SteadyFaces

NOWHERE = np.full((5, 2), np.nan, np.float32)


def face(x: float, y: float = 50, w: float = 80, h: float = 100) -> Detection:
    return Detection(Box(x, y, w, h), NOWHERE, 1.0)


def boxes(steady: SteadyFaces, frames: list[list[Detection]], sequence: str = "clip") -> list[list[Box]]:
    return [[each.box for each in steady.steadied(faces, sequence)] for faces in frames]


def test_the_box_of_a_still_face_trembles_less() -> None:
    rng = np.random.default_rng(0)
    places = 100 + rng.normal(0, 2, 200)
    calm = np.array([box.x for (box,) in boxes(SteadyFaces(), [[face(x)] for x in places])])
    assert np.abs(np.diff(calm)).mean() < 0.35 * np.abs(np.diff(places)).mean()
    assert calm[50:].mean() == pytest.approx(places[50:].mean(), abs=0.5)


def test_landmarks_are_calmed_with_their_box() -> None:
    points = np.arange(10, dtype=np.float32).reshape(5, 2)
    steady = SteadyFaces()

    def found(x: float, landmarks: np.ndarray) -> Detection:
        (each,) = steady.steadied([Detection(Box(x, 50, 80, 100), landmarks, 1.0)], "clip")
        assert each.landmarks.dtype == np.float32
        return each

    assert np.array_equal(found(100, points).landmarks, points)
    # The box stays: a fifth of the way. The box jumps by a tenth of its size: all of it.
    np.testing.assert_allclose(found(100, points + 5).landmarks, points + 1, rtol=1e-6)
    np.testing.assert_allclose(found(110, points + 20).landmarks, points + 20, rtol=1e-6)
    # What is known of a face that had none is its own, and what is not known stays so.
    assert np.isnan(found(110, NOWHERE).landmarks).all()
    assert np.array_equal(found(110, points).landmarks, points)


@pytest.mark.parametrize("speed", [1, 3, 10, 40])
def test_a_moving_face_stays_in_its_box(speed: float) -> None:
    """At any speed: a small lag, and none where a face jumps."""
    frames = [[face(100 + speed * k)] for k in range(40)]
    for (box,), (found,) in zip(boxes(SteadyFaces(), frames), frames, strict=True):
        inside = (min(box.x + box.w, found.box.x + found.box.w) - max(box.x, found.box.x)) / found.box.w
        assert inside > 0.93


def test_every_face_has_its_own_box_whatever_their_order() -> None:
    one, other = [face(100 + k % 2) for k in range(6)], [face(300 + k % 2, w=70) for k in range(6)]
    steady = SteadyFaces()
    for k in range(6):
        faces = [one[k], other[k]] if k % 2 else [other[k], one[k]]
        found = steady.steadied(faces, "clip")
        assert [round(each.box.x / 100) for each in found] == ([1, 3] if k % 2 else [3, 1])
        assert [each.box.w for each in found] == pytest.approx([80, 70] if k % 2 else [70, 80])


def test_nothing_is_added_and_nothing_left_out() -> None:
    steady = SteadyFaces()
    assert [len(row) for row in boxes(steady, [[face(100)], [], [face(101), face(300)], [face(302)]])] == [1, 0, 2, 1]


def test_another_clip_begins_anew_and_a_face_that_was_gone_for_long_too() -> None:
    steady = SteadyFaces()
    boxes(steady, [[face(100)]])
    assert boxes(steady, [[face(104)]], "other") == [[Box(104, 50, 80, 100)]]
    ((after,),) = boxes(steady, [[face(100)]], "other")
    assert 100 < after.x < 104
    boxes(steady, [[] for _ in range(LAPSE)], "other")
    ((after,),) = boxes(steady, [[face(104)]], "other")
    assert after.x < 104
    boxes(steady, [[] for _ in range(LAPSE + 1)], "other")
    assert boxes(steady, [[face(100)]], "other") == [[Box(100, 50, 80, 100)]]
