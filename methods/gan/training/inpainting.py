"""Trains the compact DeepPrivacy. One loop, top to bottom.

Losses of the generator, all over the invented pixels or the image they end up in: L1, LPIPS with AlexNet, and two
critics with the hinge loss. Those of the critics: the hinge loss.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from unmask.methods.gan.compact.critics import FeatureCritic, PixelCritic
from unmask.methods.gan.compact.inpainter import Inpainter, InpainterConfig
from unmask.methods.gan.training.faces import Batch, Faces, batch_of
from unmask.methods.gan.training.grids import save_grid
from unmask.methods.gan.training.losses import (
    Features,
    fooled,
    learning_rate,
    log_row,
    set_rates,
    told_apart,
    trim_rows,
)
from unmask.methods.gan.training.sets import training_batches
from unmask.methods.gan.training.state import load_state, save_state, update_average

COLUMNS = ("l1", "lpips", "adv_pixels", "adv_layers", "critic_pixels", "critic_layers")


@dataclass(frozen=True, slots=True)
class InpaintingConfig:
    """Every setting of a run."""

    steps: int = 20_000
    batch: int = 16
    rate: float = 2e-4
    """Adam's, for the generator; falls by a cosine to a twentieth over the last half."""
    critic_rate: float = 3e-4
    betas: tuple[float, float] = (0.5, 0.99)
    l1: float = 3.0
    lpips: float = 6.0
    pixel_critic: float = 0.5
    feature_critic: float = 0.5
    critics_from: int = 400
    """Steps before the critics speak: the generator first learns where eyes belong."""
    average: float = 0.998
    """Decay of the running average of the weights, which is what is shipped."""
    seed: int = 0
    save_every: int = 200
    width: int = 40
    fine: int = 24
    blocks: int = 2


def train_inpainter(
    config: InpaintingConfig,
    faces: Faces,
    held_out: Faces,
    features: Features,
    folder: Path,
    device: torch.device,
    report: Callable[[str], None] = print,
) -> Inpainter:
    """Trains to ``config.steps`` (or resumes ``folder/state.pt``) and returns the averaged generator."""
    torch.manual_seed(config.seed)
    folder.mkdir(parents=True, exist_ok=True)
    generator = (
        Inpainter(InpainterConfig(config.width, config.fine, config.blocks))
        .to(device)
        .to(memory_format=torch.channels_last)
    )
    average = copy.deepcopy(generator).requires_grad_(False)
    # The critics see mask and landmarks too: a good face in the wrong place is a fake.
    pixels = PixelCritic(4).to(device).to(memory_format=torch.channels_last)
    layers = FeatureCritic(Features.channels).to(device).to(memory_format=torch.channels_last)
    generator_step = torch.optim.Adam(generator.parameters(), config.rate, config.betas)
    critic_step = torch.optim.Adam([*pixels.parameters(), *layers.parameters()], config.critic_rate, config.betas)
    parts = {
        "generator": generator,
        "average": average,
        "pixels": pixels,
        "layers": layers,
        "generator_step": generator_step,
        "critic_step": critic_step,
    }
    step = load_state(folder / "state.pt", parts, device)
    trim_rows(folder / "losses.csv", step)
    shown = batch_of(held_out, np.arange(min(16, len(held_out))), None)
    started, began = time.monotonic(), step
    sums: dict[str, float] = {}
    for batch in training_batches(faces, config.batch, config.seed, step, mirror=True):
        if step >= config.steps:
            break
        rates = [(generator_step, config.rate), (critic_step, config.critic_rate)]
        set_rates(rates, learning_rate(step, config.steps))
        image, keep, landmarks = (t.to(device) for t in (batch.image, batch.keep, batch.landmarks))
        noise = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        latent = torch.randn(len(image), generator.config.latent, 8, 8, generator=noise).to(device)
        speaks = step >= config.critics_from

        fake = generator(image, keep, landmarks, latent)
        with torch.no_grad():
            real_layers = features(image)
        fake_layers = features(fake)
        erased = (1 - keep).expand_as(image)
        losses = {
            "l1": ((fake - image).abs() * erased).sum() / erased.sum(),
            "lpips": features.distance(fake_layers, real_layers).mean(),
        }
        total = config.l1 * losses["l1"] + config.lpips * losses["lpips"]
        if speaks:
            for critic in (pixels, layers):
                critic.requires_grad_(False)
            losses |= fooled((pixels, layers), fake, fake_layers, keep)
            total = total + config.pixel_critic * losses["adv_pixels"] + config.feature_critic * losses["adv_layers"]
            for critic in (pixels, layers):
                critic.requires_grad_(True)
        generator_step.zero_grad(set_to_none=True)
        total.backward()
        generator_step.step()
        update_average(average, generator, min(config.average, (step + 1) / (step + 10)))

        losses |= told_apart((pixels, layers), image, real_layers, fake, fake_layers, keep)
        critic_step.zero_grad(set_to_none=True)
        (losses["critic_pixels"] + losses["critic_layers"]).backward()
        critic_step.step()

        step += 1
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if step % config.save_every == 0 or step == config.steps:
            count = config.save_every
            row = {name: round(value / count, 5) for name, value in sums.items()}
            log_row(folder / "losses.csv", COLUMNS, step, row)
            save_state(folder / "state.pt", step, parts)
            save_grid(folder / "grid.png", [shown.image, shown.image * shown.keep, show(average, shown, device)])
            rate = (time.monotonic() - started) / max(step - began, 1)
            report(f"step {step}/{config.steps} {rate:.2f} s/step {row}")
            sums = {}
    return average


@torch.no_grad()
def show(network: Inpainter, batch: Batch, device: torch.device) -> torch.Tensor:
    """What the network makes of a batch, without noise."""
    made: torch.Tensor = network(batch.image.to(device), batch.keep.to(device), batch.landmarks.to(device))
    return made.cpu()
