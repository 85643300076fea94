"""Photos whose folder is the person: Labeled Faces in the Wild (``Name/Name_0001.jpg``) and the ORL / AT&T faces
(``s1/1.pgm`` ... ``s40/10.pgm``), below a folder or in a zip."""

from __future__ import annotations

from pathlib import PurePosixPath

from unmask.bench.core.types import FaceLabel
from unmask.bench.data.labels import LabelTable, read_labels
from unmask.bench.data.readers.base import Contents, Place, Record, open_files, with_missing


def read_lfw(place: Place) -> Contents:
    """Identities from the labels file where there is one, else from the folders. No other labels exist."""
    images = open_files(place)
    table = read_labels(place.labels) if place.labels is not None and place.labels.is_file() else LabelTable()
    names = with_missing(images.store.names(), table.faces, place.labels)
    images.records = [Record(name, table.faces.get(name) or _from_path(name)) for name in names]
    return images


def _from_path(name: str) -> tuple[FaceLabel, ...]:
    person = PurePosixPath(name).parent.name
    return (FaceLabel(identity=person),) if person else ()
