"""What DeepPrivacy's published generators are built from (Hukkelas et al. 2019; hukkelas/DeepPrivacy v1.x).

Weights are stored as unit normals and scaled at run time by gain / sqrt(fan in) (equalised learning rate, Karras et al.
2018, section 4.1); after a convolution come a leaky ReLU of 0.2 and PixelNorm (section 4.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

LEAK = 0.2
EPSILON = 1e-7
LATENT = (32, 4, 4)
"""Shape of the noise that joins the encoding."""


class EqualConv(nn.Conv2d):
    """A convolution of 1 x 1 or 3 x 3 that keeps the size; its weight is scaled by gain / sqrt(fan in)."""

    def __init__(self, before: int, after: int, kernel: int, gain: float) -> None:
        super().__init__(before, after, kernel, padding=kernel // 2)
        self.scale = gain / math.sqrt(before * kernel * kernel)
        nn.init.normal_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class EqualLinear(nn.Linear):
    """A linear layer scaled by 1 / sqrt(inputs). The published one holds another, unused one, and so do files."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after)
        self.scale = 1 / math.sqrt(before)
        nn.init.normal_(self.weight)
        nn.init.zeros_(self.bias)
        self.linear = nn.Linear(before, after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.weight * self.scale, self.bias)


class PixelNorm(nn.Module):
    """Scales every pixel's features to unit mean square."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)


class ConvLayers(nn.Module):
    """Convolutions, each with a leaky ReLU and PixelNorm: ``layers.0``, ``layers.3``, ..."""

    def __init__(self, channels: Sequence[int], kernel: int, gain: float) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for before, after in pairwise(channels):
            parts += [EqualConv(before, after, kernel, gain), nn.LeakyReLU(LEAK), PixelNorm()]
        self.layers = nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)
        return y


class Block(ConvLayers):
    """Two 3 x 3 convolutions; a residual one adds a 1 x 1 convolution of its input and divides by sqrt(2)."""

    def __init__(self, channels: tuple[int, int, int], gain: float, *, residual: bool = False) -> None:
        super().__init__(channels, 3, gain)
        self.residual_conv = EqualConv(channels[0], channels[2], 1, gain) if residual else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x)
        return y if self.residual_conv is None else (y + self.residual_conv(x)) / math.sqrt(2)


class Skip(nn.Module):
    """Joins further maps to the decoder's and mixes all by a 1 x 1 convolution: ``conv.layers.0``."""

    def __init__(self, before: int, after: int, gain: float) -> None:
        super().__init__()
        self.conv = ConvLayers((before, after), 1, gain)

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(torch.cat(maps, 1))
        return y


def doubled(x: torch.Tensor) -> torch.Tensor:
    """Every pixel as 2 x 2."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def latent_or_zeros(latent: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    """``latent``, or the zeros that make a generator deterministic."""
    return like.new_zeros((len(like), *LATENT)) if latent is None else latent.to(like)


def paste(image: torch.Tensor, keep: torch.Tensor, invented: torch.Tensor) -> torch.Tensor:
    """``image`` where ``keep`` is 1, ``invented`` where it is 0."""
    return image * keep + (1 - keep) * invented
