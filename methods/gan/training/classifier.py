"""Trains the classifier of attributes by which the editor's training judges whether an edit shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from unmask.methods.gan.networks.compact import SLOPE
from unmask.methods.gan.training.faces import Batch, Faces, batch_of, on
from unmask.methods.gan.training.hardware import Hardware, Stepper
from unmask.methods.gan.training.loop import Course
from unmask.methods.gan.training.losses import attribute_loss
from unmask.methods.gan.training.settings import Count, Positive, Seed, Weight, Width


class AttributeClassifier(nn.Module):
    """(N, 3, 128, 128) in [-1, 1] -> (N, A) logits. Looks at half size. Not shipped: it measures
    in training whether the editor's edit shows."""

    def __init__(self, attributes: int, width: int = 32) -> None:
        super().__init__()
        self.width = width
        sizes = [3, width, 2 * width, 4 * width, 4 * width, 4 * width]
        self.trunk = nn.Sequential()
        for (before, after), stride in zip(pairwise(sizes), (2, 2, 2, 2, 1), strict=True):
            self.trunk.extend([nn.Conv2d(before, after, 3, stride, 1), nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE)])
        self.head = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(sizes[-1] * 16, 128), nn.LeakyReLU(SLOPE), nn.Linear(128, attributes)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.trunk(functional.avg_pool2d(image, 2)).flatten(1))
        return logits


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """Every setting of a run."""

    epochs: Count = 12
    batch: Count = 64
    rate: Positive = 1e-3
    """Adam's; falls to nothing by a cosine."""
    weight_decay: Weight = 1e-3
    seed: Seed = 0
    width: Width = 32


class ClassifierTrainer:
    """See `methods.gan.training.loop.Trainer`."""

    columns = ("loss",)

    def __init__(self, config: ClassifierConfig, faces: Faces, hardware: Hardware) -> None:
        per_epoch = max(len(faces) // config.batch, 1)
        self.course = Course(config.epochs * per_epoch, config.batch, per_epoch, config.seed)
        torch.manual_seed(config.seed)
        self._hardware = hardware
        self._network = hardware.placed(AttributeClassifier(faces.labels.shape[1], config.width))
        self._stepper = Stepper(self._network.parameters(), config.rate, (0.9, 0.999), hardware, config.weight_decay)
        self.parts = {"classifier": self._network, "stepper": self._stepper}
        self._loss = hardware.compiled(self.loss)

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """One of the classifier, on photos that are roughened."""
        with self._hardware.autocast():
            loss = self._loss(roughened(batch.image, rng), batch.labels)
        self._stepper.step(loss, 0.5 * (1 + math.cos(math.pi * step / self.course.steps)))
        return {"loss": loss}

    def loss(self, image: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return attribute_loss(self._network(image).float(), labels)

    def samples(self) -> list[torch.Tensor]:
        return []

    def save(self, path: Path) -> None:
        """Writes the classifier, float32."""
        save_file({name: value.contiguous() for name, value in self._network.state_dict().items()}, path)


def load_classifier(path: Path, attributes: int, width: int, hardware: Hardware) -> AttributeClassifier:
    """The classifier that a `ClassifierTrainer` saved, frozen and in eval mode."""
    classifier = AttributeClassifier(attributes, width)
    classifier.load_state_dict(load_file(path))
    return hardware.placed(classifier).eval().requires_grad_(False)


def roughened(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """(N, 3, S, S) shifted, recoloured, softened, noisy, so that the classifier looks at faces and not at cameras."""
    n, device = len(image), image.device

    def drawn(values: np.ndarray) -> torch.Tensor:
        return on(device, values.astype(np.float32))

    shift, angle = drawn(rng.uniform(-0.08, 0.08, (n, 2))), drawn(rng.uniform(-0.12, 0.12, n))
    zoom = drawn(rng.uniform(0.9, 1.12, n))
    across = torch.stack([zoom * angle.cos(), -zoom * angle.sin(), shift[:, 0]], 1)
    down = torch.stack([zoom * angle.sin(), zoom * angle.cos(), shift[:, 1]], 1)
    grid = functional.affine_grid(torch.stack([across, down], 1), list(image.shape), align_corners=False)
    moved = functional.grid_sample(image, grid, padding_mode="border", align_corners=False)
    gain, offset = drawn(rng.uniform(0.8, 1.2, (n, 3, 1, 1))), drawn(rng.uniform(-0.15, 0.15, (n, 1, 1, 1)))
    soft = drawn(rng.random((n, 1, 1, 1)) < 0.4)
    blurred = functional.avg_pool2d(functional.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return (moved + soft * (blurred - moved)) * gain + offset + 0.04 * torch.randn_like(image)


@torch.no_grad()
def accuracy(network: AttributeClassifier, faces: Faces) -> dict[str, float]:
    """Share of right answers of a network in eval mode, for each two-way attribute and for the age group."""
    right = []
    for start in range(0, len(faces), 128):
        batch = batch_of(faces, np.arange(start, min(start + 128, len(faces))), None)
        logits = network(batch.image)
        single = (logits[:, :-4] > 0) == (batch.labels[:, :-4] > 0.5)
        group = logits[:, -4:].argmax(1) == batch.labels[:, -4:].argmax(1)
        right.append(torch.cat([single, group[:, None]], 1).double())
    means = torch.cat(right).mean(0).tolist()
    names = [f"attribute_{k}" for k in range(len(means) - 1)] + ["age_group"]
    return {name: round(value, 4) for name, value in zip(names, means, strict=True)}
