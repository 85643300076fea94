"""The files of a built set."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.files import replacing_file
from unmask.bench.core.images import IMAGE_EXTENSIONS, encode_png
from unmask.bench.core.types import FaceLabel, SampleRef
from unmask.bench.study.training_set.choosing import Face
from unmask.bench.study.training_set.settings import BuildSettings
from unmask.bench.study.training_set.work import Arrays, read_piece, source_of

SHARD: Final = 2048
"""Faces of a shard: 100 MB."""
LABELS: Final = "labels.csv"
ARRAYS: Final = ("images", "boxes", "landmarks", "labels", "rgb", "ages", "p_female")


@dataclass(slots=True)
class _Part:
    """What is being written of one part."""

    folder: Path
    lines: list[dict[str, Any]] = field(default_factory=list)
    vectors: list[tuple[str, NDArray[np.float32]]] = field(default_factory=list)
    """File and attributes, for the text files."""


def write_part(settings: BuildSettings, faces: Sequence[Face], folder: Path) -> Iterator[int]:
    """Writes a part's shards, images and tables; yields the number of faces written now and then.

    train and val: `faces-NNN.npz` for `unmask train`, ``images/``, ``labels.csv``, ``list_attr.txt``. test: whole
    photos instead of crops, so that it can be opened as ``folder:``, and target files.
    """
    part = _Part(folder)
    is_test = bool(faces) and faces[0].part == "test"
    names = [name for name in settings.attributes if not is_test or name != "dark_skin"]
    shard: list[Arrays] = []
    waiting = number = 0
    for _, members in groupby(faces, key=lambda face: face.piece.path):
        chosen = list(members)
        found = read_piece(chosen[0].piece, *ARRAYS)
        at = [face.at for face in chosen]
        arrays = {name: found[name][at] for name in ARRAYS}
        for row, face in enumerate(chosen):
            _write_face(settings, part, face, {name: arrays[name][row] for name in ARRAYS}, names)
        refs = [_ref(settings, face) for face in chosen]
        arrays["ids"] = np.array([ref.id for ref in refs], np.str_)
        arrays["sources"] = np.array([settings.name_of(face.piece.source) for face in chosen], np.str_)
        shard.append(arrays)
        waiting += len(chosen)
        if waiting >= SHARD:
            _write_shard(folder / f"faces-{number:03d}.npz", shard, names)
            shard, waiting, number = [], 0, number + 1
        yield len(chosen)
    if shard:
        _write_shard(folder / f"faces-{number:03d}.npz", shard, names)
    _write_csv(folder / LABELS, part.lines)
    _write_targets(settings, part, names, is_test)


def _ref(settings: BuildSettings, face: Face) -> SampleRef:
    return source_of(settings, face.piece.source, face.piece.root).refs[face.row]


def _write_shard(path: Path, shard: Sequence[Arrays], names: Sequence[str]) -> None:
    joined = {name: np.concatenate([arrays[name] for arrays in shard]) for name in shard[0]}
    joined["attributes"] = np.array(names, np.str_)
    with replacing_file(path) as temp, temp.open("wb") as stream:
        np.savez(stream, **joined)  # type: ignore[arg-type]


def _write_face(settings: BuildSettings, part: _Part, face: Face, arrays: Arrays, names: Sequence[str]) -> None:
    ref = _ref(settings, face)
    dataset = source_of(settings, face.piece.source, face.piece.root)
    source = settings.name_of(face.piece.source)
    if face.part == "test":
        suffix = PurePosixPath(ref.id).suffix.lower()
        file = f"photos/{file_name(source, ref.id)}{suffix if suffix in IMAGE_EXTENSIONS else ''}"
        data = dataset.store.read(ref.id)
    else:
        file = f"images/{file_name(source, ref.id)}{f'-{face.tone}' if face.tone else ''}.png"
        data = encode_png(arrays["images"]) if settings.images else b""
    if data:
        with replacing_file(part.folder / file) as temp:
            temp.write_bytes(data)
    said = ref.labels[0] if ref.labels else FaceLabel()
    part.lines.append(
        {
            "file": file,
            "identity": said.identity or "",
            "age": "" if said.age is None else f"{said.age:g}",
            "gender": said.gender or "",
            "race": said.race or "",
            "label_age": f"{float(arrays['ages']):.2f}",
            "label_gender": face.gender,
            "age_group": face.group,
            **{f"is_{name}": f"{value:g}" for name, value in zip(names, arrays["labels"], strict=True)},
            "tone": face.tone,
            "source": source,
            "sample": ref.id,
            "sha256": hashlib.sha256(data).hexdigest() if data else "",
        }
    )
    part.vectors.append((PurePosixPath(file).name, arrays["labels"]))


def file_name(source: str, sample: str) -> str:
    """Readable, unique, without spaces: other people's label files separate by them."""
    readable = re.sub(r"[^A-Za-z0-9]+", "_", PurePosixPath(sample).stem).strip("_")[:60]
    return f"{readable}-{hashlib.sha256(f'{source} {sample}'.encode(errors='surrogateescape')).hexdigest()[:10]}"


def _write_csv(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    sink = io.StringIO(newline="")
    if lines:
        writer = csv.DictWriter(sink, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    with replacing_file(path) as temp:
        temp.write_text(sink.getvalue(), encoding="utf-8", errors="backslashreplace")


def _write_targets(settings: BuildSettings, part: _Part, names: Sequence[str], is_test: bool) -> None:
    """In the form of CelebA's list_attr_celeba.txt, which AttGAN and StarGAN read: a count, names, then 1 or -1."""
    if not is_test:
        _write_attributes(part.folder / "list_attr.txt", names, part.vectors)
        return
    if not settings.tones:
        _write_attributes(part.folder / "targets.txt", names, part.vectors)
    for tone in settings.tones:
        # The same people twice, all asked for in one tone (thesis 3.2.2). The nearest of dark and light is asked.
        dark = np.float32(_is_dark(tone))
        vectors = [(file, np.insert(vector, 1, dark)) for file, vector in part.vectors]
        _write_attributes(part.folder / f"targets-{tone}.txt", settings.attributes, vectors)


def _is_dark(tone: str) -> bool:
    faces = registry.training_faces()
    return bool(faces.attributes(["dark_skin"], 30.0, 0.0, faces.tone(tone))[0])


def _write_attributes(path: Path, names: Sequence[str], vectors: Sequence[tuple[str, NDArray[np.float32]]]) -> None:
    lines = [str(len(vectors)), " ".join(names)]
    lines += [f"{file} {' '.join('1' if value > 0.5 else '-1' for value in vector)}" for file, vector in vectors]
    with replacing_file(path) as temp:
        temp.write_text("\n".join(lines) + "\n", encoding="utf-8")
