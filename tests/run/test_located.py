"""Labels find their face, faces find themselves again, and every face has one outcome."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from bench.core.types import Box, Detection, FaceLabel, Image, Outcome
from bench.run.located import MISSED_SHARE, assign_labels, change, match_faces, outcomes


def face(x: float, y: float, side: float = 40) -> Detection:
    return Detection(Box(x, y, side, side), np.zeros((5, 2), np.float32), 0.9)


def test_a_label_without_a_point_goes_to_the_subject() -> None:
    # A small bystander in the corner is found with the higher score.
    found = [face(0, 0, 20), face(80, 80, 60)]
    labels = assign_labels(found, [FaceLabel(identity="ann")], (200, 200, 3))
    assert [label.identity for label in labels] == [None, "ann"]


def test_labels_with_points_go_to_the_face_around_the_point() -> None:
    found = [face(0, 0), face(100, 0), face(50, 0)]
    given = [FaceLabel(identity="b", at=(120, 20)), FaceLabel(identity="a", at=(10, 10))]
    assert [label.identity for label in assign_labels(found, given, (100, 200, 3))] == ["a", "b", None]


def test_a_label_whose_face_was_not_found_labels_nobody() -> None:
    labels = assign_labels([face(0, 0)], [FaceLabel(identity="b", at=(150, 50))], (100, 200, 3))
    assert labels[0].identity is None


def test_faces_are_matched_one_to_one() -> None:
    originals = [Box(0, 0, 40, 40), Box(30, 0, 40, 40)]
    again = match_faces(originals, [face(28, 0)])
    assert again[0] is None
    assert again[1] is not None
    assert match_faces(originals, []) == [None, None]
    assert match_faces([], [face(0, 0)]) == []


def test_outcomes() -> None:
    changes = np.array([0.0, 0.2, 0.9, 0.9])
    again = np.array([True, False, True, False])
    assert outcomes(changes, again) == [Outcome.MISSED, Outcome.MISSED, Outcome.ANONYMIZED, Outcome.DESTROYED]


def test_change_is_the_share_of_changed_pixels_of_the_box() -> None:
    a = np.full((20, 20, 3), 100, np.uint8)
    b = a.copy()
    b[5:10, 5:10] = 0
    assert change(a, b, Box(5, 5, 5, 5)) == pytest.approx(1)
    assert change(a, b, Box(5, 5, 10, 5)) == pytest.approx(0.5)
    assert change(a, a + 2, Box(5, 5, 5, 5)) == 0
    assert np.isnan(change(a, b, Box(50, 50, 5, 5)))


def test_a_neighbours_box_in_the_corner_does_not_anonymize_a_face() -> None:
    a = np.full((40, 40, 3), 100, np.uint8)
    b = a.copy()
    b[:10, :16] = 0
    assert outcomes(np.array([change(a, b, Box(0, 0, 40, 40))]), np.array([True])) == [Outcome.MISSED]


def test_saving_as_jpeg_is_no_anonymization(astronaut: Image) -> None:
    buffer = io.BytesIO()
    Pillow.fromarray(astronaut).save(buffer, "JPEG", quality=90)
    again = np.asarray(Pillow.open(buffer))
    assert change(astronaut, again, Box(175, 60, 100, 130)) < MISSED_SHARE / 2


def test_a_mild_blur_is_a_change(astronaut: Image) -> None:
    blurred = cv2.GaussianBlur(astronaut, (0, 0), 0.05 * 100)
    assert change(astronaut, blurred, Box(175, 60, 100, 130)) > 1.5 * MISSED_SHARE
