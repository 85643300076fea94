"""Trains the compact DeepPrivacy.

Losses of the generator, all over the invented pixels or the image they end up in: L1, LPIPS with AlexNet, and two
critics with the hinge loss. Those of the critics: the hinge loss.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from unmask.methods.gan.networks.compact import Inpainter, InpainterConfig, save_compact
from unmask.methods.gan.training.compact import CompactConfig, Critics, falling_rate
from unmask.methods.gan.training.faces import Batch, Faces, first_faces
from unmask.methods.gan.training.hardware import Hardware, Stepper, frozen, update_average
from unmask.methods.gan.training.loop import Course
from unmask.methods.gan.training.losses import weighted
from unmask.methods.gan.training.perceptual import Features
from unmask.methods.gan.training.settings import Count
from unmask.methods.shared.settings import Within


@dataclass(frozen=True, slots=True, kw_only=True)
class InpaintingConfig(CompactConfig):
    """Every setting of a run."""

    steps: Count = 20_000
    critics_from: Annotated[int, Within(0)] = 400
    save_every: Count = 200


class InpainterTrainer:
    """See `methods.gan.training.loop.Trainer`."""

    columns = ("l1", "lpips", "adv_pixels", "adv_layers", "critic_pixels", "critic_layers")

    def __init__(self, config: InpaintingConfig, held_out: Faces, features: Features, hardware: Hardware) -> None:
        self.config, self._features, self._hardware = config, features, hardware
        self._shown = first_faces(held_out)
        self.course = Course(config.steps, config.batch, config.save_every, config.seed)
        torch.manual_seed(config.seed)
        self._generator = hardware.placed(Inpainter(InpainterConfig(config.width, config.fine, config.blocks)))
        self.average = copy.deepcopy(self._generator).requires_grad_(False)
        self._critics = hardware.placed(Critics())
        self._generator_step = Stepper(self._generator.parameters(), config.rate, config.betas, hardware)
        self._critic_step = Stepper(self._critics.parameters(), config.critic_rate, config.betas, hardware)
        self.parts = {
            "generator": self._generator,
            "average": self.average,
            "critics": self._critics,
            "generator_step": self._generator_step,
            "critic_step": self._critic_step,
        }
        self._generator_losses = hardware.compiled(self.generator_losses)
        self._critic_losses = hardware.compiled(self._critics.losses)

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """One of the generator, then one of the critics on the same faces."""
        config, factor = self.config, falling_rate(step, self.config.steps)
        noise = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        latent = torch.randn(len(batch), self._generator.config.latent, 8, 8, generator=noise)
        latent = latent.to(batch.image.device, non_blocking=True)
        with frozen(self._critics), self._hardware.autocast():
            losses, fake, fake_layers, real_layers = self._generator_losses(
                batch.image, batch.keep, batch.landmarks, latent, step >= config.critics_from
            )
        weights = {
            "l1": config.l1,
            "lpips": config.lpips,
            "adv_pixels": config.pixel_critic,
            "adv_layers": config.feature_critic,
        }
        self._generator_step.step(weighted(losses, weights), factor)
        update_average(self.average, self._generator, min(config.average, (step + 1) / (step + 10)))

        with self._hardware.autocast():
            critic_losses = self._critic_losses(batch.image, real_layers, fake, fake_layers, batch.keep)
        self._critic_step.step(weighted(critic_losses, dict.fromkeys(critic_losses, 1.0)), factor)
        return losses | critic_losses

    def generator_losses(
        self, image: torch.Tensor, keep: torch.Tensor, landmarks: torch.Tensor, latent: torch.Tensor, judged: bool
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """(losses, fake, its layers, the photo's layers); ``judged``: whether the critics take part.

        What leaves for the critics is detached.
        """
        fake = self._generator(image, keep, landmarks, latent)
        with torch.no_grad():
            real_layers = self._features(image)
        fake_layers = self._features(fake)
        erased = (1 - keep).expand_as(image)
        losses = {
            "l1": ((fake - image).abs() * erased).sum() / erased.sum(),
            "lpips": self._features.distance(fake_layers, real_layers).mean(),
        }
        if judged:
            losses |= self._critics.adversarial(fake, fake_layers, keep)
        return losses, fake.detach(), [layer.detach() for layer in fake_layers], real_layers

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """The faces, what is left of them, and what the averaged network makes of that without noise."""
        shown = self._shown
        return [shown.image, shown.image * shown.keep, self.average(shown.image, shown.keep, shown.landmarks)]

    def save(self, path: Path) -> None:
        """Writes the averaged generator in half precision."""
        save_compact(path, self.average)
