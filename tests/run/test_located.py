"""Labels find their face, faces find themselves again, and every face has one outcome."""

from __future__ import annotations

import numpy as np

from unmask.bench.core.types import Box, Detection, FaceLabel, Outcome
from unmask.bench.run.reading.located import assign_labels, match_faces, outcomes, place_crop, shifted, unmatched


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
    assert outcomes(np.array([True, False])) == [Outcome.ANONYMIZED, Outcome.DESTROYED]
    assert outcomes(np.zeros(0, np.bool_)) == []


def test_a_point_in_two_boxes_means_the_smaller_face() -> None:
    found = [face(0, 0, 100), face(20, 20, 30)]
    labels = assign_labels(found, [FaceLabel(identity="child", at=(30, 30))], (200, 200, 3))
    assert [label.identity for label in labels] == [None, "child"]
    # Whoever is left gets the larger one.
    both = [FaceLabel(identity="child", at=(30, 30)), FaceLabel(identity="father", at=(35, 35))]
    assert [label.identity for label in assign_labels(found, both, (200, 200, 3))] == ["father", "child"]


def test_labels_with_points_choose_before_the_subject_is_named() -> None:
    found = [face(80, 80, 60), face(0, 0, 20)]
    labels = [FaceLabel(identity="subject"), FaceLabel(identity="pointed", at=(100, 100))]
    assert [label.identity for label in assign_labels(found, labels, (200, 200, 3))] == ["pointed", "subject"]


def test_the_edge_of_a_box_belongs_to_its_face() -> None:
    for at, identity in (((40.0, 0.0), "a"), ((40.1, 0.0), None), ((0.0, 40.0), "a"), ((-0.1, 0.0), None)):
        (label,) = assign_labels([face(0, 0)], [FaceLabel(identity="a", at=at)], (100, 100, 3))
        assert label.identity == identity


def test_no_face_and_no_label() -> None:
    assert assign_labels([], [FaceLabel(identity="a")], (10, 10, 3)) == []
    assert assign_labels([face(0, 0)], [], (10, 10, 3)) == [FaceLabel()]


def test_the_total_overlap_decides_and_not_the_first_best() -> None:
    originals = [Box(0, 0, 40, 40), Box(10, 0, 40, 40)]
    # The face at 9 overlaps more with both originals, but the second has no other.
    left, right = face(-14, 0), face(9, 0)
    assert match_faces(originals, [right, left]) == [left, right]


def test_a_face_belongs_to_an_original_from_three_tenths_of_overlap_on() -> None:
    # 40 wide boxes moved by x overlap by (40 - x) / (40 + x).
    just, not_quite = 40 * 0.7 / 1.3 - 0.01, 40 * 0.7 / 1.3 + 0.01
    assert match_faces([Box(0, 0, 40, 40)], [face(just, 0)]) != [None]
    assert match_faces([Box(0, 0, 40, 40)], [face(not_quite, 0)]) == [None]


def test_the_place_of_a_face_is_a_square_of_twice_its_side() -> None:
    image = np.arange(60 * 80 * 3, dtype=np.uint32).reshape(60, 80, 3).astype(np.uint8)
    crop, corner = place_crop(image, Box(30, 20, 10, 20))
    assert (corner, crop.shape) == ((15, 10), (40, 40, 3))
    np.testing.assert_array_equal(crop, image[10:50, 15:55])
    clipped, corner = place_crop(image, Box(-5, 50, 20, 20))
    assert (corner, clipped.shape) == ((0, 40), (20, 25, 3))
    outside, _ = place_crop(image, Box(200, 200, 10, 10))
    assert outside.size == 0


def test_a_face_of_a_crop_lies_in_the_image_where_the_crop_was_cut() -> None:
    moved = shifted(face(3, 4), (10, 20))
    assert (moved.box.x, moved.box.y, moved.box.w, moved.score) == (13, 24, 40, 0.9)
    assert moved.landmarks.tolist() == [[10, 20]] * 5
    assert moved.landmarks.dtype == np.float32
