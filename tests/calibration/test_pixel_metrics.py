"""Our pixel and structural metrics against scikit-image, pytorch-msssim, torch, and the published loss in torch."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import pytorch_msssim
import skimage.metrics
import torch
from torch.nn import functional

from unmask.bench.core.types import Bools, Float, Image, RegionPair
from unmask.metrics.instruments.pixels import compare_pixels
from unmask.metrics.instruments.support.ssim import ms_ssim_l1_parts

skimage_metrics: Any = skimage.metrics
"""Untyped."""
REGIONS = {
    "image": (slice(20, 220), slice(100, 330)),
    "odd": (slice(20, 231), slice(100, 281)),
    "face": (slice(40, 168), slice(160, 288)),
    "small": (slice(40, 138), slice(160, 265)),
}
CHANGES = ("blur", "noise", "invert", "blackout")


SSIM_SETTINGS: Any = {
    "channel_axis": 2,
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "data_range": 255,
}


@pytest.fixture(params=REGIONS)
def original(request: pytest.FixtureRequest, astronaut: Image) -> Image:
    return np.ascontiguousarray(astronaut[REGIONS[request.param]])


@pytest.fixture(params=CHANGES)
def changed(request: pytest.FixtureRequest, original: Image) -> Image:
    if request.param == "blur":
        return np.asarray(cv2.GaussianBlur(original, (0, 0), 3.0), np.uint8)
    if request.param == "noise":
        drawn = np.random.default_rng(0).normal(0, 25, original.shape)
        return np.clip(original + drawn, 0, 255).astype(np.uint8)
    if request.param == "invert":
        return 255 - original
    black = original.copy()
    black[20:90, 20:90] = 0
    return black


def batch(image: Image | Float) -> torch.Tensor:
    scale = 255.0 if image.dtype == np.uint8 else 1.0
    return torch.from_numpy((image / scale).transpose(2, 0, 1).copy())[None]


def measured(x: Image, y: Image, column: str, mask: Bools | None = None) -> float:
    return compare_pixels(RegionPair(x, y, mask))[column]


def test_ssim_is_scikit_images(original: Image, changed: Image) -> None:
    x, y = original.astype(np.float64), changed.astype(np.float64)
    theirs = skimage_metrics.structural_similarity(x, y, **SSIM_SETTINGS)
    assert measured(original, changed, "ssim|standard") == pytest.approx(theirs, abs=1e-6)
    # The thesis's constants (DeepPrivacy's metric code) through the same function of theirs.
    thesis = skimage_metrics.structural_similarity(x, y, K1=0.01**2, K2=0.03**2, **SSIM_SETTINGS)
    assert measured(original, changed, "ssim|thesis-compat") == pytest.approx(thesis, abs=1e-6)


def test_masked_ssim_is_the_mean_of_scikit_images_map(original: Image, changed: Image) -> None:
    x, y = original.astype(np.float64), changed.astype(np.float64)
    _, values = skimage_metrics.structural_similarity(x, y, full=True, **SSIM_SETTINGS)
    mask = np.zeros(original.shape[:2], bool)
    mask[10:60, 25:-10] = True
    assert measured(original, changed, "ssim|standard", mask) == pytest.approx(values[mask].mean(), abs=1e-6)


def test_differences_are_scikit_images_and_torchs(original: Image, changed: Image) -> None:
    x, y = batch(original), batch(changed)
    values = compare_pixels(RegionPair(original, changed))
    assert values["psnr|standard"] == pytest.approx(skimage_metrics.peak_signal_noise_ratio(original, changed))
    assert values["l1|standard"] == pytest.approx(float(functional.l1_loss(x, y)), abs=1e-12)
    assert values["l2|standard"] == pytest.approx(float(functional.mse_loss(x, y)), abs=1e-12)
    assert values["l2|thesis-compat"] == pytest.approx(float(functional.mse_loss(x, y).sqrt()), abs=1e-12)
    assert values["smooth_l1|standard"] == pytest.approx(float(functional.smooth_l1_loss(x, y)), abs=1e-12)


def test_ms_ssim_is_pytorch_msssims(original: Image, changed: Image) -> None:
    window = 11 if min(original.shape[:2]) > 160 else 7
    theirs = pytorch_msssim.ms_ssim(batch(original), batch(changed), data_range=1.0, win_size=window)
    # Its window is float32, hence the tolerance.
    assert measured(original, changed, "ms_ssim|standard") == pytest.approx(float(theirs), abs=1e-4)


def published_terms(x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """The terms of the loss in float64 as psyrocloud's code has them: one grouped convolution of 15 filters."""
    at = torch.arange(33, dtype=torch.float64) - 16
    filters = []
    for sigma in (0.5, 1.0, 2.0, 4.0, 8.0):
        line = torch.exp(-(at**2) / (2 * sigma**2))
        line = line / line.sum()
        filters += [torch.outer(line, line)] * 3
    bank = torch.stack(filters)[:, None]

    def smooth(images: torch.Tensor, kernels: torch.Tensor = bank) -> torch.Tensor:
        return functional.conv2d(images, kernels, padding=16, groups=3)

    mean_x, mean_y = smooth(x), smooth(y)
    variance_x, variance_y = smooth(x * x) - mean_x**2, smooth(y * y) - mean_y**2
    covariance = smooth(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    contrast = (2 * covariance + c2) / (variance_x + variance_y + c2)
    structure = 1 - luminance[:, -3:].prod(dim=1) * contrast.prod(dim=1)
    absolute = smooth((x - y).abs(), bank[-3:]).mean(dim=1)
    return float(structure.mean()), float(absolute.mean())


def test_ms_ssim_l1_is_the_published_loss(astronaut: Image) -> None:
    x = np.ascontiguousarray(astronaut[100:145, 190:240] / 255.0)
    blurred = np.asarray(cv2.GaussianBlur(x, (0, 0), 2.0), np.float64)
    for y in (blurred, np.clip(x + 0.1, 0, 1), 1 - x, np.zeros_like(x)):
        parts = ms_ssim_l1_parts(x, y)
        structure, absolute = published_terms(batch(x), batch(y))
        assert parts.structure == pytest.approx(structure, abs=2e-6)
        assert parts.absolute == pytest.approx(absolute, abs=1e-6)
        for alpha, compensation in ((0.025, 200.0), (0.84, 0.2)):
            theirs = compensation * (alpha * structure + (1 - alpha) * absolute)
            assert parts.loss(alpha=alpha, compensation=compensation) == pytest.approx(theirs, rel=1e-5)


def test_the_instrument_hands_out_the_same_numbers(astronaut: Image) -> None:
    before = np.ascontiguousarray(astronaut[:, 30:430])
    after = np.asarray(cv2.GaussianBlur(before, (0, 0), 4.0), np.uint8)
    x, y = before / 255.0, after / 255.0
    values = compare_pixels(RegionPair(before, after))
    expected = {
        "l1|standard": float(np.abs(x - y).mean()),
        "l2|standard": skimage_metrics.mean_squared_error(x, y),
        "l2|thesis-compat": skimage_metrics.mean_squared_error(x, y) ** 0.5,
        "psnr|standard": skimage_metrics.peak_signal_noise_ratio(before, after),
    }
    for column, value in expected.items():
        assert values[column] == pytest.approx(value, rel=1e-9), column
    # Structure is compared at 256 px.
    small_x, small_y = (cv2.resize(image, (200, 256), interpolation=cv2.INTER_AREA) for image in (x, y))
    msssim = pytorch_msssim.ms_ssim(batch(small_x), batch(small_y), data_range=1.0)
    assert values["ms_ssim|standard"] == pytest.approx(float(msssim), abs=1e-4)
    small = skimage_metrics.structural_similarity(
        small_x, small_y, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert values["ssim|standard"] == pytest.approx(small, abs=2e-4)
