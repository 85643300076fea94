"""UTKFace: labels in a CSV, or in the file names ``age_gender_race_date.jpg`` (gender 0 = male, 1 = female)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from unmask.bench.core.types import FaceLabel
from unmask.bench.data.identities import file_subset
from unmask.bench.data.labels import MAX_AGE, LabelTable, read_labels
from unmask.bench.data.readers.base import Contents, Place, Record, open_files, with_missing

RACES: Final = ("White", "Black", "Asian", "Indian", "Other")
_NAME: Final = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+")


def read_utkface(place: Place) -> Contents:
    """A file whose name does not follow the pattern (there are a few in the original) stays a sample without labels."""
    images = open_files(place)
    table = read_labels(place.labels) if place.labels is not None and place.labels.is_file() else LabelTable()
    for name in with_missing(images.store.names(), table.faces, place.labels):
        base = PurePosixPath(name).name
        labels = table.faces.get(name) or _from_name(base)
        images.records.append(Record(name, labels, table.splits.get(name) or file_subset(base)))
    return images


def _from_name(base: str) -> tuple[FaceLabel, ...]:
    match = _NAME.match(base)
    if match is None or float(match[1]) > MAX_AGE:
        return ()
    return (FaceLabel(age=float(match[1]), gender="female" if match[2] == "1" else "male", race=RACES[int(match[3])]),)
