"""What a check reads off outputs: it accuses nobody of what they did not do."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from unmask.bench.core.types import Box, Image
from unmask.bench.run.contracts import drawn
from unmask.bench.run.contracts.holding import grows
from unmask.bench.run.contracts.looks import is_swapped, unchanged_faces, wrong_range

EDITS: dict[str, Callable[[Image], Image]] = {
    "nothing": lambda face: face,
    "black": np.zeros_like,
    "white": lambda face: np.full_like(face, 255),
    "inverted": lambda face: 255 - face,
    "grey": lambda face: np.repeat(face.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8),
    "blurred": lambda face: np.asarray(cv2.GaussianBlur(face, (0, 0), 6), np.uint8),
    "noise": lambda face: np.random.default_rng(0).integers(0, 256, face.shape, np.uint8),
    "darker": lambda face: face // 3,
    "two levels": lambda face: np.where(face > 128, 255, 0).astype(np.uint8),
    "blue": lambda face: np.full_like(face, (30, 60, 220)),
    "sepia": lambda face: (face.mean(axis=2, keepdims=True) * (1, 0.9, 0.7)).astype(np.uint8),
    "dark and inverted": lambda face: (255 - face) // 2,
    "mirrored": lambda face: face[:, ::-1],
    "another face": lambda face: cv2.resize(drawn.faces()[1].sample.image[57:157, 64:136], face.shape[1::-1]),
}


def edited(edit: Callable[[Image], Image], *, whole: bool) -> list[tuple[Image, Image, tuple[Box, ...]]]:
    pairs = []
    for photo in drawn.faces():
        image, output = photo.sample.image, photo.sample.image.copy()
        left, top, right, bottom = (
            (0, 0, image.shape[1], image.shape[0]) if whole else photo.faces[0].clipped(*image.shape[:2])
        )
        output[top:bottom, left:right] = edit(image[top:bottom, left:right])
        pairs.append((image, output, photo.faces))
    return pairs


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", EDITS)
def test_other_edits_are_neither_swapped_nor_of_another_range(name: str, whole: bool) -> None:
    for image, output, faces in edited(EDITS[name], whole=whole):
        assert not is_swapped(image, output, faces)
        assert wrong_range(output) == ""


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", ["nothing", "blurred", "darker", "mirrored", "another face"])
def test_swapped_channels_are_seen_whatever_else_was_done(name: str, whole: bool) -> None:
    pairs = edited(lambda face: EDITS[name](face)[..., ::-1], whole=whole)
    assert sum(is_swapped(*pair) for pair in pairs) >= 2


def test_a_range_is_seen_by_its_levels() -> None:
    image = drawn.no_face().sample.image
    assert wrong_range((image / 255).astype(np.uint8)) == "0..1"
    assert wrong_range((image / 255).round().astype(np.uint8)) == "0..1"
    assert wrong_range((image / 127.5 - 1).astype(np.int8).astype(np.uint8)) == "-1..1"


def test_unchanged_faces_are_counted() -> None:
    photo = drawn.many_faces()
    output = photo.sample.image.copy()
    left, top, right, bottom = photo.faces[2].clipped(*output.shape[:2])
    output[top:bottom, left:right] //= 2
    assert unchanged_faces(photo.sample.image, output, photo.faces) == 5
    assert unchanged_faces(photo.sample.image, output, [Box(0, 0, 5, 5)]) == 1


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([100.0] * 24, False),
        ([100 + 1.4 * n for n in range(24)], True),
        ([100 + 0.1 * n for n in range(24)], False),
        ([100 + 5.0 * min(n, 6) for n in range(24)], False),
        ([100.0] * 20 + [180.0] * 4, False),
    ],
)
def test_memory_grows_only_where_it_does_not_end(held: list[float], expected: bool) -> None:
    assert grows(held) is expected
