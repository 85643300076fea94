"""What the compact networks' trainings share: settings, the critics, the course of the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from unmask.methods.gan.compact.critics import FeatureCritic, PixelCritic
from unmask.methods.gan.training.losses import hinge
from unmask.methods.gan.training.perceptual import Features
from unmask.methods.gan.training.settings import Count, Positive, Seed, Share, Weight, Width
from unmask.methods.shared.settings import Within


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactConfig:
    """Settings that the compact networks have in common."""

    steps: Count
    batch: Count = 16
    rate: Positive = 2e-4
    """Adam's, for the generator; falls by a cosine to a twentieth over the last half."""
    critic_rate: Positive = 3e-4
    betas: tuple[Share, Share] = (0.5, 0.99)
    l1: Weight = 3.0
    lpips: Weight = 6.0
    pixel_critic: Weight = 0.5
    feature_critic: Weight = 0.5
    critics_from: Annotated[int, Within(0)]
    """Steps of the generator without its critics, in which it learns where eyes belong."""
    average: Share = 0.998
    """Decay of the running average of the weights, which is what is shipped."""
    seed: Seed = 0
    save_every: Count
    """Steps between two saved states, each with a row of losses."""
    width: Width = 40
    fine: Width = 24
    blocks: Count = 2


class Critics(nn.Module):
    """The compact networks' critics: one of pixels, one of the layers of `Features`.

    The pixel critic sees the mask too: a face may be right and its seam not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pixels = PixelCritic(4)
        self.layers = FeatureCritic(Features.channels)

    def adversarial(
        self, fake: torch.Tensor, fake_layers: list[torch.Tensor], keep: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The generator's losses: how far both critics are from taking ``fake`` for real."""
        return {
            "adv_pixels": -self.pixels(torch.cat([fake, keep], 1)).float().mean(),
            "adv_layers": -torch.stack([x.float().mean() for x in self.layers(fake_layers)]).mean(),
        }

    def losses(
        self,
        real: torch.Tensor,
        real_layers: list[torch.Tensor],
        fake: torch.Tensor,
        fake_layers: list[torch.Tensor],
        keep: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """The critics' own losses; the fake is detached."""
        fake, fake_layers = fake.detach(), [x.detach() for x in fake_layers]
        pairs = zip(self.layers(real_layers), self.layers(fake_layers), strict=True)
        return {
            "critic_pixels": hinge(self.pixels(torch.cat([real, keep], 1)), self.pixels(torch.cat([fake, keep], 1))),
            "critic_layers": torch.stack([hinge(a, b) for a, b in pairs]).mean(),
        }


def falling_rate(step: int, steps: int) -> float:
    """Factor of the base rate: 1 for the first half, then down to a twentieth by a cosine."""
    half = steps / 2
    if step < half:
        return 1.0
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min((step - half) / half, 1.0)))
