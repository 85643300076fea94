"""Photos -> labelled face crops, or the reason why each was dropped (thesis 3.2.3), kept piece by piece.

A piece is the labelled faces of a few photos; pieces are kept until all are labelled, so a killed build resumes from
there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import training
from unmask.bench.core.errors import ImageError, StoreError
from unmask.bench.core.files import replacing_file
from unmask.bench.core.training import FaceCrop, Rgb
from unmask.bench.core.types import Box, Detection, FaceLabel, FaceView, Floats32, Image, SampleRef
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.run.jobs import opened
from unmask.bench.study.cells import Cell, Drop, Labelled
from unmask.bench.study.training_set.settings import BuildSettings, Part

PHOTOS: Final = 64
"""Of a piece of work."""
FOLDER: Final = ".work"
Arrays = dict[str, NDArray[Any]]
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
        self._faces = training.training_faces()
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
            return [Drop.UNREADABLE]
        face = self._only_face(image)
        if isinstance(face, str):
            return [face]
        if len(ref.labels) > 1:
            return [Drop.SEVERAL]
        view = FaceView(image, face.box, face.landmarks)
        label = self._label(ref, view)
        if label is None:
            return [Drop.NOT_LABELLED if self._estimator is None else Drop.NOT_ESTIMATED]
        cell = label.cell(self._settings.age_groups)
        if cell is None:
            return [Drop.OUTSIDE]
        crop = self._faces.crop(image, face)
        if not self._tones or not recoloured:
            # In the test part of a set with tones, the tone is the target of a method, not what the face has.
            names = [name for name in self._settings.attributes if name != "dark_skin"]
            return [TrainingFace(label, cell, crop, self._faces.attributes(names, label.age, label.p_female, None))]
        skin = self._skin_of(view)
        if skin is None:
            return [Drop.NO_SKIN] * len(self._tones)
        return [self._in_tone(label, cell, crop, skin, tone) for tone in self._tones]

    def _only_face(self, image: Image) -> Detection | str:
        try:
            faces = self._faces.find(image)
        except (RuntimeError, IndexError, ValueError):
            # The detector's package fails where a candidate lies wholly outside the image.
            return Drop.NO_FACE
        if len(faces) != 1:
            return Drop.SEVERAL if faces else Drop.NO_FACE
        return faces[0] if np.isfinite(faces[0].landmarks).all() else Drop.NO_FACE

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
        assert self._skin is not None
        columns = self._skin.read([view])
        r, g, b = (float(columns[channel][0]) for channel in "rgb")
        return (r, g, b) if math.isfinite(r + g + b) else None

    def _in_tone(
        self, label: Labelled, cell: Cell, crop: FaceCrop, skin: tuple[float, float, float], tone: str
    ) -> TrainingFace | str:
        rgb = self._tones[tone]
        new = replace(crop, image=self._recoloured(crop, skin, rgb))
        # Thesis 3.2.2: fewer faces are detectable after recolouring, and those that are not were removed.
        if not self._faces.find(new.image):
            return Drop.LOST
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


@lru_cache(maxsize=8)
def open_source(spec: str, root: Path | None) -> Dataset:
    """The data set of a source, opened once per process."""
    return open_dataset(spec, root=root)


@dataclass(frozen=True, slots=True)
class Piece:
    """A few photos of one source, in the source's order."""

    out: Path
    settings: BuildSettings
    source: int
    number: int
    root: Path | None

    @property
    def path(self) -> Path:
        return self.out / FOLDER / f"{self.source:02d}-{self.number:06d}.npz"

    @property
    def name(self) -> str:
        return f"{self.settings.name_of(self.source)} {self.number}"

    @property
    def units(self) -> int:
        return 1

    @property
    def part(self) -> Part:
        return self.settings.sources[self.source].part

    @property
    def dataset(self) -> Dataset:
        return open_source(self.settings.sources[self.source].spec, self.root)


def pieces(out: Path, settings: BuildSettings, root: Path | None) -> Iterator[Piece]:
    """All of them, source by source."""
    for number, source in enumerate(settings.sources):
        photos = len(open_source(source.spec, root).refs[: settings.limit])
        yield from (Piece(out, settings, number, k, root) for k in range(-(-photos // PHOTOS)))


_labeller = lru_cache(maxsize=1)(Labeller)


def do_piece(piece: Piece) -> bool:
    """Labels the photos of a piece unless that is done; tells whether it had to."""
    if piece.path.is_file():
        return False
    faces: list[tuple[int, TrainingFace]] = []
    dropped: list[tuple[int, str]] = []
    start = piece.number * PHOTOS
    for row, ref in enumerate(piece.dataset.refs[: piece.settings.limit][start : start + PHOTOS], start):
        for result in _labeller(piece.settings).label(piece.dataset, ref, recoloured=piece.part != "test"):
            if isinstance(result, TrainingFace):
                faces.append((row, result))
            else:
                dropped.append((row, result))
    with replacing_file(piece.path) as temp, temp.open("wb") as stream:
        np.savez(stream, **_arrays(faces, dropped))  # type: ignore[arg-type]
    return True


def _arrays(rows: Sequence[tuple[int, TrainingFace]], dropped: Sequence[tuple[int, str]]) -> Arrays:
    faces = [face for _, face in rows]
    return {
        "rows": np.array([row for row, _ in rows], np.int64),
        "images": np.array([face.crop.image for face in faces], np.uint8),
        "boxes": np.array([face.crop.box for face in faces], np.int16),
        "landmarks": np.array([face.crop.landmarks for face in faces], np.float32),
        "labels": np.array([face.attributes for face in faces], np.float32),
        "tones": np.array([face.tone for face in faces], np.str_),
        "rgb": np.array([face.rgb for face in faces], np.float32),
        "ages": np.array([face.label.age for face in faces], np.float32),
        "p_female": np.array([face.label.p_female for face in faces], np.float32),
        "cells": np.array([face.cell for face in faces], np.str_).reshape(-1, 2),
        "dropped_rows": np.array([row for row, _ in dropped], np.int64),
        "dropped_reasons": np.array([reason for _, reason in dropped], np.str_),
    }


def read_piece(piece: Piece, *names: str) -> Arrays:
    """Some arrays of a finished piece; an array that is not named is not read. Raises StoreError."""
    try:
        with np.load(piece.path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise StoreError(f"{piece.path} is damaged ({error}); delete it and start the same command again") from error
