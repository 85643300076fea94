"""Trains the published AttGAN (He et al. 2019) as elvisyjlin/AttGAN-PyTorch does, at any width.

The generator is asked for the face with somebody else's attributes, which the critic judges (WGAN-GP, and which
attributes it sees), and for the face with its own, which must be the face itself. The thesis changed the loss of the
latter, the rule for the best epoch, and stops early (3.1.2, 4.4.1, 4.6).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from unmask.bench.core.errors import ConfigError
from unmask.methods.gan.networks.attgan import (
    AttGanConfig,
    AttGanDiscriminator,
    AttGanDiscriminatorConfig,
    AttGanGenerator,
)
from unmask.methods.gan.training.faces import Batch, Faces, batch_of
from unmask.methods.gan.training.grids import save_grid
from unmask.methods.gan.training.losses import trim_rows
from unmask.methods.gan.training.outputs import LOSSES, STATE, TrainingFolder
from unmask.methods.gan.training.record import Means, Progress, write_row
from unmask.methods.gan.training.sets import training_batches
from unmask.methods.gan.training.state import load_state, save_state
from unmask.methods.gan.training.wgan import (
    Precision,
    Reconstruction,
    Stepper,
    autocast,
    gradient_penalty,
    reconstruction_loss,
    shares,
)

COLUMNS = ("g_adv", "g_cls", "g_rec", "d_adv", "d_gp", "d_cls")
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
    precision: Precision = "float32"
    seed: Annotated[int, Field(ge=0)] = 0
    save_every: Count = 500
    """Steps between two saved states, each with a row of losses; every epoch ends with one too."""
    licence: str = ""
    """Terms of the weights, for their card; empty = those of the data, where their card tells."""


def train_attgan(
    settings: AttGanTraining,
    faces: Faces,
    held_out: Faces,
    folder: TrainingFolder,
    device: torch.device,
    report: Callable[[str], None] = print,
) -> Path:
    """Trains (or goes on with ``folder``) until ``settings`` say stop; the file of the best epoch's generator.

    A step is a batch: of every n_d + 1 the last is the generator's, the others are the critic's.
    """
    per_epoch = len(faces) // settings.batch
    if per_epoch <= settings.n_d:
        raise ConfigError(
            f"{len(faces)} faces make {per_epoch} batches of {settings.batch} an epoch, too few for one step of the "
            f"generator every {settings.n_d + 1}; lower batch"
        )
    side = faces.images.shape[1]
    if side % 2**settings.layers:
        raise ConfigError(f"layers = {settings.layers} cannot halve faces of {side} px so often; lower layers")
    casting = autocast(settings.precision, device)
    torch.manual_seed(settings.seed)
    generator = AttGanGenerator(_network(settings)).to(device)
    critic = AttGanDiscriminator(
        AttGanDiscriminatorConfig(
            len(settings.attributes), side, settings.critic_width, settings.critic_hidden, layers=settings.layers
        )
    ).to(device)
    generator_step = Stepper(generator.parameters(), settings.rate, settings.betas, settings.precision, device)
    critic_step = Stepper(critic.parameters(), settings.rate, settings.betas, settings.precision, device)
    progress, means = Progress(), Means()
    # The published trainer's names, so that its checkpoints and ours are read alike.
    parts = {
        "G": generator,
        "D": critic,
        "optim_G": generator_step,
        "optim_D": critic_step,
        "progress": progress,
    }
    step = load_state(folder.path / STATE, parts, device)
    trim_rows(folder.path / LOSSES, step)
    shown = batch_of(held_out, np.arange(min(16, len(held_out))), None)
    clock = time.monotonic()
    for batch in training_batches(faces, settings.batch, settings.seed, step, settings.mirror):
        epoch = step // per_epoch
        if epoch >= settings.epochs or progress.stalled(settings.patience):
            break
        factor = 0.1 ** (epoch // settings.decay_epochs)
        rng = np.random.default_rng((settings.seed, step, 3))
        photo, own = batch.image.to(device), batch.labels.to(device)
        other = own[torch.from_numpy(rng.permutation(len(own))).to(device)]

        if (step + 1) % (settings.n_d + 1):
            with casting:
                with torch.no_grad():
                    made = generator(photo, told(other, settings))
                real_score, real_logits = critic(photo)
                made_score, _ = critic(made)
                losses = {
                    "d_adv": made_score.float().mean() - real_score.float().mean(),
                    "d_cls": bce(real_logits, own),
                }
            between = shares(rng, len(photo), device)
            losses["d_gp"] = gradient_penalty(lambda x: critic(x)[0], photo, made, between)
            total = losses["d_adv"] + settings.lambda_gp * losses["d_gp"]
            critic_step.step(total + settings.lambda_critic_cls * losses["d_cls"], factor)
        else:
            critic.requires_grad_(False)
            with casting:
                features = generator.encode(photo)
                made_score, made_logits = critic(generator.decode(features, told(other, settings)))
                rebuilt = generator.decode(features, told(own, settings))
                losses = {"g_adv": -made_score.float().mean(), "g_cls": bce(made_logits, other)}
                losses["g_rec"] = reconstruction_loss(
                    settings.reconstruction, rebuilt, photo, settings.alpha, settings.compensation
                )
            total = losses["g_adv"] + settings.lambda_cls * losses["g_cls"] + settings.lambda_rec * losses["g_rec"]
            generator_step.step(total, factor)
            critic.requires_grad_(True)

        step += 1
        taken = {name: float(value.detach()) for name, value in losses.items()}
        means.add(taken)
        progress.epoch.add(taken)
        ends = step % per_epoch == 0
        if step % settings.save_every and not ends:
            continue
        row = write_row(folder.path / LOSSES, COLUMNS, step, means.taken())
        means = Means()
        progress.seconds, clock = progress.seconds + time.monotonic() - clock, time.monotonic()
        save_grid(folder.path / "grid.png", samples(generator, shown, settings, device))
        if ends and progress.finish_epoch(epoch_score(progress.epoch.taken(), settings)):
            # Before the state that knows of it: a kill between the two repeats the epoch, and loses no weights.
            folder.save_generator(generator, _metadata(settings), _card(progress))
        save_state(folder.path / STATE, step, parts)
        pace = progress.seconds / step
        report(f"epoch {epoch + 1}/{settings.epochs} step {step} {pace:.2f} s/step, best {progress.best}: {row}")
    return folder.finish(_card(progress))


def told(labels: torch.Tensor, settings: AttGanTraining) -> torch.Tensor:
    """0..1 labels as the generator is told them: from -thres_int to +thres_int."""
    return (2 * labels - 1) * settings.thres_int


def epoch_score(means: dict[str, float], settings: AttGanTraining) -> float:
    """|g_adv| + lambda_rec g_rec + lambda_cls g_cls of an epoch's means; the lowest is the best (thesis 4.6).

    The adversarial loss has no sign that would be good: far from zero either way means that one network is winning.
    """
    return abs(means["g_adv"]) + settings.lambda_rec * means["g_rec"] + settings.lambda_cls * means["g_cls"]


@torch.no_grad()
def samples(
    generator: AttGanGenerator, shown: Batch, settings: AttGanTraining, device: torch.device
) -> list[torch.Tensor]:
    """Rows of the grid: the faces, rebuilt, and with each attribute turned round (at twice the strength, as tested)."""
    generator.eval()
    features, own = generator.encode(shown.image.to(device)), shown.labels.to(device)
    rows = [shown.image, generator.decode(features, told(own, settings)).cpu()]
    for k in range(own.shape[1]):
        turned = told(own, settings)
        turned[:, k] = -2 * turned[:, k]
        rows.append(generator.decode(features, turned).cpu())
    generator.train()
    return rows


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


def _metadata(settings: AttGanTraining) -> dict[str, str]:
    # One entry only: safetensors writes several in an order of its own, and equal weights must give equal bytes.
    return {"attributes": ";".join(settings.attributes)}


def _card(progress: Progress) -> dict[str, object]:
    return {"best_epoch": progress.best, "epochs": len(progress.scores), "epoch_scores": progress.scores} | {
        "seconds": round(progress.seconds, 1)
    }
