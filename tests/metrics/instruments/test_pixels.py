"""The pixels instrument: columns, masks, large and small regions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from unmask.bench.core.types import Image, RegionPair
from unmask.metrics.instruments.pixels import (
    COLUMNS,
    LONGEST_SIDE,
    Pixels,
    as_float,
    compare_pixels,
    shrunk,
    shrunk_mask,
)
from unmask.metrics.quality.functional import ssim


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
    assert values["ssim|standard"] == pytest.approx(ssim(as_float(shrunk(large)), as_float(shrunk(other))))
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
