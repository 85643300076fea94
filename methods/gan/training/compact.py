"""What the compact networks' trainings share: settings, the critics, the course of the learning rate."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from unmask.methods.gan.networks.compact import SLOPE, CompactNetwork, save_compact
from unmask.methods.gan.training.faces import Faces, first_faces
from unmask.methods.gan.training.hardware import Hardware, Stepper, update_average
from unmask.methods.gan.training.loop import Course
from unmask.methods.gan.training.losses import hinge, weighted
from unmask.methods.gan.training.perceptual import Features
from unmask.methods.gan.training.settings import Count, Positive, Seed, Share, Weight, Width
from unmask.methods.shared.settings import Within

Network = TypeVar("Network", bound=CompactNetwork)
ADVERSARIAL = ("adv_pixels", "adv_layers", "critic_pixels", "critic_layers")
"""The losses of `Critics`."""


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
    """Steps of the generator without its critics, in which it learns from the photo alone."""
    average: Share = 0.998
    """Decay of the running average of the weights, which is what is shipped."""
    seed: Seed = 0
    save_every: Count
    """Steps between two saved states, each with a row of losses."""
    width: Width = 40
    fine: Width = 24
    blocks: Count = 2


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


class Critics(nn.Module):
    """The compact networks' critics: one of pixels, one of the layers of `Features`.

    A critic on the features of a network trained on ImageNet learns in a fraction of the steps that one on pixels needs
    (Sauer et al., Projected GANs, NeurIPS 2021); the pixel critic looks after what such features do not see: grain,
    colour, the seam. It sees the mask too: a face may be right and its seam not.
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


class CompactTrainer(Generic[Network]):
    """A compact generator and its critics; see `methods.gan.training.loop.Trainer`."""

    columns: tuple[str, ...]
    name: ClassVar[str] = "generator"
    """Of the network in saved states."""

    def __init__(
        self,
        config: CompactConfig,
        network: Callable[[], Network],
        weights: Mapping[str, float],
        held_out: Faces,
        features: Features,
        hardware: Hardware,
        learner: nn.Module | None = None,
    ) -> None:
        """``network`` makes the generator; ``weights``: of its losses; ``learner`` learns with the critics."""
        self.features, self.hardware, self.sample_batch = features, hardware, first_faces(held_out)
        self.course = Course(config.steps, config.batch, config.save_every, config.seed)
        torch.manual_seed(config.seed)
        self.network: Network = hardware.placed(network())
        self.average: Network = copy.deepcopy(self.network).requires_grad_(False)
        self.critics = hardware.placed(Critics())
        learners = {"critics": self.critics, **({"learner": learner} if learner is not None else {})}
        self._network_step = Stepper(self.learning(), config.rate, config.betas, hardware)
        learning = [weight for each in learners.values() for weight in each.parameters()]
        self._critic_step = Stepper(learning, config.critic_rate, config.betas, hardware)
        self.parts: dict[str, Any] = {self.name: self.network, "average": self.average, **learners}
        self.parts |= {f"{self.name}_step": self._network_step, "critic_step": self._critic_step}
        self._average_decay, self._weights = config.average, weights

    def learning(self) -> Any:
        """The generator's weights, as `Stepper` takes them."""
        return self.network.parameters()

    def update(
        self, step: int, losses: dict[str, torch.Tensor], critic_losses: Callable[[], dict[str, torch.Tensor]]
    ) -> dict[str, torch.Tensor]:
        """One update of the generator down ``losses``, then one of the critics on the same faces; all losses."""
        factor = falling_rate(step, self.course.steps)
        self._network_step.step(weighted(losses, self._weights), factor)
        update_average(self.average, self.network, min(self._average_decay, (step + 1) / (step + 10)))
        with self.hardware.autocast():
            critic = critic_losses()
        self._critic_step.step(weighted(critic, dict.fromkeys(critic, 1.0)), factor)
        return losses | critic

    def save(self, path: Path) -> None:
        """Writes the averaged generator in half precision."""
        save_compact(path, self.average)


def falling_rate(step: int, steps: int) -> float:
    """Factor of the base rate: 1 for the first half, then down to a twentieth by a cosine."""
    half = steps / 2
    if step < half:
        return 1.0
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min((step - half) / half, 1.0)))
