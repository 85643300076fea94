"""The judge's detector: any size of image, the image's own pixels, a fixed order, several threads."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from unmask.bench.core.images import decode_image
from unmask.bench.core.types import Box, Detection, Image
from unmask.bench.run.contestants.calling import peak_memory

pytestmark = pytest.mark.weights

FACE = (225, 117)
"""Between the astronaut's eyes and mouth, in the photo's pixels."""


@pytest.fixture(scope="module")
def yunet(open_instrument: Callable[[str], Any]) -> Any:
    return open_instrument("yunet")


def resized(image: Image, width: int, height: int) -> Image:
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def contains(face: Detection, x: float, y: float) -> bool:
    return face.box.x < x < face.box.x + face.box.w and face.box.y < y < face.box.y + face.box.h


@pytest.mark.parametrize("width", [160, 512, 1024, 3000])
def test_finds_the_face_at_any_size_in_the_images_own_pixels(yunet: Any, astronaut: Image, width: int) -> None:
    (faces,) = yunet.detect([resized(astronaut, width, width)])
    best, scale = faces[0], width / 512
    assert contains(best, FACE[0] * scale, FACE[1] * scale)
    assert 60 * scale < best.box.w < 140 * scale
    left_eye, right_eye, nose, left_mouth, right_mouth = best.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert 0.6 <= best.score <= 1.0
    assert best.landmarks.shape == (5, 2)
    assert best.landmarks.dtype == np.float32


def test_stretched_images_are_mapped_back_by_axis(yunet: Any, astronaut: Image) -> None:
    (plain,), (wide,) = yunet.detect([astronaut]), yunet.detect([resized(astronaut, 1400, 1200)])
    np.testing.assert_allclose(wide[0].landmarks, plain[0].landmarks * (1400 / 512, 1200 / 512), atol=12)


def test_a_face_that_fills_its_image_is_found(yunet: Any, astronaut: Image) -> None:
    (plain,) = yunet.detect([astronaut])
    box = plain[0].box
    left, top, right, bottom = box.scaled(0.85).clipped(512, 512)
    chip = resized(astronaut[top:bottom, left:right], 1600, round(1600 * (bottom - top) / (right - left)))
    (faces,) = yunet.detect([chip])
    assert len(faces) == 1
    scale = 1600 / (right - left)
    expected = (plain[0].landmarks - (left, top)) * scale
    np.testing.assert_allclose(faces[0].landmarks, expected, atol=0.1 * 1600)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (5000, 3), (92, 112), (7, 9), (32, 320), (320, 20)])
def test_images_without_faces_give_none_whatever_their_shape(yunet: Any, shape: tuple[int, int]) -> None:
    assert yunet.detect([np.full((*shape, 3), 90, np.uint8)]) == [[]]


@pytest.mark.parametrize("shape", [(16, 65_535), (16, 1_000_000), (400_000, 30)])
def test_long_strips_take_no_memory(yunet: Any, shape: tuple[int, int]) -> None:
    strip = np.full((*shape, 3), 90, np.uint8)
    before = peak_memory()
    assert yunet.detect([strip]) == [[]]
    assert peak_memory() - before < 800


def test_faces_of_a_panorama_are_found_in_tiles(yunet: Any, astronaut: Image) -> None:
    """20,000 x 1,000 pixels with 40 faces of about 100: reduced to 1,024 they would be 5 pixels large."""
    pano = np.full((1000, 20_000, 3), 120, np.uint8)
    part = astronaut[:256, 100:356]
    corners = [(500 * k + 37, 100 + 300 * (k % 3)) for k in range(39)] + [(20_000 - 256, 700)]
    for left, top in corners:
        pano[top : top + 256, left : left + 256] = part
    (faces,) = yunet.detect([pano])
    (plain,) = yunet.detect([np.ascontiguousarray(part)])
    assert len(faces) == len(corners)
    for left, top in corners:
        at = Box(plain[0].box.x + left, plain[0].box.y + top, plain[0].box.w, plain[0].box.h)
        assert sum(face.box.iou(at) > 0.6 for face in faces) == 1
    keys = [(-face.score, face.box.x) for face in faces]
    assert keys == sorted(keys)


def test_a_face_larger_than_a_tile_is_found_once(yunet: Any, astronaut: Image) -> None:
    (faces,) = yunet.detect([resized(astronaut, 5000, 5000)])
    assert len([face for face in faces if contains(face, FACE[0] * 5000 / 512, FACE[1] * 5000 / 512)]) == 1


def test_no_images_no_answers(yunet: Any) -> None:
    assert yunet.detect([]) == []


def test_several_faces_come_best_first(yunet: Any, astronaut: Image) -> None:
    part = astronaut[:256, 100:356]
    sheet = np.concatenate([part, part[:, ::-1], resized(resized(part, 90, 90), 256, 256)], axis=1)
    (faces,) = yunet.detect([np.ascontiguousarray(sheet)])
    assert len(faces) == 3
    keys = [(-face.score, face.box.x) for face in faces]
    assert keys == sorted(keys)


def test_the_input_stays_and_views_give_the_same_answer(yunet: Any, astronaut: Image) -> None:
    before = astronaut.copy()
    (first,) = yunet.detect([astronaut])
    np.testing.assert_array_equal(astronaut, before)
    (second,) = yunet.detect([np.ascontiguousarray(astronaut[:, :, ::-1])[:, :, ::-1]])
    assert first[0].box == second[0].box


def test_threads_give_the_same_answers(yunet: Any, astronaut: Image) -> None:
    images = [resized(astronaut, side, side) for side in (200, 300, 400, 512, 250, 350)]
    alone = yunet.detect(images)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda image: yunet.detect([image])[0], images))
    for a, b in zip(alone, together, strict=True):
        assert [(f.box, f.score) for f in a] == [(f.box, f.score) for f in b]


@pytest.mark.data
@pytest.mark.parametrize(
    "archive",
    [
        "lfw_deepfunneled/lfw_250px.zip",
        "utkface/utkface_200px.zip",
        "celeba_identity/celeba_178x218.zip",
        "orl_att_faces/att_faces.zip",
    ],
)
def test_recall_on_photos(yunet: Any, shared_data: Path, archive: str) -> None:
    with zipfile.ZipFile(shared_data / archive) as photos:
        names = sorted(n for n in photos.namelist() if n.endswith((".jpg", ".pgm")))
        chosen = names[:: len(names) // 20][:20]
        images = [decode_image(photos.read(name), name) for name in chosen]
    found = yunet.detect(images)
    assert sum(bool(faces) for faces in found) >= 19


def test_a_long_strip_takes_little_memory_and_large_faces_stay_where_they_are(yunet: Any, astronaut: Image) -> None:
    strip = np.zeros((600, 30_000, 3), np.uint8)
    tracemalloc.start()
    try:
        assert yunet.detect([strip]) == [[]]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * strip.nbytes
    # A face larger than the network knows, in a picture larger than is framed: found by the second try.
    (plain,) = yunet.detect([astronaut])
    left, top, right, bottom = plain[0].box.scaled(1.1).clipped(512, 512)
    close = resized(astronaut[top:bottom, left:right], 3000, 4000)
    (found,) = yunet.detect([close])
    nose = (plain[0].landmarks[2] - (left, top)) * (3000 / (right - left), 4000 / (bottom - top))
    np.testing.assert_allclose(found[0].landmarks[2], nose, atol=300)
