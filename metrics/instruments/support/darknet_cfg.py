"""Darknet's text file of a network (``.cfg``), read strictly: the sections that YOLOv3 and YOLOv3-tiny are made of.

Whoever writes the file decides how much memory the network takes, so every size in it is bounded, and an unknown
setting is refused: a network run without one of its settings would answer, and answer wrongly. (OpenCV's reader
answers for two fifths of the damaged files of the tests.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from unmask.bench.core.errors import CheckpointError

MAX_BYTES: Final = 100_000
MAX_LAYERS: Final = 256
MAX_CHANNELS: Final = 4096

_Side = Annotated[int, Field(ge=1, le=15)]
_Stride = Annotated[int, Field(ge=1, le=4)]
_Switch = Annotated[int, Field(ge=0, le=1)]
_Index = Annotated[int, Field(ge=-MAX_LAYERS, le=MAX_LAYERS)]
_Pixels = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]
_Listed = BeforeValidator(lambda text: [part.strip() for part in text.split(",")])


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Net(BaseModel):
    """What comes in. Its other settings change nothing once a network is trained."""

    channels: Annotated[int, Field(ge=3, le=3)] = 3


class Convolution(_Settings):
    """A convolution; with ``batch_normalize`` without a bias of its own, followed by batch normalisation."""

    filters: Annotated[int, Field(ge=1, le=MAX_CHANNELS)]
    size: _Side
    stride: _Stride
    pad: _Switch = 0
    """1 = bordered by half the kernel; only without it counts ``padding``."""
    padding: Annotated[int, Field(ge=0, le=15)] = 0
    batch_normalize: _Switch = 0
    activation: Literal["leaky", "linear"]
    """``leaky`` = followed by a rectifier of slope 0.1 below 0."""


class MaxPool(_Settings):
    """A maximum over windows; the window may reach over the border, where there is nothing to be the maximum."""

    stride: _Stride
    size: _Side | None = None
    """``None`` = the stride."""


class Upsample(_Settings):
    """Each value repeated ``stride`` times both ways."""

    stride: _Stride


class Route(_Settings):
    """The outputs of earlier layers, one behind the other."""

    layers: Annotated[tuple[_Index, ...], _Listed, Field(max_length=8)]


class Shortcut(_Settings):
    """The last output plus that of an earlier layer."""

    layers: Annotated[tuple[_Index], _Listed, Field(alias="from")]
    activation: Literal["linear"]


class Yolo(_Settings):
    """Where boxes are read off: the last output, for each cell of the grid and each anchor."""

    anchors: Annotated[tuple[_Pixels, ...], _Listed, Field(max_length=128)]
    """Width, height, width, height... in pixels of the network's input, of all scales."""
    mask: Annotated[tuple[Annotated[int, Field(ge=0)], ...], _Listed, Field(max_length=64)]
    """Which anchors are of this scale, from 0."""
    classes: Annotated[int, Field(ge=1, le=10_000)]
    # Of no effect once a network is trained:
    jitter: str = ""
    ignore_thresh: str = ""
    truth_thresh: str = ""
    random: str = ""
    num: str = ""
    max: str = ""

    @property
    def sizes(self) -> tuple[tuple[float, float], ...]:
        """Width and height of the anchors of this scale."""
        return tuple((self.anchors[2 * k], self.anchors[2 * k + 1]) for k in self.mask)


_KINDS: Final[dict[str, type[Convolution | MaxPool | Upsample | Route | Shortcut | Yolo]]] = {
    "convolutional": Convolution,
    "maxpool": MaxPool,
    "upsample": Upsample,
    "route": Route,
    "shortcut": Shortcut,
    "yolo": Yolo,
}


class Layer(NamedTuple):
    """A section in its place."""

    settings: Convolution | MaxPool | Upsample | Route | Shortcut | Yolo
    inputs: int
    """Channels of the layer before it."""
    sources: tuple[int, ...]
    """Numbers of the earlier layers that it reads, from 0."""


class _Section(NamedTuple):
    kind: str
    where: str
    values: dict[str, str]

    def read(self, kind: type[BaseModel]) -> Any:
        """The section's settings. Raises `CheckpointError` for one that is missing, unknown or out of range."""
        try:
            return kind.model_validate(self.values)
        except ValidationError as error:
            first = error.errors()[0]
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            self.refuse(f"{key[:40]!r} is a setting that YOLOv3 has not; the network would be run without it")
        if first["type"] == "missing":
            self.refuse(f"{key} is missing")
        return self.refuse(f"{key} = {self.values[key][:40]!r}: {first['msg']}")

    def refuse(self, why: str) -> NoReturn:
        raise CheckpointError(f"{self.where}: {why}")


def read_cfg(path: Path) -> tuple[Layer, ...]:
    """The layers of a network in their order, checked to fit together.

    Raises `CheckpointError` (one line that names the file, the section and the setting) for anything that YOLOv3 and
    YOLOv3-tiny have not, and `OSError` where the file cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path.name} is no Darknet .cfg: it has more than {MAX_BYTES} bytes")
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path.name} is no Darknet .cfg: it is not text; is it the .weights file?") from error
    head, *sections = _sections(text, path.name) or [_Section("", path.name, {})]
    if head.kind not in ("net", "network"):
        raise CheckpointError(f"{path.name} is no Darknet .cfg: it does not begin with [net]")
    channels: list[int] = []
    width: int = head.read(Net).channels
    if not 1 <= len(sections) <= MAX_LAYERS:
        raise CheckpointError(f"{path.name} has {len(sections)} layers; 1 to {MAX_LAYERS} can be read")
    layers: list[Layer] = []
    for section in sections:
        layers.append(_layer(section, width, channels))
        width = _channels(section, layers[-1], channels)
        channels.append(width)
    if not any(isinstance(layer.settings, Yolo) for layer in layers):
        raise CheckpointError(f"{path.name} describes no detector: it has no [yolo] section")
    return tuple(layers)


def _sections(text: str, name: str) -> list[_Section]:
    sections: list[_Section] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].partition(";")[0].strip()
        if line.startswith("[") and line.endswith("]"):
            kind = line[1:-1].strip()
            sections.append(_Section(kind, f"{name}, line {number}, [{kind[:40]}]", {}))
        elif line:
            key, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not sections:
                raise CheckpointError(f"{name}, line {number}: {line[:40]!r} is neither [section] nor setting=value")
            if key in sections[-1].values:
                raise CheckpointError(f"{name}, line {number}: {key[:40]!r} is given twice in one section")
            sections[-1].values[key] = value
    return sections


def _layer(section: _Section, width: int, channels: list[int]) -> Layer:
    """``width``: channels of the layer before it; ``channels``: of all layers before it."""
    if section.kind not in _KINDS:
        section.refuse("is a section that YOLOv3 has not")
    settings = section.read(_KINDS[section.kind])
    listed = settings.layers if isinstance(settings, Route | Shortcut) else ()
    # Counted back from the layer itself where negative.
    sources = tuple(value + len(channels) if value < 0 else value for value in listed)
    for value, source in zip(listed, sources, strict=True):
        if not 0 <= source < len(channels):
            section.refuse(f"refers to layer {value}, which is not before it")
    return Layer(settings, width, sources)


def _channels(section: _Section, layer: Layer, channels: list[int]) -> int:
    """How many channels a layer gives."""
    settings, width = layer.settings, layer.inputs
    if isinstance(settings, Convolution):
        return settings.filters
    if isinstance(settings, Route):
        width = sum(channels[source] for source in layer.sources)
        if width > 2 * MAX_CHANNELS:
            section.refuse(f"gives {width} channels, more than {2 * MAX_CHANNELS}")
    if isinstance(settings, Shortcut) and channels[layer.sources[0]] != width:
        section.refuse(f"adds {channels[layer.sources[0]]} channels to {width}")
    if isinstance(settings, Yolo):
        if len(settings.anchors) % 2 or max(settings.mask) >= len(settings.anchors) // 2:
            section.refuse("anchors must be pairs of width and height, and mask must count them from 0")
        if width != len(settings.mask) * (5 + settings.classes):
            needed = f"{len(settings.mask)} x (5 + {settings.classes})"
            section.refuse(f"needs {needed} channels, but the layer before it gives {width}")
    return width
