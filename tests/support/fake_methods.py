"""Methods for painted pictures: what they do to each face is in `EDITS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from tests.support import painted
from unmask.bench.core.cards import MethodCard
from unmask.bench.core.seeds import sample_rng
from unmask.bench.core.types import Box, Image, MethodFailure, Sample

SIDE = painted.SIDE
Edit = Callable[[Image, Box], None]


def _black(image: Image, box: Box) -> None:
    image[painted.place_of(box)] = 0


def _tone(image: Image, box: Box) -> None:
    """Brighter but for the row with the marks: the recogniser sees the same person."""
    rows, columns = painted.place_of(box)
    image[rows.start + 1 : rows.stop, columns] += 6


def _repainted(image: Image, box: Box) -> None:
    """Other pixels, and still a face; the recogniser sees the same person."""
    rows, columns = painted.place_of(box)
    image[rows.start + 1 : rows.stop, columns] = np.random.default_rng(5).integers(0, 200, (SIDE - 1, SIDE, 3))


def _masked(image: Image, box: Box) -> None:
    """Other pixels, for the recogniser nobody, and still a face."""
    _repainted(image, box)
    image[round(box.y), round(box.x), 1] = painted.NOBODY


def _disguised(image: Image, box: Box) -> None:
    """As `_masked`, but for who looks at the mirrored crop."""
    who = image[round(box.y), round(box.x), 1]
    _masked(image, box)
    image[round(box.y), round(box.x), 1] = painted.DISGUISED + who


def _hidden(image: Image, box: Box) -> None:
    """As `_masked`, and the judge sees nothing."""
    _masked(image, box)
    image[round(box.y), round(box.x), 2] = painted.BY_SECOND


def _moved(image: Image, box: Box) -> None:
    """The face lies in the lower left corner, its place is black."""
    face = image[painted.place_of(box)].copy()
    _black(image, box)
    image[-SIDE:, :SIDE] = face


def _inverted(image: Image, box: Box) -> None:
    place = painted.place_of(box)
    image[place] = 255 - image[place]


EDITS: Mapping[str, Edit] = {
    "inverted": _inverted,
    "nothing": lambda image, box: None,
    "black": _black,
    "tone": _tone,
    "masked": _masked,
    "repainted": _repainted,
    "disguised": _disguised,
    "hidden": _hidden,
    "moved": _moved,
}


class EditFaces:
    """Edits every face; fails on pictures that show the person ``fails_on``. Records what it was handed."""

    seen: ClassVar[list[Sample]] = []
    batches: ClassVar[list[int]] = []
    """Samples of each call."""

    def __init__(
        self, *, how: str = "black", fails_on: int = -1, detector: str = "none", batch: int = 4, version: str = "1"
    ) -> None:
        self._how, self._fails_on = how, fails_on
        self._card = MethodCard("edit", version, "painted", "MIT", "a test", detector=detector, batch_size=batch)

    @property
    def card(self) -> MethodCard:
        return replace(self._card, params={"how": self._how, "fails_on": self._fails_on})

    def load(self, files: Mapping[str, Path], device: str) -> None: ...

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        EditFaces.batches.append(len(batch))
        EditFaces.seen.extend(batch)
        return [self._edited(sample.image) for sample in batch]

    def _edited(self, image: Image) -> Image:
        output = image.copy()
        for face in painted.faces_seen(image):
            if image[round(face.box.y), round(face.box.x), 1] == self._fails_on:
                raise ValueError(f"cannot do\nperson {self._fails_on}")
            EDITS[self._how](output, face.box)
        return output


class Noise:
    """Draws the colour of every face by the run's seed; an odd seed also hides it from every detector."""

    card = MethodCard("noise", "1", "painted", "MIT", "a test")

    def load(self, files: Mapping[str, Path], device: str) -> None: ...

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image]:
        outputs = [sample.image.copy() for sample in batch]
        for output in outputs:
            for face in painted.faces_seen(output):
                rows, columns = painted.place_of(face.box)
                output[rows.start + 1 : rows.stop, columns] = np.random.default_rng(seed).integers(0, 200, 3)
                output[rows.start, columns.start, 2] = painted.UNSEEN if seed % 2 else painted.SEEN
        return outputs


class Drawn(EditFaces):
    """Draws the colour of every face by the sample's draw."""

    card = MethodCard("drawn", "1", "painted", "MIT", "a test")

    def __init__(self) -> None: ...

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image]:
        EditFaces.seen.extend(batch)
        outputs = [sample.image.copy() for sample in batch]
        for sample, output in zip(batch, outputs, strict=True):
            colour = sample_rng(seed, sample.draw).integers(0, 200, 3)
            for face in painted.faces_seen(output):
                rows, columns = painted.place_of(face.box)
                output[rows.start + 1 : rows.stop, columns] = colour
        return outputs


class ByName(EditFaces):
    """Goes by the photos' own names, and wants to know all of them beforehand."""

    needs_names: ClassVar[bool] = True
    expected: ClassVar[list[list[str]]] = []

    def expect(self, ids: Sequence[str]) -> None:
        self.expected.append(list(ids))
