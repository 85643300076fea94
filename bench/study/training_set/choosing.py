"""Which of the labelled faces go into the set: at most so many of each age group and gender (thesis 3.2.1, 4.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unmask.bench.core.demographics import GENDERS, group_name
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Gender
from unmask.bench.study.cells import draw
from unmask.bench.study.training_set.settings import BuildSettings, Part
from unmask.bench.study.training_set.work import Piece, read_piece, source_of


@dataclass(frozen=True, slots=True)
class Face:
    """A labelled face, by where it is kept."""

    piece: Piece
    at: int
    """Position in the piece's arrays."""
    row: int
    """Position of its photo in the source."""
    part: Part
    group: str
    gender: Gender
    tone: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes in, and what happened to everything else."""

    faces: tuple[Face, ...]
    """In the order of the sources."""
    photos: Mapping[int, int]
    """Source -> photos looked at."""
    dropped: Mapping[int, Mapping[str, int]]
    """Source -> reason -> photos (or tones of photos)."""
    over: Mapping[int, int]
    """Source -> faces left out because their cell was full."""


def choose(settings: BuildSettings, work: Sequence[Piece]) -> Choice:
    """Reads every piece, but no image."""
    faces: list[Face] = []
    photos: Counter[int] = Counter()
    dropped: dict[int, Counter[str]] = {source: Counter() for source in range(len(settings.sources))}
    for piece in work:
        arrays = read_piece(piece, "rows", "cells", "tones", "dropped_rows", "dropped_reasons")
        photos[piece.source] += len(np.union1d(arrays["rows"], arrays["dropped_rows"]))
        dropped[piece.source].update(arrays["dropped_reasons"].tolist())
        part = settings.sources[piece.source].part
        columns = zip(arrays["rows"].tolist(), arrays["cells"].tolist(), arrays["tones"].tolist(), strict=True)
        faces += [
            Face(piece, at, row, part, group, gender, tone) for at, (row, (group, gender), tone) in enumerate(columns)
        ]
    chosen = within_limits(settings, faces)
    over = Counter(face.piece.source for face in faces)
    over.subtract(face.piece.source for face in chosen)
    return Choice(chosen, dict(photos), dropped, dict(over))


def within_limits(settings: BuildSettings, faces: Sequence[Face]) -> tuple[Face, ...]:
    """At most `BuildSettings.balance` (in test `test_per_cell`) of each cell, drawn by the seed and by what the photo
    is called, so that no order of work changes the draw; the tones of a photo come together as far as they can."""
    cells: dict[tuple[Part, str, Gender, str], list[Face]] = {}
    for face in faces:
        cells.setdefault((face.part, face.group, face.gender, face.tone), []).append(face)
    drawn = draw(
        cells,
        lambda cell: settings.test_per_cell if cell[0] == "test" else settings.balance,
        lambda face: _place(settings.seed, face),
    )
    kept = {face for members in drawn.values() for face in members}
    return tuple(face for face in faces if face in kept)


def _place(seed: int, face: Face) -> tuple[int, int, int]:
    settings = face.piece.settings
    ref = source_of(settings, face.piece.source, face.piece.root).refs[face.row]
    return derive_seed(seed, "build", settings.name_of(face.piece.source), ref.id), face.piece.source, face.row


def table(settings: BuildSettings, faces: Iterable[Face]) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Part -> tone ('' = as they are) -> age group -> gender -> faces; as the thesis's Tables 4.7 and 4.18."""
    counts: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for face in faces:
        tones = counts.setdefault(face.part, {})
        cells = tones.setdefault(
            face.tone, {group_name(group): dict.fromkeys(GENDERS, 0) for group in settings.age_groups}
        )
        cells[face.group][face.gender] += 1
    return counts
