"""Flickr Diverse Faces: ``{train,val}/images/[SIZE/]INDEX.png`` with ``landmarks.npy`` (N, 7, 2) beside ``images``.

One crop shows one annotated face, roughly in its middle. Its nose (the first landmark, 0..1 of the crop) says which
face is meant where a crop shows several; landmarks in other units are not used. Bounding boxes come as pickled
``.torch`` files: unsafe to open, so they are passed over, and so is the metadata (over a gigabyte; it is needed for
credits, not for measuring). Where images of several sizes lie side by side, the largest is read.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import DataError
from unmask.bench.core.types import FaceLabel
from unmask.bench.data.folders import list_images, require_folder
from unmask.bench.data.readers.base import Contents, Place, Record
from unmask.bench.data.stores import FileStore

SPLITS: Final = ("train", "val")


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
            records.append(Record(sample, _label(name, noses, size), split))
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


def _label(name: str, noses: NDArray[np.float64] | None, size: int | None) -> tuple[FaceLabel, ...]:
    stem = PurePosixPath(name).stem
    if noses is None or size is None or not stem.isdecimal() or int(stem) >= len(noses):
        return ()
    x, y = noses[int(stem)] * size
    return (FaceLabel(at=(float(x), float(y))),) if np.isfinite((x, y)).all() else ()
