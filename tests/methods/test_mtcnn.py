"""The methods' own detector, on a photo."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from unmask.bench.core.registry import create_method
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import Box, Detection, Image, MethodFailure, Sample
from unmask.methods.shared.mtcnn import Mtcnn

FACE = Box(175, 65, 95, 125)
"""The astronaut's face, by eye."""


@pytest.fixture(scope="module")
def detector() -> Mtcnn:
    return Mtcnn("cpu")


def test_finds_the_face(detector: Mtcnn, astronaut: Image) -> None:
    (face,) = detector.faces(astronaut)
    assert face.box.iou(FACE) > 0.6


def test_large_photos_are_reduced_and_boxes_mapped_back(detector: Mtcnn, astronaut: Image) -> None:
    large = np.repeat(np.repeat(astronaut, 4, axis=0), 4, axis=1)
    box = detector.faces(large)[0].box
    assert Box(box.x / 4, box.y / 4, box.w / 4, box.h / 4).iou(FACE) > 0.6


def test_a_face_that_fills_the_photo_is_found_with_its_eyes_in_place(detector: Mtcnn, astronaut: Image) -> None:
    (whole,) = detector.faces(astronaut)
    left, top, right, bottom = whole.box.clipped(*astronaut.shape[:2])
    (alone,) = detector.faces(np.ascontiguousarray(astronaut[top:bottom, left:right]))
    assert np.abs(alone.landmarks + np.array([left, top]) - whole.landmarks).max() < 0.1 * whole.box.w


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (19, 300), (20, 20), (3000, 21), (64, 64)])
@pytest.mark.parametrize("value", [0, 255])
def test_images_without_a_face(detector: Mtcnn, shape: tuple[int, int], value: int) -> None:
    assert detector.faces(np.full((*shape, 3), value, dtype=np.uint8)) == []


def test_a_failing_detector_is_a_failure_not_an_unchanged_image(monkeypatch: pytest.MonkeyPatch) -> None:
    method = create_method(parse_spec("blackout"))
    method.load({}, "cpu")

    def fails(self: Mtcnn, image: Image) -> list[Detection]:
        raise IndexError("shape mismatch")

    monkeypatch.setattr(Mtcnn, "faces", fails)
    (output,) = method.anonymize([Sample("a", np.zeros((40, 40, 3), np.uint8))], seed=0)
    assert output == MethodFailure("face detector failed: shape mismatch")


def test_cards_need_no_torch() -> None:
    """Listing methods must not take the seconds that importing torch takes."""
    code = (
        "import sys; from unmask.bench.core.registry import create_method\n"
        "from unmask.bench.core.spec import parse_spec\n"
        "for s in ('none', 'blur', 'blackout', 'pixelate'): create_method(parse_spec(s)).card\n"
        "assert 'torch' not in sys.modules and 'facenet_pytorch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
