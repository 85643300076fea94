"""DeepPrivacy's first published generator (``deep_privacy_V1``), the paper's network (Hukkelas et al. 2019, section 3).

The encoder sees RGB alone; landmarks enter at every size of the decoder as one-hot maps, a single 1 at each point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import nn
from torch.nn import functional

from unmask.methods.gan.networks import Shapes
from unmask.methods.gan.networks.deepprivacy_blocks import (
    LATENT,
    LEAK,
    Block,
    EqualConv,
    PixelNorm,
    Skip,
    doubled,
    latent_or_zeros,
    paste,
)

GAIN = math.sqrt(2)
LEVELS = 6
"""Sizes of the U-Net: 4, 8, 16, 32, 64 and 128 px."""
SIDE = 4
"""Pixels at the bottom."""


@dataclass(frozen=True, slots=True)
class V1Config:
    """All that decides the generator's tensors."""

    landmarks: int = 7
    """Points: nose, eyes, ears, shoulders."""
    width: int = 512
    """Channels up to 32 px; half as many at 64 px, a quarter at 128 px."""

    def channels(self, level: int) -> int:
        return self.width >> max(level - 3, 0)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self | None:
        """The settings that a state dict's shapes tell, or None if it is no such generator."""
        joined = shapes.get("decoder.conv1x1.conv.0.weight")
        if joined is None or "encoder.from_rgb.conv.0.weight" not in shapes:
            return None
        points = joined[1] - joined[0] - LATENT[0] if len(joined) == 4 else 0
        return cls(points, joined[0]) if points > 0 and joined[0] >= 4 else cls()


class RgbConv(nn.Module):
    """A 1 x 1 convolution with leaky ReLU and PixelNorm: ``conv.0``."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(EqualConv(before, after, 1, GAIN), nn.LeakyReLU(LEAK), PixelNorm())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(x)
        return y


def one_hot(landmarks: torch.Tensor, side: int) -> torch.Tensor:
    """(N, K, side, side) maps with a 1 at each of (N, 2K) x, y pairs in [0, 1); a point outside gives an empty map."""
    points = landmarks.reshape(len(landmarks), -1, 2)
    inside = ((points >= 0) & (points < 1)).all(2)
    x, y = (torch.where(inside[..., None], points, 0) * side).long().unbind(2)
    maps = landmarks.new_zeros((*points.shape[:2], side * side))
    maps.scatter_(2, (y * side + x)[..., None], inside[..., None].to(maps))
    return maps.reshape(*points.shape[:2], side, side)


class V1Generator(nn.Module):
    """Invents a face of 128 x 128 px for an erased box; what the box held never reaches a layer."""

    latent_shape = LATENT

    def __init__(self, config: V1Config) -> None:
        super().__init__()
        self.config = config
        points, widest, narrowest = config.landmarks, config.channels(0), config.channels(LEVELS - 1)
        self.encoder = nn.ModuleDict({"from_rgb": RgbConv(3, narrowest)})
        self.decoder = nn.ModuleDict({"conv1x1": RgbConv(widest + points + LATENT[0], widest)})
        for level in range(LEVELS):
            here, below = config.channels(level), config.channels(max(level - 1, 0))
            self.encoder[f"basic_block{level}"] = Block((here, below, below), GAIN)
            self.decoder[f"basic_block{level}"] = Block((below, here, here), GAIN)
            if level:
                self.decoder[f"skip_connection{level}"] = Skip(2 * below + points, below, GAIN)
        self.to_rgb = EqualConv(narrowest, 3, 1, GAIN)

    def forward(
        self, image: torch.Tensor, keep: torch.Tensor, landmarks: torch.Tensor, latent: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(N, 3, 128, 128), equal to ``image`` where ``keep`` (N, 1, 128, 128) is 1, invented where it is 0.

        Arguments as of `MsgGenerator.forward`. The published code returns the whole invented picture and leaves the
        pasting to its pipeline; the pixels of the box are the same.
        """
        landmarks = landmarks.to(image)
        visible = image * keep
        x: torch.Tensor = self.encoder["from_rgb"](visible)
        features = {}
        for level in reversed(range(LEVELS)):
            x = features[level] = self.encoder[f"basic_block{level}"](x)
            if level:
                x = functional.avg_pool2d(x, 2)
        x = self.decoder["conv1x1"](torch.cat([x, one_hot(landmarks, SIDE), latent_or_zeros(latent, x)], 1))
        for level in range(LEVELS):
            if level:
                x = self.decoder[f"skip_connection{level}"](
                    doubled(x), features[level], one_hot(landmarks, SIDE * 2**level)
                )
            x = self.decoder[f"basic_block{level}"](x)
        return paste(visible, keep, self.to_rgb(x))
