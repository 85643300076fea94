"""SSIM (Wang, Bovik, Sheikh, Simoncelli 2004), MS-SSIM over five scales (Wang, Simoncelli, Bovik 2003), and the
MS-SSIM + L1 loss of Zhao, Gallo, Frosio and Kautz (2017) as psyrocloud's PyTorch code computes it.

All images are float arrays in [0, 1], (H, W, 3) unless stated otherwise. Checked against scikit-image and
pytorch-msssim, which can neither weigh pixels by a mask at every scale nor share the moments of two variants.

The loss's code, with which the thesis trained (4.5.6, eq. 4.9), gives one depthwise convolution 15 filters for 3
channels in the order sigma .5, .5, .5, 1, 1, 1, 2, ...; a grouped convolution hands the first five of them to red, the
next five to green, the last five to blue. So red is seen at the two finest scales only, blue at the two coarsest, and
the luminance term (meant: all channels at sigma 8) is blue's at sigma 8, cubed. We compute what the code computes, not
what it meant: only so are numbers comparable with the published ones.
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
FILTERS: Final = (
    ((0.5, 3), (1.0, 2)),
    ((1.0, 1), (2.0, 3), (4.0, 1)),
    ((4.0, 2), (8.0, 3)),
)
"""Per channel (red, green, blue): sigma and how many of the channel's five filters have it."""
SIZE: Final = 33
"""Filter side in pixels: 4 times the largest sigma, plus 1; zeros beyond the border."""
COARSEST: Final = 8.0


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


class MsSsimL1Parts(NamedTuple):
    """The two terms of the loss, from which any ``alpha`` and ``compensation`` follow."""

    structure: float
    """Mean of 1 - lM * cs, 0..2, 0 = identical; above 1 only where contrasts are inverted."""
    absolute: float
    """Mean of the absolute difference under a Gaussian of sigma 8, 0..1."""

    def loss(self, *, alpha: float, compensation: float) -> float:
        """compensation * (alpha * structure + (1 - alpha) * absolute)."""
        return compensation * (alpha * self.structure + (1 - alpha) * self.absolute)


def ms_ssim_l1_parts(x: Float, y: Float, mask: Bools | None = None) -> MsSsimL1Parts:
    """Both terms for two (H, W, 3) images in [0, 1], averaged over the mask's pixels; NaN where it is empty."""
    product = np.ones(x.shape[:2])
    for channel, filters in enumerate(FILTERS):
        for sigma, times in filters:
            moments = _centred_moments(x[..., channel], y[..., channel], gaussian_window(SIZE, sigma))
            factor = contrast_structure(moments, K2)
            if sigma == COARSEST:
                factor = factor * luminance(moments, K1)
            for _ in range(times):
                product *= factor
    absolute = blur(_single_precision(np.abs(x - y).mean(axis=2)), gaussian_window(SIZE, COARSEST))
    weights = None if mask is None else mask.astype(np.float64)
    structure, difference = weighted_mean(np.stack([1 - product, absolute], axis=2), weights)
    return MsSsimL1Parts(float(structure), float(difference))


def _centred_moments(x: Float, y: Float, window: Float) -> Moments:
    """What `local_moments` gives for two (H, W) planes, but in float32, as the published code: a fifth of the time.

    A variance as the difference of two means of squares loses its digits where it is small and the plane bright, so
    the mean m of both planes is taken off first: x = u + m, y = v + m. Zeros beyond the border then stand for -m, which
    the share s of each window inside the image puts right: cov(x, y) = cov(u, v) + (1 - s)(m (U + V) + m^2 s).
    """
    m = float(x.mean() + y.mean()) / 2
    u, v = _single_precision(x - m), _single_precision(y - m)
    within = np.outer(_within(x.shape[0], window), _within(x.shape[1], window))
    s, outside = _single_precision(within), _single_precision(1 - within)
    mean_u, mean_v = blur(u, window), blur(v, window)

    def second(product: Float, mean_a: Float, mean_b: Float) -> Float:
        return blur(product, window) - mean_a * mean_b + outside * (m * (mean_a + mean_b) + m * m * s)

    return Moments(
        mean_u + m * s,
        mean_v + m * s,
        second(u * u, mean_u, mean_u),
        second(v * v, mean_v, mean_v),
        second(u * v, mean_u, mean_v),
    )


def _within(side: int, window: Float) -> Float:
    """(side,) share of the window's weight that lies inside a line of that many pixels."""
    return np.convolve(np.ones(side), window, mode="full")[len(window) // 2 :][:side]


def _single_precision(plane: Float) -> Float:
    return cast(Float, np.ascontiguousarray(plane, np.float32))
