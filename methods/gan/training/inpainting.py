"""Trains the compact DeepPrivacy.

Losses of the generator, all over the invented pixels or the image they end up in: L1, LPIPS, and two critics with the
hinge loss. Those of the critics: the hinge loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.methods.gan.networks.compact import Inpainter, InpainterConfig
from unmask.methods.gan.training.compact import (
    ADVERSARIAL,
    Change,
    CompactConfig,
    CompactTrainer,
    Sight,
    copy_weights,
    grows,
    sight,
)
from unmask.methods.gan.training.faces import Batch, Faces, on
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

    def __init__(
        self,
        config: InpaintingConfig,
        held_out: Faces,
        features: Features,
        hardware: Hardware,
        start: Inpainter | None = None,
    ) -> None:
        """``start``: an inpainter that it begins as (`begin_as`)."""
        self.config = config
        weights = {
            "l1": config.l1,
            "lpips": config.lpips,
            "adv_pixels": config.pixel_critic,
            "adv_layers": config.feature_critic,
        }
        settings = InpainterConfig(config.width, config.fine, config.blocks, detail=config.detail)

        def network() -> Inpainter:
            inpainter = Inpainter(settings)
            if start is not None:
                begin_as(start, inpainter)
            return inpainter

        super().__init__(config, network, weights, held_out, features, hardware)
        self._generator_losses = hardware.compiled(self.generator_losses)
        self._critic_losses = hardware.compiled(self.critics.losses)

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """One of the generator, then one of the critics on the same faces."""
        latent = on(batch.image.device, drawn_latent(len(batch), self.network, rng))
        with frozen(self.critics), self.hardware.autocast():
            change = self.change(batch.image, rng)
            losses, real, fake = self._generator_losses(
                batch.image, batch.keep, batch.landmarks, latent, change, step >= self.config.critics_from
            )
        return self.update(step, losses, lambda: self._critic_losses(real, fake))

    def generator_losses(
        self,
        image: torch.Tensor,
        keep: torch.Tensor,
        landmarks: torch.Tensor,
        latent: torch.Tensor,
        change: Change,
        with_critics: bool,
    ) -> tuple[dict[str, torch.Tensor], Sight, Sight]:
        """(losses, what critics see of the photo, of the face); ``with_critics``: whether they take part.

        What leaves for the critics is detached.
        """
        invented = self.network(image, keep, landmarks, latent)
        with torch.no_grad():
            real = sight(image, keep, change, self.features)
        fake = sight(invented, keep, change, self.features)
        erased = (1 - keep).expand_as(image)
        losses = {
            "l1": ((invented - image).abs() * erased).sum() / erased.sum(),
            "lpips": self.features.distance(fake.layers, real.layers).mean(),
        }
        if with_critics:
            losses |= self.critics.adversarial(fake)
        return losses, real, fake.detach()

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """The faces, what is left of them, and what the averaged network makes of that without noise."""
        faces = self.sample_batch
        return [faces.image, faces.image * faces.keep, self.average(faces.image, faces.keep, faces.landmarks)]


def begin_as(start: Inpainter, inpainter: Inpainter) -> None:
    """Copies the weights of ``start`` into ``inpainter``, which may have detail that ``start`` lacks. Raises
    `ConfigError` where it has another size."""
    copy_weights(start.state_dict(), inpainter, grows(start.config, inpainter.config))


def drawn_latent(count: int, inpainter: Inpainter, rng: np.random.Generator) -> NDArray[np.float32]:
    """(count, latent, 8, 8) noise, for each face of a strength of its own, from none to all: at run time there is none
    unless ``truncation`` asks for it."""
    noise = rng.standard_normal((count, *inpainter.latent_shape))
    return np.asarray(noise * rng.random((count, 1, 1, 1)), np.float32)
