"""Trains the compact AttGAN on what the compact DeepPrivacy leaves. One loop, top to bottom.

The editor is given an invented face (sometimes a real one) and attributes. Where the attributes are those of the
person who was erased, the photo says what the result might look like (L1, LPIPS); for all attributes two classifiers
say whether they show, and two critics whether the face looks real. The photo reaches the editor through the losses
only: at run time it sees the invented face and five answers.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from unmask.bench.core.errors import ConfigError
from unmask.methods.gan.attributes import TONE
from unmask.methods.gan.compact.classifier import AttributeClassifier
from unmask.methods.gan.compact.critics import FeatureCritic, PixelCritic
from unmask.methods.gan.compact.editor import Editor, EditorConfig
from unmask.methods.gan.compact.inpainter import Inpainter
from unmask.methods.gan.training.classifier import attribute_loss
from unmask.methods.gan.training.faces import Faces, batch_of
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
from unmask.methods.gan.training.toning import drawn_tones, toned

COLUMNS = (
    "l1",
    "lpips",
    "attributes",
    "attributes_critic",
    "stay",
    "adv_pixels",
    "adv_layers",
    "critic_pixels",
    "critic_layers",
    "critic_attributes",
)


@dataclass(frozen=True, slots=True)
class EditingConfig:
    """Every setting of a run."""

    attributes: tuple[str, ...] = ("female", "0-19", "20-29", "30-39", "40+")
    """The last four are the age groups."""
    tones: tuple[tuple[int, int, int], ...] = ()
    """Skin tones (RGB) to teach besides; the editor then has three more attributes, one a channel."""
    steps: int = 16_000
    batch: int = 16
    rate: float = 2e-4
    critic_rate: float = 3e-4
    betas: tuple[float, float] = (0.5, 0.99)
    real: float = 0.2
    """Share of the batch that is edited as it is, not after erasing and inventing."""
    other: float = 0.4
    """Share that is given somebody else's attributes."""
    l1: float = 3.0
    lpips: float = 6.0
    own_attributes: float = 0.5
    """Weight of the fixed classifier."""
    critic_attributes: float = 0.5
    """Weight of the classifier that learns beside the critics, on real faces only."""
    stay: float = 1.0
    """L1 to the input where the attributes are somebody else's: change no more than they need."""
    pixel_critic: float = 0.5
    feature_critic: float = 0.5
    critics_from: int = 300
    average: float = 0.998
    seed: int = 0
    save_every: int = 100
    width: int = 40
    fine: int = 24
    blocks: int = 2


def train_editor(
    config: EditingConfig,
    faces: Faces,
    held_out: Faces,
    inpainter: Inpainter,
    classifier: AttributeClassifier,
    features: Features,
    folder: Path,
    device: torch.device,
    start: Editor | None = None,
    report: Callable[[str], None] = print,
) -> Editor:
    """Trains to ``config.steps`` (or resumes ``folder/state.pt``) and returns the averaged editor.

    ``inpainter`` and ``classifier`` are used as they are; ``faces.labels`` in the order of ``config.attributes``. With
    ``config.tones``, ``faces.skin`` must be known (`methods.gan.training.toning.with_skin`). ``start``: an editor of
    the same size whose weights are taken over first; attributes that it does not know begin without effect.
    """
    torch.manual_seed(config.seed)
    folder.mkdir(parents=True, exist_ok=True)
    told = (*config.attributes, *TONE) if config.tones else config.attributes
    editor = Editor(EditorConfig(told, config.width, config.fine, config.blocks)).to(device)
    if start is not None:
        take_over(start, editor)
    editor = editor.to(memory_format=torch.channels_last)
    average = copy.deepcopy(editor).requires_grad_(False)
    pixels = PixelCritic(4).to(device).to(memory_format=torch.channels_last)
    layers = FeatureCritic(Features.channels).to(device).to(memory_format=torch.channels_last)
    learner = AttributeClassifier(len(config.attributes)).to(device).to(memory_format=torch.channels_last)
    learner.load_state_dict(classifier.state_dict())
    editor_step = torch.optim.Adam(editor.parameters(), config.rate, config.betas)
    critics = torch.nn.ModuleList([pixels, layers, learner])
    critic_step = torch.optim.Adam(critics.parameters(), config.critic_rate, config.betas)
    parts = {
        "editor": editor,
        "average": average,
        "critics": critics,
        "editor_step": editor_step,
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
        rates = [(editor_step, config.rate), (critic_step, config.critic_rate)]
        set_rates(rates, learning_rate(step, config.steps))
        rng = np.random.default_rng((config.seed, step, 3))
        torch.manual_seed(config.seed * 1_000_003 + step)  # for dropout, so that a resumed run drops the same
        photo, keep, landmarks, own = (t.to(device) for t in (batch.image, batch.keep, batch.landmarks, batch.labels))
        real = torch.from_numpy(rng.random(len(photo)) < config.real).to(device)
        swapped = torch.from_numpy(rng.random(len(photo)) < config.other).to(device)
        wanted = torch.where(swapped[:, None], own[torch.from_numpy(rng.permutation(len(own)))], own)
        with torch.no_grad():
            noise = rng.standard_normal((len(photo), inpainter.config.latent, 8, 8)).astype(np.float32)
            invented = inpainter(photo, keep, landmarks, torch.from_numpy(noise).to(device))
            source = torch.where(real[:, None, None, None], photo, invented)
            command, reference = wanted, source
            if config.tones:
                assert batch.skin is not None
                tones = drawn_tones(config.tones, len(photo), rng)
                # Only the erased part changes its tone: the neck of a person who asks for another one does not.
                photo, reference = (toned(image, batch.skin, tones, keep) for image in (photo, source))
                command = torch.cat([wanted, torch.from_numpy(tones / 255).to(device)], 1)
            photo_layers = features(photo)

        edited = editor(source, keep, command - 0.5)
        edited_layers = features(edited)
        erased = (1 - keep).expand_as(photo)
        area = erased.sum((1, 2, 3)).clamp(min=1)
        same = (~swapped).float()
        difference = ((edited - photo).abs() * erased).sum((1, 2, 3)) / area
        moved = ((edited - reference).abs() * erased).sum((1, 2, 3)) / area
        distance = features.distance(edited_layers, photo_layers)
        losses = {
            "l1": (difference * same).sum() / same.sum().clamp(min=1),
            "lpips": (distance * same).sum() / same.sum().clamp(min=1),
            "stay": (moved * (1 - same)).sum() / (1 - same).sum().clamp(min=1),
            "attributes": attribute_loss(classifier(edited), wanted),
        }
        total = config.l1 * losses["l1"] + config.lpips * losses["lpips"]
        total = total + config.stay * losses["stay"] + config.own_attributes * losses["attributes"]
        if step >= config.critics_from:
            critics.requires_grad_(False)
            learner.eval()
            losses |= fooled((pixels, layers), edited, edited_layers, keep)
            losses["attributes_critic"] = attribute_loss(learner(edited), wanted)
            total = total + config.pixel_critic * losses["adv_pixels"] + config.feature_critic * losses["adv_layers"]
            total = total + config.critic_attributes * losses["attributes_critic"]
            learner.train()
            critics.requires_grad_(True)
        editor_step.zero_grad(set_to_none=True)
        total.backward()
        editor_step.step()
        update_average(average, editor, min(config.average, (step + 1) / (step + 10)))

        losses |= told_apart((pixels, layers), photo, photo_layers, edited, edited_layers, keep)
        losses["critic_attributes"] = attribute_loss(learner(photo), own)
        critic_step.zero_grad(set_to_none=True)
        (losses["critic_pixels"] + losses["critic_layers"] + losses["critic_attributes"]).backward()
        critic_step.step()

        step += 1
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if step % config.save_every == 0 or step == config.steps:
            row = {name: round(value / config.save_every, 5) for name, value in sums.items()}
            log_row(folder / "losses.csv", COLUMNS, step, row)
            save_state(folder / "state.pt", step, parts)
            with torch.no_grad():
                source = inpainter(shown.image.to(device), shown.keep.to(device), shown.landmarks.to(device))
                rows = [shown.image, source.cpu()]
                for k, labels in enumerate((shown.labels, opposite(shown.labels))):
                    if config.tones:
                        tone = torch.tensor(config.tones[k % len(config.tones)]).expand(len(labels), 3) / 255
                        labels = torch.cat([labels, tone], 1)
                    rows.append(average(source, shown.keep.to(device), labels.to(device) - 0.5).cpu())
            save_grid(folder / "grid.png", rows)
            rate = (time.monotonic() - started) / max(step - began, 1)
            report(f"step {step}/{config.steps} {rate:.2f} s/step {row}")
            sums = {}
    return average


def take_over(start: Editor, editor: Editor) -> None:
    """Copies the weights of ``start`` into ``editor``, attribute by attribute. Raises `ConfigError` where they do not
    fit."""
    known = {name: k for k, name in enumerate(start.config.attributes)}
    columns = [known.get(name) for name in editor.config.attributes]
    taken = editor.state_dict()
    for name, value in start.state_dict().items():
        if name.endswith("tell.weight"):
            told = torch.zeros_like(taken[name])
            for to, column in enumerate(columns):
                if column is not None:
                    told[:, to] = value[:, column]
            value = told
        if value.shape != taken[name].shape:
            raise ConfigError(f"start: {name} is {tuple(value.shape)} there, {tuple(taken[name].shape)} in this config")
        taken[name] = value
    editor.load_state_dict(taken)


def opposite(labels: torch.Tensor) -> torch.Tensor:
    """The other gender, and the next age group, for the sample grid."""
    turned = labels.clone()
    turned[:, 0] = 1 - turned[:, 0]
    turned[:, -4:] = torch.roll(labels[:, -4:], 2, 1)
    return turned
