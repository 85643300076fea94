"""`unmask train`: the network of a config, its settings, its data, and where everything goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from unmask.bench.core.errors import ConfigError, UnknownNameError
from unmask.bench.core.files import sha256_of
from unmask.bench.core.training import TrainingInputs, TrainingJob
from unmask.methods.gan.checkpoints.loading import load_generator
from unmask.methods.gan.networks.compact import Editor, Inpainter
from unmask.methods.gan.training.attgan import AttGanTrainer, AttGanTraining
from unmask.methods.gan.training.classifier import (
    AttributeClassifier,
    ClassifierConfig,
    ClassifierTrainer,
    accuracy,
    load_classifier,
)
from unmask.methods.gan.training.dcgan import DcganTrainer, DcganTraining
from unmask.methods.gan.training.editing import AttributeConfig, EditingConfig, EditorTrainer
from unmask.methods.gan.training.faces import Faces
from unmask.methods.gan.training.hardware import Hardware, open_hardware
from unmask.methods.gan.training.inpainting import InpainterTrainer, InpaintingConfig
from unmask.methods.gan.training.loop import Report, Trainer, train
from unmask.methods.gan.training.outputs import GENERATOR, TrainingFolder
from unmask.methods.gan.training.packs import perceptual_weights
from unmask.methods.gan.training.perceptual import Features, View, needed_instruments, perceptual_features
from unmask.methods.gan.training.sets import TrainingSet, read_training_set
from unmask.methods.gan.training.settings import CommonSettings, read_config
from unmask.methods.gan.training.stargan import (
    CompactStarGanTrainer,
    CompactStarGanTraining,
    StarGanTrainer,
    StarGanTraining,
)
from unmask.methods.gan.training.stochastic import StochasticTrainer, StochasticTraining
from unmask.methods.shared.alignment import usual_places
from unmask.methods.shared.settings import checkpoint_path, settings_from


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactInpainting(CommonSettings):
    """Settings of a compact DeepPrivacy's training."""

    training: InpaintingConfig = field(default_factory=InpaintingConfig)
    start: str = ""
    """A compact DeepPrivacy of the same size whose weights training begins with; '' = from nothing."""

    @property
    def attributes(self) -> tuple[str, ...]:
        return ()

    @property
    def seed(self) -> int:
        return self.training.seed

    @property
    def views(self) -> tuple[View, ...]:
        return self.training.views


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeEditing(CommonSettings):
    """Settings of trainings that begin with a classifier of the attributes, and then train an editor."""

    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    editing: AttributeConfig
    start: str = ""
    """A network (a file) whose weights training begins with; '' = from nothing."""

    @property
    def attributes(self) -> tuple[str, ...]:
        if len(self.editing.attributes) < 5:
            raise ConfigError("editing.attributes needs at least five names, of which the last four are age groups")
        return self.editing.attributes

    @property
    def seed(self) -> int:
        return self.editing.seed

    @property
    def views(self) -> tuple[View, ...]:
        return self.editing.views


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactEditing(AttributeEditing):
    """Settings of a compact AttGAN's training; ``start`` is a compact AttGAN."""

    editing: EditingConfig = field(default_factory=EditingConfig)
    inpainter: str = "shipped"
    """The compact DeepPrivacy whose faces are edited: a file, or the one that comes with unmask."""

    @property
    def needs_skin(self) -> bool:
        return bool(self.editing.tones)


@dataclass(frozen=True, slots=True, kw_only=True)
class StochasticEditing(AttributeEditing):
    """Settings of a compact stochastic AttGAN's training; ``start`` is a compact DeepPrivacy, for its decoder."""

    editing: StochasticTraining = field(default_factory=StochasticTraining)


@dataclass(frozen=True, slots=True, kw_only=True)
class StarGanEditing(AttributeEditing):
    """Settings of a compact StarGAN's training; ``start`` is a compact AttGAN."""

    editing: CompactStarGanTraining = field(default_factory=CompactStarGanTraining)


KINDS: Final[Mapping[str, Mapping[str, type[Any]]]] = {
    "deepprivacy": {"compact": CompactInpainting},
    "attgan": {"published": AttGanTraining, "compact": CompactEditing, "stochastic": StochasticEditing},
    "stargan": {"published": StarGanTraining, "compact": StarGanEditing},
    "dcgan": {"published": DcganTraining},
}
"""Network -> what it can be trained as -> its settings; the first kind where a config names none."""
BEGIN_AS_EDITOR: Final = (CompactEditing, StarGanEditing)
"""Settings whose ``start`` is a compact AttGAN; that of all others is a compact DeepPrivacy."""


@dataclass(frozen=True, slots=True)
class Job:
    """See `bench.core.training.TrainingJob`."""

    name: str
    network: str
    kind: str
    settings: Any
    instruments: tuple[str, ...] = field(default=())

    def run(self, inputs: TrainingInputs, report: Report = print) -> Path | None:
        """Reads the faces, claims ``inputs.out`` and trains; None where ``inputs.stop_at`` came before the end.

        Raises UnmaskError for what a user can mend.
        """
        hardware = open_hardware(inputs.device, self.settings.precision, inputs.compiles)
        if inputs.threads is not None:
            torch.set_num_threads(inputs.threads)
        data = read_training_set(inputs.data, inputs.held_out, self.settings.held_out_share, self.settings.attributes)
        folder = TrainingFolder(inputs.out, self._facts(data, inputs.device))
        folder.claim()
        faces, held_out = (self._ready(each).to(hardware.device) for each in (data.faces, data.held_out))
        report(f"{len(faces)} faces to train on, {len(held_out)} held out")
        facts: dict[str, Any] = {}
        trainer: Trainer
        if isinstance(self.settings, AttGanTraining):
            trainer = AttGanTrainer(self.settings, faces, held_out, hardware)
        elif isinstance(self.settings, StarGanTraining):
            trainer = StarGanTrainer(self.settings, faces, held_out, hardware)
        elif isinstance(self.settings, DcganTraining):
            trainer = DcganTrainer(self.settings, faces, held_out, hardware)
        elif isinstance(self.settings, CompactInpainting):
            features = _features(inputs, hardware, self.settings.views)
            trainer = InpainterTrainer(self.settings.training, held_out, features, hardware, self._start(hardware))
        else:
            classifier = self._classifier(faces, folder, hardware, inputs, report)
            if classifier is None:
                return None
            facts = {"classifier_right": accuracy(classifier, held_out)}
            trainer = self._editor_trainer(held_out, classifier, inputs, hardware)
        complete = train(trainer, faces, folder, report, inputs.stop_at, facts)
        return folder.path / GENERATOR if complete else None

    def _ready(self, faces: Faces) -> Faces:
        """The faces with all that the network needs to be told of them, those left out of which that is not known."""
        if self.settings.needs_skin:
            faces = with_skin(faces)
        return with_usual_landmarks(faces) if self.kind in ("compact", "stochastic") else faces

    def _classifier(
        self, faces: Faces, folder: TrainingFolder, hardware: Hardware, inputs: TrainingInputs, report: Report
    ) -> AttributeClassifier | None:
        """Trained in a folder of its own; None where the time to stop came first."""
        config: ClassifierConfig = self.settings.classifier
        own = TrainingFolder(folder.path / "classifier", {"settings": asdict(config)})
        own.claim()
        if not train(ClassifierTrainer(config, faces, hardware), faces, own, report, inputs.stop_at):
            return None
        # Read back even when just trained, so that a resumed training gets the very same.
        return load_classifier(own.path / GENERATOR, faces.labels.shape[1], config.width, hardware)

    def _editor_trainer(
        self, held_out: Faces, classifier: AttributeClassifier, inputs: TrainingInputs, hardware: Hardware
    ) -> Trainer:
        settings: Any = self.settings
        features, start = _features(inputs, hardware, settings.views), self._start(hardware)
        if isinstance(settings, StochasticEditing):
            return StochasticTrainer(settings.editing, held_out, classifier, features, hardware, start)
        if isinstance(settings, StarGanEditing):
            return CompactStarGanTrainer(settings.editing, held_out, classifier, features, hardware, start)
        path = self._weight_files()["inpainter"]
        inpainter: Any = load_generator(path, str(hardware.device), (Inpainter,), "inpainter").module
        return EditorTrainer(
            settings.editing, held_out, hardware.placed(inpainter), classifier, features, hardware, start
        )

    def _start(self, hardware: Hardware) -> Any:
        """The network that training begins with; None = from nothing."""
        if not self.settings.start:
            return None
        kind = Editor if isinstance(self.settings, BEGIN_AS_EDITOR) else Inpainter
        return load_generator(self._weight_files()["start"], str(hardware.device), (kind,), "start").module

    def _weight_files(self) -> dict[str, Path]:
        """Weights that the training builds on: name of their setting -> file."""
        settings, paths = self.settings, {}
        if isinstance(settings, CompactEditing):
            paths["inpainter"] = checkpoint_path(settings.inpainter, "deepprivacy")
        if isinstance(settings, (AttributeEditing, CompactInpainting)) and settings.start:
            shipped = "dp-att" if isinstance(settings, BEGIN_AS_EDITOR) else "deepprivacy"
            paths["start"] = checkpoint_path(settings.start, shipped)
        return paths

    def _facts(self, data: TrainingSet, device: str) -> dict[str, Any]:
        settings = asdict(self.settings)
        weights = {name: sha256_of(path) for name, path in self._weight_files().items()}
        licence = settings.pop("licence")
        for name in weights:  # identified by their content, not by where they lie on this machine
            del settings[name]
        return {
            "network": self.network,
            "kind": self.kind,
            "config": self.name,
            "licence": licence or data.licence or "not stated",
            "seed": self.settings.seed,
            "device": device,
            "data": data.card,
            "weights": weights,
            "settings": settings,
        }


def open_training(network: str, config: str, overrides: Sequence[str] = ()) -> TrainingJob:
    """The training of ``network`` (``deepprivacy``, ``attgan``, ``stargan``, ``dcgan``) that a config describes.

    ``config`` is a TOML file or a shipped config's name; ``overrides`` are lines such as ``epochs=3``.
    """
    if network not in KINDS:
        raise UnknownNameError("network to train", network, KINDS)
    name, table = read_config(config, overrides)
    own = table.pop("network", network)
    if own != network:
        raise ConfigError(f"{name} trains {own}, not {network}; run: unmask train {own} {config}")
    kinds = KINDS[network]
    kind = table.pop("kind", next(iter(kinds)))
    if kind not in kinds:
        raise ConfigError(f"{name}: kind = {kind!r} is none of {', '.join(kinds)}, which {network} has here")
    settings = settings_from(kinds[kind], table, name)
    return Job(name, network, kind, settings, needed_instruments(settings.views))


def with_usual_landmarks(faces: Faces) -> Faces:
    """The faces with everybody's usual proportions at their place, size and turn: all that compact networks are told at
    run time (`usual_places`), so that they learn to do without the person's own."""
    points = [usual_places(landmarks) for landmarks in faces.landmarks.numpy()]
    return replace(faces, landmarks=torch.from_numpy(np.array(points, np.float32).reshape(-1, 5, 2)))


def with_skin(faces: Faces) -> Faces:
    """The faces whose skin colour can be estimated, with it; the others are left out, as in the thesis."""
    if faces.skin is None:
        from unmask.methods.gan.training.packing import (
            estimated_skin,  # not at hand on a GPU machine, where faces are packed
        )

        arrays = (tensor.cpu().numpy() for tensor in (faces.images, faces.boxes, faces.landmarks))
        faces = replace(faces, skin=torch.from_numpy(estimated_skin(*arrays)).to(faces.images.device))
    assert faces.skin is not None
    return faces.of(faces.skin.isfinite().all(1))


def _features(inputs: TrainingInputs, hardware: Hardware, views: Sequence[View]) -> Features:
    pack = next((path for path in map(perceptual_weights, inputs.data) if path is not None), None)
    return hardware.placed(perceptual_features(inputs.files, pack, views)).eval()
