"""gt.txt as MOTChallenge writes it, in its years' forms, and with lines that make no sense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unmask.bench.core.errors import DataError
from unmask.bench.core.video import Tracks
from unmask.bench.data.readers.clips import Numbering, read_truth


def truth(tmp_path: Path, text: str) -> Tracks:
    (tmp_path / "gt.txt").write_text(text)
    return read_truth(tmp_path / "gt.txt")


def test_frames_from_zero_ascending_by_frame_and_track(tmp_path: Path) -> None:
    found = truth(tmp_path, "3,2,1,2,3,4,1,1,1\n1,7,-5.5,2,3,4,1,1,0.5\n1,2,9,9,9,9,1,1,0\n\n")
    assert found.frame.tolist() == [0, 0, 2]
    assert found.track.tolist() == [2, 7, 2]
    assert found.box.dtype == np.float32
    assert found.box[1].tolist() == [-5.5, 2, 3, 4]
    assert found.people == 2


def test_only_pedestrians_that_are_considered(tmp_path: Path) -> None:
    rows = ["1,1,1,1,5,5,1,1,1", "1,2,1,1,5,5,0,1,1", "1,3,1,1,5,5,1,7,1", "1,4,1,1,5,5,1,2,1", "1,5,1,1,5,5,1,1,0"]
    assert truth(tmp_path, "\n".join(rows)).track.tolist() == [1, 5]


@pytest.mark.parametrize(
    "row", ["1,1,1,1,5,5,1,-1,-1,-1", "1,1,1,1,5,5,1,3.2,8.1,0", "1,1,1,1,5,5", "1 1 1 1 5 5 1 1 1"]
)
def test_forms_without_a_class_and_with_spaces(tmp_path: Path, row: str) -> None:
    assert len(truth(tmp_path, row)) == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,1,1", "3 values"),
        ("1,2,1,1,5,5,1,1,1,1,1", "11 values"),
        ("1,2,1,1,five,5,1,1,1", "five"),
        ("1,2,1,1,5,5,1,person,1", "the class is called 'person'; write its number, 1 = pedestrian"),
        ("1,2,1,1,nan,5,1,1,1", "finite"),
        ("1,2,1,1,1e999,5,1,1,1", "finite"),
        ("0,2,1,1,5,5,1,1,1", "frames from 1"),
        ("1.5,2,1,1,5,5,1,1,1", "whole numbers"),
        ("99999999999,2,1,1,5,5,1,1,1", "whole numbers"),
        ("1,2,1,1,0,5,1,1,1", "positive"),
        ("1,1,9,9,5,5,1,1,1", "on line 1 already"),
        ("<html>", "1 values"),
    ],
)
def test_lines_that_make_no_sense_are_named(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        truth(tmp_path, f"1,1,1,1,5,5,1,1,1\n{row}\n")
    assert "gt.txt, line 2" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "1,1,1,1,5,5,0,1,1\n"])
def test_a_truth_without_boxes_belongs_to_something_else(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="no box that counts"):
        truth(tmp_path, text)


def test_a_truth_of_other_classes_names_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no box that counts \(2 of class 2, 1 of boxes that are not considered"):
        truth(tmp_path, "1,1,1,1,5,5,1,2,1\n2,1,1,1,5,5,1,2,1\n3,1,1,1,5,5,0,1,1\n")


@pytest.mark.parametrize(
    ("rows", "images", "first", "said"),
    [
        ("1,1,1,1,5,5,1,1,1\n112,1,1,1,5,5,1,1,1", 24, 1, "line 2: frame 112 of a clip of 24 images"),
        ("301,1,1,1,5,5,1,1,1", 24, 301, "line 1: frame 301 of a clip of 24 images; .* images are numbered from 301"),
        ("13,1,1,1,5,5,1,1,1", 12, 13, "line 1: frame 13 of a clip of 12 images; .* images are numbered from 13"),
        ("1,1,1,1,5,5,1,1,1", 24, 0, "line 1: frame 1 may be image 1 or image 0, .* number the images from 1"),
        ("1,1,1,1,5,5,1,1,1", 24, 301, "line 1: frame 1 may be image 1 or image 301, .* number the images from 1"),
    ],
)
def test_frames_must_be_images_that_are_there_and_counted_as_they_are(
    tmp_path: Path, rows: str, images: int, first: int, said: str
) -> None:
    (tmp_path / "gt.txt").write_text(rows)
    with pytest.raises(DataError, match=said):
        read_truth(tmp_path / "gt.txt", Numbering(images, first))


def test_the_last_image_is_the_last_frame(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("24,1,1,1,5,5,1,1,1")
    assert read_truth(tmp_path / "gt.txt", Numbering(24, 1)).frame.tolist() == [23]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_bytes(b"1,2,\x81\xff")
    with pytest.raises(DataError, match="not UTF-8"):
        read_truth(tmp_path / "gt.txt")
