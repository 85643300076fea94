"""Images, boxes, faces and samples: what methods and instruments get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""H x W x 3, uint8, RGB, sRGB values 0..255."""

Float = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Bools = NDArray[np.bool_]
Strings = NDArray[np.str_]
Gender = Literal["female", "male"]
FetchProgress = Callable[[str, int, int | None], None]
"""What downloads report to: the file's name, bytes so far, and bytes in all (``None`` = unknown)."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: left, top, width, height. May reach outside its image."""

    x: float
    y: float
    w: float
    h: float

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return self.x + self.w / 2, self.y + self.h / 2

    @property
    def area(self) -> float:
        """Square pixels; 0 for a negative width or height."""
        return max(self.w, 0.0) * max(self.h, 0.0)

    def scaled(self, factor: float) -> Box:
        """The box grown (or shrunk) by ``factor`` about its centre."""
        cx, cy = self.center
        w, h = self.w * factor, self.h * factor
        return Box(cx - w / 2, cy - h / 2, w, h)

    def square(self, factor: float = 1.0) -> Box:
        """The square about the same centre whose side is ``factor`` times the longer side."""
        cx, cy = self.center
        side = max(self.w, self.h) * factor
        return Box(cx - side / 2, cy - side / 2, side, side)

    def clipped(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Whole-pixel (left, top, right, bottom) inside an image; right/bottom exclusive, maybe empty."""
        left, top = max(round(self.x), 0), max(round(self.y), 0)
        right, bottom = min(round(self.x + self.w), width), min(round(self.y + self.h), height)
        return left, top, max(right, left), max(bottom, top)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        w = min(self.x + self.w, other.x + other.w) - max(self.x, other.x)
        h = min(self.y + self.h, other.y + other.h) - max(self.y, other.y)
        inter = max(w, 0.0) * max(h, 0.0)
        union = self.area + other.area - inter
        return inter / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Detection:
    """One face as a detector sees it."""

    box: Box
    landmarks: Floats32
    """(5, 2) pixels: eye on the image's left, eye on its right, nose tip, left and right mouth corner."""
    score: float
    """The detector's confidence, 0..1."""


@dataclass(frozen=True, slots=True)
class FaceLabel:
    """What a data set says about one face. ``None`` = the data set does not say."""

    identity: str | None = None
    age: float | None = None
    gender: Gender | None = None
    race: str | None = None
    at: tuple[float, float] | None = None
    """A pixel (x, y) inside the face that is meant; ``None`` = the subject of the photo (large and central)."""


@dataclass(frozen=True, slots=True)
class SampleRef:
    """An entry of a data set, a photo or a clip, before it is decoded."""

    id: str
    """Unique in its data set, stable across machines; a relative path with forward slashes."""
    labels: tuple[FaceLabel, ...] = ()
    digest: str = ""
    """A content fingerprint (sha256, or the archive's CRC and size), part of the plan's key."""
    group: str = ""
    """What the data set says of a clip, e.g. ``normal`` or ``anomaly``; '' = nothing."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An image of a data set, decoded, as it is handed to a method."""

    id: str
    image: Image
    boxes: tuple[Box, ...] | None = None
    """The harness's face boxes, for methods that use them (``detector=harness``)."""
    draw: str = ""
    """By what name `bench.core.seeds.sample_rng` draws, opaque as ``id`` is; '' = ``id``, so that every photo has its
    own. Samples of one name get the same draw."""
    sequence: str = ""
    """Of a frame: a name of its clip, opaque as ``id`` is; '' = a photo. The frames of a clip come in order, each
    once, unless a method that fails or dies on one is asked again."""
    landmarks: tuple[Floats32, ...] = ()
    """(5, 2) of each of ``boxes``, see `Detection.landmarks`; () where there are no boxes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "draw", self.draw or self.id)


@dataclass(frozen=True, slots=True)
class MethodFailure:
    """What a method returns in place of an image that it could not anonymize."""

    reason: str


@dataclass(frozen=True, slots=True)
class FaceView:
    """One located face of one image, as instruments see it. Crops are cached, so they are cut once."""

    image: Image
    box: Box
    landmarks: Floats32
    """(5, 2), see `Detection.landmarks`."""
    crops: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """Crop name -> array; filled by `metrics.instruments.support.crops`."""


@dataclass(frozen=True, slots=True)
class RegionPair:
    """The same region of an original and of its anonymized version, for quality metrics."""

    original: Image
    anonymized: Image
    mask: Bools | None = None
    """(H, W): the pixels that count; ``None`` = all. Outside the mask both images are black."""


@dataclass(frozen=True, slots=True)
class FacePair:
    """One face of a background person in an original and in what a method made of it."""

    original: Image
    """(H, W, 3), the whole photo."""
    released: Image | None
    """(H, W, 3); ``None`` where the method failed."""
    box: Box
    """The judge's, on the original."""
    person: str
    """Tells people apart and says nothing else."""


class Outcome(StrEnum):
    """How one face ended. Every face of every input ends in exactly one."""

    ANONYMIZED = "anonymized"
    """Not missed, and a face is still found there."""
    DESTROYED = "destroyed"
    """Not missed, and no face is found there any more."""
    MISSED = "missed"
    """The method left the face as it was (`bench.run.reading.explained`): a privacy failure."""
    ERROR = "error"
    """The method crashed or gave nothing usable: a failure of both."""


Region = Literal["face", "image", "background", "wide"]
Unit = Literal["face", "image", "track", "clip"]


def unit_of(region: str) -> Literal["face", "image"]:
    """What a region has one of: ``face`` and ``wide`` are crops about each face, the others one for each image."""
    return "face" if region in ("face", "wide") else "image"
