"""The compact networks' trainings behind `unmask train`: their settings, what they look through, what they leave."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file

from unmask.bench.core.errors import ConfigError
from unmask.bench.core.files import replacing_file
from unmask.bench.core.registry import instrument_class
from unmask.methods.gan.checkpoints import load_generator
from unmask.methods.gan.compact.classifier import AttributeClassifier
from unmask.methods.gan.compact.editor import Editor
from unmask.methods.gan.compact.inpainter import Inpainter
from unmask.methods.gan.compact.stored import save_compact
from unmask.methods.gan.shipped import checkpoint_path
from unmask.methods.gan.training.classifier import ClassifierConfig, accuracy, train_classifier
from unmask.methods.gan.training.editing import EditingConfig, train_editor
from unmask.methods.gan.training.faces import Faces
from unmask.methods.gan.training.inpainting import InpaintingConfig, train_inpainter
from unmask.methods.gan.training.losses import Features
from unmask.methods.gan.training.outputs import TrainingFolder
from unmask.methods.gan.training.toning import with_skin

PERCEPTUAL = "lpips-alex"
"""The registered instrument whose network the perceptual loss and the feature critic look through."""
Report = Callable[[str], None]
Files = Mapping[str, Mapping[str, Path]]
Share = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True, slots=True)
class CompactInpainting:
    """Settings of a compact DeepPrivacy's training."""

    training: InpaintingConfig = field(default_factory=InpaintingConfig)
    held_out_share: Share = 0.05
    """Of the faces, chosen by a hash of the person or id, where no held-out files are given."""
    licence: str = ""
    """Terms of the weights, for their card; empty = those of the data, where their card tells."""

    @property
    def attributes(self) -> tuple[str, ...]:
        return ()

    @property
    def seed(self) -> int:
        return self.training.seed

    @property
    def needs(self) -> dict[str, str]:
        """Weights that the training builds on: name -> sha256."""
        return {}


@dataclass(frozen=True, slots=True)
class CompactEditing:
    """Settings of a compact AttGAN's training: first a classifier of the attributes, then the editor."""

    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    editing: EditingConfig = field(default_factory=EditingConfig)
    inpainter: str = "shipped"
    """The compact DeepPrivacy whose faces are edited: a file, or the one that comes with unmask."""
    start: str = ""
    """A compact AttGAN (a file) whose weights training begins with; '' = from nothing."""
    held_out_share: Share = 0.05
    """Of the faces, chosen by a hash of the person or id, where no held-out files are given."""
    licence: str = ""
    """Terms of the weights, for their card; empty = those of the data, where their card tells."""

    @property
    def attributes(self) -> tuple[str, ...]:
        if len(self.editing.attributes) < 5:
            raise ConfigError("editing.attributes needs at least five names, of which the last four are age groups")
        return self.editing.attributes

    @property
    def seed(self) -> int:
        return self.editing.seed

    @property
    def needs(self) -> dict[str, str]:
        """Weights that the training builds on: name -> sha256."""
        used = {"inpainter": checkpoint_path(self.inpainter, "deepprivacy")}
        if self.start:
            used["start"] = checkpoint_path(self.start, "dp-att")
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in used.items()}


Compact = CompactInpainting | CompactEditing


def train_compact(
    settings: Compact,
    faces: Faces,
    held_out: Faces,
    folder: TrainingFolder,
    device: torch.device,
    files: Files,
    report: Report = print,
) -> Path:
    """Trains (or goes on with ``folder``); the file of the averaged generator, in half precision."""
    instrument: Any = instrument_class(PERCEPTUAL).open(files[PERCEPTUAL], str(device))
    features = Features(instrument.network)
    clock = _Clock(folder.path / "seconds.txt", report)
    if isinstance(settings, CompactInpainting):
        made = train_inpainter(settings.training, faces, held_out, features, folder.path, device, clock)
        card: dict[str, Any] = {"seconds": clock.seconds}
        folder.publish(lambda path: save_compact(path, "compact-inpainter", made, made.config), card)
        return folder.finish(card)
    inpainter = _inpainter(settings.inpainter, device)
    if settings.editing.tones:
        faces, held_out = with_skin(faces), with_skin(held_out)
        report(f"skin estimated: {len(faces)} faces to train on, {len(held_out)} held out")
    classifier = _classifier(settings, faces, held_out, folder.path / "classifier.safetensors", device, clock)
    right = accuracy(classifier, held_out, device)
    start = _editor(settings.start, device) if settings.start else None
    editor = train_editor(
        settings.editing, faces, held_out, inpainter, classifier, features, folder.path, device, start, clock
    )
    card = {"seconds": clock.seconds, "classifier_right": right}
    folder.publish(lambda path: save_compact(path, "compact-editor", editor, editor.config), card)
    return folder.finish(card)


def _inpainter(checkpoint: str, device: torch.device) -> Inpainter:
    path = checkpoint_path(checkpoint, "deepprivacy")
    loaded = load_generator(path, str(device))
    if not isinstance(loaded.module, Inpainter):
        raise ConfigError(f"inpainter = {path.name} is a {loaded.identified.architecture.title}, not a compact one")
    return loaded.module.to(memory_format=torch.channels_last)


def _editor(checkpoint: str, device: torch.device) -> Editor:
    path = checkpoint_path(checkpoint, "dp-att")
    loaded = load_generator(path, str(device))
    if not isinstance(loaded.module, Editor):
        raise ConfigError(f"start = {path.name} is a {loaded.identified.architecture.title}, not a compact AttGAN")
    return loaded.module


def _classifier(
    settings: CompactEditing, faces: Faces, held_out: Faces, path: Path, device: torch.device, report: Report
) -> AttributeClassifier:
    """Trained anew after a kill in its midst: it takes minutes, and its course depends on the seed alone."""
    if not path.exists():
        trained = train_classifier(settings.classifier, faces, held_out, device, report)
        with replacing_file(path) as temp:
            save_file({name: value.contiguous() for name, value in trained.state_dict().items()}, temp)
    # Read back even when just trained, so that what follows a kill is given the very same.
    classifier = AttributeClassifier(faces.labels.shape[1], settings.classifier.width)
    classifier.load_state_dict(load_file(path))
    return classifier.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)


class _Clock:
    """Passes reports on, and keeps the time spent in a file that outlives a kill."""

    def __init__(self, path: Path, report: Report) -> None:
        self._path, self._report = path, report
        self._before = float(path.read_text()) if path.exists() else 0.0
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(self._before + time.monotonic() - self._began, 1)

    def __call__(self, line: str) -> None:
        with replacing_file(self._path) as temp:
            temp.write_text(f"{self.seconds}\n")
        self._report(line)
