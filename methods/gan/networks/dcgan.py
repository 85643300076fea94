"""DCGAN (Radford, Metz, Chintala 2016, arXiv:1511.06434) with the layers and key names of pytorch/examples.

Noise becomes a picture of 64 x 64 px by five strided convolutions of 4 x 4, with batch norm and ReLU between; the
critic is the same the other way round, with leaky ReLU. Chen et al. 2020 take such a picture of a face as the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import torch
from torch import nn

from unmask.methods.gan.networks import Shapes

SIDE: Final = 64
"""Pixels; the paper's and the published code's."""
SCALES: Final = (8, 4, 2, 1)
"""Channels at 4, 8, 16 and 32 px, in widths."""
LEAK: Final = 0.2
LAST: Final = f"main.{3 * len(SCALES)}.weight"
"""The key of the layer that gives RGB: a convolution, a norm and a ReLU before it for each scale."""
MOST: Final = 1024
"""Of ``latent`` and ``width``: a file's shapes are untrusted, and nothing larger is built."""


@dataclass(frozen=True, slots=True)
class DcganConfig:
    """All that decides the generator's tensors."""

    latent: int = 100
    """Numbers of noise (``nz``)."""
    width: int = 64
    """Channels at 32 px (``ngf``)."""

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self | None:
        """The settings by a state dict's shapes, or None if it is no DCGAN generator."""
        first, last = shapes.get("main.0.weight"), shapes.get(LAST)
        if first is None or last is None or "main.1.running_mean" not in shapes:
            return None
        if len(first) != 4 or len(last) != 4 or not 0 < first[0] <= MOST or not 0 < last[0] <= MOST:
            return cls()  # the names are DCGAN's; the comparison of shapes will say what is wrong
        return cls(first[0], last[0])


class DcganGenerator(nn.Module):
    """(N, latent, 1, 1) standard normal noise to (N, 3, 64, 64) in [-1, 1]."""

    def __init__(self, config: DcganConfig) -> None:
        super().__init__()
        self.config = config
        self.latent_shape = (config.latent, 1, 1)
        channels = [config.latent, *[config.width * scale for scale in SCALES]]
        layers: list[nn.Module] = []
        for k, (before, after) in enumerate(pairwise(channels)):
            stride, padding = (2, 1) if k else (1, 0)
            layers += [nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False), nn.BatchNorm2d(after)]
            layers.append(nn.ReLU())
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(config.width, 3, 4, 2, 1, bias=False), nn.Tanh())
        self.apply(_begin)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        picture: torch.Tensor = self.main(latent)
        return picture


class DcganDiscriminator(nn.Module):
    """(N, 3, 64, 64) in [-1, 1] to (N,) logits of being a photo."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [3, *[width * scale for scale in reversed(SCALES)]]
        layers: list[nn.Module] = []
        for k, (before, after) in enumerate(pairwise(channels)):
            norm = [nn.BatchNorm2d(after)] if k else []
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), *norm, nn.LeakyReLU(LEAK)]
        self.main = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 4, bias=False))
        self.apply(_begin)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.main(image).flatten()
        return logits


def _begin(module: nn.Module) -> None:
    """The paper's first weights (section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
