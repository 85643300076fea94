"""Labels find their face, faces find themselves again, and every face has one outcome."""

from __future__ import annotations

import numpy as np

from unmask.bench.core.types import Box, Detection, FaceLabel, Outcome
from unmask.bench.run.located import assign_labels, match_faces, outcomes, unmatched


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


def test_faces_elsewhere_are_those_of_no_original() -> None:
    seen = [face(100, 0), face(2, 0), face(31, 0)]
    again = match_faces([Box(0, 0, 40, 40), Box(30, 0, 40, 40)], seen)
    assert unmatched(again, seen) == [seen[0]]
    assert unmatched([None], []) == []


def test_outcomes() -> None:
    left, again = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert outcomes(left, again) == [Outcome.MISSED, Outcome.MISSED, Outcome.ANONYMIZED, Outcome.DESTROYED]
