"""The pixels instrument: columns, masks, large and small regions."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.bench.core.types import Image, RegionPair
from unmask.metrics.instruments.pixels import (
    COLUMNS,
    LONGEST_SIDE,
    PSNR_CAP_DB,
    Pixels,
    as_float,
    compare_pixels,
    shrunk,
    shrunk_mask,
)
from unmask.metrics.instruments.support.ssim import fitting_window, halved


def test_columns_in_the_order_of_the_pairs(astronaut: Image) -> None:
    crop = np.ascontiguousarray(astronaut[:128, 160:288])
    pairs = [RegionPair(crop, np.asarray(cv2.GaussianBlur(crop, (0, 0), s), np.uint8)) for s in (8.0, 1.0, 3.0)]
    columns = Pixels.open({}, "cpu").compare(pairs)
    assert tuple(columns) == COLUMNS
    assert all(values.shape == (3,) and values.dtype == np.float32 for values in columns.values())
    assert columns["l1|standard"].argsort().tolist() == [1, 2, 0]
    assert columns["ssim|standard"].argsort().tolist() == [0, 2, 1]


def test_only_masked_pixels_count_at_native_size() -> None:
    rng = np.random.default_rng(1)
    before = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    after = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    mask = rng.random((40, 50)) < 0.3
    before[~mask] = after[~mask] = 0
    values = compare_pixels(RegionPair(before, after, mask))
    d = (before[mask].astype(float) - after[mask]) / 255
    assert values["l1|standard"] == pytest.approx(np.abs(d).mean())
    assert values["l2|standard"] == pytest.approx((d**2).mean())
    assert values["smooth_l1|standard"] == pytest.approx((d**2).mean() / 2)


def test_an_empty_mask_and_a_tiny_region_are_not_scored() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    assert all(np.isnan(v) for v in compare_pixels(RegionPair(image, image, np.zeros((64, 64), bool))).values())
    tiny = compare_pixels(RegionPair(image[:8, :8], image[:8, :8]))
    assert np.isnan(tiny["ssim|standard"])
    assert np.isnan(tiny["ms_ssim|standard"])
    assert tiny["psnr|standard"] == 100.0


def test_large_images_are_shrunk_for_structure_only(astronaut: Image) -> None:
    large = np.asarray(cv2.resize(astronaut, (1400, 1400), interpolation=cv2.INTER_CUBIC), np.uint8)
    other = np.ascontiguousarray(large[:, ::-1])
    values = compare_pixels(RegionPair(large, other))
    x, y = as_float(large), as_float(other)
    assert values["l1|standard"] == pytest.approx(np.abs(x - y).mean())
    small_pair = RegionPair(*(np.rint(shrunk(image)).astype(np.uint8) for image in (large, other)))
    assert values["ssim|standard"] == pytest.approx(compare_pixels(small_pair)["ssim|standard"], abs=1e-3)
    assert shrunk(large).shape == (LONGEST_SIDE, LONGEST_SIDE, 3)
    mask = np.zeros((1400, 700), bool)
    mask[:700] = True
    small = shrunk_mask(mask)
    assert small is not None
    assert small.shape == (256, 128)
    assert small.mean() == pytest.approx(0.5)


def test_thesis_variants_differ_as_documented(astronaut: Image) -> None:
    before = np.ascontiguousarray(astronaut[:200, :200])
    values = compare_pixels(RegionPair(before, (before * 0.7).astype(np.uint8)))
    assert values["l2|thesis-compat"] == pytest.approx(values["l2|standard"] ** 0.5)
    assert values["ssim|thesis-compat"] != pytest.approx(values["ssim|standard"], abs=1e-3)
    # Two linear combinations of the same two terms.
    a, b = np.linalg.solve(
        [[200 * 0.025, 200 * 0.975], [0.2 * 0.84, 0.2 * 0.16]],
        [values["ms_ssim_l1|standard"], values["ms_ssim_l1|thesis-compat"]],
    )
    assert 0 < a < 2
    assert 0 < b < 1


def test_images_of_two_sizes_are_a_bug_not_a_score() -> None:
    with pytest.raises(ValueError, match="one shape"):
        compare_pixels(RegionPair(np.zeros((20, 20, 3), np.uint8), np.zeros((20, 21, 3), np.uint8)))


def test_equal_regions_are_perfect_at_any_size_and_under_any_mask() -> None:
    rng = np.random.default_rng(0)
    large = rng.integers(0, 256, (700, 900, 3), np.uint8)
    mask = np.zeros(large.shape[:2], np.bool_)
    mask[650:, 850:] = True
    black = np.where(mask[..., None], large, np.uint8(0))
    found = Pixels().compare([RegionPair(large, large.copy()), RegionPair(black, black.copy(), mask)])
    for metric in ("l1", "l2", "smooth_l1", "ms_ssim_l1"):
        np.testing.assert_allclose(found[f"{metric}|standard"], 0, atol=1e-9)
    np.testing.assert_allclose(found["ssim|standard"], 1)
    np.testing.assert_allclose(found["ms_ssim|standard"], 1)
    np.testing.assert_allclose(found["psnr|standard"], 100)


HIGHEST = {
    "l1|standard": 1.0,
    "l2|standard": 1.0,
    "l2|thesis-compat": 1.0,
    "smooth_l1|standard": 0.5,
    "ms_ssim_l1|standard": 200.0 * (0.025 * 2 + 0.975),
    "ms_ssim_l1|thesis-compat": 0.2 * (0.84 * 2 + 0.16),
}
"""Columns that are 0 where nothing was changed, and the most that they can be."""
PERFECT = {column: 0.0 if column in HIGHEST else PSNR_CAP_DB if "psnr" in column else 1.0 for column in COLUMNS}
EVERY = pytest.mark.parametrize("column", COLUMNS)


@pytest.fixture
def face(astronaut: Image) -> Image:
    return np.ascontiguousarray(astronaut[0:128, 160:288])


@EVERY
def test_equal_images_are_perfect(column: str, face: Image) -> None:
    mask = np.zeros(face.shape[:2], bool)
    mask[30:90, 40:100] = True
    for pair in (RegionPair(face, face.copy()), RegionPair(face, face.copy(), mask)):
        assert compare_pixels(pair)[column] == pytest.approx(PERFECT[column], abs=1e-12)


@EVERY
def test_a_stronger_blur_is_further_away(column: str, face: Image) -> None:
    blurred = [np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8) for sigma in (0.7, 1.5, 3.0, 6.0)]
    steps = np.diff([compare_pixels(RegionPair(face, image))[column] for image in blurred])
    assert (steps > 0).all() if column in HIGHEST else (steps < 0).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), side=st.integers(33, 70), contrast=st.floats(0.0, 1.0))
def test_bounded_and_symmetric(seed: int, side: int, contrast: float) -> None:
    x, noise = np.random.default_rng(seed).integers(0, 256, (2, side, side + 3, 3)).astype(np.uint8)
    y = np.rint(x * (1 - contrast) + noise * contrast).astype(np.uint8)
    black_and_white = np.zeros_like(x), np.full_like(x, 255)
    for one, other in ((x, y), black_and_white):
        values, mirrored = compare_pixels(RegionPair(one, other)), compare_pixels(RegionPair(other, one))
        for column, value in values.items():
            low = -1.0 if column.startswith("ssim") else 0.0
            assert low - 1e-9 <= value <= HIGHEST.get(column, PERFECT[column]) + 1e-9, column
            assert mirrored[column] == pytest.approx(value, rel=1e-6, abs=1e-9), column


@EVERY
def test_a_mask_of_everything_is_no_mask(column: str, face: Image) -> None:
    changed = (face * 0.8).astype(np.uint8)
    whole = compare_pixels(RegionPair(face, changed, np.ones(face.shape[:2], bool)))
    assert whole[column] == pytest.approx(compare_pixels(RegionPair(face, changed))[column], rel=1e-9)


@EVERY
def test_changes_far_outside_the_mask_do_not_count(column: str, face: Image) -> None:
    big = np.asarray(cv2.resize(face, (256, 256)), np.uint8)
    changed = big.copy()
    changed[:, 230:] = 0
    mask = np.zeros((256, 256), bool)
    mask[:, :100] = True
    # MS-SSIM's coarsest windows see 5 px of an image a sixteenth as large, so 80 px here; 130 px are far enough.
    assert compare_pixels(RegionPair(big, changed, mask))[column] == pytest.approx(PERFECT[column], abs=1e-6)


@pytest.mark.parametrize(("column", "side"), [("ssim|standard", 10), ("ms_ssim|standard", 32)])
def test_too_small_for_a_window_says_nothing(column: str, side: int) -> None:
    image = np.full((side + 1, 200, 3), 128, np.uint8)
    assert math.isnan(compare_pixels(RegionPair(image[:side], image[:side]))[column])
    assert compare_pixels(RegionPair(image, image))[column] == pytest.approx(1.0)


@pytest.mark.parametrize(("side", "window"), [(512, 11), (161, 11), (160, 9), (128, 7), (97, 7), (33, 3), (32, None)])
def test_window_of_ms_ssim(side: int, window: int | None) -> None:
    assert fitting_window(side, 1000) == fitting_window(1000, side) == window


def test_psnr_by_hand_and_at_vanishing_differences() -> None:
    x = np.zeros((4000, 4000, 3), np.uint8)
    y = x.copy()
    y[0, 0, 0] = 1
    assert Pixels().compare([RegionPair(x, y)])["psnr|standard"] == PSNR_CAP_DB
    half = np.zeros((2, 2, 3), np.uint8)
    half[0, 0] = 51
    values = compare_pixels(RegionPair(np.zeros_like(half), half))
    assert values["l1|standard"] == pytest.approx(0.2 / 4)
    assert values["l2|standard"] == pytest.approx(0.04 / 4)
    assert values["psnr|standard"] == pytest.approx(20.0)


def test_halving_averages_blocks() -> None:
    values = np.arange(16.0).reshape(4, 4, 1)
    assert halved(values)[..., 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert halved(np.ones((5, 4, 1))).shape == (3, 2, 1)
