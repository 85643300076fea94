"""Detectors and estimators that read a photo's colour, so that a test decides what they see.

Red counts the faces in steps of 50, green is twice the age (255: cannot say), blue is the probability of female; the
skin's colour is the photo's, and not estimated where green is below 20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from unmask.bench.core.cards import InstrumentCard, Role
from unmask.bench.core.protocols import Columns
from unmask.bench.core.training import FaceCrop, Rgb
from unmask.bench.core.types import Box, Detection, FaceView, Floats32, Image
from unmask.methods.gan.runtime.preparing import PreparedFaces

LANDMARKS = np.array([[8, 10], [24, 10], [16, 16], [10, 24], [22, 24]], np.float32)


class FakeFaces(PreparedFaces):
    """The real crop and attributes, another detector. Very dark faces are not found."""

    @property
    def weights(self) -> Mapping[str, str]:
        return {"fake": "0" * 64}

    def load(self, device: str) -> None: ...

    def find(self, image: Image) -> list[Detection]:
        if image.shape[0] == 128:
            # A recoloured crop: its middle tells whether the face is still seen.
            return [] if image[64, 64].sum() < 60 else [Detection(Box(16, 16, 96, 96), LANDMARKS * 4, 0.9)]
        return [Detection(Box(2, 2, 28, 28), LANDMARKS, 0.9)] * round(float(image[0, 0, 0]) / 50)

    def crop(self, image: Image, face: Detection) -> FaceCrop:
        return super().crop(image, face)

    def recolour(self, image: Image, skin: tuple[float, float, float], tone: Rgb, *, whole: bool) -> Image:
        return np.broadcast_to(np.array(tone, np.uint8), image.shape).copy()


def _card(name: str, role: Role) -> InstrumentCard:
    return InstrumentCard(name, "1", role, "fake", "MIT", "a test")


class FakeAttributes:
    card: ClassVar[InstrumentCard] = _card("fake-attributes", "attributes")

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        return cls()

    def read(self, faces: Sequence[FaceView]) -> Columns:
        pixels = np.array([face.image[0, 0] for face in faces], np.float32)
        age = np.where(pixels[:, 1] == 255, np.nan, pixels[:, 1] / 2)
        return {"age": age.astype(np.float32), "p_female": pixels[:, 2] / 255}


class FakeSkin:
    card: ClassVar[InstrumentCard] = _card("fake-skin", "skin")

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        return cls()

    def read(self, faces: Sequence[FaceView]) -> Columns:
        pixels: Floats32 = np.array([face.image[16, 16] for face in faces], np.float32)
        pixels[pixels[:, 1] < 20] = np.nan
        return {"r": pixels[:, 0], "g": pixels[:, 1], "b": pixels[:, 2]}


INSTRUMENTS: dict[str, Any] = {
    "fake-attributes": "tests.study.training_set.fakes:FakeAttributes",
    "fake-skin": "tests.study.training_set.fakes:FakeSkin",
}
