"""StarGAN v1 (Choi et al. 2018, arXiv:1711.09020) with the layers and key names of the authors' yunjey/stargan.

The labels to show (0 or 1) enter as constant channels beside RGB. The authors never switch the generator to evaluation,
so its instance norms always use the statistics of the image at hand; the running ones in a checkpoint are carried, not
used.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import nn
from torch.nn import functional

from unmask.methods.gan.networks import Shapes

LEAK = 0.01
SCALES = 2
"""Times that the generator halves the image."""
MOST_BLOCKS = 64
FIRST_BLOCK = 3 + 3 * SCALES
"""Index of the first residual block in ``main``: convolution, norm and ReLU make three entries each."""


class InstanceNorm(nn.InstanceNorm2d):
    """Affine instance norm that keeps running statistics for the keys' sake and never looks at them."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True, track_running_stats=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.instance_norm(x, weight=self.weight, bias=self.bias, use_input_stats=True, eps=self.eps)


class Residual(nn.Module):
    """x + two 3 x 3 convolutions of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, 1, 1, bias=False) for _ in range(2))
        self.main = nn.Sequential(first, InstanceNorm(channels), nn.ReLU(), second, InstanceNorm(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = x + self.main(x)
        return y


@dataclass(frozen=True, slots=True)
class StarGanConfig:
    """All that decides the generator's tensors."""

    c_dim: int = 5
    """Labels."""
    conv_dim: int = 64
    """Channels at full size; twice and four times as many at a half and a quarter."""
    repeat_num: int = 6
    """Residual blocks."""

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self | None:
        """The settings by a state dict's shapes, or None if it is no StarGAN generator."""
        first = shapes.get("main.0.weight")
        if first is None or f"main.{FIRST_BLOCK}.main.0.weight" not in shapes:
            return None
        if len(first) != 4 or first[0] < 1 or first[1] < 4:
            return cls()  # its names are StarGAN's; the comparison of shapes will say what is wrong
        blocks = sum(f"main.{FIRST_BLOCK + i}.main.0.weight" in shapes for i in range(MOST_BLOCKS))
        return cls(first[1] - 3, first[0], blocks)


class StarGanGenerator(nn.Module):
    """(N, 3, H, W) in [-1, 1] and (N, c_dim) labels to (N, 3, H, W) in [-1, 1]; H and W multiples of 4."""

    def __init__(self, config: StarGanConfig) -> None:
        super().__init__()
        self.config = config
        width = config.conv_dim
        first = nn.Conv2d(3 + config.c_dim, width, 7, 1, 3, bias=False)
        layers: list[nn.Module] = [first, InstanceNorm(width), nn.ReLU()]
        for _ in range(SCALES):
            layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), InstanceNorm(2 * width), nn.ReLU()]
            width *= 2
        layers += [Residual(width) for _ in range(config.repeat_num)]
        for _ in range(SCALES):
            layers += [nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False), InstanceNorm(width // 2), nn.ReLU()]
            width //= 2
        self.main = nn.Sequential(*layers, nn.Conv2d(width, 3, 7, 1, 3, bias=False), nn.Tanh())

    def forward(self, image: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        maps = labels.to(image.dtype)[:, :, None, None].expand(-1, -1, *image.shape[2:])
        changed: torch.Tensor = self.main(torch.cat([image, maps], 1))
        return changed


class StarGanDiscriminator(nn.Module):
    """(N, 3, S, S) in [-1, 1] to (N, 1, s, s) realness of patches, s = S / 2^repeat_num, and (N, c_dim) logits."""

    def __init__(self, c_dim: int, image_size: int, conv_dim: int, repeat_num: int) -> None:
        super().__init__()
        if image_size % 2**repeat_num:
            raise ValueError(f"image_size must be a multiple of {2**repeat_num}")
        channels = [3, *[conv_dim * 2**i for i in range(repeat_num)]]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(LEAK)]
        self.main = nn.Sequential(*layers)
        self.conv1 = nn.Conv2d(channels[-1], 1, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(channels[-1], c_dim, image_size // 2**repeat_num, bias=False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.main(image)
        return self.conv1(x), self.conv2(x).flatten(1)
