"""SSIM (Wang, Bovik, Sheikh, Simoncelli 2004) and MS-SSIM over five scales (Wang, Simoncelli, Bovik 2003).

All images are float arrays in [0, 1], (H, W, 3) unless stated otherwise. Checked against scikit-image and
pytorch-msssim, which can neither weigh pixels by a mask at every scale nor share the moments of two variants.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final, NamedTuple, cast

import cv2
import numpy as np

from unmask.bench.core.types import Bools, Float

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
"""The paper's constants. The thesis's code squared them twice, see `metrics.instruments.pixels`."""
WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of MS-SSIM, finest scale first (section 3.2)."""
WINDOWS: Final = (11, 9, 7, 5, 3)
"""Window sides of MS-SSIM to choose from, the paper's first."""


class Moments(NamedTuple):
    """Local means, variances and covariance of two images, of the images' shape each."""

    mean_x: Float
    mean_y: Float
    var_x: Float
    var_y: Float
    cov: Float


@cache
def gaussian_window(size: int, sigma: float) -> Float:
    """Gaussian taps that sum to 1, at most ``size`` (odd) of them. The array is shared, so it is read-only.

    Taps below 1e-12 of the middle one are left out: they change nothing but the time, which they double as subnormals.
    """
    at = np.arange(size, dtype=np.float64) - size // 2
    taps = np.exp(-(at**2) / (2 * sigma**2))
    taps = taps[taps > 1e-12]
    taps /= taps.sum()
    taps.flags.writeable = False
    return taps


def blur(image: Float, window: Float) -> Float:
    """Separable filtering of (H, W) or (H, W, C) with one window in both directions; zeros beyond the border.

    The precision is the image's: float32 stays float32 and is five times as fast.
    """
    taps = window.astype(image.dtype)
    filtered = cv2.sepFilter2D(image, -1, taps, taps, borderType=cv2.BORDER_CONSTANT)
    return cast(Float, np.reshape(filtered, image.shape))


def inside(values: Float, radius: int) -> Float:
    """The part of (H, W, ...) whose whole window lies within the image: ``radius`` pixels off every side."""
    return values[radius : values.shape[0] - radius, radius : values.shape[1] - radius]


def weighted_mean(values: Float, weights: Float | None) -> Float:
    """Means over height and width of (H, W, C) -> (C,), each pixel with its (H, W) weight; NaN where all are 0."""
    if weights is None:
        return values.mean(axis=(0, 1)) if values.size else np.full(values.shape[2], np.nan)
    total = float(weights.sum())
    if not total > 0:
        return np.full(values.shape[2], np.nan)
    return np.asarray(np.einsum("hwc,hw->c", values, weights) / total, np.float64)


def local_moments(x: Float, y: Float, window: Float) -> Moments:
    """Moments under a Gaussian window (weights, not samples: no n / (n - 1)); zeros beyond the border."""
    mean_x, mean_y = blur(x, window), blur(y, window)
    return Moments(
        mean_x,
        mean_y,
        blur(x * x, window) - mean_x * mean_x,
        blur(y * y, window) - mean_y * mean_y,
        blur(x * y, window) - mean_x * mean_y,
    )


def luminance(m: Moments, k1: float) -> Float:
    """l of eq. 6 of the SSIM paper (thesis eq. 4.4), data range 1; of the moments' shape."""
    c1 = k1**2
    return (2 * m.mean_x * m.mean_y + c1) / (m.mean_x**2 + m.mean_y**2 + c1)


def contrast_structure(m: Moments, k2: float) -> Float:
    """c times s of eq. 9 and 10 of the SSIM paper with C3 = C2 / 2 (thesis eq. 4.5, 4.6), data range 1."""
    c2 = k2**2
    return (2 * m.cov + c2) / (m.var_x + m.var_y + c2)


def ssim(m: Moments, mask: Bools | None, *, k1: float = K1, k2: float = K2) -> float:
    """Mean SSIM, -1..1, 1 = identical (paper eq. 13 and 17; thesis eq. 4.7), from moments under `WINDOW`.

    The map is taken per channel where the whole window fits, and averaged over the pixels of the (H, W) mask there.
    Windows at the mask's edge also see what lies outside it, which is black in both images. NaN for an empty mask.
    """
    values = inside(luminance(m, k1) * contrast_structure(m, k2), WINDOW // 2)
    weights = None if mask is None else inside(mask.astype(float), WINDOW // 2)
    return float(weighted_mean(values, weights).mean())


def fitting_window(height: int, width: int) -> int | None:
    """The largest window that still fits at the coarsest scale: 11 px above a side of 160, 7 px above 96 (so for
    128 px face crops), 3 px above 32; ``None`` for anything smaller."""
    side = min(height, width)
    return next((size for size in WINDOWS if side > (size - 1) * 2 ** (len(WEIGHTS) - 1)), None)


def halved(values: Float) -> Float:
    """(H, W, C) averaged over blocks of 2 x 2; an odd side first gets a row of zeros at both ends."""
    odd = [(side % 2, side % 2) for side in values.shape[:2]]
    padded = np.pad(values, (*odd, (0, 0))) if any(before for before, _ in odd) else values
    rows, columns = padded.shape[0] // 2 * 2, padded.shape[1] // 2 * 2
    top, bottom = padded[0:rows:2], padded[1:rows:2]
    quads = top[:, 0:columns:2] + top[:, 1:columns:2] + bottom[:, 0:columns:2] + bottom[:, 1:columns:2]
    return quads / 4


def ms_ssim(x: Float, y: Float, mask: Bools | None = None, *, finest: Moments | None = None) -> float:
    """MS-SSIM of two images: 0..1, 1 = identical (paper eq. 7; thesis eq. 4.8).

    Mean contrast-structure of each scale to its exponent, times the mean SSIM of the coarsest; negative means count as
    0; per channel, then averaged. The window is `fitting_window`'s. With an (H, W) mask each scale's mean is over the
    mask's pixels, shrunk with the images. NaN where no window fits (32 px or less) or the mask is empty.
    ``finest``: the moments of the first scale under `WINDOW`, if the caller has them and that window fits.
    """
    size = fitting_window(*x.shape[:2])
    if size is None:
        return math.nan
    taps, radius = gaussian_window(size, SIGMA), size // 2
    weights = None if mask is None else mask.astype(np.float64)[..., None]
    result = np.ones(3)
    for scale, exponent in enumerate(WEIGHTS):
        if scale:
            x, y = halved(x), halved(y)
            weights = None if weights is None else halved(weights)
        moments = finest if finest is not None and not scale else local_moments(x, y, taps)
        values = contrast_structure(moments, K2)
        if scale == len(WEIGHTS) - 1:
            values = values * luminance(moments, K1)
        means = weighted_mean(inside(values, radius), None if weights is None else inside(weights[..., 0], radius))
        result *= np.maximum(means, 0.0) ** exponent
    return float(result.mean())
