"""Trains the compact AttGAN on what the compact DeepPrivacy leaves.

The editor gets an invented face (sometimes a real one) and attributes. Where the attributes are those of the
person who was erased, the photo says what the result might look like (L1, LPIPS); for all attributes two classifiers
say whether they show, and two critics whether the face looks real. The photo reaches the editor through the losses
only: at run time it sees the invented face and five answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.methods.gan.networks.compact import Editor, EditorConfig, Inpainter
from unmask.methods.gan.runtime.attributes import TONE
from unmask.methods.gan.runtime.skin import toned
from unmask.methods.gan.training.classifier import AttributeClassifier
from unmask.methods.gan.training.compact import (
    ADVERSARIAL,
    Change,
    CompactConfig,
    CompactTrainer,
    Network,
    Sight,
    copy_weights,
    grows,
    sight,
)
from unmask.methods.gan.training.faces import Batch, Faces, on, shuffled
from unmask.methods.gan.training.hardware import Hardware, frozen
from unmask.methods.gan.training.inpainting import drawn_latent
from unmask.methods.gan.training.losses import attribute_loss
from unmask.methods.gan.training.perceptual import Features
from unmask.methods.gan.training.settings import Count, Weight
from unmask.methods.shared.settings import Within

Channel = Annotated[int, Within(0, 255)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeConfig(CompactConfig):
    """Settings of networks that show attributes."""

    attributes: tuple[str, ...] = ("female", "0-19", "20-29", "30-39", "40+")
    """The last four are the age groups."""
    critics_from: Annotated[int, Within(0)] = 300
    save_every: Count = 100
    other: Annotated[float, Within(0, 1)] = 0.4
    """Share that gets somebody else's attributes."""
    own_attributes: Weight = 0.5
    """Weight of the fixed classifier."""
    critic_attributes: Weight = 0.5
    """Weight of the classifier that learns beside the critics, on real faces only."""
    stay: Weight = 1.0
    """Weight of the L1 to the input where the attributes are somebody else's: change no more than they need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditingConfig(AttributeConfig):
    """Every setting of a run."""

    tones: tuple[tuple[Channel, Channel, Channel], ...] = ()
    """Skin tones (RGB) to teach besides; the editor then has three more attributes, one a channel."""
    steps: Count = 16_000
    real: Annotated[float, Within(0, 1)] = 0.2
    """Share of the batch that is edited as it is, not after erasing and inventing."""


class Task(NamedTuple):
    """What the editor is to do with a batch."""

    source: torch.Tensor
    """(B, 3, S, S) faces that it sees."""
    command: torch.Tensor
    """(B, A) in 0..1: attributes that it is to show, with the tone if there is one."""
    labels: torch.Tensor
    """(B, A) the same without the tone."""
    photo: torch.Tensor
    """(B, 3, S, S) the original, in the tone: the aim where ``labels`` are the person's own."""
    reference: torch.Tensor
    """(B, 3, S, S) ``source`` in the tone: to be kept to where they are somebody else's."""
    swapped: torch.Tensor
    """(B,) bool: whether they are somebody else's."""
    noise: tuple[torch.Tensor, ...] = ()
    """For an encoder with noise (`StochasticEditor`): landmarks, noise and its strength."""
    back: torch.Tensor | None = None
    """(B, A) labels to turn the edited face back to, as StarGAN does; None = it is not turned back."""

    @property
    def aimed(self) -> torch.Tensor:
        """(B,) bool: whether the photo is the aim. Turned back, every face must be the photo again."""
        return ~self.swapped if self.back is None else torch.ones_like(self.swapped)


class AttributeTrainer(CompactTrainer[Network]):
    """What trainings of networks that show attributes share; see `methods.gan.training.loop.Trainer`."""

    columns = ("l1", "lpips", "attributes", "attributes_critic", "stay", *ADVERSARIAL, "critic_attributes")
    name = "editor"

    def __init__(
        self,
        config: AttributeConfig,
        network: Callable[[], Network],
        held_out: Faces,
        classifier: AttributeClassifier,
        features: Features,
        hardware: Hardware,
    ) -> None:
        """``network`` makes the editor; ``classifier`` is used as it is; labels come in the order of
        ``config.attributes``."""
        self._critics_from, self._other, self._classifier = config.critics_from, config.other, classifier
        self._learner = hardware.placed(AttributeClassifier(len(config.attributes), classifier.width))
        self._learner.load_state_dict(classifier.state_dict())
        weights = {
            "l1": config.l1,
            "lpips": config.lpips,
            "stay": config.stay,
            "attributes": config.own_attributes,
            "adv_pixels": config.pixel_critic,
            "adv_layers": config.feature_critic,
            "attributes_critic": config.critic_attributes,
        }
        super().__init__(config, network, weights, held_out, features, hardware, self._learner)
        self._editor_losses = hardware.compiled(self.editor_losses)
        self._critic_losses = hardware.compiled(self.critic_losses)

    def task(self, batch: Batch, rng: np.random.Generator) -> Task:
        """Draws what is to be done with a batch."""
        raise NotImplementedError

    def edited(self, task: Task, keep: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S): what the network makes of it."""
        edited: torch.Tensor = self.network(task.source, keep, task.command - 0.5)
        return edited

    def drawn_labels(self, own: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """(B,) bool: who gets somebody else's attributes; (B, A): all, of which ``own`` are the people's own."""
        swapped = on(own.device, rng.random(len(own)) < self._other)
        return swapped, torch.where(swapped[:, None], shuffled(own, rng), own)

    def step(self, step: int, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """One of the editor, then one of the critics and of the classifier beside them, on the same faces."""
        with self.hardware.autocast(), frozen(self.critics, self._learner):
            task = self.task(batch, rng)
            self._learner.eval()
            change = self.change(batch.image, rng)
            losses, real, fake = self._editor_losses(task, batch.keep, change, step >= self._critics_from)
            self._learner.train()
        return self.update(step, losses, lambda: self._critic_losses(real, fake, task.photo, batch.labels))

    def editor_losses(
        self, task: Task, keep: torch.Tensor, change: Change, with_critics: bool
    ) -> tuple[dict[str, torch.Tensor], Sight, Sight]:
        """(losses, what critics see of the photo, of the face); ``with_critics``: whether they take part.

        What leaves for the critics is detached.
        """
        with torch.no_grad():
            real = sight(task.photo, keep, change, self.features)
        edited = self.edited(task, keep)
        fake = sight(edited, keep, change, self.features)
        returned, held = edited, fake
        if task.back is not None:
            returned = self.network(edited, keep, task.back - 0.5)
            held = sight(returned, keep, change, self.features)
        erased = (1 - keep).expand_as(task.photo)
        area = erased.sum((1, 2, 3)).clamp(min=1)
        aimed, swapped = task.aimed.float(), task.swapped.float()
        difference = ((returned - task.photo).abs() * erased).sum((1, 2, 3)) / area
        moved = ((edited - task.reference).abs() * erased).sum((1, 2, 3)) / area
        distance = self.features.distance(held.layers, real.layers)
        losses = {
            "l1": (difference * aimed).sum() / aimed.sum().clamp(min=1),
            "lpips": (distance * aimed).sum() / aimed.sum().clamp(min=1),
            "stay": (moved * swapped).sum() / swapped.sum().clamp(min=1),
            "attributes": attribute_loss(self._classifier(edited).float(), task.labels),
        }
        if with_critics:
            losses |= self.critics.adversarial(fake)
            losses["attributes_critic"] = attribute_loss(self._learner(edited).float(), task.labels)
        return losses, real, fake.detach()

    def critic_losses(
        self, real: Sight, fake: Sight, photo: torch.Tensor, own: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        losses = self.critics.losses(real, fake)
        losses["critic_attributes"] = attribute_loss(self._learner(photo).float(), own)
        return losses


class EditorTrainer(AttributeTrainer[Editor]):
    """See `methods.gan.training.loop.Trainer`."""

    def __init__(
        self,
        config: EditingConfig,
        held_out: Faces,
        inpainter: Inpainter,
        classifier: AttributeClassifier,
        features: Features,
        hardware: Hardware,
        start: Editor | None = None,
    ) -> None:
        """``inpainter`` is used as it is. With ``config.tones`` every face needs its skin.

        ``start``: an editor of the same size whose weights are copied first; attributes that it does not have begin
        without effect.
        """
        self.config, self._inpainter = config, inpainter

        names = (*config.attributes, *TONE) if config.tones else config.attributes
        super().__init__(config, lambda: new_editor(config, names, start), held_out, classifier, features, hardware)

    @torch.no_grad()
    def task(self, batch: Batch, rng: np.random.Generator) -> Task:
        """Draws who is edited as they are, to whose attributes, and in which tone."""
        config, photo = self.config, batch.image
        count, device = len(batch), photo.device
        real = on(device, rng.random(count) < config.real)
        swapped, labels = self.drawn_labels(batch.labels, rng)
        latent = on(device, drawn_latent(count, self._inpainter, rng))
        invented = self._inpainter(photo, batch.keep, batch.landmarks, latent)
        source = torch.where(real[:, None, None, None], photo, invented.float())
        if not config.tones:
            return Task(source, labels, labels, photo, source, swapped)
        if batch.skin is None:
            raise ValueError("with tones, every face needs the colour of its skin")
        tones = on(device, drawn_tones(config.tones, count, rng))
        # Only the erased part changes its tone: the neck of a person stays as it is.
        photo, reference = (toned(image, batch.skin, tones, batch.keep) for image in (photo, source))
        return Task(source, torch.cat([labels, tones / 255], 1), labels, photo, reference, swapped)

    @torch.no_grad()
    def samples(self) -> list[torch.Tensor]:
        """The faces, what the inpainter makes of them, and that with their own attributes and with opposite ones."""
        faces, tones = self.sample_batch, self.config.tones
        source = self._inpainter(faces.image, faces.keep, faces.landmarks)
        rows = [faces.image, source]
        for k, labels in enumerate((faces.labels, opposite(faces.labels))):
            if tones:
                tone = torch.tensor(tones[k % len(tones)], device=labels.device).expand(len(labels), 3) / 255
                labels = torch.cat([labels, tone], 1)
            rows.append(self.average(source, faces.keep, labels - 0.5))
        return rows


def drawn_tones(tones: tuple[tuple[int, int, int], ...], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(count, 3): half of them one of ``tones``, half a mixture of two, so that tones in between are learned too."""
    colours = np.array(tones, np.float32)
    first, second = (colours[rng.integers(len(colours), size=count)] for _ in range(2))
    share = np.where(rng.random(count) < 0.5, 0.0, rng.random(count)).astype(np.float32)[:, None]
    return np.asarray(np.rint(first + share * (second - first)), np.float32)


def new_editor(config: AttributeConfig, names: tuple[str, ...], start: Editor | None) -> Editor:
    """An editor of the attributes ``names``, which begins as ``start`` where there is one (`begin_as`)."""
    editor = Editor(EditorConfig(names, config.width, config.fine, config.blocks, config.detail))
    if start is not None:
        begin_as(start, editor)
    return editor


def begin_as(start: Editor, editor: Editor) -> None:
    """Copies the weights of ``start`` into ``editor``, attribute by attribute. The editor may have detail that
    ``start`` lacks. Raises `ConfigError` where it has another size."""
    names = editor.config.attributes
    larger = grows(replace(start.config, attributes=names), editor.config)
    places = {name: k for k, name in enumerate(start.config.attributes)}
    columns = [places.get(name) for name in names]
    state = start.state_dict()
    for name, value in state.items():
        if name.endswith("tell.weight"):
            state[name] = value.new_zeros(len(value), len(columns))
            for to, column in enumerate(columns):
                if column is not None:
                    state[name][:, to] = value[:, column]
    copy_weights(state, editor, larger)


def opposite(labels: torch.Tensor) -> torch.Tensor:
    """The other gender, and the age group after next, for the sample grid."""
    turned = labels.clone()
    turned[:, 0] = 1 - turned[:, 0]
    turned[:, -4:] = torch.roll(labels[:, -4:], 2, 1)
    return turned
