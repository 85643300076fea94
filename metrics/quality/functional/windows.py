"""Gaussian windows, separable filtering and means under a mask: the parts that all structural comparisons share."""

from __future__ import annotations

from functools import cache
from typing import cast

import cv2
import numpy as np

from unmask.bench.core.types import Bools, Float, Image


def check_pair(x: Float | Image, y: Float | Image, mask: Bools | None) -> None:
    """Raises ValueError unless both are (H, W, 3) of one shape and the mask, if any, is (H, W)."""
    if x.ndim != 3 or x.shape[2] != 3 or x.shape != y.shape:
        raise ValueError(f"two (H, W, 3) images of one shape are needed, got {x.shape} and {y.shape}")
    if mask is not None and mask.shape != x.shape[:2]:
        raise ValueError(f"the mask must be {x.shape[:2]}, got {mask.shape}")


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

    Keeps the precision it is given: float32 stays float32 and is five times as fast.
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
