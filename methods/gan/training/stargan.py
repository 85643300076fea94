"""Trains the published StarGAN v1 (Choi et al. 2018) as yunjey/stargan does, at any width. One loop, top to bottom.

The critic learns from every batch (WGAN-GP on patches, and which labels it sees), the generator from every
``n_critic``-th: the face with somebody else's labels must convince the critic, and turned back it must be itself again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss

from unmask.bench.core.errors import ConfigError
from unmask.methods.gan.networks.stargan import (
    StarGanConfig,
    StarGanDiscriminator,
    StarGanDiscriminatorConfig,
    StarGanGenerator,
)
from unmask.methods.gan.training.faces import Batch, Faces, batch_of
from unmask.methods.gan.training.grids import save_grid
from unmask.methods.gan.training.losses import trim_rows
from unmask.methods.gan.training.outputs import LOSSES, STATE, TrainingFolder
from unmask.methods.gan.training.record import Means, Progress, write_row
from unmask.methods.gan.training.sets import training_batches
from unmask.methods.gan.training.state import load_state, save_state
from unmask.methods.gan.training.wgan import Precision, Stepper, autocast, gradient_penalty, shares

COLUMNS = ("g_adv", "g_cls", "g_rec", "d_adv", "d_gp", "d_cls")
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
    precision: Precision = "float32"
    seed: Annotated[int, Field(ge=0)] = 0
    save_every: Count = 1000
    """Steps between two saved states, each with a row of losses."""
    licence: str = ""
    """Terms of the weights, for their card; empty = those of the data, where their card tells."""


def train_stargan(
    settings: StarGanTraining,
    faces: Faces,
    held_out: Faces,
    folder: TrainingFolder,
    device: torch.device,
    report: Callable[[str], None] = print,
) -> Path:
    """Trains (or goes on with ``folder``) to ``settings.steps``; the file of the generator."""
    side = faces.images.shape[1]
    if side % 2**settings.critic_layers or side % 4:
        raise ConfigError(
            f"critic_layers = {settings.critic_layers} cannot halve faces of {side} px so often; lower critic_layers"
        )
    if settings.steps < settings.n_critic:
        raise ConfigError("steps must be at least n_critic, or the generator never learns")
    casting = autocast(settings.precision, device)
    torch.manual_seed(settings.seed)
    labels = len(settings.attributes)
    generator = StarGanGenerator(StarGanConfig(labels, settings.width, settings.blocks)).to(device)
    critic = StarGanDiscriminator(
        StarGanDiscriminatorConfig(labels, side, settings.critic_width, settings.critic_layers)
    ).to(device)
    generator_step = Stepper(generator.parameters(), settings.rate, settings.betas, settings.precision, device)
    critic_step = Stepper(critic.parameters(), settings.rate, settings.betas, settings.precision, device)
    progress, means = Progress(), Means()
    parts = {"G": generator, "D": critic, "optim_G": generator_step, "optim_D": critic_step, "progress": progress}
    step = load_state(folder.path / STATE, parts, device)
    trim_rows(folder.path / LOSSES, step)
    shown = batch_of(held_out, np.arange(min(16, len(held_out))), None)
    clock = time.monotonic()
    for batch in training_batches(faces, settings.batch, settings.seed, step, settings.mirror):
        if step >= settings.steps:
            break
        factor = rate_factor(step, settings.steps)
        rng = np.random.default_rng((settings.seed, step, 3))
        photo, own = batch.image.contiguous().to(device), batch.labels.to(device)
        other = own[torch.from_numpy(rng.permutation(len(own))).to(device)]

        with casting:
            with torch.no_grad():
                made = generator(photo, other)
            real_score, real_logits = critic(photo)
            made_score, _ = critic(made)
            losses = {
                "d_adv": made_score.float().mean() - real_score.float().mean(),
                "d_cls": label_loss(real_logits, own),
            }
        losses["d_gp"] = gradient_penalty(lambda x: critic(x)[0], photo, made, shares(rng, len(photo), device))
        total = losses["d_adv"] + settings.lambda_cls * losses["d_cls"] + settings.lambda_gp * losses["d_gp"]
        critic_step.step(total, factor)

        if (step + 1) % settings.n_critic == 0:
            critic.requires_grad_(False)
            with casting:
                made = generator(photo, other)
                made_score, made_logits = critic(made)
                losses["g_adv"] = -made_score.float().mean()
                losses["g_cls"] = label_loss(made_logits, other)
                losses["g_rec"] = l1_loss(generator(made, own), photo)
            total = losses["g_adv"] + settings.lambda_cls * losses["g_cls"] + settings.lambda_rec * losses["g_rec"]
            generator_step.step(total, factor)
            critic.requires_grad_(True)

        step += 1
        means.add({name: float(value.detach()) for name, value in losses.items()})
        if step % settings.save_every and step < settings.steps:
            continue
        row = write_row(folder.path / LOSSES, COLUMNS, step, means.taken())
        means = Means()
        progress.seconds, clock = progress.seconds + time.monotonic() - clock, time.monotonic()
        save_grid(folder.path / "grid.png", samples(generator, shown, device))
        folder.save_generator(generator, _metadata(settings), _card(progress, step, len(faces) // settings.batch))
        save_state(folder.path / STATE, step, parts)
        report(f"step {step}/{settings.steps} {progress.seconds / step:.2f} s/step {row}")
    return folder.finish(_card(progress, step, len(faces) // settings.batch))


def label_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy, summed over the labels and averaged over the faces, as the authors' code does."""
    return binary_cross_entropy_with_logits(logits.float(), labels, reduction="sum") / len(labels)


def rate_factor(step: int, steps: int) -> float:
    """Of the base rate: 1 for the first half, then in a line towards 0."""
    return min(1.0, 2 * (1 - step / steps))


@torch.no_grad()
def samples(generator: StarGanGenerator, shown: Batch, device: torch.device) -> list[torch.Tensor]:
    """Rows of the grid: the faces, with their own labels, and with each label turned round."""
    image, own = shown.image.contiguous().to(device), shown.labels.to(device)
    rows = [shown.image, generator(image, own).cpu()]
    for k in range(own.shape[1]):
        turned = own.clone()
        turned[:, k] = 1 - turned[:, k]
        rows.append(generator(image, turned).cpu())
    return rows


def _metadata(settings: StarGanTraining) -> dict[str, str]:
    # One entry only: safetensors writes several in an order of its own, and equal weights must give equal bytes.
    return {"attributes": ";".join(settings.attributes)}


def _card(progress: Progress, step: int, per_epoch: int) -> dict[str, object]:
    return {"epochs": round(step / per_epoch, 2), "seconds": round(progress.seconds, 1)}
