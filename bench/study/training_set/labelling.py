"""One photo -> labelled face crops, or the reason why it was dropped (thesis 3.2.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from unmask.bench.core import registry
from unmask.bench.core.demographics import NO_GROUP, age_group, group_name
from unmask.bench.core.errors import ImageError
from unmask.bench.core.protocols import FaceInstrument
from unmask.bench.core.training_faces import FaceCrop, Rgb
from unmask.bench.core.types import Box, Detection, FaceLabel, FaceView, Floats32, Image, SampleRef
from unmask.bench.data.dataset import Dataset
from unmask.bench.run import opened
from unmask.bench.study.training_set.settings import BuildSettings

UNREADABLE: Final = "could not be decoded"
NO_FACE: Final = "no face or landmarks found"
SEVERAL: Final = "several people"
NOT_ESTIMATED: Final = "age or gender not estimated"
NOT_LABELLED: Final = "the data set gives no age or no gender"
OUTSIDE: Final = "outside all age groups"
NO_SKIN: Final = "recolouring failed: skin not estimated"
LOST: Final = "recolouring failed: no face or landmarks found any more"
FURTHEST: Final = 24.0
"""Grey levels by which a correction may leave the tone that is asked for: far beyond, faces turn into posters."""
DAMPING: Final = 0.8


@dataclass(frozen=True, slots=True)
class Labelled:
    """One face of the built set."""

    crop: FaceCrop
    tone: str
    """'' = as it is."""
    rgb: tuple[float, float, float]
    """The tone's colour; NaN where the face is as it is."""
    age: float
    p_female: float
    group: str
    attributes: Floats32
    """(A,) 0/1"""
    said: FaceLabel
    """What the data set says."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Why a photo, or one tone of it, is not in the built set."""

    reason: str
    tone: str = ""


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

    def label(self, dataset: Dataset, ref: SampleRef, *, recoloured: bool) -> list[Labelled | Dropped]:
        """What becomes of a photo: one entry, or with ``recoloured`` and tones one for each tone."""
        try:
            image = dataset.read(ref)
        except ImageError:
            return [Dropped(UNREADABLE)]
        face = self._only_face(image)
        if isinstance(face, str):
            return [Dropped(face)]
        if len(ref.labels) > 1:
            return [Dropped(SEVERAL)]
        said = ref.labels[0] if ref.labels else FaceLabel()
        view = FaceView(image, face.box, face.landmarks)
        person = _as_said(said) if self._estimator is None else _estimated(self._estimator, view)
        if person is None:
            return [Dropped(NOT_LABELLED if self._estimator is None else NOT_ESTIMATED)]
        number = int(age_group(person[0], self._settings.age_groups))
        if number == NO_GROUP:
            return [Dropped(OUTSIDE)]
        group = group_name(self._settings.age_groups[number])
        crop = self._faces.crop(image, face)
        if not self._tones or not recoloured:
            return [self._labelled(crop, "", None, person, group, said)]
        skin = self._skin_of(view)
        if skin is None:
            return [Dropped(NO_SKIN, tone) for tone in self._tones]
        made: list[Labelled | Dropped] = []
        for tone, rgb in self._tones.items():
            new = FaceCrop(self._recoloured(crop, skin, rgb), crop.box, crop.landmarks)
            # Thesis 3.2.2: fewer faces are detectable after recolouring, and those that are not were removed.
            found = self._faces.find(new.image)
            made.append(self._labelled(new, tone, rgb, person, group, said) if found else Dropped(LOST, tone))
        return made

    def _only_face(self, image: Image) -> Detection | str:
        try:
            found = self._faces.find(image)
        except (RuntimeError, IndexError, ValueError):
            # The detector's package fails where a candidate lies wholly outside the image.
            return NO_FACE
        if len(found) != 1:
            return SEVERAL if found else NO_FACE
        return found[0] if np.isfinite(found[0].landmarks).all() else NO_FACE

    def _skin_of(self, view: FaceView) -> tuple[float, float, float] | None:
        if self._skin is None:
            raise RuntimeError("no tones were asked for")
        read = self._skin.read([view])
        r, g, b = (float(read[channel][0]) for channel in "rgb")
        return (r, g, b) if math.isfinite(r + g + b) else None

    def _recoloured(self, crop: FaceCrop, skin: tuple[float, float, float], rgb: Rgb) -> Image:
        """In one pass as published. With more, the next pass aims beside the tone by what the estimate was off, and the
        pass whose estimate comes nearest is taken."""
        wanted = np.array(rgb, np.float64)
        aim = rgb
        made: list[tuple[float, Image]] = []
        for number in range(self._settings.passes):
            image = self._faces.recolour(crop.image, skin, aim, whole=self._settings.recolour == "all")
            left, top, right, bottom = crop.box
            box = Box(left, top, right - left, bottom - top)
            last = number == self._settings.passes - 1
            seen = None if last and not made else self._skin_of(FaceView(image, box, crop.landmarks))
            made.append((math.inf if seen is None else float(np.abs(wanted - seen).max()), image))
            if seen is None:
                break
            moved = np.clip(aim + DAMPING * (wanted - seen), wanted - FURTHEST, wanted + FURTHEST)
            red, green, blue = (round(float(value)) for value in np.clip(moved, 1, 254))
            aim = red, green, blue
        return min(made, key=lambda pass_: pass_[0])[1]

    def _labelled(
        self,
        crop: FaceCrop,
        tone: str,
        rgb: Rgb | None,
        person: tuple[float, float],
        group: str,
        said: FaceLabel,
    ) -> Labelled:
        # Where faces stay as they are (the test part), the tone is what will be asked for, not what they have.
        names = [name for name in self._settings.attributes if rgb is not None or name != "dark_skin"]
        vector = self._faces.attributes(names, *person, rgb)
        colour = (math.nan,) * 3 if rgb is None else (float(rgb[0]), float(rgb[1]), float(rgb[2]))
        return Labelled(crop, tone, colour, *person, group, vector, said)


def _estimated(estimator: FaceInstrument, view: FaceView) -> tuple[float, float] | None:
    read = estimator.read([view])
    person = float(read["age"][0]), float(read["p_female"][0])
    return person if all(math.isfinite(value) for value in person) else None


def _as_said(said: FaceLabel) -> tuple[float, float] | None:
    if said.age is None or said.gender is None:
        return None
    return said.age, float(said.gender == "female")


def needed_instruments(settings: BuildSettings) -> tuple[str, ...]:
    """Names of the instruments that a build opens."""
    estimator = (settings.estimator,) if settings.labels == "estimator" else ()
    return (*estimator, *((settings.skin_estimator,) if settings.tones else ()))


def card_of(name: str) -> Mapping[str, Any]:
    """What of an instrument's card tells one build from another."""
    card = registry.instrument_card(name)
    return {
        "name": card.name,
        "version": card.version,
        "licence": card.licence,
        "source": card.source,
        "files": {file.key: file.sha256 for file in card.files},
        "params": dict(card.params),
    }
