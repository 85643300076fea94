"""The published networks, layer for layer, so that other people's checkpoints load with strict keys; and compact ones.

Attribute names of the published ones follow their state dicts (that is what a key is made of); everything else is ours.
"""

from collections.abc import Mapping

import torch
from torch import nn

Shapes = Mapping[str, tuple[int, ...]]
"""Key of a state dict -> shape."""


class PixelNorm(nn.Module):
    """Scales every pixel's features to unit mean square (Karras et al. 2018, section 4.2); needs no statistics of a
    batch, so one face never influences another."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-7)
