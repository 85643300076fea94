"""Photos of people in the layouts of published data sets, below a folder or in a zip.

Labeled Faces in the Wild (``Name/Name_0001.jpg``) and the ORL / AT&T faces (``s1/1.pgm`` ... ``s40/10.pgm``): the
folder is the person, unless a labels file says more. UTKFace: ``age_gender_race_date.jpg``, gender 0 = male, 1 =
female, likewise.

CelebA with identities: either a CSV with the columns ``file``, ``identity``, ``Male`` (0/1) and other attributes, or
the official texts ``identity_CelebA.txt`` (``000001.jpg 2880``) and ``list_attr_celeba.txt`` (a count, the attribute
names, then ``000001.jpg -1 1 ...``). Only ``Male`` is used: ``Young`` is no age.

FairFace: ``train/1.jpg``, ``val/1.jpg`` and ``fairface_label_{train,val}.csv`` (file, age, gender, race, ...). Ages are
ranges (``20-29``, ``more than 70``); the label is the middle of the range, 75 for the open one, so an age error against
it can be off by half a range. Age groups of ten years are exact.

Flickr Diverse Faces: ``{train,val}/images/[SIZE/]INDEX.png`` with ``landmarks.npy`` (N, 7, 2) beside ``images``.

One crop shows one annotated face, roughly in its middle. Its nose (the first landmark, 0..1 of the crop) says which
face is meant where a crop shows several; landmarks in other units are not used. Bounding boxes come as pickled
``.torch`` files: unsafe to open, so they are passed over, and so is the metadata (over a gigabyte; it is needed for
credits, not for measuring). Where images of several sizes lie side by side, the largest is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import DataError
from unmask.bench.core.types import FaceLabel, Gender
from unmask.bench.data.folders import list_images, read_text, require_folder
from unmask.bench.data.identities import file_subset
from unmask.bench.data.labels import MAX_AGE, LabelTable, parse_gender, read_labels, read_rows
from unmask.bench.data.readers.base import Contents, Place, Record, open_files, with_missing
from unmask.bench.data.stores import FileStore

RACES: Final = ("White", "Black", "Asian", "Indian", "Other")
_UTKFACE: Final = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+")
_CELEBA_GENDERS: Final[dict[str, Gender]] = {"1": "male", "0": "female", "-1": "female"}
SPLITS: Final = ("train", "val")
"""Of FairFace and FDF."""
OPEN_RANGE_AGE: Final = 75.0
_AGES: Final = re.compile(r"(\d{1,2})-(\d{1,2})\Z")


def read_lfw(place: Place) -> Contents:
    """Every photo with its person, of the labels file or else the folder; no other labels exist. Raises `DataError`."""
    return _named(place, _folder_label, subsets=False)


def read_utkface(place: Place) -> Contents:
    """A file whose name does not follow the pattern (there are a few in the original) stays a sample without labels.

    Splits are those of the labels file, or else `file_subset`'s. Raises `DataError`.
    """
    return _named(place, _utkface_label, subsets=True)


def _named(place: Place, from_path: Callable[[PurePosixPath], tuple[FaceLabel, ...]], *, subsets: bool) -> Contents:
    images = open_files(place)
    table = read_labels(place.labels) if place.labels is not None and place.labels.is_file() else LabelTable()
    for name in with_missing(images.store.names(), table.faces, place.labels):
        path = PurePosixPath(name)
        split = table.splits.get(name) or file_subset(path.name) if subsets else None
        images.records.append(Record(name, table.faces.get(name) or from_path(path), split))
    return images


def _folder_label(path: PurePosixPath) -> tuple[FaceLabel, ...]:
    return (FaceLabel(identity=path.parent.name),) if path.parent.name else ()


def _utkface_label(path: PurePosixPath) -> tuple[FaceLabel, ...]:
    match = _UTKFACE.match(path.name)
    if match is None or float(match[1]) > MAX_AGE:
        return ()
    return (FaceLabel(age=float(match[1]), gender="female" if match[2] == "1" else "male", race=RACES[int(match[3])]),)


def read_celeba(place: Place) -> Contents:
    """Every image with its identity and gender. Raises `DataError` if the identities are missing."""
    images = open_files(place)
    path = _labels_file(place.labels, "the identities", place.path)
    if path.suffix.lower() == ".csv":
        faces = _celeba_csv(path)
    else:
        faces = _celeba_texts(path, _labels_file(place.attributes, "the attributes", place.path))
        # The archive has a folder around the images, and some copies have two.
        by_base = {PurePosixPath(name).name: name for name in images.store.names()}
        faces = {by_base.get(base, base): label for base, label in faces.items()}
    names = with_missing(images.store.names(), faces, path)
    images.records = [Record(name, (faces[name],) if name in faces else ()) for name in names]
    return images


def _labels_file(path: Path | None, holds: str, place: Path) -> Path:
    if path is None or not path.is_file():
        raise DataError(f"{str(path)!r} is missing: it holds {holds} of the images in {str(place)!r}")
    return path


def _celeba_csv(path: Path) -> dict[str, FaceLabel]:
    faces = {}
    for line, row in read_rows(path):
        file, identity, male = row.get("file"), row.get("identity"), row.get("male")
        if not file or not identity or (male and male not in _CELEBA_GENDERS):
            raise DataError(f"{path}, line {line}: needs a file, an identity, and 0 or 1 in the column Male")
        faces[file] = FaceLabel(identity=identity, gender=_CELEBA_GENDERS.get(male or ""))
    return faces


def _celeba_texts(identities: Path, attributes: Path) -> dict[str, FaceLabel]:
    lines = read_text(attributes).splitlines()
    names = lines[1].split() if len(lines) > 1 else []
    if "Male" not in names:
        raise DataError(f"{attributes}, line 2: no attribute Male; this is not CelebA's list_attr_celeba.txt")
    column = names.index("Male") + 1
    males: dict[str, Gender] = {}
    for number, line in enumerate(lines[2:], start=3):
        cells = line.split()
        if cells and (len(cells) != len(names) + 1 or cells[column] not in _CELEBA_GENDERS):
            raise DataError(f"{attributes}, line {number}: not a file and {len(names)} values of 1 or -1")
        if cells:
            males[cells[0]] = _CELEBA_GENDERS[cells[column]]
    faces = {}
    for number, line in enumerate(read_text(identities).splitlines(), start=1):
        cells = line.split()
        if cells and len(cells) != 2:
            raise DataError(f"{identities}, line {number}: not a file and an identity")
        if cells:
            faces[cells[0]] = FaceLabel(identity=cells[1], gender=males.get(cells[0]))
    return faces


def read_fairface(place: Place) -> Contents:
    """Both splits, or the one whose label file is there. Raises `DataError` if neither is."""
    files = [place.path / f"fairface_label_{split}.csv" for split in SPLITS]
    images = open_files(place, companions=files)
    present = [path for path in files if path.is_file()]
    if not present:
        raise DataError(
            f"{place.path} has neither {files[0].name} nor {files[1].name}; put FairFace's label files there"
        )
    faces = {file: label for path in present for file, label in _fairface_rows(path).items()}
    names = with_missing(images.store.names(), faces, present[0])
    images.records = [Record(name, (faces[name],) if name in faces else (), name.split("/")[0]) for name in names]
    return images


def _fairface_rows(path: Path) -> dict[str, FaceLabel]:
    faces = {}
    for line, row in read_rows(path):
        where = f"{path}, line {line}"
        if not row.get("file"):
            raise DataError(f"{where}: the column 'file' is empty")
        gender = parse_gender(row.get("gender"), where)
        faces[row["file"]] = FaceLabel(age=_age(row.get("age", ""), where), gender=gender, race=row.get("race") or None)
    return faces


def _age(text: str, where: str) -> float | None:
    match = _AGES.match(text)
    if match is not None:
        return (int(match[1]) + int(match[2])) / 2
    if text.lower() in ("more than 70", "70+"):
        return OPEN_RANGE_AGE
    if text:
        raise DataError(f"{where}: age {text!r} is none of FairFace's ranges, such as 20-29 or more than 70")
    return None


def read_fdf(place: Place) -> Contents:
    """Both splits, or the one that is there. Raises `DataError` if neither is."""
    files: dict[str, Path] = {}
    records: list[Record] = []
    ignored = 0
    notes: list[str] = []
    for split in SPLITS:
        images = place.path / split / "images"
        if not images.is_dir():
            continue
        children = require_folder(images, "the folder").iterdir()
        sizes = [int(child.name) for child in children if child.is_dir() and child.name.isdecimal()]
        chosen, size = (images / str(max(sizes)), max(sizes)) if sizes else (images, None)
        listing = list_images(chosen, sniff=False)
        ignored += listing.ignored
        notes += [f"{split}: {note}" for note in listing.notes()]
        noses = _noses(place.path / split / "landmarks.npy")
        prefix = chosen.relative_to(place.path).as_posix()
        for name, path in listing.files.items():
            sample = f"{prefix}/{name}"
            files[sample] = path
            records.append(Record(sample, _nose_label(name, noses, size), split))
    if not files:
        raise DataError(f"{str(place.path)!r} has no images below train/images or val/images; unpack FDF there")
    return Contents(FileStore(place.path, files), records, ignored, notes)


def _noses(path: Path) -> NDArray[np.float64] | None:
    """(N, 2) in 0..1, NaN where the unit is another one; ``None`` without a landmarks file."""
    if not path.is_file():
        return None
    try:
        points = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is not a plain numpy array ({error}); get FDF's landmarks.npy again") from error
    if points.ndim < 2 or points.size % (7 * 2) or points.size != len(points) * 14:
        raise DataError(f"{path} has shape {points.shape}, not (N, 7, 2)")
    noses = np.asarray(points.reshape(len(points), 7, 2)[:, 0], np.float64)
    return np.where(((noses >= 0) & (noses <= 1)).all(axis=1, keepdims=True), noses, np.nan)


def _nose_label(name: str, noses: NDArray[np.float64] | None, size: int | None) -> tuple[FaceLabel, ...]:
    stem = PurePosixPath(name).stem
    if noses is None or size is None or not stem.isdecimal() or int(stem) >= len(noses):
        return ()
    x, y = noses[int(stem)] * size
    return (FaceLabel(at=(float(x), float(y))),) if np.isfinite((x, y)).all() else ()
