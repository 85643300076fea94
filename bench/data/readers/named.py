"""Photos whose paths are their labels, unless a labels file says more; below a folder or in a zip.

Labeled Faces in the Wild (``Name/Name_0001.jpg``) and the ORL / AT&T faces (``s1/1.pgm`` ... ``s40/10.pgm``): the
folder is the person. UTKFace: ``age_gender_race_date.jpg``, gender 0 = male, 1 = female.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Final

from unmask.bench.core.types import FaceLabel
from unmask.bench.data.identities import file_subset
from unmask.bench.data.labels import MAX_AGE, LabelTable, read_labels
from unmask.bench.data.readers.base import Contents, Place, Record, open_files, with_missing

RACES: Final = ("White", "Black", "Asian", "Indian", "Other")
_NAME: Final = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+")


def read_lfw(place: Place) -> Contents:
    """Every photo with its person, of the labels file or else the folder; no other labels exist. Raises `DataError`."""
    return _read(place, _from_folder, subsets=False)


def read_utkface(place: Place) -> Contents:
    """A file whose name does not follow the pattern (there are a few in the original) stays a sample without labels.

    Splits are those of the labels file, or else `file_subset`'s. Raises `DataError`.
    """
    return _read(place, _from_name, subsets=True)


def _read(place: Place, from_path: Callable[[PurePosixPath], tuple[FaceLabel, ...]], *, subsets: bool) -> Contents:
    images = open_files(place)
    table = read_labels(place.labels) if place.labels is not None and place.labels.is_file() else LabelTable()
    for name in with_missing(images.store.names(), table.faces, place.labels):
        path = PurePosixPath(name)
        split = table.splits.get(name) or file_subset(path.name) if subsets else None
        images.records.append(Record(name, table.faces.get(name) or from_path(path), split))
    return images


def _from_folder(path: PurePosixPath) -> tuple[FaceLabel, ...]:
    return (FaceLabel(identity=path.parent.name),) if path.parent.name else ()


def _from_name(path: PurePosixPath) -> tuple[FaceLabel, ...]:
    match = _NAME.match(path.name)
    if match is None or float(match[1]) > MAX_AGE:
        return ()
    return (FaceLabel(age=float(match[1]), gender="female" if match[2] == "1" else "male", race=RACES[int(match[3])]),)
