"""Any folder of images, with an optional ``labels.csv`` (columns: `bench.data.labels`).

Samples are all files with an image's extension, broken or not, and files without one whose first bytes are an image's.
Hidden files, texts, ``labels.csv`` and the like are passed over and counted.
"""

from __future__ import annotations

from bench.data.labels import LabelTable, read_labels
from bench.data.readers.base import Found, Place, Record, open_images, with_missing

LABELS = "labels.csv"


def read_folder(place: Place) -> Found:
    """The samples below ``place.path`` with their labels. Raises `DataError`."""
    path = place.labels or place.path / LABELS
    images = open_images(place, sniff=True, known=[path])
    table = read_labels(path) if path.is_file() else LabelTable()
    names = with_missing(images.store.names(), table.faces, path)
    images.records = [Record(name, table.faces.get(name, ())) for name in names]
    return images
