"""Face, image and background regions."""

from __future__ import annotations

import numpy as np

from unmask.bench.core.types import Box
from unmask.bench.run.contestants.calling import peak_memory
from unmask.bench.run.reading.regions import FACE_SIDE, background_mask, face_crop, region_pairs


def test_face_crop_is_128_and_black_outside_the_image() -> None:
    image = np.full((50, 50, 3), 200, np.uint8)
    crop = face_crop(image, Box(-20, -20, 40, 40))
    assert crop.shape == (FACE_SIDE, FACE_SIDE, 3)
    assert crop[0, 0].max() == 0
    assert crop[-1, -1].min() == 200
    assert face_crop(image, Box(500, 500, 10, 10)).max() == 0
    assert face_crop(image, Box(10, 10, 0.2, 0.2)).shape == (FACE_SIDE, FACE_SIDE, 3)


def test_face_and_background_share_no_pixel() -> None:
    rng = np.random.default_rng(0)
    original = rng.integers(1, 255, (60, 80, 3), np.uint8)
    changed = original.copy()
    box = Box(20, 20, 20, 20)
    mask = background_mask(original.shape, [box])
    changed[~mask] = 0
    (pair,) = region_pairs(original, changed, [box], "background")
    np.testing.assert_array_equal(pair.original, pair.anonymized)
    assert pair.mask is not None
    assert 0 < (~pair.mask).sum() < pair.mask.size
    (face,) = region_pairs(original, changed, [box], "face")
    assert face.anonymized.max() == 0
    assert len(region_pairs(original, changed, [box, box], "face")) == 2
    assert len(region_pairs(original, changed, [], "image")) == 1


def test_a_square_far_larger_than_its_image_takes_no_memory() -> None:
    strip = np.full((400, 65_535, 3), 200, np.uint8)
    before = peak_memory()
    crop = face_crop(strip, Box(0, 0, 65_535, 400))
    assert peak_memory() - before < 1000  # the whole square would be 20 GiB
    assert crop.shape == (FACE_SIDE, FACE_SIDE, 3)
    assert 1 <= (crop.max(axis=(1, 2)) > 0).sum() <= 2  # a line of it, in the middle
