"""Which of the labelled faces go into the set: at most so many of each age group and gender (thesis 3.2.1, 4.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unmask.bench.core.demographics import GENDERS, as_female, group_name
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Gender
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


Cell = tuple[Part, str, Gender, str]


def choose(settings: BuildSettings, work: Sequence[Piece]) -> Choice:
    """Reads every piece, but no image."""
    faces: list[Face] = []
    photos: Counter[int] = Counter()
    dropped: dict[int, Counter[str]] = {source: Counter() for source in range(len(settings.sources))}
    for piece in work:
        found = read_piece(piece, "rows", "groups", "p_female", "tones", "dropped_rows", "dropped_reasons")
        photos[piece.source] += len(np.union1d(found["rows"], found["dropped_rows"]))
        dropped[piece.source].update(str(reason) for reason in found["dropped_reasons"])
        part = settings.sources[piece.source].part
        for at, row in enumerate(found["rows"]):
            gender = GENDERS[0] if as_female(found["p_female"][at]) else GENDERS[1]
            tone = str(found["tones"][at])
            faces.append(Face(piece, at, int(row), part, str(found["groups"][at]), gender, tone))
    chosen = within_limits(settings, faces)
    over = Counter(face.piece.source for face in faces)
    over.subtract(face.piece.source for face in chosen)
    return Choice(chosen, dict(photos), dropped, dict(over))


def within_limits(settings: BuildSettings, faces: Iterable[Face]) -> tuple[Face, ...]:
    """At most `BuildSettings.balance` (in test `test_per_cell`) of each cell, drawn by the seed and by what the photo
    is called, so that no order of work changes the draw; the tones of a photo come together as far as they can."""
    cells: dict[Cell, list[Face]] = {}
    everything = list(faces)
    for face in everything:
        cells.setdefault((face.part, face.group, face.gender, face.tone), []).append(face)
    kept: set[Face] = set()
    for (part, *_), members in cells.items():
        limit = settings.test_per_cell if part == "test" else settings.balance
        ranked = members if limit is None else sorted(members, key=lambda face: _draw(settings.seed, face))
        kept.update(ranked[:limit])
    return tuple(face for face in everything if face in kept)


def _draw(seed: int, face: Face) -> tuple[int, int, int]:
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
