"""Skin colour: the range of HSV, one or several skin-like clusters, determinism, and ITA against scikit-image."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.color
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from unmask.bench.core.types import Box, FaceView, Image
from unmask.metrics.instruments.skin_kmeans import (
    SkinKMeans,
    clustered,
    individual_typology_angle,
    is_skin,
    skin_colour,
)

SKIN, OTHER_SKIN, BLUE, GREEN, WHITE = (200, 140, 110), (120, 80, 60), (20, 40, 200), (20, 160, 40), (245, 245, 245)
skimage_color: Any = skimage.color
"""Untyped."""


def patches(*colours: tuple[int, int, int], shares: tuple[int, ...] | None = None) -> Image:
    """Rows of one colour each, 48 rows in all unless ``shares`` says how many each."""
    shares = shares or (48 // len(colours),) * len(colours)
    rows = np.repeat(np.array(colours, np.uint8), shares, axis=0)
    return np.ascontiguousarray(np.broadcast_to(rows[:, None], (len(rows), 48, 3)))


def view(image: Image) -> FaceView:
    height, width = image.shape[:2]
    return FaceView(image, Box(0, 0, width, height), np.zeros((5, 2), np.float32))


@pytest.mark.parametrize("colour", [SKIN, OTHER_SKIN, (224, 172, 105), (141, 85, 56)])
def test_the_one_skin_colour_is_found(colour: tuple[int, int, int]) -> None:
    assert skin_colour(patches(colour, BLUE, WHITE)) == pytest.approx(colour, abs=0.5)


def test_of_two_skin_colours_the_more_frequent_is_taken() -> None:
    face = patches(SKIN, OTHER_SKIN, BLUE, shares=(10, 26, 12))
    assert skin_colour(face) == pytest.approx(OTHER_SKIN, abs=0.5)


def test_no_skin_colour_is_not_estimated() -> None:
    for face in (patches(BLUE, GREEN, WHITE), patches((0, 0, 0)), patches((128, 128, 128))):
        assert all(math.isnan(value) for value in skin_colour(face))
    mostly_blue = patches(BLUE, GREEN, WHITE, SKIN, OTHER_SKIN, shares=(16, 16, 14, 1, 1))
    assert all(math.isnan(value) for value in skin_colour(mostly_blue))


def test_the_edges_of_the_range() -> None:
    """Every colour with a red of 200 or 50 or 49, sorted into skin and not by what OpenCV says of its HSV."""
    plane = np.stack(np.meshgrid(*[np.arange(256, dtype=np.uint8)] * 2), axis=-1).reshape(-1, 2)
    colours = np.concatenate([np.insert(plane, 0, red, axis=1) for red in (200, 50, 49)])
    hue, saturation, value = cv2.cvtColor(colours[None], cv2.COLOR_RGB2HSV)[0].T.astype(int)
    expected = np.array(
        [
            h in range(26) and s in range(59, 174) and v in range(50, 256)
            for h, s, v in zip(hue, saturation, value, strict=True)
        ]
    )
    for edge in (hue == 25, hue == 26, saturation == 58, saturation == 59, saturation == 173, saturation == 174):
        assert edge.any()  # or the colours would not test what they should
    assert expected.any()
    np.testing.assert_array_equal(is_skin(colours), expected)


def test_the_same_face_gives_the_same_colour_whatever_came_before(astronaut: Image) -> None:
    instrument = SkinKMeans.open({}, "cpu")
    faces = [astronaut[60:185, 176:272], astronaut[::-1], np.ascontiguousarray(astronaut[:, ::-1])]
    first = instrument.read([view(face) for face in faces])
    second = instrument.read([view(face) for face in reversed(faces)])
    assert set(first) == {"r", "g", "b", "ita"}
    for column, values in first.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, second[column][::-1])
    assert first["r"][0] > first["g"][0] > first["b"][0]


def test_no_face_is_nan(astronaut: Image) -> None:
    nowhere = FaceView(astronaut, Box(0, 0, 0, 0), np.zeros((5, 2), np.float32))
    blue = view(patches(BLUE, GREEN, WHITE))
    read = SkinKMeans.open({}, "cpu").read([nowhere, blue])
    assert all(np.isnan(values).all() for values in read.values())


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_ita_is_scikit_images_lab(rgb: tuple[int, int, int]) -> None:
    lightness, _, yellow = skimage_color.rgb2lab(np.array(rgb, np.float64)[None, None] / 255)[0, 0]
    expected = math.degrees(math.atan2(lightness - 50, yellow))
    ours = individual_typology_angle(*rgb)
    # Greys have no b*, so that rounding decides where the angle of L* = 50 would lie; compare on the circle.
    assert abs((ours - expected + 180) % 360 - 180) < 0.05


def test_ita_orders_skin_tones() -> None:
    tones = [(255, 224, 196), (224, 172, 140), (198, 134, 98), (141, 85, 56), (70, 42, 30)]
    angles = [individual_typology_angle(*tone) for tone in tones]
    assert angles == sorted(angles, reverse=True)
    assert angles[0] > 55
    assert angles[-1] < -30
    assert math.isnan(individual_typology_angle(math.nan, 1, 1))


def test_clusters_are_as_tight_as_scikit_learns(astronaut: Image) -> None:
    pixels = np.ascontiguousarray(astronaut[60:108, 196:244].reshape(-1, 3))
    for k in (3, 4):
        centres, counts = clustered(pixels, k)
        assert counts.sum() == len(pixels)
        distances = ((pixels[:, None].astype(float) - centres) ** 2).sum(axis=2).min(axis=1).sum()
        theirs = KMeans(k, n_init=10, random_state=0).fit(pixels.astype(float)).inertia_
        assert distances <= 1.02 * theirs


def test_few_colours_make_few_clusters() -> None:
    centres, counts = clustered(patches(SKIN, BLUE).reshape(-1, 3), 3)
    assert sorted(map(tuple, centres.tolist())) == sorted([SKIN, BLUE])
    assert counts.tolist() == [48 * 24, 48 * 24]
