"""One photo -> labelled face crops, or the reason why it was dropped (thesis 3.2.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from unmask.bench.core import registry
from unmask.bench.core.errors import ImageError
from unmask.bench.core.training_faces import FaceCrop, Rgb
from unmask.bench.core.types import Box, Detection, FaceLabel, FaceView, Floats32, Image, SampleRef
from unmask.bench.data.dataset import Dataset
from unmask.bench.run.reading import opened
from unmask.bench.study.cells import NO_FACE, NOT_ESTIMATED, OUTSIDE, SEVERAL, UNREADABLE, Cell, Labelled
from unmask.bench.study.training_set.settings import BuildSettings

NOT_LABELLED: Final = "the data set gives no age or no gender"
NO_SKIN: Final = "recolouring failed: skin not estimated"
LOST: Final = "recolouring failed: no face found any more"
FURTHEST: Final = 24.0
"""Grey levels by which a correction may leave the target tone: far beyond it, faces lose their shading."""
DAMPING: Final = 0.8


@dataclass(frozen=True, slots=True)
class TrainingFace:
    """One face of the built set."""

    label: Labelled
    cell: Cell
    crop: FaceCrop
    attributes: Floats32
    """(A,) 0/1"""
    tone: str = ""
    """'' = as it is."""
    rgb: tuple[float, float, float] = (math.nan,) * 3
    """The tone's colour; NaN where the face is as it is."""


class Labeller:
    """Opened once per process."""

    def __init__(self, settings: BuildSettings) -> None:
        self._settings = settings
        self._faces = registry.training_faces()
        self._faces.load(settings.device)
        estimates = settings.labels == "estimator"
        self._estimator = opened.face_instrument(settings.estimator, settings.device) if estimates else None
        self._skin = opened.face_instrument(settings.skin_estimator, settings.device) if settings.tones else None
        self._tones: dict[str, Rgb] = {tone: self._faces.tone(tone) for tone in settings.tones}

    def label(self, dataset: Dataset, ref: SampleRef, *, recoloured: bool) -> list[TrainingFace | str]:
        """What becomes of a photo: a face, or the reason why it is dropped; with ``recoloured`` one for each tone."""
        try:
            image = dataset.read(ref)
        except ImageError:
            return [UNREADABLE]
        face = self._only_face(image)
        if isinstance(face, str):
            return [face]
        if len(ref.labels) > 1:
            return [SEVERAL]
        view = FaceView(image, face.box, face.landmarks)
        label = self._label(ref, view)
        if label is None:
            return [NOT_LABELLED if self._estimator is None else NOT_ESTIMATED]
        cell = label.cell(self._settings.age_groups)
        if cell is None:
            return [OUTSIDE]
        crop = self._faces.crop(image, face)
        if not self._tones or not recoloured:
            # In the test part of a set with tones, the tone is the target of a method, not what the face has.
            names = [name for name in self._settings.attributes if name != "dark_skin"]
            return [TrainingFace(label, cell, crop, self._faces.attributes(names, label.age, label.p_female, None))]
        skin = self._skin_of(view)
        if skin is None:
            return [NO_SKIN] * len(self._tones)
        return [self._in_tone(label, cell, crop, skin, tone) for tone in self._tones]

    def _only_face(self, image: Image) -> Detection | str:
        try:
            faces = self._faces.find(image)
        except (RuntimeError, IndexError, ValueError):
            # The detector's package fails where a candidate lies wholly outside the image.
            return NO_FACE
        if len(faces) != 1:
            return SEVERAL if faces else NO_FACE
        return faces[0] if np.isfinite(faces[0].landmarks).all() else NO_FACE

    def _label(self, ref: SampleRef, view: FaceView) -> Labelled | None:
        """``None`` where age or gender is missing."""
        if self._estimator is None:
            person = ref.labels[0] if ref.labels else FaceLabel()
            if person.age is None or person.gender is None:
                return None
            return Labelled(ref.id, person.age, float(person.gender == "female"))
        columns = self._estimator.read([view])
        label = Labelled(ref.id, float(columns["age"][0]), float(columns["p_female"][0]))
        return label if math.isfinite(label.age + label.p_female) else None

    def _skin_of(self, view: FaceView) -> tuple[float, float, float] | None:
        if self._skin is None:
            raise RuntimeError("the settings have no tones")
        columns = self._skin.read([view])
        r, g, b = (float(columns[channel][0]) for channel in "rgb")
        return (r, g, b) if math.isfinite(r + g + b) else None

    def _in_tone(
        self, label: Labelled, cell: Cell, crop: FaceCrop, skin: tuple[float, float, float], tone: str
    ) -> TrainingFace | str:
        rgb = self._tones[tone]
        new = FaceCrop(self._recoloured(crop, skin, rgb), crop.box, crop.landmarks)
        # Thesis 3.2.2: fewer faces are detectable after recolouring, and those that are not were removed.
        if not self._faces.find(new.image):
            return LOST
        vector = self._faces.attributes(self._settings.attributes, label.age, label.p_female, rgb)
        return TrainingFace(label, cell, new, vector, tone, (float(rgb[0]), float(rgb[1]), float(rgb[2])))

    def _recoloured(self, crop: FaceCrop, skin: tuple[float, float, float], rgb: Rgb) -> Image:
        """In one pass as published. With more, the next pass aims beside the tone by what the estimate was off, and the
        pass whose estimate comes nearest is taken."""
        target = np.array(rgb, np.float64)
        aim = rgb
        passes: list[tuple[float, Image]] = []
        for number in range(self._settings.passes):
            image = self._faces.recolour(crop.image, skin, aim, whole=self._settings.recolour == "all")
            left, top, right, bottom = crop.box
            box = Box(left, top, right - left, bottom - top)
            last = number == self._settings.passes - 1
            estimate = None if last and not passes else self._skin_of(FaceView(image, box, crop.landmarks))
            passes.append((math.inf if estimate is None else float(np.abs(target - estimate).max()), image))
            if estimate is None:
                break
            moved = np.clip(aim + DAMPING * (target - estimate), target - FURTHEST, target + FURTHEST)
            red, green, blue = (round(float(value)) for value in np.clip(moved, 1, 254))
            aim = red, green, blue
        return min(passes, key=lambda each: each[0])[1]


def needed_instruments(settings: BuildSettings) -> tuple[str, ...]:
    """Names of the instruments that a build opens."""
    estimator = (settings.estimator,) if settings.labels == "estimator" else ()
    return (*estimator, *((settings.skin_estimator,) if settings.tones else ()))
