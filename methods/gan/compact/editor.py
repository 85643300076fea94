"""The compact AttGAN: repaints a face so that it shows the wanted attributes.

Like the published one (He et al. 2019) an encoder-decoder that is told the attributes after the encoder only. Two
things differ, for quality per arithmetic: attributes scale and shift the decoder's features (FiLM) instead of being
tiled beside them, and the output is blended with the input by a mask that the network draws itself, so what need not
change stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from unmask.methods.gan.compact.layers import SLOPE, Conv, Residual, Up


@dataclass(frozen=True, slots=True)
class EditorConfig:
    """All that is needed to build the network; stored with its weights."""

    attributes: tuple[str, ...]
    """In the order of the input vector."""
    width: int = 40
    fine: int = 24
    blocks: int = 2


class Film(nn.Module):
    """Scales and shifts features by what the attributes say (Perez et al. 2018)."""

    def __init__(self, attributes: int, channels: int) -> None:
        super().__init__()
        self.tell = nn.Linear(attributes, 2 * channels)

    def forward(self, x: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        scale, shift = self.tell(attributes)[:, :, None, None].chunk(2, 1)
        told: torch.Tensor = x * (1 + scale) + shift
        return told


class Editor(nn.Module):
    """128 x 128 in and out, values in [-1, 1]."""

    def __init__(self, config: EditorConfig) -> None:
        super().__init__()
        self.config = config
        w, f, n = config.width, config.fine, len(config.attributes)
        self.enter = nn.Sequential(nn.Conv2d(4, f, 4, 2, 1), nn.LeakyReLU(SLOPE))
        self.down32 = Conv(f, w, stride=2)
        self.down16 = Conv(w, 2 * w, stride=2)
        self.down8 = Conv(2 * w, 4 * w, stride=2)
        self.film8 = Film(n, 4 * w)
        self.deep = nn.Sequential(*[Residual(4 * w) for _ in range(config.blocks)])
        self.up16, self.film16 = Up(4 * w, 2 * w, 2 * w), Film(n, 2 * w)
        self.up32, self.film32 = Up(2 * w, w, w), Film(n, w)
        self.more32 = Conv(w, w)
        self.up64, self.film64 = Up(w, f, f), Film(n, f)
        self.up128 = nn.Sequential(
            nn.Conv2d(f, 2 * f, 3, 1, 1), nn.PixelShuffle(2), nn.LeakyReLU(SLOPE), nn.Conv2d(f // 2, 4, 3, 1, 1)
        )

    def forward(self, image: torch.Tensor, keep: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """(N, 3, 128, 128) in [-1, 1]: the face with ``attributes`` (N, A), each +0.5 for yes and -0.5 for no.

        Where ``keep`` (N, 1, 128, 128) is 1 the output equals ``image``.
        """
        x64 = self.enter(torch.cat([image, keep], 1))
        x32 = self.down32(x64)
        x16 = self.down16(x32)
        x = self.deep(self.film8(self.down8(x16), attributes))
        x = self.film16(self.up16(x, x16), attributes)
        x = self.more32(self.film32(self.up32(x, x32), attributes))
        x = self.film64(self.up64(x, x64), attributes)
        painted = self.up128(x)
        share = torch.sigmoid(painted[:, 3:] + 1.0) * (1 - keep)
        edited: torch.Tensor = image + share * (torch.tanh(painted[:, :3]) - image)
        return edited
