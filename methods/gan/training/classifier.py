"""Trains the classifier of attributes that the editor's training asks whether an edit shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from unmask.methods.gan.compact.classifier import AttributeClassifier
from unmask.methods.gan.training.faces import Faces, batch_of
from unmask.methods.gan.training.sets import training_batches


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """Every setting of a run."""

    epochs: int = 12
    batch: int = 64
    rate: float = 1e-3
    """Adam's; falls to nothing by a cosine."""
    weight_decay: float = 1e-3
    seed: int = 0
    width: int = 32


def attribute_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean loss of (N, A) logits against 0/1 labels: two-way for the first attributes, one of four for the age groups,
    which are the last four columns."""
    single, groups = logits[:, :-4], logits[:, -4:]
    yes_or_no = functional.binary_cross_entropy_with_logits(single, labels[:, :-4])
    return yes_or_no + functional.cross_entropy(groups, labels[:, -4:])


def roughened(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Shifted, recoloured, softened and noisy, so that the classifier looks at faces and not at cameras."""
    n = len(image)
    shift = torch.from_numpy(rng.uniform(-0.08, 0.08, (n, 2)).astype(np.float32))
    angle = torch.from_numpy(rng.uniform(-0.12, 0.12, n).astype(np.float32))
    zoom = torch.from_numpy(rng.uniform(0.9, 1.12, n).astype(np.float32))
    theta = torch.stack(
        [
            torch.stack([zoom * angle.cos(), -zoom * angle.sin(), shift[:, 0]], 1),
            torch.stack([zoom * angle.sin(), zoom * angle.cos(), shift[:, 1]], 1),
        ],
        1,
    ).to(image.device)
    grid = functional.affine_grid(theta, list(image.shape), align_corners=False)
    moved = functional.grid_sample(image, grid, padding_mode="border", align_corners=False)
    gain = torch.from_numpy(rng.uniform(0.8, 1.2, (n, 3, 1, 1)).astype(np.float32)).to(image.device)
    offset = torch.from_numpy(rng.uniform(-0.15, 0.15, (n, 1, 1, 1)).astype(np.float32)).to(image.device)
    soft = torch.from_numpy((rng.random((n, 1, 1, 1)) < 0.4).astype(np.float32)).to(image.device)
    blurred = functional.avg_pool2d(functional.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, 1)
    noise = torch.from_numpy(rng.normal(0, 0.04, image.shape).astype(np.float32)).to(image.device)
    return (moved + soft * (blurred - moved)) * gain + offset + noise


def train_classifier(
    config: ClassifierConfig,
    faces: Faces,
    held_out: Faces,
    device: torch.device,
    report: Callable[[str], None] = print,
) -> AttributeClassifier:
    """Trains on the labels of ``faces``; returns the network in eval mode."""
    torch.manual_seed(config.seed)
    network = AttributeClassifier(faces.labels.shape[1], config.width).to(device)
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), config.rate, weight_decay=config.weight_decay)
    per_epoch = len(faces) // config.batch
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs * per_epoch)
    for step, batch in enumerate(training_batches(faces, config.batch, config.seed, 0, mirror=True)):
        if step and step % per_epoch == 0:
            report(f"epoch {step // per_epoch}: {accuracy(network, held_out, device)}")
        if step == config.epochs * per_epoch:
            break
        image = roughened(batch.image.to(device), np.random.default_rng((config.seed, step, 2)))
        loss = attribute_loss(network(image), batch.labels.to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return network.eval().requires_grad_(False)


@torch.no_grad()
def accuracy(network: AttributeClassifier, faces: Faces, device: torch.device) -> dict[str, float]:
    """Share of right answers, for each two-way attribute and for the age group."""
    training = network.training
    network.eval()
    right: list[np.ndarray] = []
    for start in range(0, len(faces), 128):
        batch = batch_of(faces, np.arange(start, min(start + 128, len(faces))), None)
        logits = network(batch.image.to(device)).cpu()
        single = (logits[:, :-4] > 0) == (batch.labels[:, :-4] > 0.5)
        group = logits[:, -4:].argmax(1) == batch.labels[:, -4:].argmax(1)
        right.append(torch.cat([single, group[:, None]], 1).float().numpy())
    network.train(training)
    means = np.concatenate(right).mean(0)
    names = [f"attribute_{k}" for k in range(len(means) - 1)] + ["age_group"]
    return {name: round(float(value), 4) for name, value in zip(names, means, strict=True)}
