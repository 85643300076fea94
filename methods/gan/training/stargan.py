"""Trains StarGAN v1 (Choi et al. 2018): the published one as yunjey/stargan does, at any width, and a compact one.

The published one: the critic learns from every batch (WGAN-GP on patches, and which labels it sees), the generator from
every ``n_critic``-th: the face with somebody else's labels must convince the critic, and turned back it must be itself
again.

The compact one keeps that rule and the photos that it learns from; its network, its critics and its classifiers are the
compact AttGAN's (`editing`), which need a hundredth of the steps. It never sees an invented face in training, as
StarGAN did not in the thesis (4.4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss

from unmask.bench.core.errors import ConfigError
from unmask.methods.gan.networks.compact import Editor
from unmask.methods.gan.networks.stargan import StarGanConfig, StarGanDiscriminator, StarGanGenerator
from unmask.methods.gan.training.classifier import AttributeClassifier
from unmask.methods.gan.training.editing import AttributeConfig, AttributeTrainer, Task, new_editor, opposite
from unmask.methods.gan.training.faces import Batch, Faces, shuffled
from unmask.methods.gan.training.hardware import Hardware
from unmask.methods.gan.training.loop import Course
from unmask.methods.gan.training.perceptual import Features
from unmask.methods.gan.training.settings import Count, Positive, Weight
from unmask.methods.gan.training.wgan import WganSettings, WganTrainer
from unmask.methods.shared.settings import Within


@dataclass(frozen=True, slots=True, kw_only=True)
class StarGanTraining(WganSettings):
    """Every setting of a run. The defaults are the authors'."""

    blocks: Annotated[int, Within(1, 64)] = 6
    """The generator's residual blocks (``repeat_num``)."""
    critic_layers: Annotated[int, Within(1, 9)] = 6
    """Times that the critic halves the image: 6 leave 2 x 2 patches of 128 px."""
    lambda_rec: Weight = 10.0
    lambda_cls: Weight = 1.0
    n_critic: Count = 5
    """Steps of the critic for one of the generator."""
    steps: Count = 200_000
    """Batches in all; the last state is the result, as the authors' and the thesis's is (4.4.1)."""
    batch: Count = 16
    rate: Positive = 1e-4
    """Falls in a line to nothing over the last half (paper, section 5.4)."""
    mirror: bool = True
    save_every: Count = 1000


def label_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy, summed over the labels and averaged over the faces, as the authors' code does."""
    return binary_cross_entropy_with_logits(logits.float(), labels, reduction="sum") / len(labels)


class StarGanTrainer(WganTrainer):
    """See `methods.gan.training.loop.Trainer`."""

    label_loss = staticmethod(label_loss)

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
        self.settings = settings
        self.course = Course(settings.steps, settings.batch, settings.save_every, settings.seed, settings.mirror)

        def networks() -> tuple[StarGanGenerator, StarGanDiscriminator]:
            generator = StarGanGenerator(StarGanConfig(labels, settings.width, settings.blocks))
            return generator, StarGanDiscriminator(labels, side, settings.critic_width, settings.critic_layers)

        super().__init__(settings, networks, settings.lambda_cls, held_out, hardware)

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """One of the critic, and with every n_critic-th batch one of the generator."""
        photo, own, other = batch.image.contiguous(), batch.labels, shuffled(batch.labels, rng)
        factor = rate_factor(step, self.settings.steps)
        losses = self.step_critic(photo, own, other, rng, factor)
        if (step + 1) % self.settings.n_critic == 0:
            losses |= self.step_generator(photo, own, other, factor)
        return losses

    def repainted(self, photo: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        fake: torch.Tensor = self.generator(photo, labels)
        return fake

    def generator_losses(self, photo: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> dict[str, torch.Tensor]:
        fake = self.generator(photo, other)
        fake_score, fake_logits = self.critic(fake)
        return {
            "g_adv": -fake_score.float().mean(),
            "g_cls": label_loss(fake_logits, other),
            "g_rec": l1_loss(self.generator(fake, own), photo),
        }

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """The faces, with their own labels, and with each label turned round."""
        image, own = self.sample_batch.image.contiguous(), self.sample_batch.labels
        rows = [image, self.generator(image, own)]
        for k in range(own.shape[1]):
            turned = own.clone()
            turned[:, k] = 1 - turned[:, k]
            rows.append(self.generator(image, turned))
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactStarGanTraining(AttributeConfig):
    """Every setting of a compact StarGAN's run. ``l1`` and ``lpips`` are of the face that was turned back."""

    steps: Count = 16_000
    other: Annotated[float, Within(0, 1)] = 1.0


class CompactStarGanTrainer(AttributeTrainer[Editor]):
    """See `methods.gan.training.loop.Trainer`."""

    def __init__(
        self,
        config: CompactStarGanTraining,
        held_out: Faces,
        classifier: AttributeClassifier,
        features: Features,
        hardware: Hardware,
        start: Editor | None = None,
    ) -> None:
        """``start``: an editor of the same size whose weights are copied first."""
        names = config.attributes
        super().__init__(config, lambda: new_editor(config, names, start), held_out, classifier, features, hardware)

    def task(self, batch: Batch, rng: np.random.Generator) -> Task:
        """Draws who gets whose attributes, and has everybody turned back: StarGAN's reconstruction (equation 4)."""
        photo = batch.image
        swapped, labels = self.drawn_labels(batch.labels, rng)
        return Task(photo, labels, labels, photo, photo, swapped, back=batch.labels)

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """The faces, with their own attributes, with opposite ones, and those turned back."""
        faces = self.sample_batch
        own, other = faces.labels - 0.5, opposite(faces.labels) - 0.5
        edited = self.average(faces.image, faces.keep, other)
        return [
            faces.image,
            self.average(faces.image, faces.keep, own),
            edited,
            self.average(edited, faces.keep, own),
        ]


def rate_factor(step: int, steps: int) -> float:
    """Of the base rate: 1 for the first half, then in a line towards 0."""
    return min(1.0, 2 * (1 - step / steps))
