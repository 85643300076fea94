"""Crops: where the landmarks land, what lies outside an image, and that nothing is cut twice or changed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.transform import SimilarityTransform

from unmask.bench.core.types import Box, FaceView, Image
from unmask.metrics.instruments.support.crops import (
    ARCFACE_TEMPLATE,
    aligned,
    located,
    similarity_transform,
    square,
    upright,
    usable,
)

TEMPLATE = np.array(ARCFACE_TEMPLATE)
OFFSET = np.array([170.0, 70.0])


def turned(
    points: NDArray[np.float64], degrees: float, scale: float, shift: tuple[float, float]
) -> NDArray[np.float64]:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved: NDArray[np.float64] = scale * points @ turn.T + shift
    return moved


def view(image: Image, landmarks: NDArray[np.float64], box: Box | None = None) -> FaceView:
    return FaceView(image, box or Box(10, 10, 50, 60), landmarks.astype(np.float32))


def ramp(height: int, width: int) -> Image:
    """Red rises with x, green with y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 / (width - 1), y * 255 / (height - 1), np.full_like(x, 128)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_similarity_transform_equals_scikit_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = turned(TEMPLATE, rng.uniform(-180, 180), rng.uniform(0.2, 9), (300.0, -40.0)) + rng.normal(0, 4, (5, 2))
    expected = SimilarityTransform.from_estimate(points, TEMPLATE)
    found = similarity_transform(points, TEMPLATE)
    assert found is not None
    np.testing.assert_allclose(found, expected.params[:2], atol=1e-9)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (25, 2.0), (-70, 0.5), (180, 4.5), (10, 12.0)])
def test_aligned_puts_the_landmarks_on_the_template(degrees: float, scale: float) -> None:
    points = turned(TEMPLATE - 56, degrees, scale, (800.0, 700.0))
    y, x = np.mgrid[:1500, :1600]
    spots = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * max(scale, 0.8) ** 2)) for px, py in points]
    image = np.repeat((255 * np.max(spots, axis=0)).astype(np.uint8)[..., None], 3, axis=2)
    crop = aligned(view(image, points))
    assert crop is not None
    assert crop.shape == (112, 112, 3)
    grey = crop[..., 0].astype(float)
    for tx, ty in TEMPLATE:
        yy, xx = np.mgrid[:112, :112]
        weight = grey * ((xx - tx) ** 2 + (yy - ty) ** 2 < 36)
        assert weight.sum() > 0
        assert (weight * xx).sum() / weight.sum() == pytest.approx(tx, abs=0.25)
        assert (weight * yy).sum() / weight.sum() == pytest.approx(ty, abs=0.25)


def test_aligned_is_black_outside_the_image_and_square_repeats_its_border() -> None:
    image = np.full((60, 60, 3), 200, np.uint8)
    face = view(image, TEMPLATE * 0.5 - 20, Box(-30, -30, 60, 60))
    turned_crop, square_crop = aligned(face), square(face, 48)
    assert turned_crop is not None
    assert turned_crop[0, 0].tolist() == [0, 0, 0]
    assert (turned_crop == 200).any()
    assert square_crop is not None
    assert (square_crop == 200).all()


@pytest.mark.parametrize("size", [16, 64, 300])
@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_square_shows_the_window_about_the_box(size: int, factor: float) -> None:
    image, box = ramp(400, 400), Box(140, 120, 100, 160)
    crop = square(view(image, TEMPLATE, box), size, factor)
    assert crop is not None
    window = box.square(factor)
    step = window.w / size
    centres = (np.arange(size) + 0.5) * step - 0.5
    np.testing.assert_allclose(crop[size // 2, :, 0], (window.x + centres) * 255 / 399, atol=1.6)
    np.testing.assert_allclose(crop[:, size // 2, 1], (window.y + centres) * 255 / 399, atol=1.6)


@pytest.mark.parametrize("cut", [lambda f: aligned(f), lambda f: square(f, 28)])
def test_shrinking_averages_and_does_not_alias(cut: object) -> None:
    image = np.zeros((896, 896, 3), np.uint8)
    image[:, ::2] = 255
    crop = cut(view(image, TEMPLATE * 8, Box(0, 0, 896, 896)))  # type: ignore[operator]
    assert crop is not None
    np.testing.assert_allclose(crop[5:-5, 5:-5].astype(int), 127, atol=3)


def test_tiny_faces_are_enlarged() -> None:
    image = ramp(40, 40)
    face = view(image, TEMPLATE * 0.03 + 12, Box(12, 12, 3, 4))
    for crop in (aligned(face), square(face, 112)):
        assert crop is not None
        assert crop.shape == (112, 112, 3)


@pytest.mark.parametrize(
    ("box", "landmarks"),
    [
        (Box(10, 10, 20, 20), np.full((5, 2), np.nan)),
        (Box(10, 10, 20, 20), np.full((5, 2), np.inf)),
        (Box(10, 10, 20, 20), np.full((5, 2), 14.0)),
    ],
)
def test_aligned_needs_landmarks(box: Box, landmarks: NDArray[np.float64]) -> None:
    assert aligned(view(ramp(50, 50), landmarks, box)) is None


@pytest.mark.parametrize(
    "box", [Box(10, 10, 0, 0), Box(10, 10, 5, -1), Box(float("nan"), 0, 9, 9), Box(90, 10, 20, 20), Box(-60, 0, 30, 30)]
)
def test_square_needs_a_box_with_something_of_the_image(box: Box) -> None:
    assert square(view(ramp(50, 50), TEMPLATE * 0.3, box), 32) is None


def test_aligned_needs_something_of_the_image() -> None:
    assert aligned(view(ramp(50, 50), TEMPLATE + 500)) is None


def test_located() -> None:
    image = ramp(50, 50)
    assert located(view(image, TEMPLATE))
    assert not located(view(image, np.full((5, 2), np.nan)))
    assert not located(view(image, TEMPLATE, Box(0, 0, 0, 9)))
    assert not located(view(image, TEMPLATE, Box(0, float("inf"), 9, 9)))


def test_non_contiguous_images_give_the_same_crops(astronaut: Image) -> None:
    bgr = np.ascontiguousarray(astronaut[:, :, ::-1])
    points = TEMPLATE + OFFSET
    plain, strided = view(astronaut, points), view(bgr[:, :, ::-1], points)
    np.testing.assert_array_equal(aligned(plain), aligned(strided))
    np.testing.assert_array_equal(square(plain, 64, 1.2), square(strided, 64, 1.2))


def test_crops_are_cut_once_and_cannot_be_changed(astronaut: Image) -> None:
    before = astronaut.copy()
    face = view(astronaut, TEMPLATE + OFFSET)
    crop = aligned(face)
    assert crop is not None
    assert aligned(face) is crop
    assert square(face, 64) is square(face, 64)
    assert square(face, 64) is not square(face, 64, 1.2)
    with pytest.raises(ValueError, match="read-only"):
        crop[0, 0] = 0
    np.testing.assert_array_equal(astronaut, before)


@pytest.mark.parametrize("degrees", [0, 25, -140])
def test_upright_levels_the_eyes_and_tells_the_way(degrees: float) -> None:
    points = turned(TEMPLATE - 56, degrees, 2.0, (300.0, 280.0))
    box = Box(210, 200, 180, 160)
    image = np.zeros((600, 600, 3), np.uint8)
    for x, y in points[:2]:
        image[round(y) - 3 : round(y) + 3, round(x) - 3 : round(x) + 3] = 255
    cut = upright(view(image, points, box), 120, 1.5)
    assert cut is not None
    crop, edges = cut
    eyes = points[:2] @ edges[:, :2].T + edges[:, 2]
    assert eyes[0, 1] == pytest.approx(eyes[1, 1])
    assert eyes[0, 0] < eyes[1, 0]
    np.testing.assert_allclose(edges @ [*box.center, 1], [60, 60])
    assert np.hypot(*(eyes[1] - eyes[0])) == pytest.approx(np.hypot(*(points[1] - points[0])) * 120 / 270)
    for half, eye in ((crop[:, :60], eyes[0]), (crop[:, 60:], eyes[1] - [60, 0])):
        y, x = np.nonzero(half[..., 0] > 100)
        np.testing.assert_allclose([x.mean() + 0.5, y.mean() + 0.5], eye, atol=0.5)


def test_upright_level_eyes_are_the_square() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    points = np.array([[80, 90], [120, 90], [100, 110], [85, 130], [115, 130]], np.float64)
    face = view(image, points, Box(60, 60, 80, 70))
    cut = upright(face, 64, 1.2)
    assert cut is not None
    np.testing.assert_array_equal(cut[0], square(face, 64, 1.2))
    assert not any(array.flags.writeable for array in cut)
    assert upright(view(image, np.full((5, 2), 9.0)), 64) is None


def test_usable_keeps_the_row_numbers() -> None:
    crop = ramp(4, 4)
    rows, crops = usable([None, crop, None, crop])
    assert rows.tolist() == [1, 3]
    assert len(crops) == 2
