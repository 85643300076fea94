"""The labelled faces of a few photos, kept until all are labelled: a killed build goes on from here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import StoreError
from unmask.bench.core.files import replacing_file
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.study.training_set.labelling import Labeller, TrainingFace
from unmask.bench.study.training_set.settings import BuildSettings, Part

PHOTOS: Final = 64
"""Of a piece of work."""
FOLDER: Final = ".work"
Arrays = dict[str, NDArray[Any]]


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


@lru_cache(maxsize=1)
def _labeller(settings: BuildSettings) -> Labeller:
    return Labeller(settings)


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
