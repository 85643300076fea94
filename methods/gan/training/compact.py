"""What the compact networks' trainings share: settings, the perceptual loss, the critics, the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn
from torch.nn import functional

from methods.gan.compact.critics import FeatureCritic, PixelCritic
from methods.gan.training.losses import hinge
from methods.gan.training.settings import Count, Positive, Seed, Share, Weight, Width, Within


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


class Features(nn.Module):
    """LPIPS with AlexNet (Zhang et al., CVPR 2018): the perceptual loss, and the layers that `FeatureCritic` judges.

    The arithmetic of the `lpips` package's network, without the package; its weights are copied in by `copied`.
    """

    channels = (64, 192, 384, 256, 256)

    def __init__(self) -> None:
        super().__init__()
        before = (3, *self.channels)
        shapes = ((11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1))  # kernel, stride, padding
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before[k], self.channels[k], *shape) for k, shape in enumerate(shapes)
        )
        self.heads = nn.ModuleList(nn.Conv2d(count, 1, 1, bias=False) for count in self.channels)
        self.shift = nn.Buffer(torch.tensor((-0.030, -0.088, -0.188))[None, :, None, None])
        self.scale = nn.Buffer(torch.tensor((0.458, 0.448, 0.450))[None, :, None, None])
        self.requires_grad_(False)

    @classmethod
    def copied(cls, lpips_network: Any) -> Features:
        """With the weights of an ``lpips.LPIPS(net="alex")``."""
        features = cls()
        theirs = [module for module in lpips_network.net.modules() if isinstance(module, nn.Conv2d)]
        for ours, convolution in zip(features.convolutions, theirs, strict=True):
            ours.load_state_dict(convolution.state_dict())
        for ours, head in zip(features.heads, lpips_network.lins, strict=True):
            ours.load_state_dict(head.model[-1].state_dict())
        return features

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """(N, 3, H, W) in [-1, 1] -> five layers, looked at in half size: 64 px is what LPIPS was tuned on."""
        x = (functional.avg_pool2d(image, 2) - self.shift) / self.scale
        layers: list[torch.Tensor] = []
        for k, convolution in enumerate(self.convolutions):
            x = functional.relu(convolution(functional.max_pool2d(x, 3, 2) if k in (1, 2) else x))
            layers.append(x)
        return layers

    def distance(self, a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> torch.Tensor:
        """LPIPS (N,) from the layers of two images; in float32 whatever autocast says, as small differences need."""
        with torch.autocast(a[0].device.type, enabled=False):
            total = torch.zeros(len(a[0]), device=a[0].device)
            for head, x, y in zip(self.heads, a, b, strict=True):
                difference = functional.normalize(x.float(), eps=1e-8) - functional.normalize(y.float(), eps=1e-8)
                total = total + head(difference.square()).mean((1, 2, 3))
            return total


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
            "adv_pixels": -self.pixels(torch.cat([fake, keep], 1)).mean(),
            "adv_layers": -torch.stack([x.mean() for x in self.layers(fake_layers)]).mean(),
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
