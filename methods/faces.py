"""What methods that edit faces one by one share: who finds the faces, in which order, which pixels they cover."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.seeds import sample_rng
from unmask.bench.core.types import Box, Detection, Image, MethodFailure, Sample
from unmask.methods import mtcnn
from unmask.methods.params import choice

DETECTORS = ("mtcnn", "harness")

FINDS_ITS_OWN = (
    "Faces below 20 px or a thirty-second of the photo's longer side, strong profiles and heavy occlusion are often "
    "not found by MTCNN and then stay as they are."
)


class FaceMethod(ABC):
    """Finds the faces of a sample and lets a subclass edit them; everything between the faces stays untouched."""

    def __init__(self, name: str, detector: str) -> None:
        self._detector = choice(name, "detector", detector, DETECTORS)
        self._finder: mtcnn.Mtcnn | None = None

    @property
    @abstractmethod
    def card(self) -> MethodCard:
        """The facts, see `bench.core.cards.MethodCard`."""

    @abstractmethod
    def edit_faces(self, image: Image, faces: Sequence[Detection], rng: np.random.Generator) -> None:
        """Anonymizes all faces in place. ``image`` (H, W, 3) is a writable copy; ``faces`` have a positive size, the
        largest first; their landmarks are NaN where only boxes are known (``detector=harness``)."""

    def detector_weights(self) -> Mapping[str, str]:
        """For the card: the detector's weights, none where the harness hands its boxes over."""
        return mtcnn.weights() if self._detector == "mtcnn" else {}

    def detector_imports(self) -> tuple[str, ...]:
        """For the card: what the detector imports."""
        return ("facenet_pytorch",) if self._detector == "mtcnn" else ()

    def detector_limits(self) -> str:
        """For the card: what the choice of detector means."""
        if self._detector == "mtcnn":
            return FINDS_ITS_OWN
        return "Uses the judge's own boxes: it cannot miss a face that the judge sees, which flatters it."

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Loads the detector. ``files`` is not used: the networks are in the installed package."""
        if self._detector == "mtcnn" and self._finder is None:
            self._finder = mtcnn.Mtcnn(device)

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        """See `bench.core.protocols.Method.anonymize`."""
        return [self._one(sample, seed) for sample in batch]

    def _one(self, sample: Sample, seed: int) -> Image | MethodFailure:
        if self._detector == "harness":
            if sample.boxes is None:
                return MethodFailure("detector=harness, but no boxes were handed over")
            unknown = np.full((5, 2), np.nan, np.float32)
            found = [Detection(box, unknown, 1.0) for box in sample.boxes]
        else:
            if self._finder is None:
                raise RuntimeError("load() must be called before anonymize()")
            try:
                found = self._finder.faces(sample.image)
            except (RuntimeError, IndexError, ValueError) as error:
                # The package is known to fail where a candidate lies wholly outside the image. Returning the input
                # would pass off a crash as "no face here".
                return MethodFailure(f"face detector failed: {str(error).splitlines()[0][:120]}")
        output = sample.image.copy()
        self.edit_faces(output, in_order(found), sample_rng(seed, sample.id))
        return output


class BoxMethod(FaceMethod):
    """Edits one box after another on the same image, the largest first: where two overlap, the second edit works on
    what the first left, so an overlap is never weaker than either. Nothing is drawn at random."""

    @abstractmethod
    def edit(self, image: Image, face: Box) -> None:
        """Anonymizes one face in place. ``image`` (H, W, 3) is a writable copy; ``face`` has a positive size."""

    def edit_faces(self, image: Image, faces: Sequence[Detection], rng: np.random.Generator) -> None:
        for face in faces:
            self.edit(image, face.box)


def in_order(faces: Sequence[Detection]) -> list[Detection]:
    """Faces of positive size, the largest first; ties by position, so that no detector's order shows in the output."""
    real = [face for face in faces if face.box.w > 0 and face.box.h > 0]
    return sorted(real, key=lambda f: (-f.box.area, f.box.x, f.box.y, f.box.w))


def grown(box: Box, margin: float) -> Box:
    """The box with ``margin`` times its width added left and right, and ``margin`` times its height above and below."""
    return box.scaled(1 + 2 * margin)


def covered(box: Box, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of all pixels that the box touches, within the image; empty where it lies outside.

    Rounds outwards: a box thinner than a pixel still covers one.
    """
    left, top = max(math.floor(box.x), 0), max(math.floor(box.y), 0)
    right, bottom = min(math.ceil(box.x + box.w), width), min(math.ceil(box.y + box.h), height)
    return slice(top, max(bottom, top)), slice(left, max(right, left))
