"""Trains the published AttGAN (He et al. 2019) as elvisyjlin/AttGAN-PyTorch does, at any width.

The generator makes the face with somebody else's attributes, which the critic assesses (WGAN-GP, and which
attributes it sees), and for the face with its own, which must be the face itself. The thesis changed the loss of the
latter, the rule for the best epoch, and stops early (3.1.2, 4.4.1, 4.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from unmask.bench.core.errors import ConfigError
from unmask.methods.gan.networks.attgan import AttGanConfig, AttGanDiscriminator, AttGanGenerator
from unmask.methods.gan.training.faces import Batch, Faces, shuffled
from unmask.methods.gan.training.hardware import Hardware
from unmask.methods.gan.training.loop import Course
from unmask.methods.gan.training.losses import Reconstruction, reconstruction_loss
from unmask.methods.gan.training.settings import Count, Positive, Weight
from unmask.methods.gan.training.wgan import WganSettings, WganTrainer
from unmask.methods.shared.settings import Within


@dataclass(frozen=True, slots=True, kw_only=True)
class AttGanTraining(WganSettings):
    """Every setting of a run. The defaults are the published code's, with the command line of its README."""

    norm: Literal["batch", "instance"] = "batch"
    """Of the generator; the critic always has instance norm."""
    shortcut_layers: Annotated[int, Within(0)] = 1
    inject_layers: Annotated[int, Within(0)] = 1
    layers: Annotated[int, Within(2, 8)] = 5
    """Times that both networks halve the image: 5 for 128 px."""
    critic_hidden: Annotated[int, Within(1, 8192)] = 1024
    thres_int: Annotated[float, Within(0, 1, above=True)] = 0.5
    """The generator takes an attribute as plus or minus this."""
    reconstruction: Reconstruction = "l1"
    alpha: Annotated[float, Within(0, 1)] = 0.84
    """Share of MS-SSIM in ``ms_ssim_l1``."""
    compensation: Positive = 0.2
    """Factor of ``ms_ssim_l1``: the thesis found its default of 200 out of proportion."""
    lambda_rec: Weight = 100.0
    lambda_cls: Weight = 10.0
    lambda_critic_cls: Weight = 1.0
    n_d: Annotated[int, Within(0)] = 5
    """Batches for the critic between two for the generator."""
    epochs: Count = 200
    patience: Count = 20
    """Epochs without a better one after which training stops (thesis 4.4.1)."""
    batch: Count = 32
    rate: Positive = 2e-4
    decay_epochs: Count = 100
    """The rate is divided by ten every so many epochs."""
    mirror: bool = False
    """The published code does not."""
    save_every: Count = 500


class AttGanTrainer(WganTrainer):
    """See `methods.gan.training.loop.Trainer`."""

    generator: AttGanGenerator
    label_loss = staticmethod(bce)

    def __init__(self, settings: AttGanTraining, faces: Faces, held_out: Faces, hardware: Hardware) -> None:
        """Raises ConfigError where the settings make no network, or too few batches an epoch."""
        per_epoch, side = len(faces) // settings.batch, faces.images.shape[1]
        if per_epoch <= settings.n_d:
            raise ConfigError(
                f"{len(faces)} faces make {per_epoch} batches of {settings.batch} an epoch, too few for one step of "
                f"the generator every {settings.n_d + 1}; lower batch"
            )
        if side % 2**settings.layers:
            raise ConfigError(f"layers = {settings.layers} cannot halve faces of {side} px so often; lower layers")
        self.settings = settings
        self.course = Course(
            settings.epochs * per_epoch,
            settings.batch,
            settings.save_every,
            settings.seed,
            settings.mirror,
            settings.patience,
            lambda means: epoch_score(means, settings),
        )
        self._decay_steps = settings.decay_epochs * per_epoch
        super().__init__(settings, lambda: _networks(settings, side), settings.lambda_critic_cls, held_out, hardware)

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Of every n_d + 1 batches the last is the generator's, the others are the critic's."""
        factor, other = 0.1 ** (step // self._decay_steps), shuffled(batch.labels, rng)
        if (step + 1) % (self.settings.n_d + 1):
            return self.step_critic(batch.image, batch.labels, other, rng, factor)
        return self.step_generator(batch.image, batch.labels, other, factor)

    def repainted(self, photo: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        fake: torch.Tensor = self.generator(photo, signed(labels, self.settings))
        return fake

    def generator_losses(self, photo: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> dict[str, torch.Tensor]:
        settings = self.settings
        features = self.generator.encode(photo)
        fake_score, fake_logits = self.critic(self.generator.decode(features, signed(other, settings)))
        rebuilt = self.generator.decode(features, signed(own, settings))
        return {
            "g_adv": -fake_score.float().mean(),
            "g_cls": self.label_loss(fake_logits, other),
            "g_rec": reconstruction_loss(
                settings.reconstruction, rebuilt, photo, settings.alpha, settings.compensation
            ),
        }

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """The faces, rebuilt, and with each attribute turned round (at twice the strength, as tested)."""
        self.generator.eval()
        features, own = self.generator.encode(self.sample_batch.image), signed(self.sample_batch.labels, self.settings)
        rows = [self.sample_batch.image, self.generator.decode(features, own)]
        for k in range(own.shape[1]):
            turned = own.clone()
            turned[:, k] = -2 * turned[:, k]
            rows.append(self.generator.decode(features, turned))
        self.generator.train()
        return rows


def signed(labels: torch.Tensor, settings: AttGanTraining) -> torch.Tensor:
    """0..1 labels as the generator takes them: from -thres_int to +thres_int."""
    return (2 * labels - 1) * settings.thres_int


def epoch_score(means: Mapping[str, float], settings: AttGanTraining) -> float:
    """|g_adv| + lambda_rec g_rec + lambda_cls g_cls of an epoch's means; the lowest is the best (thesis 4.6).

    The adversarial loss has no sign that would be good: far from zero either way means that one network is winning.
    """
    return abs(means["g_adv"]) + settings.lambda_rec * means["g_rec"] + settings.lambda_cls * means["g_cls"]


def _networks(settings: AttGanTraining, side: int) -> tuple[AttGanGenerator, AttGanDiscriminator]:
    labels, width, norm = len(settings.attributes), settings.width, settings.norm
    try:
        config = AttGanConfig(
            labels, settings.shortcut_layers, settings.inject_layers, norm, norm, width, width, settings.layers
        )
        with torch.device("meta"):
            AttGanGenerator(config)
    except ValueError as error:
        raise ConfigError(f"no AttGAN has these settings: {error}") from error
    critic = AttGanDiscriminator(labels, side, settings.critic_width, settings.critic_hidden, settings.layers)
    return AttGanGenerator(config), critic
