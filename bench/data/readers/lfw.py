"""Labeled Faces in the Wild: ``Name/Name_0001.jpg`` below a folder or in a zip; the folder is the person."""

from __future__ import annotations

from pathlib import PurePosixPath

from unmask.bench.core.types import FaceLabel
from unmask.bench.data.labels import LabelTable, read_labels
from unmask.bench.data.readers.base import Found, Place, Record, open_images, with_missing


def read_lfw(place: Place) -> Found:
    """Identities from the labels file where there is one, else from the folders. No other labels exist."""
    images = open_images(place)
    table = read_labels(place.labels) if place.labels is not None and place.labels.is_file() else LabelTable()
    names = with_missing(images.store.names(), table.faces, place.labels)
    images.records = [Record(name, table.faces.get(name) or _from_path(name)) for name in names]
    return images


def _from_path(name: str) -> tuple[FaceLabel, ...]:
    person = PurePosixPath(name).parent.name
    return (FaceLabel(identity=person),) if person else ()
