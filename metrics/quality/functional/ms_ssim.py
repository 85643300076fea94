"""MS-SSIM: SSIM over five scales (Wang, Simoncelli and Bovik 2003)."""

from __future__ import annotations

import math

import numpy as np

from unmask.bench.core.types import Bools, Float
from unmask.metrics.quality.functional.ssim import (
    K1,
    K2,
    SIGMA,
    Moments,
    contrast_structure,
    local_moments,
    luminance,
)
from unmask.metrics.quality.functional.windows import check_pair, gaussian_window, inside, weighted_mean

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The paper's exponents, finest scale first (section 3.2)."""
WINDOWS = (11, 9, 7, 5, 3)
"""Window sides to choose from, the paper's first."""


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


def ms_ssim(
    x: Float, y: Float, mask: Bools | None = None, *, window: int | None = None, finest: Moments | None = None
) -> float:
    """MS-SSIM of two (H, W, 3) images in [0, 1]: 0..1, 1 = identical (paper eq. 7; thesis eq. 4.8).

    Mean contrast-structure of each scale to its exponent, times the mean SSIM of the coarsest; negative means count as
    0; per channel, then averaged. ``window`` as `fitting_window` says unless given, sigma 1.5, K1 0.01, K2 0.03. With a
    mask each scale's mean is over the mask's pixels, shrunk with the images. NaN where no window fits (32 px or less).
    ``finest``: the moments of the first scale, if the caller has them for that window already.
    """
    check_pair(x, y, mask)
    size = window or fitting_window(*x.shape[:2])
    if size is None or min(x.shape[:2]) <= (size - 1) * 2 ** (len(WEIGHTS) - 1):
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
