"""What methods that edit faces one by one share: who finds the faces, in which order, which pixels they cover."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar, Final, Literal

import numpy as np

from unmask.bench.core.cards import MethodCard, Scalar
from unmask.bench.core.files import remembered_sha256
from unmask.bench.core.seeds import sample_rng
from unmask.bench.core.types import Box, Detection, Float, Image, MethodFailure, Sample
from unmask.methods.shared import mtcnn
from unmask.methods.shared.settings import Within, check_parameters

__all__ = ["BoxMethod", "FaceMethod", "Within", "covered", "in_order", "squared_radius"]

LIMITS: Final = {
    "mtcnn": "Faces below 20 px or a thirty-second of the photo's longer side, strong profiles and heavy occlusion are "
    "often not found by MTCNN and then stay as they are.",
    "harness": "Uses the judge's own boxes: it cannot miss a face that the judge sees, which flatters it.",
}
"""Detector -> what its choice means, for the card."""


@dataclass(kw_only=True, eq=False, repr=False)
class FaceMethod(ABC):
    """Finds the faces of a sample and lets a subclass edit them; everything between the faces stays untouched.

    A subclass is a dataclass: its fields are the parameters of a SPEC, checked against their types; ranges of numbers
    are annotations, ``sigma: Annotated[float, Within(0, 2, above=True)] = 0.1``.
    """

    facts: ClassVar[MethodCard]
    """The card without parameters, detector and weights."""

    detector: Literal["mtcnn", "harness"] = "mtcnn"
    """``mtcnn``, the method's own, or ``harness``: the judge's boxes, handed over without landmarks."""

    def __post_init__(self) -> None:
        """Raises `SpecError` for a value that a parameter does not take."""
        check_parameters(self, self.facts.name)
        self.networks: Mapping[str, Path] = {}
        """Name on the card -> file of weights, beside the detector's."""
        self._finder: mtcnn.Mtcnn | None = None

    @abstractmethod
    def edit_faces(self, image: Image, faces: Sequence[Detection], rng: np.random.Generator) -> None:
        """Anonymizes all faces in place. ``image`` (H, W, 3) is a writable copy; ``faces`` have a positive size, the
        largest first; their landmarks are NaN where only boxes are known (``detector=harness``)."""

    def placed(self, faces: Sequence[Detection], sample: Sample) -> Sequence[Detection]:
        """The faces of a sample at the places where they are edited: those where they were found."""
        return faces

    @property
    def params(self) -> dict[str, Scalar]:
        """Every parameter with its value, for the card."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}

    @property
    def card(self) -> MethodCard:
        """See `bench.core.cards.MethodCard`. Raises `UnavailableError` where the detector is not installed."""
        own = self.detector == "mtcnn"
        weights = {name: remembered_sha256(path) for name, path in self.networks.items()}
        return replace(
            self.facts,
            params=self.params,
            detector=self.detector,
            weights={**(mtcnn.weights() if own else {}), **weights},
            imports=(*self.facts.imports, *(("facenet_pytorch",) if own else ())),
            limits=f"{self.facts.limits} {LIMITS[self.detector]}",
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Loads the detector onto ``device``. ``files`` is not used: the networks are in the installed package."""
        if self.detector == "mtcnn" and self._finder is None:
            self._finder = mtcnn.Mtcnn(device)

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        """See `bench.core.protocols.Method.anonymize`."""
        return [self._one(sample, seed) for sample in batch]

    def _one(self, sample: Sample, seed: int) -> Image | MethodFailure:
        if self.detector == "harness":
            if sample.boxes is None:
                return MethodFailure("detector=harness, but no boxes were handed over")
            unknown = np.full((5, 2), np.nan, np.float32)
            faces = [Detection(box, unknown, 1.0) for box in sample.boxes]
        else:
            if self._finder is None:
                raise RuntimeError("load() must be called before anonymize()")
            try:
                faces = self._finder.faces(sample.image)
            except (RuntimeError, IndexError, ValueError) as error:
                # The package is known to fail where a candidate lies wholly outside the image. Returning the input
                # would pass off a crash as "no face here".
                return MethodFailure(f"face detector failed: {str(error).splitlines()[0][:120]}")
        output = sample.image.copy()
        self.edit_faces(output, self.placed(in_order(faces), sample), sample_rng(seed, sample.draw))
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


def covered(box: Box, height: int, width: int) -> tuple[slice, slice]:
    """(rows, columns) of all pixels of an image of ``height`` x ``width`` px that the box touches; empty where it lies
    outside. Rounds outwards: a box thinner than a pixel still covers one."""
    left, top = max(math.floor(box.x), 0), max(math.floor(box.y), 0)
    right, bottom = min(math.ceil(box.x + box.w), width), min(math.ceil(box.y + box.h), height)
    return slice(top, max(bottom, top)), slice(left, max(right, left))


def squared_radius(box: Box, rows: slice, columns: slice) -> Float:
    """(height, width) float64: how far the centre of each pixel of ``rows`` x ``columns`` is from the box's centre,
    squared, in units of the ellipse inscribed in ``box``: 1 on the ellipse, less inside."""
    cx, cy = box.center
    y = (np.arange(rows.start, rows.stop) + 0.5 - cy) / (box.h / 2)
    x = (np.arange(columns.start, columns.stop) + 0.5 - cx) / (box.w / 2)
    return np.asarray(y[:, None] ** 2 + x[None, :] ** 2, np.float64)
