"""Which of the labelled faces go into the set, at most so many of each age group and gender (thesis 3.2.1, 4.4), and
the files that they become."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import training
from unmask.bench.core.demographics import group_name
from unmask.bench.core.files import replacing_file
from unmask.bench.core.images import IMAGE_EXTENSIONS, encode_png
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import FaceLabel, Gender, SampleRef
from unmask.bench.study.cells import draw
from unmask.bench.study.training_set.labelling import Arrays, Piece, read_piece
from unmask.bench.study.training_set.settings import BuildSettings, Part

SHARD: Final = 2048
"""Faces of a shard: 100 MB."""
LABELS: Final = "labels.csv"
ARRAYS: Final = ("images", "boxes", "landmarks", "labels", "rgb", "ages", "p_female")
Vectors = list[tuple[str, NDArray[np.float32]]]
"""Name of each face's file, and its attributes."""


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


def write_part(settings: BuildSettings, faces: Sequence[Face], folder: Path) -> Iterator[int]:
    """Writes the ``faces`` of one part, its shards, images and tables; yields the number of faces written now and then.

    train and val: `faces-NNN.npz` for `unmask train`, ``images/``, ``labels.csv``, ``list_attr.txt``. test: whole
    photos instead of crops, so that it can be opened as ``folder:``, and target files.
    """
    is_test = faces[0].part == "test"
    names = [name for name in settings.attributes if not is_test or name != "dark_skin"]
    lines: list[dict[str, Any]] = []
    vectors: Vectors = []
    shard: list[Arrays] = []
    number = 0
    for piece, members in groupby(faces, key=lambda face: face.piece):
        chosen = list(members)
        at = [face.at for face in chosen]
        arrays = {name: values[at] for name, values in read_piece(piece, *ARRAYS).items()}
        for face, image, vector, age in zip(chosen, *(arrays[k] for k in ("images", "labels", "ages")), strict=True):
            file, data = _image(face, image, settings.images)
            if data:
                _write(folder / file, data)
            lines.append(_line(face, file, data, float(age), dict(zip(names, vector, strict=True))))
            vectors.append((PurePosixPath(file).name, vector))
        arrays["ids"] = np.array([face.ref.id for face in chosen], np.str_)
        arrays["sources"] = np.array([settings.name_of(piece.source)] * len(chosen), np.str_)
        shard.append(arrays)
        if sum(len(each["ids"]) for each in shard) >= SHARD:
            _write_shard(folder / f"faces-{number:03d}.npz", shard, names)
            shard, number = [], number + 1
        yield len(chosen)
    if shard:
        _write_shard(folder / f"faces-{number:03d}.npz", shard, names)
    _write_csv(folder / LABELS, lines)
    if is_test and settings.tones:
        for tone in settings.tones:
            _write_targets(folder / f"targets-{tone}.txt", settings.attributes, _in_tone(tone, vectors))
    else:
        _write_targets(folder / ("targets.txt" if is_test else "list_attr.txt"), names, vectors)


def _write(path: Path, data: bytes) -> None:
    with replacing_file(path) as temp:
        temp.write_bytes(data)


def _write_shard(path: Path, shard: Sequence[Arrays], names: Sequence[str]) -> None:
    joined = {name: np.concatenate([arrays[name] for arrays in shard]) for name in shard[0]}
    joined["attributes"] = np.array(names, np.str_)
    with replacing_file(path) as temp, temp.open("wb") as stream:
        np.savez(stream, **joined)  # type: ignore[arg-type]


def _image(face: Face, crop: NDArray[np.uint8], crops: bool) -> tuple[str, bytes]:
    """The face's file and what is in it: of a test face its photo, else the crop, or nothing without ``crops``."""
    name = file_name(face.piece.settings.name_of(face.piece.source), face.ref.id)
    if face.part == "test":
        suffix = PurePosixPath(face.ref.id).suffix.lower()
        file = f"photos/{name}{suffix if suffix in IMAGE_EXTENSIONS else ''}"
        return file, face.piece.dataset.store.read(face.ref.id)
    return f"images/{name}{f'-{face.tone}' if face.tone else ''}.png", encode_png(crop) if crops else b""


def _line(face: Face, file: str, data: bytes, age: float, attributes: dict[str, float]) -> dict[str, Any]:
    """A row of the table: what the data set says of the person, and what the set's labels are."""
    person = face.ref.labels[0] if face.ref.labels else FaceLabel()
    return {
        "file": file,
        "identity": person.identity or "",
        "age": "" if person.age is None else f"{person.age:g}",
        "gender": person.gender or "",
        "race": person.race or "",
        "label_age": f"{age:.2f}",
        "label_gender": face.gender,
        "age_group": face.group,
        **{f"is_{name}": f"{value:g}" for name, value in attributes.items()},
        "tone": face.tone,
        "source": face.piece.settings.name_of(face.piece.source),
        "sample": face.ref.id,
        "sha256": hashlib.sha256(data).hexdigest() if data else "",
    }


def file_name(source: str, sample: str) -> str:
    """Readable, unique, without spaces: other people's label files separate by them."""
    readable = re.sub(r"[^A-Za-z0-9]+", "_", PurePosixPath(sample).stem).strip("_")[:60]
    return f"{readable}-{hashlib.sha256(f'{source} {sample}'.encode(errors='surrogateescape')).hexdigest()[:10]}"


def _write_csv(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    _write(path, sink.getvalue().encode("utf-8", errors="backslashreplace"))


def _in_tone(tone: str, vectors: Vectors) -> Vectors:
    """The attributes of the same people in one tone (thesis 3.2.2): the nearer of dark and light."""
    faces = training.training_faces()
    dark = faces.attributes(["dark_skin"], 30.0, 0.0, faces.tone(tone))[0]
    return [(file, np.insert(vector, 1, dark)) for file, vector in vectors]


def _write_targets(path: Path, names: Sequence[str], vectors: Vectors) -> None:
    """In the form of CelebA's list_attr_celeba.txt, which AttGAN and StarGAN read: a count, names, then 1 or -1."""
    lines = [str(len(vectors)), " ".join(names)]
    lines += [f"{file} {' '.join('1' if value > 0.5 else '-1' for value in vector)}" for file, vector in vectors]
    _write(path, ("\n".join(lines) + "\n").encode())
