"""The compact DeepPrivacy: invents a face for an erased box, from its surroundings and five landmarks.

Like the published generator (Hukkelas et al. 2019) it is a U-Net that never sees the face: the pixels inside the mask
are zeroed before the first layer, and only they are replaced at the end. Its encoder works at 32 px and below, because
surroundings need little detail; most arithmetic goes into the decoder, which must invent some.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from unmask.methods.gan.compact.layers import SLOPE, Conv, Residual, Up, heatmaps

LANDMARKS = 5
PATCH = 4
"""The first layer looks at patches of 4 x 4 pixels."""


@dataclass(frozen=True, slots=True)
class InpainterConfig:
    """All that is needed to build the network; stored with its weights."""

    width: int = 40
    """Channels at 32 px; twice as many at 16 px, four times at 8 px."""
    fine: int = 24
    """Channels at 64 px; half as many at 128 px. A channel costs sixteen times as much here as at 16 px."""
    blocks: int = 2
    """Residual blocks at 8 px."""
    latent: int = 16
    """Channels of the noise at 8 px; zeros give the same face every time."""


class Inpainter(nn.Module):
    """128 x 128 in and out, values in [-1, 1]."""

    def __init__(self, config: InpainterConfig) -> None:
        super().__init__()
        self.config = config
        self.latent_shape = (config.latent, 8, 8)
        w = config.width
        self.patches = nn.Conv2d(4, w, PATCH, PATCH)
        self.enter = Conv(w + LANDMARKS, w)
        self.down16 = Conv(w, 2 * w, stride=2)
        self.down8 = Conv(2 * w, 4 * w, stride=2)
        self.mix = Conv(4 * w + config.latent + LANDMARKS, 4 * w)
        self.deep = nn.Sequential(*[Residual(4 * w) for _ in range(config.blocks)])
        self.up16 = Up(4 * w, 2 * w + LANDMARKS, 2 * w)
        self.up32 = Up(2 * w, w + LANDMARKS, w)
        self.more32 = Conv(w, w)
        f = config.fine
        self.up64 = Up(w, 0, f)
        self.more64 = Conv(f, f)
        self.up128 = nn.Sequential(
            nn.Conv2d(f, 2 * f, 3, 1, 1), nn.PixelShuffle(2), nn.LeakyReLU(SLOPE), nn.Conv2d(f // 2, 3, 3, 1, 1)
        )

    def forward(
        self, image: torch.Tensor, keep: torch.Tensor, landmarks: torch.Tensor, latent: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(N, 3, 128, 128) in [-1, 1], equal to ``image`` where ``keep`` (N, 1, 128, 128) is 1, invented where it is 0.

        ``landmarks`` (N, 5, 2) in pixels of the crop; ``latent`` (N, latent, 8, 8), zeros if not given.
        """
        known = image * keep
        points = {side: heatmaps(landmarks, side) for side in (8, 16, 32)}
        x32 = self.enter(torch.cat([self.patches(torch.cat([known, keep], 1)), points[32]], 1))
        x16 = self.down16(x32)
        x8 = self.down8(x16)
        if latent is None:
            latent = x8.new_zeros(len(x8), *self.latent_shape)
        x = self.deep(self.mix(torch.cat([x8, latent, points[8]], 1)))
        x = self.up16(x, torch.cat([x16, points[16]], 1))
        x = self.more32(self.up32(x, torch.cat([x32, points[32]], 1)))
        x = self.more64(self.up64(x))
        invented = torch.tanh(self.up128(x))
        return known + invented * (1 - keep)
