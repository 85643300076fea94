"""The second detector: finds the faces that the judge's finds, and none where a face was covered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from unmask.bench.core.types import Detection, Image
from unmask.bench.data import open_dataset
from unmask.bench.run.located import match_faces, place_crop, shifted

pytestmark = pytest.mark.weights

Faces = list[tuple[Image, Detection]]


def faces_of(spec: str, photos: slice, yunet: Any, root: Path | None = None) -> Faces:
    dataset = open_dataset(spec, root=root)
    images = [dataset.read(ref) for ref in dataset.refs[photos]]
    return [(image, face) for image in images for face in yunet.detect([image])[0]]


def found(blazeface: Any, image: Image, face: Detection) -> bool:
    crop, corner = place_crop(image, face.box)
    seen = [shifted(detection, corner) for detection in blazeface.detect([crop])[0]]
    return match_faces([face.box], seen) != [None]


@pytest.fixture(scope="module")
def demo(open_instrument: Callable[[str], Any]) -> Faces:
    return faces_of("demo", slice(None, None, 2), open_instrument("yunet"))


def test_finds_what_the_judge_finds(open_instrument: Callable[[str], Any], demo: Faces) -> None:
    assert len(demo) > 20
    assert np.mean([found(open_instrument("blazeface"), image, face) for image, face in demo]) > 0.95


def blurred(image: Image, face: Detection) -> Image:
    """The image with a blur of 0.3 face widths around the face, at the size of a face of 64 px, where it is quick."""
    left, top, right, bottom = face.box.scaled(1.2 + 6 * 0.3).clipped(*image.shape[:2])
    scale = min(64 / face.box.w, 1)
    small = cv2.resize(image[top:bottom, left:right], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    output = image.copy()
    small = cv2.GaussianBlur(small, (0, 0), 0.3 * face.box.w * scale)
    output[top:bottom, left:right] = cv2.resize(small, (right - left, bottom - top))
    return output


COVERS: dict[str, Callable[[Image, Detection], Image]] = {
    "black": lambda image, face: np.zeros_like(image),
    "noise": lambda image, face: np.random.default_rng(0).integers(0, 256, image.shape, np.uint8),
    "blur": blurred,
}


@pytest.mark.parametrize("cover", COVERS)
def test_finds_nothing_where_a_face_was_covered(open_instrument: Callable[[str], Any], demo: Faces, cover: str) -> None:
    seen = []
    for image, face in demo:
        output = image.copy()
        left, top, right, bottom = face.box.scaled(1.2).clipped(*image.shape[:2])
        output[top:bottom, left:right] = COVERS[cover](image, face)[top:bottom, left:right]
        seen.append(found(open_instrument("blazeface"), output, face))
    assert np.mean(seen) < 0.05


def test_landmarks_and_boxes_are_in_the_images_own_pixels(
    open_instrument: Callable[[str], Any], astronaut: Image
) -> None:
    part = np.ascontiguousarray(astronaut[:256, 100:356])
    wide = np.asarray(cv2.resize(part, (512, 256)), np.uint8)
    for image, scale in ((part, 1), (wide, 2)):
        (face,) = open_instrument("blazeface").detect([image])[0]
        left_eye, right_eye, nose, *mouth = face.landmarks / (scale, 1)
        # The judge's points, within a fifth of the face: coarse, but in these pixels.
        np.testing.assert_allclose(left_eye, (103, 102), atol=18)
        np.testing.assert_allclose(right_eye, (145, 102), atol=18)
        np.testing.assert_allclose(nose, (123, 125), atol=18)
        assert np.isnan(mouth).all()
        assert 60 * scale < face.box.w < 130 * scale


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (5000, 3), (16, 65_535)])
def test_images_without_faces_give_none_whatever_their_shape(
    open_instrument: Callable[[str], Any], shape: tuple[int, int]
) -> None:
    assert open_instrument("blazeface").detect([np.full((*shape, 3), 90, np.uint8)]) == [[]]


@pytest.mark.data
def test_recall_on_lfw(open_instrument: Callable[[str], Any], shared_data: Path) -> None:
    faces = faces_of("lfw", slice(0, 400, 10), open_instrument("yunet"), shared_data)
    assert np.mean([found(open_instrument("blazeface"), image, face) for image, face in faces]) > 0.95
