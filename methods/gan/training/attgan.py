"""Trains the published AttGAN (He et al. 2019) as elvisyjlin/AttGAN-PyTorch does, at any width.

The generator is asked for the face with somebody else's attributes, which the critic judges (WGAN-GP, and which
attributes it sees), and for the face with its own, which must be the face itself. The thesis changed the loss of the
latter, the rule for the best epoch, and stops early (3.1.2, 4.4.1, 4.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from bench.core.errors import ConfigError
from methods.gan.networks.attgan import (
    AttGanConfig,
    AttGanDiscriminator,
    AttGanDiscriminatorConfig,
    AttGanGenerator,
)
from methods.gan.training.faces import Batch, Faces, first_faces
from methods.gan.training.hardware import Hardware, Precision, Stepper, frozen
from methods.gan.training.loop import Course
from methods.gan.training.losses import Reconstruction, gradient_penalty, reconstruction_loss, shares, weighted
from methods.gan.training.outputs import save_published

Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class AttGanTraining:
    """Every setting of a run. The defaults are the published code's, with the command line of its README."""

    attributes: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]
    """Columns of the data's labels, in the order of the network's input."""
    norm: Literal["batch", "instance"] = "batch"
    """Of the generator; the critic always has instance norm."""
    shortcut_layers: Annotated[int, Field(ge=0)] = 1
    inject_layers: Annotated[int, Field(ge=0)] = 1
    layers: Annotated[int, Field(ge=2, le=8)] = 5
    """Times that both networks halve the image: 5 for 128 px."""
    width: Annotated[int, Field(ge=1, le=512)] = 64
    """Channels of the generator's first layer."""
    critic_width: Annotated[int, Field(ge=1, le=512)] = 64
    critic_hidden: Annotated[int, Field(ge=1, le=8192)] = 1024
    thres_int: Annotated[float, Field(gt=0, le=1)] = 0.5
    """An attribute is told to the generator as plus or minus this."""
    reconstruction: Reconstruction = "l1"
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.84
    """Share of MS-SSIM in ``ms_ssim_l1``."""
    compensation: Positive = 0.2
    """Factor of ``ms_ssim_l1``: the thesis found its default of 200 out of proportion."""
    lambda_rec: Weight = 100.0
    lambda_cls: Weight = 10.0
    """Of the generator's classification loss."""
    lambda_critic_cls: Weight = 1.0
    lambda_gp: Weight = 10.0
    n_d: Annotated[int, Field(ge=0)] = 5
    """Batches for the critic between two for the generator."""
    epochs: Count = 200
    patience: Count = 20
    """Epochs without a better one after which training stops (thesis 4.4.1)."""
    batch: Count = 32
    rate: Positive = 2e-4
    """Adam's, for both networks."""
    betas: tuple[Share, Share] = (0.5, 0.999)
    decay_epochs: Count = 100
    """The rate is divided by ten every so many epochs."""
    mirror: bool = False
    """Whether half of the faces are mirrored; the published code does not."""
    held_out_share: Share = 0.05
    """Of the faces, chosen by a hash of the person or id, where no held-out files are given."""
    precision: Precision = "auto"
    seed: Annotated[int, Field(ge=0)] = 0
    save_every: Count = 500
    """Steps between two saved states, each with a row of losses; every epoch ends with one too."""
    licence: str = ""
    """Terms of the weights, for their card; empty = those of the data, where their card tells."""


class AttGanTrainer:
    """See `methods.gan.training.loop.Trainer`."""

    columns = ("g_adv", "g_cls", "g_rec", "d_adv", "d_gp", "d_cls")

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
        self.settings, self._hardware, self._shown = settings, hardware, first_faces(held_out)
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
        torch.manual_seed(settings.seed)
        self._generator = AttGanGenerator(_network(settings)).to(hardware.device)
        self._critic = AttGanDiscriminator(
            AttGanDiscriminatorConfig(
                len(settings.attributes), side, settings.critic_width, settings.critic_hidden, layers=settings.layers
            )
        ).to(hardware.device)
        self._steppers = [
            Stepper(network.parameters(), settings.rate, settings.betas, hardware)
            for network in (self._generator, self._critic)
        ]
        # The published trainer's names, so that its checkpoints and ours are read alike.
        names = ("G", "D", "optim_G", "optim_D")
        self.parts = dict(zip(names, (self._generator, self._critic, *self._steppers), strict=True))
        self._generator_losses = hardware.compiled(self.generator_losses)
        self._critic_losses = hardware.compiled(self.critic_losses)

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Of every n_d + 1 batches the last is the generator's, the others are the critic's."""
        settings, photo, own = self.settings, batch.image, batch.labels
        factor = 0.1 ** (step // self._decay_steps)
        other = own[torch.from_numpy(rng.permutation(len(own))).to(own.device)]
        generator_step, critic_step = self._steppers
        if (step + 1) % (settings.n_d + 1):
            with self._hardware.autocast():
                losses, fake = self._critic_losses(photo, own, other)
            between = shares(rng, len(photo), photo.device)
            losses["d_gp"] = gradient_penalty(lambda x: self._critic(x)[0], photo, fake, between)
            weights = {"d_adv": 1.0, "d_gp": settings.lambda_gp, "d_cls": settings.lambda_critic_cls}
            critic_step.step(weighted(losses, weights), factor)
        else:
            with frozen(self._critic), self._hardware.autocast():
                losses = self._generator_losses(photo, own, other)
            weights = {"g_adv": 1.0, "g_cls": settings.lambda_cls, "g_rec": settings.lambda_rec}
            generator_step.step(weighted(losses, weights), factor)
        return losses

    def critic_losses(
        self, photo: torch.Tensor, own: torch.Tensor, other: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """All but the gradient penalty, and the faces that the generator makes of ``photo``."""
        with torch.no_grad():
            fake = self._generator(photo, signed(other, self.settings))
        real_score, real_logits = self._critic(photo)
        fake_score, _ = self._critic(fake)
        adversarial = fake_score.float().mean() - real_score.float().mean()
        return {"d_adv": adversarial, "d_cls": bce(real_logits, own)}, fake

    def generator_losses(self, photo: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> dict[str, torch.Tensor]:
        settings = self.settings
        features = self._generator.encode(photo)
        fake_score, fake_logits = self._critic(self._generator.decode(features, signed(other, settings)))
        rebuilt = self._generator.decode(features, signed(own, settings))
        return {
            "g_adv": -fake_score.float().mean(),
            "g_cls": bce(fake_logits, other),
            "g_rec": reconstruction_loss(
                settings.reconstruction, rebuilt, photo, settings.alpha, settings.compensation
            ),
        }

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """The faces, rebuilt, and with each attribute turned round (at twice the strength, as tested)."""
        generator, settings, own = self._generator, self.settings, self._shown.labels
        generator.eval()
        features = generator.encode(self._shown.image)
        rows = [self._shown.image, generator.decode(features, signed(own, settings))]
        for k in range(own.shape[1]):
            turned = signed(own, settings)
            turned[:, k] = -2 * turned[:, k]
            rows.append(generator.decode(features, turned))
        generator.train()
        return rows

    def save(self, path: Path) -> None:
        """Writes the generator under its published names, float32."""
        save_published(path, self._generator, self.settings.attributes)


def signed(labels: torch.Tensor, settings: AttGanTraining) -> torch.Tensor:
    """0..1 labels as the generator takes them: from -thres_int to +thres_int."""
    return (2 * labels - 1) * settings.thres_int


def epoch_score(means: Mapping[str, float], settings: AttGanTraining) -> float:
    """|g_adv| + lambda_rec g_rec + lambda_cls g_cls of an epoch's means; the lowest is the best (thesis 4.6).

    The adversarial loss has no sign that would be good: far from zero either way means that one network is winning.
    """
    return abs(means["g_adv"]) + settings.lambda_rec * means["g_rec"] + settings.lambda_cls * means["g_cls"]


def _network(settings: AttGanTraining) -> AttGanConfig:
    try:
        config = AttGanConfig(
            len(settings.attributes),
            settings.shortcut_layers,
            settings.inject_layers,
            settings.norm,
            settings.norm,
            settings.width,
            settings.width,
            settings.layers,
        )
        with torch.device("meta"):
            AttGanGenerator(config)
    except ValueError as error:
        raise ConfigError(f"no AttGAN has these settings: {error}") from error
    return config
