"""Trains the compact DeepPrivacy.

Losses of the generator, all over the invented pixels or the image they end up in: L1, LPIPS with AlexNet, and two
critics with the hinge loss. Those of the critics: the hinge loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch

from unmask.methods.gan.networks.compact import Inpainter, InpainterConfig
from unmask.methods.gan.training.compact import ADVERSARIAL, CompactConfig, CompactTrainer
from unmask.methods.gan.training.faces import Batch, Faces
from unmask.methods.gan.training.hardware import Hardware, frozen
from unmask.methods.gan.training.perceptual import Features
from unmask.methods.gan.training.settings import Count
from unmask.methods.shared.settings import Within


@dataclass(frozen=True, slots=True, kw_only=True)
class InpaintingConfig(CompactConfig):
    """Every setting of a run."""

    steps: Count = 20_000
    critics_from: Annotated[int, Within(0)] = 400
    save_every: Count = 200


class InpainterTrainer(CompactTrainer[Inpainter]):
    """See `methods.gan.training.loop.Trainer`."""

    columns = ("l1", "lpips", *ADVERSARIAL)

    def __init__(self, config: InpaintingConfig, held_out: Faces, features: Features, hardware: Hardware) -> None:
        self.config = config
        weights = {
            "l1": config.l1,
            "lpips": config.lpips,
            "adv_pixels": config.pixel_critic,
            "adv_layers": config.feature_critic,
        }
        settings = InpainterConfig(config.width, config.fine, config.blocks)
        super().__init__(config, lambda: Inpainter(settings), weights, held_out, features, hardware)
        self._generator_losses = hardware.compiled(self.generator_losses)
        self._critic_losses = hardware.compiled(self.critics.losses)

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """One of the generator, then one of the critics on the same faces."""
        noise = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        latent = torch.randn(len(batch), *self.network.latent_shape, generator=noise)
        latent = latent.to(batch.image.device, non_blocking=True)
        with frozen(self.critics), self.hardware.autocast():
            losses, fake, fake_layers, layers = self._generator_losses(
                batch.image, batch.keep, batch.landmarks, latent, step >= self.config.critics_from
            )
        return self.update(
            step, losses, lambda: self._critic_losses(batch.image, layers, fake, fake_layers, batch.keep)
        )

    def generator_losses(
        self, image: torch.Tensor, keep: torch.Tensor, landmarks: torch.Tensor, latent: torch.Tensor, judged: bool
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """(losses, fake, its layers, the photo's layers); ``judged``: whether the critics take part.

        What leaves for the critics is detached.
        """
        fake = self.network(image, keep, landmarks, latent)
        with torch.no_grad():
            real_layers = self.features(image)
        fake_layers = self.features(fake)
        erased = (1 - keep).expand_as(image)
        losses = {
            "l1": ((fake - image).abs() * erased).sum() / erased.sum(),
            "lpips": self.features.distance(fake_layers, real_layers).mean(),
        }
        if judged:
            losses |= self.critics.adversarial(fake, fake_layers, keep)
        return losses, fake.detach(), [layer.detach() for layer in fake_layers], real_layers

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """The faces, what is left of them, and what the averaged network makes of that without noise."""
        shown = self.shown
        return [shown.image, shown.image * shown.keep, self.average(shown.image, shown.keep, shown.landmarks)]
