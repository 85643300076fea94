"""Which of the labelled faces go into the set: at most so many of each age group and gender (thesis 3.2.1, 4.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unmask.bench.core.demographics import group_name
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Gender, SampleRef
from unmask.bench.study.cells import draw
from unmask.bench.study.training_set.settings import BuildSettings, Part
from unmask.bench.study.training_set.work import Piece, read_piece


@dataclass(frozen=True, slots=True)
class Face:
    """A labelled face, by where it is kept."""

    piece: Piece
    at: int
    """Position in the piece's arrays."""
    row: int
    """Position of its photo in the source."""
    group: str
    gender: Gender
    tone: str

    @property
    def part(self) -> Part:
        return self.piece.part

    @property
    def ref(self) -> SampleRef:
        """Its photo."""
        return self.piece.dataset.refs[self.row]


def choose(settings: BuildSettings, work: Sequence[Piece]) -> tuple[list[Face], list[dict[str, Any]]]:
    """The faces of the set in the order of the sources, and what became of each source's photos, as the card has it.

    Reads every piece, but no image.
    """
    faces: list[Face] = []
    photos: Counter[int] = Counter()
    dropped: list[Counter[str]] = [Counter() for _ in settings.sources]
    for piece in work:
        arrays = read_piece(piece, "rows", "cells", "tones", "dropped_rows", "dropped_reasons")
        photos[piece.source] += len(np.union1d(arrays["rows"], arrays["dropped_rows"]))
        dropped[piece.source].update(arrays["dropped_reasons"].tolist())
        columns = zip(arrays["rows"].tolist(), arrays["cells"].tolist(), arrays["tones"].tolist(), strict=True)
        for at, (row, (group, gender), tone) in enumerate(columns):
            faces.append(Face(piece, at, row, group, gender, tone))
    chosen = within_limits(settings, faces)
    labelled, kept = (Counter(face.piece.source for face in each) for each in (faces, chosen))
    counts = [
        {
            "source": settings.name_of(number),
            "part": source.part,
            "photos": photos[number],
            "faces": kept[number],
            "dropped": dict(sorted(dropped[number].items())),
            "over_the_limit": labelled[number] - kept[number],
        }
        for number, source in enumerate(settings.sources)
    ]
    return chosen, counts


def within_limits(settings: BuildSettings, faces: Sequence[Face]) -> list[Face]:
    """At most `BuildSettings.balance` (in test `test_per_cell`) of each cell, drawn by the seed and by what the photo
    is called, so that no order of work changes the draw; the tones of a photo come together as far as they can."""
    cells: dict[tuple[Part, str, Gender, str], list[Face]] = {}
    for face in faces:
        cells.setdefault((face.part, face.group, face.gender, face.tone), []).append(face)

    def place(face: Face) -> tuple[int, int, int]:
        name = settings.name_of(face.piece.source)
        return derive_seed(settings.seed, "build", name, face.ref.id), face.piece.source, face.row

    drawn = draw(cells, lambda cell: settings.test_per_cell if cell[0] == "test" else settings.balance, place)
    kept = {face for members in drawn.values() for face in members}
    return [face for face in faces if face in kept]


def table(settings: BuildSettings, faces: Sequence[Face]) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Part -> tone ('' = as they are) -> age group -> gender -> faces; as the thesis's Tables 4.7 and 4.18."""
    counts: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for face in faces:
        empty = {group_name(group): {"female": 0, "male": 0} for group in settings.age_groups}
        counts.setdefault(face.part, {}).setdefault(face.tone, empty)[face.group][face.gender] += 1
    return counts
