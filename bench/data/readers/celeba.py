"""CelebA with identities.

Either a CSV with the columns ``file``, ``identity``, ``Male`` (0/1) and other attributes, or the official texts:
``identity_CelebA.txt`` (``000001.jpg 2880``) and ``list_attr_celeba.txt`` (a count, the attribute names, then
``000001.jpg -1 1 ...``). Only ``Male`` is used: ``Young`` is no age.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from unmask.bench.core.errors import DataError
from unmask.bench.core.types import FaceLabel, Gender
from unmask.bench.data.labels import read_rows, read_text
from unmask.bench.data.readers.base import Contents, Place, Record, open_files, require_file, with_missing

_GENDERS: dict[str, Gender] = {"1": "male", "0": "female", "-1": "female"}


def read_celeba(place: Place) -> Contents:
    """Every image with its identity and gender. Raises `DataError` if the identities are missing."""
    images = open_files(place)
    path = require_file(place.labels, "the identities", place.path)
    if path.suffix.lower() == ".csv":
        faces = _from_csv(path)
    else:
        faces = _from_texts(path, require_file(place.attributes, "the attributes", place.path))
        # The archive has a folder around the images, and some copies have two.
        by_base = {PurePosixPath(name).name: name for name in images.store.names()}
        faces = {by_base.get(base, base): label for base, label in faces.items()}
    names = with_missing(images.store.names(), faces, path)
    images.records = [Record(name, (faces[name],) if name in faces else ()) for name in names]
    return images


def _from_csv(path: Path) -> dict[str, FaceLabel]:
    faces = {}
    for line, row in read_rows(path):
        file, identity, male = row.get("file"), row.get("identity"), row.get("male")
        if not file or not identity or (male and male not in _GENDERS):
            raise DataError(f"{path}, line {line}: needs a file, an identity, and 0 or 1 in the column Male")
        faces[file] = FaceLabel(identity=identity, gender=_GENDERS.get(male or ""))
    return faces


def _from_texts(identities: Path, attributes: Path) -> dict[str, FaceLabel]:
    lines = read_text(attributes).splitlines()
    names = lines[1].split() if len(lines) > 1 else []
    if "Male" not in names:
        raise DataError(f"{attributes}, line 2: no attribute Male; this is not CelebA's list_attr_celeba.txt")
    column = names.index("Male") + 1
    males: dict[str, Gender] = {}
    for number, line in enumerate(lines[2:], start=3):
        cells = line.split()
        if cells and (len(cells) != len(names) + 1 or cells[column] not in _GENDERS):
            raise DataError(f"{attributes}, line {number}: not a file and {len(names)} values of 1 or -1")
        if cells:
            males[cells[0]] = _GENDERS[cells[column]]
    faces = {}
    for number, line in enumerate(read_text(identities).splitlines(), start=1):
        cells = line.split()
        if cells and len(cells) != 2:
            raise DataError(f"{identities}, line {number}: not a file and an identity")
        if cells:
            faces[cells[0]] = FaceLabel(identity=cells[1], gender=males.get(cells[0]))
    return faces
