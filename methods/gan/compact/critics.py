"""The discriminators of compact training: one looks at pixels, one at the features of a frozen network.

A critic on the features of a network trained on ImageNet learns in a fraction of the steps that one on pixels needs
(Sauer et al., Projected GANs, NeurIPS 2021); the pixel critic then looks after what such features do not see: grain,
colour, the seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from unmask.methods.gan.compact.layers import SLOPE


class PixelCritic(nn.Module):
    """(N, C, 128, 128) -> (N, 1, 8, 8) logits, one for each region, and (N, F, 8, 8) features for further heads."""

    def __init__(self, channels: int, width: int = 24) -> None:
        super().__init__()
        sizes = [channels, width, 2 * width, 4 * width, 6 * width]
        self.trunk = nn.Sequential(
            *[
                layer
                for before, after in pairwise(sizes)
                for layer in (spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(SLOPE))
            ]
        )
        self.head = spectral_norm(nn.Conv2d(sizes[-1], 1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.trunk(x))
        return logits


class FeatureCritic(nn.Module):
    """One small head per layer of a frozen network; (N, C_k, H_k, W_k) features -> list of (N, 1, h, w) logits."""

    def __init__(self, channels: Sequence[int], width: int = 64) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(c, width, 1)),
                nn.LeakyReLU(SLOPE),
                spectral_norm(nn.Conv2d(width, width, 3, 2, 1)),
                nn.LeakyReLU(SLOPE),
                spectral_norm(nn.Conv2d(width, 1, 3, 1, 1)),
            )
            for c in channels
        )

    def forward(self, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [head(x) for head, x in zip(self.heads, features, strict=True)]
