"""The networks that checkpoints are recognised as, by names and shapes alone (and a safetensors file's metadata).

To add one, append an `Architecture` to `ARCHITECTURES`; the first whose ``recognise`` answers is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from unmask.bench.core.cards import Scalar
from unmask.bench.core.errors import CheckpointError
from unmask.methods.gan.checkpoints.reading import shown
from unmask.methods.gan.compact.editor import Editor, EditorConfig
from unmask.methods.gan.compact.inpainter import Inpainter, InpainterConfig
from unmask.methods.gan.compact.stored import config_from
from unmask.methods.gan.networks import Shapes, attgan, deepprivacy_msg, deepprivacy_v1, stargan

T = TypeVar("T")


def _unchanged(tensors: Mapping[str, T]) -> dict[str, T]:
    return dict(tensors)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that a file may hold."""

    name: str
    title: str
    """For a person: whose network it is."""
    recognise: Callable[[Shapes, Mapping[str, str]], Any]
    """Shapes (after ``rename``) and metadata -> a config dataclass, or None. Names decide, not shapes."""
    build: Callable[[Any], nn.Module]
    """Config -> the module."""
    methods: Callable[[Any], tuple[str, ...]]
    """Config -> the registered methods that take such a file as ``checkpoint=``."""
    role: Literal["generator", "discriminator"] = "generator"
    rename: Callable[[Mapping[str, Any]], dict[str, Any]] = _unchanged
    """Older spellings of the keys -> the present ones."""


@dataclass(frozen=True, slots=True)
class Identified:
    """What a state dict is."""

    architecture: Architecture
    config: Any
    """The architecture's config dataclass."""

    @property
    def settings(self) -> dict[str, Scalar]:
        return asdict(self.config)

    def __str__(self) -> str:
        return f"{self.architecture.title} ({', '.join(f'{key}={value}' for key, value in self.settings.items())})"


def _attgan_methods(config: attgan.AttGanConfig) -> tuple[str, ...]:
    # The thesis's label vectors: female and four age groups; with skin tone, one more.
    cascades = {5: ("dp-att",), 6: ("dp-att-s",)}
    return (*cascades.get(config.n_attrs, ()), "attgan")


def _editor_methods(config: EditorConfig) -> tuple[str, ...]:
    return ("dp-att-s",) if "tone_r" in config.attributes else ("dp-att", "attgan")


ARCHITECTURES: list[Architecture] = [
    Architecture(
        name="attgan",
        title="AttGAN generator",
        recognise=lambda shapes, _: attgan.AttGanConfig.from_shapes(shapes),
        build=attgan.AttGanGenerator,
        methods=_attgan_methods,
    ),
    Architecture(
        name="attgan-discriminator",
        title="AttGAN discriminator",
        recognise=lambda shapes, _: attgan.AttGanDiscriminatorConfig.from_shapes(shapes),
        build=attgan.AttGanDiscriminator,
        methods=lambda _: (),
        role="discriminator",
    ),
    Architecture(
        name="stargan",
        title="StarGAN v1 generator",
        recognise=lambda shapes, _: stargan.StarGanConfig.from_shapes(shapes),
        build=stargan.StarGanGenerator,
        methods=lambda _: ("dp-stargan", "stargan"),
    ),
    Architecture(
        name="stargan-discriminator",
        title="StarGAN v1 discriminator",
        recognise=lambda shapes, _: stargan.StarGanDiscriminatorConfig.from_shapes(shapes),
        build=stargan.StarGanDiscriminator,
        methods=lambda _: (),
        role="discriminator",
    ),
    Architecture(
        name="deepprivacy-msg",
        title="DeepPrivacy multi-scale generator",
        recognise=lambda shapes, _: deepprivacy_msg.MsgConfig.from_shapes(shapes),
        build=deepprivacy_msg.MsgGenerator,
        methods=lambda _: ("deepprivacy",),
        rename=deepprivacy_msg.renamed,
    ),
    Architecture(
        name="deepprivacy-v1",
        title="DeepPrivacy V1 generator",
        recognise=lambda shapes, _: deepprivacy_v1.V1Config.from_shapes(shapes),
        build=deepprivacy_v1.V1Generator,
        methods=lambda _: ("deepprivacy",),
    ),
    Architecture(
        name="compact-inpainter",
        title="compact DeepPrivacy",
        recognise=lambda _, metadata: config_from(metadata, "compact-inpainter", InpainterConfig),
        build=Inpainter,
        methods=lambda _: ("deepprivacy",),
    ),
    Architecture(
        name="compact-editor",
        title="compact AttGAN",
        recognise=lambda _, metadata: config_from(metadata, "compact-editor", EditorConfig),
        build=Editor,
        methods=_editor_methods,
    ),
]


def identify(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> Identified:
    """Which network a state dict belongs to, and with which settings. Raises CheckpointError if to none."""
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    for architecture in ARCHITECTURES:
        config = architecture.recognise(architecture.rename(shapes), metadata or {})
        if config is not None:
            return Identified(architecture, config)
    known = ", ".join(architecture.title for architecture in ARCHITECTURES if architecture.role == "generator")
    raise CheckpointError(f"not a network that is known here ({shown(list(tensors))}); known: {known}")
