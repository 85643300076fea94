"""What `unmask data build` asks of the methods: their detector, their crop, their idea of an attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from unmask.bench.core.types import Detection, Floats32, Image

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """One face as the networks are trained on it."""

    image: Image
    """(128, 128, 3)"""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of what is erased, in pixels of the crop; right and bottom exclusive."""
    landmarks: Floats32
    """(5, 2) in pixels of the crop."""


class TrainingFaces(Protocol):
    """Constructed without arguments; found by `bench.core.registry.training_faces`."""

    @property
    def weights(self) -> Mapping[str, str]:
        """The detector's weights: name -> sha256."""

    def load(self, device: str) -> None:
        """Loads the detector. Once per process, before `find`."""

    def find(self, image: Image) -> list[Detection]:
        """All faces of an image (H, W, 3)."""

    def crop(self, image: Image, face: Detection) -> FaceCrop: ...

    def check_attributes(self, names: Sequence[str]) -> None:
        """Raises `SpecError` for a name that is no attribute."""

    def attributes(self, names: Sequence[str], age: float, p_female: float, tone: Rgb | None) -> Floats32:
        """(A,) 0/1 for one person."""

    def tone(self, text: str) -> Rgb:
        """``dark``, ``light``, ``beige`` or ``R-G-B``. Raises `SpecError`."""

    def recolour(self, image: Image, skin: tuple[float, float, float], tone: Rgb, *, whole: bool) -> Image:
        """``image`` with what has the colour ``skin`` brought to ``tone``; ``whole``: all of the image."""
