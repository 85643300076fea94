"""Darknet's text file of a network (``.cfg``), read strictly: the sections that YOLOv3 and YOLOv3-tiny are made of.

Whoever writes the file decides how much memory the network takes, so every size in it is bounded, and what this reader
does not know is refused: a network run without one of its settings would answer, and answer wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from unmask.bench.core.errors import CheckpointError

MAX_BYTES: Final = 100_000
MAX_LAYERS: Final = 256
MAX_CHANNELS: Final = 4096
MAX_KERNEL: Final = 15
MAX_STRIDE: Final = 4
MAX_CLASSES: Final = 10_000
MAX_ANCHORS: Final = 64
MAX_ANCHOR: Final = 10_000.0
"""Pixels."""

_TRAINING_ONLY: Final[Mapping[str, frozenset[str]]] = {
    "yolo": frozenset({"jitter", "ignore_thresh", "truth_thresh", "random", "num", "max"}),
}
"""Settings that change nothing once a network is trained. Of ``[net]`` that is all but the channels."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution; ``batch_normalize`` = without a bias of its own, followed by batch normalisation."""

    filters: int
    kernel: int
    stride: int
    padding: int
    batch_normalize: bool
    leaky: bool
    """Followed by a leaky rectifier of slope 0.1; else by nothing."""
    inputs: int
    """Channels that come in."""


@dataclass(frozen=True, slots=True)
class MaxPool:
    """A maximum over windows; the window may reach over the border, where there is nothing to be the maximum."""

    kernel: int
    stride: int


@dataclass(frozen=True, slots=True)
class Upsample:
    """Each value repeated ``stride`` times both ways."""

    stride: int


@dataclass(frozen=True, slots=True)
class Route:
    """The outputs of earlier layers, one behind the other."""

    layers: tuple[int, ...]
    """Numbers of layers, from 0."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """The last output plus that of an earlier layer."""

    layer: int


@dataclass(frozen=True, slots=True)
class Yolo:
    """Where boxes are read off: the last output, for each cell of the grid and each anchor."""

    anchors: tuple[tuple[float, float], ...]
    """Width and height in pixels of the network's input, only those of this scale."""
    classes: int


Layer = Convolution | MaxPool | Upsample | Route | Shortcut | Yolo


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
    sections = _sections(text, path.name)
    if not sections or sections[0].kind not in ("net", "network"):
        raise CheckpointError(f"{path.name} is no Darknet .cfg: it does not begin with [net]")
    sections[0].whole("channels", 3, 3, default=3)
    if not 1 <= len(sections) - 1 <= MAX_LAYERS:
        raise CheckpointError(f"{path.name} has {len(sections) - 1} layers; 1 to {MAX_LAYERS} can be read")
    layers: list[Layer] = []
    channels: list[int] = []
    for number, section in enumerate(sections[1:]):
        layer, width = _layer(section, number, channels)
        section.check_all_read()
        layers.append(layer)
        channels.append(width)
    if not any(isinstance(layer, Yolo) for layer in layers):
        raise CheckpointError(f"{path.name} describes no detector: it has no [yolo] section")
    return tuple(layers)


class _Section:
    """One ``[kind]`` with its settings; every setting must be asked for."""

    def __init__(self, kind: str, where: str) -> None:
        self.kind, self.where = kind, where
        self.values: dict[str, str] = {}
        self.read: set[str] = set()

    def refuse(self, why: str) -> NoReturn:
        raise CheckpointError(f"{self.where}: {why}")

    def whole(self, key: str, low: int, high: int, *, default: int | None = None) -> int:
        """A whole number from ``low`` to ``high``."""
        if key not in self.values and default is not None:
            return default
        return self.wholes(key, low, high, most=1)[0]

    def wholes(self, key: str, low: int, high: int, *, most: int) -> tuple[int, ...]:
        """One to ``most`` whole numbers, separated by commas."""
        numbers = tuple(self._number(key, part) for part in self._parts(key, most))
        if not all(number == int(number) and low <= number <= high for number in numbers):
            self.refuse(f"{key} = {self._shown(key)} must be whole, from {low} to {high}")
        return tuple(int(number) for number in numbers)

    def positives(self, key: str, high: float, *, most: int) -> tuple[float, ...]:
        """One to ``most`` numbers above 0 and up to ``high``."""
        numbers = tuple(self._number(key, part) for part in self._parts(key, most))
        if not all(0 < number <= high for number in numbers):
            self.refuse(f"{key} must be above 0 and at most {high:g}")
        return numbers

    def word(self, key: str, allowed: tuple[str, ...]) -> str:
        self.read.add(key)
        value = self.values.get(key, "")
        if value not in allowed:
            self.refuse(f"{key} = {self._shown(key)} must be {' or '.join(allowed)}")
        return value

    def check_all_read(self) -> None:
        for key in self.values:
            if key not in self.read and key not in _TRAINING_ONLY.get(self.kind, frozenset()):
                self.refuse(f"{key[:40]!r} is a setting that YOLOv3 has not; the network would be run without it")

    def _parts(self, key: str, most: int) -> list[str]:
        self.read.add(key)
        if key not in self.values:
            self.refuse(f"{key} is missing")
        parts = self.values[key].split(",", most)
        if len(parts) > most:
            self.refuse(f"{key} lists more than {most} numbers")
        return parts

    def _number(self, key: str, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            self.refuse(f"{key} = {self._shown(key)} must be a number")
        if not abs(number) < 1e9:
            self.refuse(f"{key} = {self._shown(key)} must be a number below 1e9")
        return number

    def _shown(self, key: str) -> str:
        return repr(self.values.get(key, "")[:40])


def _sections(text: str, name: str) -> list[_Section]:
    sections: list[_Section] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].partition(";")[0].strip()
        if not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            kind = line[1:-1].strip()
            where = f"{name}, line {number}, [{kind[:40]}]"
            sections.append(_Section(kind, where))
            continue
        key, equals, value = line.partition("=")
        if not equals or not sections:
            raise CheckpointError(f"{name}, line {number}: {line[:40]!r} is neither [section] nor setting=value")
        key = key.strip()
        if key in sections[-1].values:
            raise CheckpointError(f"{name}, line {number}: {key[:40]!r} is given twice in one section")
        sections[-1].values[key] = value.strip()
    return sections


def _layer(section: _Section, number: int, channels: list[int]) -> tuple[Layer, int]:
    """The layer, and how many channels it gives. ``channels``: those of the layers before it."""
    width = channels[-1] if channels else 3
    kind = section.kind
    if kind == "convolutional":
        return _convolution(section, width)
    if kind == "maxpool":
        stride = section.whole("stride", 1, MAX_STRIDE)
        return MaxPool(section.whole("size", 1, MAX_KERNEL, default=stride), stride), width
    if kind == "upsample":
        return Upsample(section.whole("stride", 1, MAX_STRIDE)), width
    if kind == "route":
        listed = section.wholes("layers", -MAX_LAYERS, MAX_LAYERS, most=8)
        layers = tuple(_earlier(section, value, number) for value in listed)
        total = sum(channels[layer] for layer in layers)
        if total > 2 * MAX_CHANNELS:
            section.refuse(f"gives {total} channels, more than {2 * MAX_CHANNELS}")
        return Route(layers), total
    if kind == "shortcut":
        section.word("activation", ("linear",))
        layer = _earlier(section, section.whole("from", -MAX_LAYERS, MAX_LAYERS), number)
        if channels[layer] != width:
            section.refuse(f"adds {channels[layer]} channels to {width}")
        return Shortcut(layer), width
    if kind != "yolo":
        section.refuse("is a section that YOLOv3 has not")
    return _yolo(section, width)


def _convolution(section: _Section, width: int) -> tuple[Convolution, int]:
    kernel = section.whole("size", 1, MAX_KERNEL)
    # As Darknet reads it: pad=1 means "half the kernel", and only without it counts padding=.
    padding = section.whole("padding", 0, MAX_KERNEL, default=0)
    if section.whole("pad", 0, 1, default=0):
        padding = kernel // 2
    filters = section.whole("filters", 1, MAX_CHANNELS)
    layer = Convolution(
        filters=filters,
        kernel=kernel,
        stride=section.whole("stride", 1, MAX_STRIDE),
        padding=padding,
        batch_normalize=section.whole("batch_normalize", 0, 1, default=0) == 1,
        leaky=section.word("activation", ("leaky", "linear")) == "leaky",
        inputs=width,
    )
    return layer, filters


def _yolo(section: _Section, width: int) -> tuple[Yolo, int]:
    listed = section.positives("anchors", MAX_ANCHOR, most=2 * MAX_ANCHORS)
    if len(listed) % 2:
        section.refuse("anchors must be pairs of width and height")
    pairs = tuple(zip(listed[::2], listed[1::2], strict=True))
    mask = section.wholes("mask", 0, len(pairs) - 1, most=MAX_ANCHORS)
    classes = section.whole("classes", 1, MAX_CLASSES)
    if width != len(mask) * (5 + classes):
        section.refuse(f"needs {len(mask)} x (5 + {classes}) channels, but the layer before it gives {width}")
    return Yolo(tuple(pairs[index] for index in mask), classes), width


def _earlier(section: _Section, value: int, number: int) -> int:
    """The layer that ``value`` means in layer ``number``: counted back from it where negative, else from 0."""
    layer = value + number if value < 0 else value
    if not 0 <= layer < number:
        section.refuse(f"refers to layer {value}, which is not before it")
    return layer
