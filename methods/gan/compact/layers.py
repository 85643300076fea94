"""The layers that the compact networks share."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

SLOPE = 0.2
"""Of the leaky ReLU, as in DeepPrivacy."""


class PixelNorm(nn.Module):
    """Scales every pixel's features to unit mean square (Karras et al. 2018, section 4.2); needs no statistics of a
    batch, so one face never influences another."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-7)


class Conv(nn.Sequential):
    """Convolution, leaky ReLU, PixelNorm. ``stride`` 2 halves the size."""

    def __init__(self, before: int, after: int, *, stride: int = 1, norm: bool = True) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(before, after, 3, stride, 1),
            nn.LeakyReLU(SLOPE),
        ]
        super().__init__(*layers, *([PixelNorm()] if norm else []))


class Residual(nn.Module):
    """x + two convolutions of it, the second dilated to see twice as far."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Conv(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 2, dilation=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grown: torch.Tensor = x + self.second(self.first(x))
        return grown


class Up(nn.Module):
    """Doubles the size, joins what the encoder had at that size, and convolves."""

    def __init__(self, before: int, skip: int, after: int) -> None:
        super().__init__()
        self.conv = Conv(before + skip, after)

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        grown: torch.Tensor = self.conv(x if skip is None else torch.cat([x, skip], 1))
        return grown


def heatmaps(landmarks: torch.Tensor, side: int, crop_side: int = 128, sigma: float = 1.0) -> torch.Tensor:
    """(N, K, side, side) Gaussians at (N, K, 2) landmarks given in pixels of a crop of ``crop_side``."""
    step = crop_side / side
    at = (torch.arange(side, dtype=landmarks.dtype, device=landmarks.device) + 0.5) * step
    dx = (at[None, None, None, :] - landmarks[..., 0, None, None]) / (sigma * step)
    dy = (at[None, None, :, None] - landmarks[..., 1, None, None]) / (sigma * step)
    return torch.exp(-(dx.square() + dy.square()) / 2)
