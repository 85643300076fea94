"""SSIM, the structural similarity index (Wang, Bovik, Sheikh and Simoncelli 2004)."""

from __future__ import annotations

import math
from typing import NamedTuple

from unmask.bench.core.types import Bools, Float
from unmask.metrics.quality.functional.windows import blur, check_pair, gaussian_window, inside, weighted_mean

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
"""The paper's constants. The thesis's code squared them twice, see `metrics.instruments.pixels`."""


class Moments(NamedTuple):
    """Local means, variances and covariance of two images, (H, W, 3) each."""

    mean_x: Float
    mean_y: Float
    var_x: Float
    var_y: Float
    cov: Float


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
    """l of eq. 6 of the paper (thesis eq. 4.4), data range 1."""
    c1 = k1**2
    return (2 * m.mean_x * m.mean_y + c1) / (m.mean_x**2 + m.mean_y**2 + c1)


def contrast_structure(m: Moments, k2: float) -> Float:
    """c times s of eq. 9 and 10 of the paper with C3 = C2 / 2 (thesis eq. 4.5, 4.6), data range 1."""
    c2 = k2**2
    return (2 * m.cov + c2) / (m.var_x + m.var_y + c2)


def ssim_of(m: Moments, mask: Bools | None, radius: int, *, k1: float = K1, k2: float = K2) -> float:
    """Mean SSIM out of moments that were taken with a window of ``radius``; see `ssim`."""
    values = inside(luminance(m, k1) * contrast_structure(m, k2), radius)
    weights = None if mask is None else inside(mask.astype(float), radius)
    return float(weighted_mean(values, weights).mean())


def ssim(
    x: Float,
    y: Float,
    mask: Bools | None = None,
    *,
    window: int = WINDOW,
    sigma: float = SIGMA,
    k1: float = K1,
    k2: float = K2,
) -> float:
    """Mean SSIM of two (H, W, 3) images in [0, 1]: -1..1, 1 = identical (paper eq. 13 and 17; thesis eq. 4.7).

    The map is taken per channel where the whole window fits, and averaged over the mask's pixels there. Windows at the
    mask's edge also see what lies outside it, which is black in both images. NaN below ``window`` pixels a side.
    """
    check_pair(x, y, mask)
    if min(x.shape[:2]) < window:
        return math.nan
    return ssim_of(local_moments(x, y, gaussian_window(window, sigma)), mask, window // 2, k1=k1, k2=k2)
