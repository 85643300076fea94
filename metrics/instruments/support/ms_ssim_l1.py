"""The MS-SSIM + L1 loss of Zhao, Gallo, Frosio and Kautz (2017), as psyrocloud's PyTorch code computes it.

That code, with which the thesis trained (4.5.6, eq. 4.9), gives one depthwise convolution 15 filters for 3 channels
in the order sigma .5, .5, .5, 1, 1, 1, 2, ...; a grouped convolution hands the first five of them to red, the next five
to green, the last five to blue. So red is seen at the two finest scales only, blue at the two coarsest, and the
luminance term (meant: all channels at sigma 8) is blue's at sigma 8, cubed. We compute what the code computes, not what
it meant: only so are numbers comparable with the published ones.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np

from unmask.bench.core.types import Bools, Float
from unmask.metrics.instruments.support import ssim

FILTERS: tuple[tuple[tuple[float, int], ...], ...] = (
    ((0.5, 3), (1.0, 2)),
    ((1.0, 1), (2.0, 3), (4.0, 1)),
    ((4.0, 2), (8.0, 3)),
)
"""Per channel (red, green, blue): sigma and how many of the channel's five filters have it."""
SIZE = 33
"""Filter side in pixels: 4 times the largest sigma, plus 1; zeros beyond the border."""
COARSEST = 8.0


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
            moments = _centred_moments(x[..., channel], y[..., channel], ssim.gaussian_window(SIZE, sigma))
            factor = ssim.contrast_structure(moments, ssim.K2)
            if sigma == COARSEST:
                factor = factor * ssim.luminance(moments, ssim.K1)
            for _ in range(times):
                product *= factor
    absolute = ssim.blur(_single_precision(np.abs(x - y).mean(axis=2)), ssim.gaussian_window(SIZE, COARSEST))
    weights = None if mask is None else mask.astype(np.float64)
    structure, difference = ssim.weighted_mean(np.stack([1 - product, absolute], axis=2), weights)
    return MsSsimL1Parts(float(structure), float(difference))


def _centred_moments(x: Float, y: Float, window: Float) -> ssim.Moments:
    """What `local_moments` gives for two (H, W) planes, but in float32, as the published code: a fifth of the time.

    A variance as the difference of two means of squares loses its digits where it is small and the plane bright, so
    the mean m of both planes is taken off first: x = u + m, y = v + m. Zeros beyond the border then stand for -m, which
    the share s of each window inside the image puts right: cov(x, y) = cov(u, v) + (1 - s)(m (U + V) + m^2 s).
    """
    m = float(x.mean() + y.mean()) / 2
    u, v = _single_precision(x - m), _single_precision(y - m)
    within = np.outer(_within(x.shape[0], window), _within(x.shape[1], window))
    s, outside = _single_precision(within), _single_precision(1 - within)
    mean_u, mean_v = ssim.blur(u, window), ssim.blur(v, window)

    def second(product: Float, mean_a: Float, mean_b: Float) -> Float:
        return ssim.blur(product, window) - mean_a * mean_b + outside * (m * (mean_a + mean_b) + m * m * s)

    return ssim.Moments(
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
