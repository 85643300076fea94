"""Pixel differences and what is made of them: L1, mean squared error, its root, smooth L1, PSNR.

``x`` and ``y`` are (H, W, 3) float images in [0, 1]; with a mask only its pixels count; an empty mask gives NaN.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import Bools, Float, Image
from unmask.metrics.quality.functional.windows import check_pair

PSNR_CAP_DB = 100.0
"""Identical images have an infinite PSNR, which no mean survives: it is reported as this, as is anything above."""


def l1(x: Float, y: Float, mask: Bools | None = None) -> float:
    """Mean absolute difference, 0..1, lower is nearer (thesis 4.3, eq. 4.1 with p = 1, over the number of values)."""
    return _mean(np.abs(_difference(x, y, mask)))


def mse(x: Float, y: Float, mask: Bools | None = None) -> float:
    """Mean squared difference, 0..1: what deep-learning libraries call the L2 loss."""
    return _mean(_difference(x, y, mask) ** 2)


def rmse(x: Float, y: Float, mask: Bools | None = None) -> float:
    """Root of the mean squared difference, 0..1: thesis eq. 4.1 with p = 2, over the root of the number of values.

    This is what DeepPrivacy's evaluation code, which the thesis used, calls L2 (mean of it over the images).
    """
    return math.sqrt(mse(x, y, mask))


def smooth_l1(x: Float, y: Float, mask: Bools | None = None, *, beta: float = 1.0) -> float:
    """Mean of d^2 / (2 beta) where abs(d) < beta, else abs(d) - beta / 2 (thesis eq. 4.2; Girshick 2015, eq. 3).

    In [0, 1] no difference exceeds the usual ``beta`` of 1, so it then equals half the mean squared error: 0..0.5.
    """
    size = np.abs(_difference(x, y, mask))
    near = np.minimum(size, beta)
    # The same as the two cases: beyond beta the first term is beta / 2 and the second adds the rest.
    return _mean(near * near / (2 * beta) + (size - near))


def psnr(x: Float, y: Float, mask: Bools | None = None) -> float:
    """Peak signal-to-noise ratio 10 log10(1 / MSE) in dB, higher is nearer, at most `PSNR_CAP_DB` (thesis eq. 4.3)."""
    return psnr_of(mse(x, y, mask))


def psnr_of(error: float) -> float:
    """PSNR in dB of a mean squared error between images in [0, 1]; NaN stays NaN."""
    if math.isnan(error):
        return math.nan
    return -10.0 * math.log10(max(error, 10.0 ** (-PSNR_CAP_DB / 10)))


def level_counts(x: Image, y: Image, mask: Bools | None = None) -> NDArray[np.int64]:
    """(256,): how many values of two uint8 images differ by 0, 1, 2... levels. All differences above follow from it, to
    the last digit, without a float of every pixel of a large photo. Raises ValueError as the others do."""
    check_pair(x, y, mask)
    levels = cv2.absdiff(x, y)
    return np.bincount((levels if mask is None else levels[mask]).ravel(), minlength=256)


def of_level_counts(counts: NDArray[np.int64]) -> tuple[float, float]:
    """(`l1`, `mse`) of the images that `level_counts` counted; NaN where it counted none."""
    total = int(counts.sum())
    if not total:
        return math.nan, math.nan
    levels = np.arange(256)
    return int(counts @ levels) / (255 * total), int(counts @ levels**2) / (255**2 * total)


def _difference(x: Float, y: Float, mask: Bools | None) -> Float:
    check_pair(x, y, mask)
    return x - y if mask is None else x[mask] - y[mask]


def _mean(values: Float) -> float:
    return float(values.mean()) if values.size else math.nan
