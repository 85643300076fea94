"""The compact AttGAN with a stochastic encoder, 128 x 128 px: what Croft (PhD thesis, Carleton University, 2020; thesis
2.2.5) changed of AttGAN, in the size of the compact networks.

Shortcuts from the encoder to the decoder can carry what identifies a person, so there are none of the face, and noise
is added to its encoding. The decoder is the compact DeepPrivacy's, whose shortcuts carry what lies around the face;
like AttGAN's it gets the attributes after the encoder only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from unmask.methods.gan.networks.compact import (
    SLOPE,
    STOCHASTIC,
    Blocks,
    CompactNetwork,
    Conv,
    Detail,
    Film,
    Inpainter,
    InpainterConfig,
    Latent,
    Names,
    Width,
)

REGIONS: Final = 4
"""Of a crop, across and down, that have a code each."""


@dataclass(frozen=True, slots=True)
class StochasticConfig:
    """All that is needed to build the network; stored with its weights."""

    attributes: Names
    """In the order of the input vector."""
    code: Latent = 8
    """Numbers that the encoder gives for each of the 4 x 4 regions."""
    width: Width = 40
    fine: Width = 24
    blocks: Blocks = 2
    latent: Latent = 16
    """As `InpainterConfig` has them, of the decoder."""
    detail: Detail = 0


class StochasticEditor(CompactNetwork):
    """Rebuilds a face from a noisy code of it, its surroundings, five landmarks and attributes."""

    architecture = STOCHASTIC

    def __init__(self, config: StochasticConfig) -> None:
        super().__init__()
        self.config = config
        w, f, n = config.width, config.fine, len(config.attributes)
        self.code_shape = (config.code, REGIONS, REGIONS)
        self.encoder = nn.Sequential(
            nn.Conv2d(4, f, 4, 2, 1),
            nn.LeakyReLU(SLOPE),
            Conv(f, w, stride=2),
            Conv(w, 2 * w, stride=2),
            Conv(2 * w, 4 * w, stride=2),
            nn.AvgPool2d(2),
            nn.Conv2d(4 * w, config.code, 1),
            nn.Tanh(),
        )
        self.spread = nn.Conv2d(config.code, config.latent, 1)
        self.decoder = Inpainter(InpainterConfig(w, f, config.blocks, config.latent, config.detail))
        self.films = nn.ModuleList([Film(n, channels) for channels in (4 * w, 2 * w, w, f)])

    def forward(
        self,
        image: torch.Tensor,
        keep: torch.Tensor,
        landmarks: torch.Tensor,
        attributes: torch.Tensor,
        noise: torch.Tensor,
        strength: torch.Tensor,
    ) -> torch.Tensor:
        """(N, 3, 128, 128) in [-1, 1], equal to ``image`` where ``keep`` (N, 1, 128, 128) is 1.

        ``landmarks`` (N, 5, 2) in pixels of the crop; ``attributes`` (N, A), each +0.5 for yes and -0.5 for no.
        ``noise`` (N, code, 4, 4), standard normal, times ``strength`` (N,), at least 0, is added to the code, whose
        numbers lie in -1..1. So each of them tells at most log2(1 + 1 / strength^2) / 2 bits of the face (the capacity
        of a channel with Gaussian noise), beside what landmarks, attributes and surroundings tell.
        """
        scale = strength[:, None, None, None]
        # Only what is replaced is encoded: its surroundings have a way of their own.
        code = self.encoder(torch.cat([image * (1 - keep), keep], 1)) + scale * noise
        latent = self.spread(code * torch.rsqrt(1 + scale.square()))
        films = iter(self.films)
        return self.decoder.invented(
            image,
            keep,
            landmarks,
            functional.interpolate(latent, scale_factor=2, mode="nearest"),
            lambda x: next(films)(x, attributes),
        )
