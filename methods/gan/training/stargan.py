"""Trains the published StarGAN v1 (Choi et al. 2018) as yunjey/stargan does, at any width.

The critic learns from every batch (WGAN-GP on patches, and which labels it sees), the generator from every
``n_critic``-th: the face with somebody else's labels must convince the critic, and turned back it must be itself again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss

from bench.core.errors import ConfigError
from methods.gan.networks.stargan import (
    StarGanConfig,
    StarGanDiscriminator,
    StarGanDiscriminatorConfig,
    StarGanGenerator,
)
from methods.gan.training.faces import Batch, Faces, first_faces
from methods.gan.training.hardware import Hardware, Precision, Stepper, frozen
from methods.gan.training.loop import Course
from methods.gan.training.losses import gradient_penalty, shares, weighted
from methods.gan.training.outputs import save_published

Share = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class StarGanTraining:
    """Every setting of a run. The defaults are the authors'."""

    attributes: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]
    """Columns of the data's labels, in the order of the network's input."""
    width: Annotated[int, Field(ge=1, le=512)] = 64
    """Channels of the generator at full size (``conv_dim``)."""
    blocks: Annotated[int, Field(ge=1, le=64)] = 6
    """Its residual blocks (``repeat_num``)."""
    critic_width: Annotated[int, Field(ge=1, le=512)] = 64
    critic_layers: Annotated[int, Field(ge=1, le=9)] = 6
    """Times that the critic halves the image: 6 leave 2 x 2 patches of 128 px."""
    lambda_cls: Weight = 1.0
    lambda_rec: Weight = 10.0
    lambda_gp: Weight = 10.0
    n_critic: Count = 5
    """Steps of the critic for one of the generator."""
    steps: Count = 200_000
    """Batches in all; the last state is the result, as the authors' and the thesis's is (4.4.1)."""
    batch: Count = 16
    rate: Annotated[float, Field(gt=0)] = 1e-4
    """Adam's, for both networks; falls in a line to nothing over the last half (paper, section 5.4)."""
    betas: tuple[Share, Share] = (0.5, 0.999)
    mirror: bool = True
    """Whether half of the faces are mirrored; the authors' are."""
    held_out_share: Share = 0.05
    """Of the faces, chosen by a hash of the person or id, where no held-out files are given."""
    precision: Precision = "auto"
    seed: Annotated[int, Field(ge=0)] = 0
    save_every: Count = 1000
    """Steps between two saved states, each with a row of losses."""
    licence: str = ""
    """Terms of the weights, for their card; empty = those of the data, where their card tells."""


class StarGanTrainer:
    """See `methods.gan.training.loop.Trainer`."""

    columns = ("g_adv", "g_cls", "g_rec", "d_adv", "d_gp", "d_cls")

    def __init__(self, settings: StarGanTraining, faces: Faces, held_out: Faces, hardware: Hardware) -> None:
        """Raises ConfigError where the settings make no network, or the generator would never learn."""
        side, labels = faces.images.shape[1], len(settings.attributes)
        if side % 2**settings.critic_layers or side % 4:
            raise ConfigError(
                f"critic_layers = {settings.critic_layers} cannot halve faces of {side} px so often; "
                "lower critic_layers"
            )
        if settings.steps < settings.n_critic:
            raise ConfigError("steps must be at least n_critic, or the generator never learns")
        self.settings, self._hardware, self._shown = settings, hardware, first_faces(held_out)
        self.course = Course(settings.steps, settings.batch, settings.save_every, settings.seed, settings.mirror)
        torch.manual_seed(settings.seed)
        self._generator = StarGanGenerator(StarGanConfig(labels, settings.width, settings.blocks)).to(hardware.device)
        self._critic = StarGanDiscriminator(
            StarGanDiscriminatorConfig(labels, side, settings.critic_width, settings.critic_layers)
        ).to(hardware.device)
        self._steppers = [
            Stepper(network.parameters(), settings.rate, settings.betas, hardware)
            for network in (self._generator, self._critic)
        ]
        names = ("G", "D", "optim_G", "optim_D")
        self.parts = dict(zip(names, (self._generator, self._critic, *self._steppers), strict=True))
        self._generator_losses = hardware.compiled(self.generator_losses)
        self._critic_losses = hardware.compiled(self.critic_losses)

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """One of the critic, and with every n_critic-th batch one of the generator."""
        settings, photo, own = self.settings, batch.image.contiguous(), batch.labels
        factor = rate_factor(step, settings.steps)
        other = own[torch.from_numpy(rng.permutation(len(own))).to(own.device)]
        generator_step, critic_step = self._steppers
        with self._hardware.autocast():
            losses, fake = self._critic_losses(photo, own, other)
        between = shares(rng, len(photo), photo.device)
        losses["d_gp"] = gradient_penalty(lambda x: self._critic(x)[0], photo, fake, between)
        weights = {"d_adv": 1.0, "d_cls": settings.lambda_cls, "d_gp": settings.lambda_gp}
        critic_step.step(weighted(losses, weights), factor)
        if (step + 1) % settings.n_critic == 0:
            with frozen(self._critic), self._hardware.autocast():
                losses |= self._generator_losses(photo, own, other)
            weights = {"g_adv": 1.0, "g_cls": settings.lambda_cls, "g_rec": settings.lambda_rec}
            generator_step.step(weighted(losses, weights), factor)
        return losses

    def critic_losses(
        self, photo: torch.Tensor, own: torch.Tensor, other: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """All but the gradient penalty, and the faces that the generator makes of ``photo``."""
        with torch.no_grad():
            fake = self._generator(photo, other)
        real_score, real_logits = self._critic(photo)
        fake_score, _ = self._critic(fake)
        adversarial = fake_score.float().mean() - real_score.float().mean()
        return {"d_adv": adversarial, "d_cls": label_loss(real_logits, own)}, fake

    def generator_losses(self, photo: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> dict[str, torch.Tensor]:
        fake = self._generator(photo, other)
        fake_score, fake_logits = self._critic(fake)
        return {
            "g_adv": -fake_score.float().mean(),
            "g_cls": label_loss(fake_logits, other),
            "g_rec": l1_loss(self._generator(fake, own), photo),
        }

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """The faces, with their own labels, and with each label turned round."""
        image, own = self._shown.image.contiguous(), self._shown.labels
        rows = [image, self._generator(image, own)]
        for k in range(own.shape[1]):
            turned = own.clone()
            turned[:, k] = 1 - turned[:, k]
            rows.append(self._generator(image, turned))
        return rows

    def save(self, path: Path) -> None:
        """Writes the generator under its published names, float32."""
        save_published(path, self._generator, self.settings.attributes)


def label_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy, summed over the labels and averaged over the faces, as the authors' code does."""
    return binary_cross_entropy_with_logits(logits.float(), labels, reduction="sum") / len(labels)


def rate_factor(step: int, steps: int) -> float:
    """Of the base rate: 1 for the first half, then in a line towards 0."""
    return min(1.0, 2 * (1 - step / steps))
