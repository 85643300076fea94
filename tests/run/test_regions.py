"""Face, image, background and wide regions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from unmask.bench.core.types import Box
from unmask.bench.run.contestants.calling import peak_memory
from unmask.bench.run.reading.regions import (
    BLANK,
    FACE_SIDE,
    PATCH_SIDE,
    SMALLEST_PATCH,
    background_mask,
    blank_face,
    face_crop,
    face_free_patch,
    face_mask,
    region_pairs,
    wide_crop,
)


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


def test_a_wide_crop_shows_a_face_in_its_middle_half() -> None:
    image = np.full((400, 300, 3), 50, np.uint8)
    image[150:250, 120:180] = 200  # a face of 60 x 100: the square is 200 px
    crop = wide_crop(image, Box(120, 150, 60, 100))
    assert crop.shape == (FACE_SIDE, FACE_SIDE, 3)
    rows, columns = np.flatnonzero((crop == 200).any(axis=(1, 2))), np.flatnonzero((crop == 200).any(axis=(0, 2)))
    assert (rows[0], rows[-1] + 1) == pytest.approx((32, 96), abs=1)
    assert (columns[0], columns[-1] + 1) == pytest.approx((64 - 19, 64 + 19), abs=1)


@pytest.mark.parametrize(
    "box", [Box(0, 0, 60, 100), Box(240, 300, 60, 100), Box(50, 20, 290, 350), Box(-20, -30, 5, 5), Box(9, 9, 0.2, 0.2)]
)
def test_a_wide_crop_stays_within_the_photo(box: Box) -> None:
    crop = wide_crop(np.full((400, 300, 3), 200, np.uint8), box)
    assert crop.shape == (FACE_SIDE, FACE_SIDE, 3)
    assert crop.min() == 200


def test_a_wide_pair_shows_original_and_output_at_the_same_place() -> None:
    original = np.random.default_rng(0).integers(0, 255, (250, 250, 3), np.uint8)
    changed = original.copy()
    changed[100:150, 100:150] = 0
    pairs = region_pairs(original, changed, [Box(100, 100, 50, 50), Box(0, 0, 40, 40)], "wide")
    assert len(pairs) == 2
    differs = (pairs[0].original != pairs[0].anonymized).any(axis=2)
    assert differs[32:96, 32:96].mean() > 0.99
    assert differs.mean() == pytest.approx(0.25, abs=0.02)
    np.testing.assert_array_equal(pairs[1].original, pairs[1].anonymized)


def test_a_square_far_larger_than_its_image_takes_no_memory() -> None:
    strip = np.full((400, 65_535, 3), 200, np.uint8)
    before = peak_memory()
    crop = face_crop(strip, Box(0, 0, 65_535, 400))
    assert peak_memory() - before < 1000  # the whole square would be 20 GiB
    assert crop.shape == (FACE_SIDE, FACE_SIDE, 3)
    assert 1 <= (crop.max(axis=(1, 2)) > 0).sum() <= 2  # a line of it, in the middle


POINTS = np.array([[40, 50], [80, 50], [60, 75], [45, 90], [75, 90]], np.float32)
"""Eyes 40 apart about (60, 50), the mouth 40 below."""
NOWHERE = np.full((5, 2), np.nan, np.float32)


def test_a_face_reaches_from_chin_to_hair_line() -> None:
    mask = face_mask((160, 120), Box(45, 40, 30, 50), POINTS)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert (rows[0], rows[-1]) == pytest.approx((50 - 1.2 * 40, 90 + 0.7 * 40), abs=1)
    assert (columns[0], columns[-1]) == pytest.approx((60 - 1.3 * 40, 60 + 1.3 * 40), abs=1)
    assert mask[rows[0] : rows[-1], columns[0] : columns[-1]].all()
    alone = face_mask((160, 120), Box(45, 40, 30, 50), NOWHERE)
    assert (alone.sum(axis=1).max(), alone.sum(axis=0).max()) == (36, 60)
    wide = face_mask((160, 120), Box(0, 0, 120, 160), POINTS)
    assert wide.all()


def test_a_turned_face_is_covered_as_it_lies() -> None:
    around = POINTS - 60 + 80
    quarter = (around - 80) @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + 80
    upright, turned = (face_mask((161, 161), Box(78, 78, 4, 4), p.astype(np.float32)) for p in (around, quarter))
    assert np.mean(np.rot90(upright, -1) ^ turned) < 0.02
    assert abs(int(upright.sum()) - int(turned.sum())) < 400


def test_a_blank_face_leaves_the_rest() -> None:
    image = np.random.default_rng(0).integers(128, 255, (160, 120, 3)).astype(np.uint8)
    before, mask = image.copy(), face_mask(image.shape, Box(45, 40, 30, 50), POINTS)
    blank = blank_face(image, Box(45, 40, 30, 50), POINTS)
    assert (blank[mask] == BLANK).all()
    np.testing.assert_array_equal(blank[~mask], image[~mask])
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(blank_face(image, Box(500, 500, 9, 9), NOWHERE), image)


def test_the_largest_square_without_a_face() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, 80:] = 200
    box = Box(20, 20, 40, 40)  # its region ends at column 66
    patch = face_free_patch(image, [box], side=50)
    assert patch is not None
    assert patch.shape == (50, 50, 3)
    black = (patch.max(axis=(0, 2)) < 100).mean()
    assert black == pytest.approx(14 / 100, abs=0.03)  # columns 66..166 of the photo
    everything = face_free_patch(image, [])
    assert everything is not None
    assert everything.shape == (PATCH_SIDE, PATCH_SIDE, 3)
    assert face_free_patch(image, [Box(0, 0, 200, 100)]) is None
    assert face_free_patch(np.zeros((SMALLEST_PATCH - 1, 300, 3), np.uint8), []) is None


@pytest.mark.parametrize("seed", range(4))
def test_the_largest_square_by_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = [Box(*rng.uniform(0, 70, 2), *rng.uniform(5, 20, 2)) for _ in range(3)]
    free = background_mask((80, 90), boxes)
    side, fits = max(
        (side, fits)
        for side in range(1, 81)
        if len(fits := np.argwhere(sliding_window_view(free, (side, side)).all(axis=(2, 3))).tolist())
    )
    image = rng.integers(0, 255, (80, 90, 3)).astype(np.uint8)
    patch = face_free_patch(image, boxes, side=side)
    if side < SMALLEST_PATCH:
        assert patch is None
    else:
        top, left = fits[0]
        np.testing.assert_array_equal(patch, image[top : top + side, left : left + side])
