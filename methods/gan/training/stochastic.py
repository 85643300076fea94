"""Trains the compact AttGAN with a stochastic encoder, the compact version of Croft's.

As the compact AttGAN (`editing`), but the editor sees the face itself, through a noisy code. The strength of the noise
is drawn for each face, so that one network serves all strengths: where there is none it learns to rebuild the photo,
where there is much to invent what the code no longer tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch

from unmask.methods.gan.networks.compact import Inpainter
from unmask.methods.gan.networks.stochastic import StochasticConfig, StochasticEditor
from unmask.methods.gan.training.classifier import AttributeClassifier
from unmask.methods.gan.training.editing import AttributeConfig, AttributeTrainer, Task, opposite
from unmask.methods.gan.training.faces import Batch, Faces, on
from unmask.methods.gan.training.hardware import Hardware
from unmask.methods.gan.training.inpainting import begin_as
from unmask.methods.gan.training.perceptual import Features
from unmask.methods.gan.training.settings import Count, Positive, Weight
from unmask.methods.shared.settings import Within

SAMPLED = (0.0, 1.0, 4.0)
"""Strengths of noise in the sample grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StochasticTraining(AttributeConfig):
    """Every setting of a run."""

    steps: Count = 16_000
    code: Annotated[int, Within(1, 256)] = 8
    """Numbers of the code for each region."""
    noise: Positive = 4.0
    """Strengths are drawn evenly between 0 and this."""
    decoder: Annotated[float, Within(0, 1)] = 1.0
    """Share of ``rate`` that the decoder learns at: less than 1 keeps more of what it starts with."""
    stay: Weight = 0.0
    """The input is the person: nothing is kept for its own sake."""


class StochasticTrainer(AttributeTrainer[StochasticEditor]):
    """See `methods.gan.training.loop.Trainer`."""

    def __init__(
        self,
        config: StochasticTraining,
        held_out: Faces,
        classifier: AttributeClassifier,
        features: Features,
        hardware: Hardware,
        start: Inpainter | None = None,
    ) -> None:
        """``start``: an inpainter whose weights the decoder begins with. Raises `ConfigError` where it does not fit."""
        self.config = config
        settings = StochasticConfig(
            config.attributes, config.code, config.width, config.fine, config.blocks, detail=config.detail
        )

        def network() -> StochasticEditor:
            editor = StochasticEditor(settings)
            if start is not None:
                begin_as(start, editor.decoder)
                for weight in editor.films.parameters():  # what the decoder has learned begins undisturbed
                    torch.nn.init.zeros_(weight)
            return editor

        super().__init__(config, network, held_out, classifier, features, hardware)

    def learning(self) -> Any:
        """The decoder's weights apart from the others."""
        decoder = list(self.network.decoder.parameters())
        others = [
            *self.network.encoder.parameters(),
            *self.network.spread.parameters(),
            *self.network.films.parameters(),
        ]
        return [{"params": others}, {"params": decoder, "share": self.config.decoder}]

    @torch.no_grad()
    def task(self, batch: Batch, rng: np.random.Generator) -> Task:
        """Draws who gets somebody else's attributes, the noise, and how strong it is."""
        photo, count = batch.image, len(batch)
        swapped, labels = self.drawn_labels(batch.labels, rng)
        noise = on(photo.device, rng.standard_normal((count, *self.network.code_shape)).astype(np.float32))
        strength = on(photo.device, (self.config.noise * rng.random(count)).astype(np.float32))
        return Task(photo, labels, labels, photo, photo, swapped, (batch.landmarks, noise, strength))

    def edited(self, task: Task, keep: torch.Tensor) -> torch.Tensor:
        landmarks, noise, strength = task.noise
        edited: torch.Tensor = self.network(task.source, keep, landmarks, task.command - 0.5, noise, strength)
        return edited

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """The faces, what comes out at three strengths of noise, and at the middle one with opposite attributes."""
        faces = self.sample_batch
        rng = np.random.default_rng(self.config.seed)
        noise = on(faces.image.device, rng.standard_normal((len(faces), *self.network.code_shape)).astype(np.float32))
        shown = [(faces.labels, strength) for strength in SAMPLED] + [(opposite(faces.labels), SAMPLED[1])]
        return [
            faces.image,
            *(
                self.average(
                    faces.image, faces.keep, faces.landmarks, labels - 0.5, noise, noise.new_full((len(faces),), s)
                )
                for labels, s in shown
            ),
        ]
