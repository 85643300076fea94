"""What cameras, converters and compression do to a face is no anonymization; what covers or repaints it is."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from unmask.bench.core.evidence import ANY_LOOK, KNOWN_PLACE, OperatingPoint, look_column
from unmask.bench.core.types import Box, Image
from unmask.bench.data import open_dataset
from unmask.bench.run.jobs.opened import detector
from unmask.bench.run.reading.explained import EXPLAINED, explanation, missed


@dataclass(frozen=True)
class Face:
    image: Image
    box: Box


@pytest.fixture(scope="module")
def faces(astronaut: Image) -> list[Face]:
    """Faces of 25 to 400 pixels: the astronaut's, also small, at the border and in grey, and those of the demo set."""
    box = Box(176, 60, 96, 125)
    small = np.asarray(cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA), np.uint8)
    grey = np.repeat(astronaut.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    cut = np.ascontiguousarray(astronaut[90:, 200:])
    made = [Face(astronaut, box), Face(small, Box(44, 15, 24, 31)), Face(grey, box), Face(cut, Box(-24, -30, 96, 125))]
    dataset = open_dataset("demo")
    for ref in dataset.refs[::7]:
        image = dataset.read(ref)
        made += [Face(image, seen.box) for seen in detector("yunet", "cpu").detect([image])[0]]
    return made


def levels(values: NDArray[np.float64]) -> Image:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Pillow.open(buffer))


def adobe(image: Image) -> Image:
    """The pixels of an Adobe RGB picture whose profile was dropped."""
    to_srgb = np.array([[1.398, -0.398, 0], [0, 1, 0], [0, -0.043, 1.043]])
    linear = (image / 255) ** 2.2 @ np.linalg.inv(to_srgb).T
    return levels(255 * np.clip(linear, 0, 1) ** (1 / 2.2))


HARMLESS: dict[str, Callable[[Image], Image]] = {
    "brightness +4": lambda v: levels(v + 4.0),
    "brightness +5": lambda v: levels(v + 5.0),
    "brightness +6": lambda v: levels(v + 6.0),
    "brightness +20": lambda v: levels(v + 20.0),
    "brightness -30": lambda v: levels(v - 30.0),
    "contrast": lambda v: levels(128 + 0.5 * (v - 128.0)),
    "gamma 0.6": lambda v: levels(255 * (v / 255) ** 0.6),
    "gamma 1.8": lambda v: levels(255 * (v / 255) ** 1.8),
    "white balance": lambda v: levels(v * np.array([1.15, 1.0, 0.85])),
    "luma range 16 to 235": lambda v: levels(16 + v * (219 / 255)),
    "luma range stretched": lambda v: levels((v - 16.0) * (255 / 219)),
    "colour profile": adobe,
    "grey": lambda v: np.repeat(levels(v @ np.array([0.299, 0.587, 0.114]))[..., None], 3, axis=2),
    "JPEG 90": lambda v: jpeg(v, 90),
    "JPEG 50": lambda v: jpeg(v, 50),
    "brighter JPEG 50": lambda v: jpeg(levels(v + 20.0), 50),
    "JPEG 50, gamma 0.6": lambda v: levels(255 * (jpeg(v, 50) / 255) ** 0.6),
}


@pytest.mark.weights
@pytest.mark.parametrize("name", HARMLESS)
def test_what_happens_to_whole_pictures_is_explained(name: str, faces: Sequence[Face]) -> None:
    for face in faces:
        assert explanation(face.image, HARMLESS[name](face.image), face.box).residual < EXPLAINED


@pytest.mark.weights
def test_no_edge_that_one_grey_level_crosses(faces: Sequence[Face]) -> None:
    for face in faces[:5]:
        residuals = [explanation(face.image, levels(face.image + float(k)), face.box).residual for k in range(1, 41)]
        assert max(residuals) < EXPLAINED / 2
        assert np.abs(np.diff(residuals)).max() < 0.1


def place(face: Face, scale: float = 1.0) -> tuple[slice, slice]:
    left, top, right, bottom = face.box.scaled(scale).clipped(*face.image.shape[:2])
    return slice(top, bottom), slice(left, right)


def bar(face: Face) -> Image:
    output = face.image.copy()
    box = face.box
    left, top, right, bottom = Box(box.x, box.y + 0.27 * box.h, box.w, 0.2 * box.h).clipped(*output.shape[:2])
    output[top:bottom, left:right] = 0
    return output


def blur(face: Face, sigma: float) -> Image:
    output = face.image.copy()
    at = place(face, 1.2)
    output[at] = cv2.GaussianBlur(face.image, (0, 0), sigma * max(face.box.w, face.box.h))[at]
    return output


def pixelate(face: Face) -> Image:
    output = face.image.copy()
    part = face.image[place(face)]
    small = cv2.resize(part, (8, 8), interpolation=cv2.INTER_AREA)
    output[place(face)] = cv2.resize(small, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return output


def filled(face: Face, level: int) -> Image:
    output = face.image.copy()
    output[place(face)] = level
    return output


def flipped(face: Face) -> Image:
    output = face.image.copy()
    output[place(face)] = face.image[place(face)][:, ::-1]
    return output


HIDING: dict[str, Callable[[Face], Image]] = {
    "a bar over the eyes": bar,
    "blur": lambda face: blur(face, 0.1),
    "weak blur": lambda face: blur(face, 0.05),
    "pixelation": pixelate,
    "a black box": lambda face: filled(face, 0),
    "a grey box": lambda face: filled(face, 128),
    "mirrored": flipped,
    "inverted": lambda face: 255 - face.image,
}


@pytest.mark.weights
@pytest.mark.parametrize("name", HIDING)
def test_what_hides_a_face_is_not_explained(name: str, faces: Sequence[Face]) -> None:
    for face in faces:
        assert explanation(face.image, HIDING[name](face), face.box).residual > EXPLAINED


@pytest.mark.weights
def test_a_neighbours_box_in_the_corner_does_not_anonymize_a_face(faces: Sequence[Face]) -> None:
    for face in faces:
        output = face.image.copy()
        left, top, *_ = face.box.clipped(*output.shape[:2])
        output[top : top + round(0.25 * face.box.h), left : left + round(0.4 * face.box.w)] = 0
        if face.box.x >= 0 and face.box.y >= 0:  # else the box reaches farther into the face
            assert explanation(face.image, output, face.box).residual < EXPLAINED


def test_equal_faces_and_faces_outside_the_image(astronaut: Image) -> None:
    other = astronaut.copy()
    other[:50, :50] = 0
    assert explanation(astronaut, other, Box(176, 60, 96, 125)).equal
    outside = explanation(astronaut, other, Box(600, 60, 96, 125))
    assert np.isnan(outside.residual)
    assert not outside.explained
    assert explanation(astronaut, astronaut.copy(), Box(600, 60, 96, 125)).explained
    # Only the rim of the box is in the image.
    assert not explanation(astronaut, other, Box(-90, 0, 100, 40)).explained


POINTS = (OperatingPoint(1e-3, 0.5, 0.45, 0.55),)
STRICTER = (OperatingPoint(1e-3, 0.3, 0.25, 0.35),)


def unit(*angles: float) -> NDArray[np.float32]:
    """(N, 2) unit rows whose cosine distances to angle 0 are those given."""
    turns = np.arccos(1 - np.array(angles))
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def ended(**columns: Sequence[float]) -> list[bool]:
    """Whether faces with readings at these distances from their originals are missed; all are explained, none equal."""
    n = len(next(iter(columns.values())))
    yes, no = np.ones(n, np.bool_), np.zeros(n, np.bool_)
    seen = {name.replace("look_", "look:"): unit(*values) for name, values in columns.items()}
    points = {"sface": POINTS, f"sface{ANY_LOOK}": STRICTER}
    found = missed(yes, no, {"sface": {"embedding": unit(*[0.0] * n)}}, {"sface": seen}, points)
    return [bool(value) for value in found]


def test_an_explained_face_that_a_recogniser_matches_is_missed() -> None:
    assert ended(embedding=[0.4, 0.9], known_place=[0.9, 0.9]) == [True, False]
    assert ended(embedding=[0.9, 0.9], known_place=[0.4, 0.6]) == [True, False]
    # Looks have a stricter threshold than the plain reading.
    assert ended(embedding=[0.9, 0.9], known_place=[0.9, 0.9], look_blurred=[0.2, 0.4]) == [True, False]
    assert {KNOWN_PLACE, look_column("blurred")} == {"known_place", "look:blurred"}


def test_what_was_not_measured_is_no_protection() -> None:
    yes, no = np.array([True]), np.array([False])
    near = {"sface": {"embedding": unit(0.0)}}
    unread = {"sface": {"embedding": np.full((1, 2), np.nan, np.float32)}}
    assert missed(yes, no, {}, {}, {}).all()
    assert missed(yes, no, near, {"sface": {"embedding": unit(0.9)}}, {}).all()
    assert missed(yes, no, near, unread, {"sface": POINTS}).all()
    assert missed(yes, yes, near, {"sface": {"embedding": unit(0.9)}}, {"sface": POINTS}).all()
    assert not missed(no, no, near, near, {"sface": POINTS}).any()
