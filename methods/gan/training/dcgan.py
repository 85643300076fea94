"""Trains the DCGAN (Radford, Metz, Chintala 2016) that invents faces for Chen et al.'s pair, at any width.

As published: a critic that tells photos from pictures (binary cross entropy), a generator that must be taken for a
photo, one step each a batch. Besides, what is kept is a running average of the generator's weights.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch.nn import functional
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from unmask.bench.core.errors import ConfigError
from unmask.methods.gan.networks.compact import save_half
from unmask.methods.gan.networks.dcgan import MOST, SIDE, DcganConfig, DcganDiscriminator, DcganGenerator
from unmask.methods.gan.training.faces import Batch, Faces, first_faces, on
from unmask.methods.gan.training.hardware import Hardware, Stepper, frozen, update_average
from unmask.methods.gan.training.loop import Course
from unmask.methods.gan.training.settings import CommonSettings, Count, Positive, Seed, Share, Width
from unmask.methods.shared.settings import Within


@dataclass(frozen=True, slots=True, kw_only=True)
class DcganTraining(CommonSettings):
    """Every setting of a run. The defaults are the paper's, but for the average and the softened labels."""

    latent: Annotated[int, Within(1, MOST)] = 100
    width: Width = 64
    """Channels of the generator at 32 px."""
    critic_width: Width = 64
    steps: Count = 50_000
    batch: Count = 128
    rate: Positive = 2e-4
    """Adam's, for both networks."""
    betas: tuple[Share, Share] = (0.5, 0.999)
    real: Annotated[float, Within(0.5, 1)] = 0.9
    """The critic's label of photos: below 1 it never becomes sure of itself (Salimans et al. 2016)."""
    average: Share = 0.998
    """Decay of the running average of the generator's weights."""
    mirror: bool = True
    seed: Seed = 0
    save_every: Count = 500

    @property
    def attributes(self) -> tuple[str, ...]:
        return ()


class DcganTrainer:
    """See `methods.gan.training.loop.Trainer`."""

    columns = ("g_adv", "d_adv")

    def __init__(self, settings: DcganTraining, faces: Faces, held_out: Faces, hardware: Hardware) -> None:
        """Raises ConfigError for faces whose side is no multiple of 64 px."""
        if faces.images.shape[1] % SIDE:
            raise ConfigError(f"faces of {faces.images.shape[1]} px cannot be reduced to {SIDE} px; build others")
        self.settings, self.hardware, self.sample_batch = settings, hardware, first_faces(held_out)
        self.course = Course(settings.steps, settings.batch, settings.save_every, settings.seed, settings.mirror)
        torch.manual_seed(settings.seed)
        self.generator = hardware.placed(DcganGenerator(DcganConfig(settings.latent, settings.width)))
        self.critic = hardware.placed(DcganDiscriminator(settings.critic_width))
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self._steppers = [
            Stepper(network.parameters(), settings.rate, settings.betas, hardware)
            for network in (self.generator, self.critic)
        ]
        names = ("G", "D", "optim_G", "optim_D", "average")
        parts = (self.generator, self.critic, *self._steppers, self.average)
        self.parts = dict(zip(names, parts, strict=True))
        self._generator_loss = hardware.compiled(self.generator_loss)
        self._critic_loss = hardware.compiled(self.critic_loss)

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """One of the critic, then one of the generator on the same noise."""
        photo = reduced(batch.image)
        latent = on(photo.device, self._noise(len(batch), rng))
        with self.hardware.autocast():
            fake = self.generator(latent)
            d_adv = self._critic_loss(photo, fake.detach())
        self._steppers[1].step(d_adv, 1.0)
        with frozen(self.critic), self.hardware.autocast():
            g_adv = self._generator_loss(fake)
        self._steppers[0].step(g_adv, 1.0)
        update_average(self.average, self.generator, min(self.settings.average, (step + 1) / (step + 10)))
        # Statistics of batches are averages already; those of the average's own weights nobody has.
        for kept, current in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            kept.copy_(current)
        return {"g_adv": g_adv.detach(), "d_adv": d_adv.detach()}

    def generator_loss(self, fake: torch.Tensor) -> torch.Tensor:
        logits = self.critic(fake).float()
        return bce(logits, torch.ones_like(logits))

    def critic_loss(self, photo: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        real, made = self.critic(photo).float(), self.critic(fake).float()
        return bce(real, torch.full_like(real, self.settings.real)) + bce(made, torch.zeros_like(made))

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """Photos, reduced, and three rows of faces out of fixed noise."""
        photo = reduced(self.sample_batch.image)
        noise = self._noise(3 * len(photo), np.random.default_rng(self.settings.seed))
        pictures = self.average.eval()(on(photo.device, noise))
        return [photo, *pictures.float().chunk(3)]

    def save(self, path: Path) -> None:
        """Writes the averaged generator under its published names, in half precision."""
        save_half(path, self.average, {})

    def _noise(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal((count, *self.generator.latent_shape)).astype(np.float32)


def reduced(image: torch.Tensor) -> torch.Tensor:
    """(B, 3, S, S) -> (B, 3, 64, 64), averaged over areas."""
    return functional.avg_pool2d(image, image.shape[-1] // SIDE)
