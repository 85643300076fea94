"""The losses that several networks are trained with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import torch
from torch.nn import functional

Reconstruction = Literal["l1", "smooth_l1", "ms_ssim_l1"]
FILTERS: tuple[tuple[tuple[float, int], ...], ...] = (
    ((0.5, 3), (1.0, 2)),
    ((1.0, 1), (2.0, 3), (4.0, 1)),
    ((4.0, 2), (8.0, 3)),
)
"""Per channel (red, green, blue): sigma in pixels and how many of the channel's five filters have it."""
COARSEST = 8.0
REACH = 16
"""Pixels to each side: filters are 33 wide, with zeros beyond the border."""
C1, C2 = 0.01**2, 0.03**2


def hinge(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The critics' loss (Lim and Ye 2017) of their answers, a scalar."""
    return functional.relu(1 - real.float()).mean() + functional.relu(1 + fake.float()).mean()


def weighted(losses: Mapping[str, torch.Tensor], weights: Mapping[str, float]) -> torch.Tensor:
    """The sum of the losses that have a weight, each times it."""
    terms = [weight * losses[name] for name, weight in weights.items() if name in losses]
    return sum(terms[1:], terms[0])


def attribute_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean loss of (N, A) logits against 0/1 labels: two-way for the first attributes, one of four for the age groups,
    which are the last four columns."""
    single, groups = logits[:, :-4], logits[:, -4:]
    yes_or_no = functional.binary_cross_entropy_with_logits(single, labels[:, :-4])
    return yes_or_no + functional.cross_entropy(groups, labels[:, -4:])


def reconstruction_loss(
    kind: Reconstruction, rebuilt: torch.Tensor, photo: torch.Tensor, alpha: float, compensation: float
) -> torch.Tensor:
    """Mean difference of (N, 3, H, W) images in [-1, 1]: over that range for L1 and smooth L1 (beta 1), as published;
    MS-SSIM + L1, whose constants are for [0, 1], gets the images brought there."""
    if kind == "l1":
        return functional.l1_loss(rebuilt, photo)
    if kind == "smooth_l1":
        return functional.smooth_l1_loss(rebuilt, photo)
    return ms_ssim_l1_loss((rebuilt + 1) / 2, (photo + 1) / 2, alpha=alpha, compensation=compensation)


def ms_ssim_l1_loss(x: torch.Tensor, y: torch.Tensor, *, alpha: float, compensation: float) -> torch.Tensor:
    """compensation * (alpha * mean(1 - lM * cs) + (1 - alpha) * mean(|x - y| blurred)), a scalar; 0 = identical.

    MS-SSIM + L1 (Zhao et al. 2017) as psyrocloud's PyTorch code computes it, which the thesis trains with (4.5.6, 4.6).
    ``metrics/instruments/support/ssim.py`` measures the same number and says how that code spreads its 15 filters
    over the channels: red counts at the finest scales only, blue at the coarsest.

    ``x``, ``y`` (N, 3, H, W) in [0, 1]. Computed in float32 whatever autocast says: variances are small differences.
    """
    with torch.autocast(x.device.type, enabled=False):
        x, y = x.float(), y.float()
        product = torch.ones_like(x[:, 0])
        for channel, filters in enumerate(FILTERS):
            for sigma, times in filters:
                product = product * _similarity(x[:, channel], y[:, channel], sigma) ** times
        absolute = _blur((x - y).abs().mean(1), COARSEST)
        loss: torch.Tensor = compensation * (alpha * (1 - product).mean() + (1 - alpha) * absolute.mean())
        return loss


def _similarity(x: torch.Tensor, y: torch.Tensor, sigma: float) -> torch.Tensor:
    """SSIM's contrast-structure term of (N, H, W) planes; at the coarsest scale times its luminance term."""
    mean_x, mean_y, xx, yy, xy = _blur(torch.stack([x, y, x * x, y * y, x * y]), sigma)
    factor: torch.Tensor = (2 * (xy - mean_x * mean_y) + C2) / (xx - mean_x**2 + yy - mean_y**2 + C2)
    if sigma == COARSEST:
        factor = factor * (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return factor


def _blur(planes: torch.Tensor, sigma: float) -> torch.Tensor:
    """(..., H, W) under a Gaussian: a product with a banded matrix from each side, on a CPU faster than convolving."""
    rows = _band(planes.shape[-2], sigma).to(planes.device)
    columns = _band(planes.shape[-1], sigma).to(planes.device)
    blurred: torch.Tensor = rows @ planes @ columns  # a band is symmetric
    return blurred


@lru_cache(maxsize=32)
def _band(side: int, sigma: float) -> torch.Tensor:
    """(side, side): row i holds the Gaussian's weights about i."""
    offsets = torch.arange(side)[:, None] - torch.arange(side)
    weights = torch.exp(-(torch.arange(-REACH, REACH + 1, dtype=torch.float64) ** 2) / (2 * sigma**2))
    band = torch.exp(-(offsets.double() ** 2) / (2 * sigma**2)) / weights.sum()
    return torch.where(offsets.abs() <= REACH, band, 0).float()
