"""Properties that every image comparison must have: perfect on equals, monotone, bounded, symmetric, NaN if empty."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.bench.core.types import Float, Image
from unmask.metrics.quality.functional import l1, ms_ssim, ms_ssim_l1, mse, psnr, rmse, smooth_l1, ssim
from unmask.metrics.quality.functional.differences import PSNR_CAP_DB
from unmask.metrics.quality.functional.ms_ssim import fitting_window, halved

Comparison = Callable[..., float]

PERFECT: dict[Comparison, float] = {
    l1: 0.0,
    mse: 0.0,
    rmse: 0.0,
    smooth_l1: 0.0,
    psnr: PSNR_CAP_DB,
    ssim: 1.0,
    ms_ssim: 1.0,
    ms_ssim_l1: 0.0,
}
BOUNDS: dict[Comparison, tuple[float, float]] = {
    l1: (0.0, 1.0),
    mse: (0.0, 1.0),
    rmse: (0.0, 1.0),
    smooth_l1: (0.0, 0.5),
    psnr: (0.0, PSNR_CAP_DB),
    ssim: (-1.0, 1.0),
    ms_ssim: (0.0, 1.0),
    ms_ssim_l1: (0.0, 200.0 * (0.025 * 2 + 0.975)),
}
EVERY = pytest.mark.parametrize("compare", list(PERFECT), ids=lambda f: f.__name__)


@pytest.fixture
def face(astronaut: Image) -> Float:
    return np.asarray(astronaut[0:128, 160:288] / 255.0)


def noise(seed: int, side: int, contrast: float) -> tuple[Float, Float]:
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, side, side + 3, 3))
    return x, x * (1 - contrast) + y * contrast


@EVERY
def test_equal_images_are_perfect(compare: Comparison, face: Float) -> None:
    assert compare(face, face.copy()) == pytest.approx(PERFECT[compare], abs=1e-12)
    mask = np.zeros(face.shape[:2], bool)
    mask[30:90, 40:100] = True
    assert compare(face, face.copy(), mask) == pytest.approx(PERFECT[compare], abs=1e-12)


@EVERY
def test_a_stronger_blur_is_further_away(compare: Comparison, face: Float) -> None:
    values = [compare(face, cv2.GaussianBlur(face, (0, 0), sigma)) for sigma in (0.7, 1.5, 3.0, 6.0)]
    steps = np.diff(values)
    assert (steps > 0).all() if PERFECT[compare] == 0 else (steps < 0).all()


@EVERY
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), side=st.integers(33, 70), contrast=st.floats(0.0, 1.0))
def test_bounded_and_symmetric(compare: Comparison, seed: int, side: int, contrast: float) -> None:
    x, y = noise(seed, side, contrast)
    value = compare(x, y)
    low, high = BOUNDS[compare]
    assert low - 1e-9 <= value <= high + 1e-9
    assert compare(y, x) == pytest.approx(value, rel=1e-6, abs=1e-9)


@EVERY
def test_black_against_white_stays_in_bounds(compare: Comparison) -> None:
    black, white = np.zeros((64, 64, 3)), np.ones((64, 64, 3))
    low, high = BOUNDS[compare]
    assert low - 1e-9 <= compare(black, white) <= high + 1e-9


@EVERY
def test_an_empty_mask_says_nothing(compare: Comparison, face: Float) -> None:
    assert math.isnan(compare(face, face * 0.5, np.zeros(face.shape[:2], bool)))


@EVERY
def test_a_mask_of_everything_is_no_mask(compare: Comparison, face: Float) -> None:
    changed = face * 0.8
    assert compare(face, changed, np.ones(face.shape[:2], bool)) == pytest.approx(compare(face, changed), rel=1e-9)


@EVERY
def test_changes_far_outside_the_mask_do_not_count(compare: Comparison, face: Float) -> None:
    big = cv2.resize(face, (512, 512))
    changed = big.copy()
    changed[:, 300:] = 0.0
    mask = np.zeros((512, 512), bool)
    mask[:, :100] = True
    # MS-SSIM's coarsest windows see 5 px of an image a sixteenth as large, so 80 px here; 200 px are far enough.
    assert compare(big, changed, mask) == pytest.approx(PERFECT[compare], abs=1e-6)


@EVERY
def test_sizes_must_agree(compare: Comparison, face: Float) -> None:
    with pytest.raises(ValueError, match="one shape"):
        compare(face, face[:-1])
    with pytest.raises(ValueError, match="mask must be"):
        compare(face, face, np.ones((3, 3), bool))


@pytest.mark.parametrize(("compare", "side"), [(ssim, 10), (ms_ssim, 32)])
def test_too_small_for_a_window_says_nothing(compare: Comparison, side: int) -> None:
    image = np.full((side, 200, 3), 0.5)
    assert math.isnan(compare(image, image))
    image = np.full((side + 1, 200, 3), 0.5)
    assert compare(image, image) == pytest.approx(1.0)


@pytest.mark.parametrize(("side", "window"), [(512, 11), (161, 11), (160, 9), (128, 7), (97, 7), (33, 3), (32, None)])
def test_window_of_ms_ssim(side: int, window: int | None) -> None:
    assert fitting_window(side, 1000) == fitting_window(1000, side) == window


def test_psnr_is_capped_at_vanishing_differences() -> None:
    x = np.full((400, 400, 3), 0.5)
    y = x.copy()
    y[0, 0, 0] += 1 / 2550
    assert psnr(x, y) == PSNR_CAP_DB
    assert psnr(x, x + 1e-4) == pytest.approx(80.0)


def test_known_differences() -> None:
    x, y = np.zeros((2, 2, 3)), np.zeros((2, 2, 3))
    y[0, 0] = 0.5
    assert l1(x, y) == pytest.approx(0.125)
    assert mse(x, y) == pytest.approx(0.0625)
    assert rmse(x, y) == pytest.approx(0.25)
    assert psnr(x, y) == pytest.approx(10 * math.log10(16))
    assert l1(x, y, np.array([[True, False], [False, False]])) == pytest.approx(0.5)
    assert smooth_l1(x, y, beta=0.25) == pytest.approx((0.5 - 0.125) / 4)


def test_halving_averages_blocks() -> None:
    values = np.arange(16.0).reshape(4, 4, 1)
    assert halved(values)[..., 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert halved(np.ones((5, 4, 1))).shape == (3, 2, 1)
