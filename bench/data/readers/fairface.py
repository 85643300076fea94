"""FairFace: ``train/1.jpg``, ``val/1.jpg`` and ``fairface_label_{train,val}.csv`` (file, age, gender, race, ...).

Ages are ranges (``20-29``, ``more than 70``); the label is the middle of the range, 75 for the open one, so an age
error against it can be off by half a range. Age groups of ten years are exact.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from unmask.bench.core.errors import DataError
from unmask.bench.core.types import FaceLabel
from unmask.bench.data.labels import parse_gender, read_rows
from unmask.bench.data.readers.base import Contents, Place, Record, open_files, with_missing

SPLITS: Final = ("train", "val")
OPEN_RANGE_AGE: Final = 75.0
_RANGE: Final = re.compile(r"(\d{1,2})-(\d{1,2})\Z")


def read_fairface(place: Place) -> Contents:
    """Both splits, or the one whose label file is there. Raises `DataError` if neither is."""
    files = [place.path / f"fairface_label_{split}.csv" for split in SPLITS]
    images = open_files(place, companions=files)
    present = [path for path in files if path.is_file()]
    if not present:
        raise DataError(
            f"{place.path} has neither {files[0].name} nor {files[1].name}; put FairFace's label files there"
        )
    faces = {file: label for path in present for file, label in _read(path).items()}
    names = with_missing(images.store.names(), faces, present[0])
    images.records = [Record(name, (faces[name],) if name in faces else (), name.split("/")[0]) for name in names]
    return images


def _read(path: Path) -> dict[str, FaceLabel]:
    faces = {}
    for line, row in read_rows(path):
        where = f"{path}, line {line}"
        if not row.get("file"):
            raise DataError(f"{where}: the column 'file' is empty")
        gender = parse_gender(row.get("gender"), where)
        faces[row["file"]] = FaceLabel(age=_age(row.get("age", ""), where), gender=gender, race=row.get("race") or None)
    return faces


def _age(text: str, where: str) -> float | None:
    match = _RANGE.match(text)
    if match is not None:
        return (int(match[1]) + int(match[2])) / 2
    if text.lower() in ("more than 70", "70+"):
        return OPEN_RANGE_AGE
    if text:
        raise DataError(f"{where}: age {text!r} is none of FairFace's ranges, such as 20-29 or more than 70")
    return None
