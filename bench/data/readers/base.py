"""What a reader gets and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from unmask.bench.core.errors import DataError
from unmask.bench.core.images import IMAGE_EXTENSIONS
from unmask.bench.core.types import FaceLabel
from unmask.bench.data.folders import list_images, passed_over, require_folder, shown
from unmask.bench.data.stores import FileStore, Store, ZipStore

_LISTED_AT_MOST: Final = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where one copy of a data set lies."""

    path: Path
    """A folder, or a zip."""
    labels: Path | None = None
    """The file with its labels, if the source has one apart."""
    attributes: Path | None = None
    """A second labels file (CelebA has two)."""
    exclude: tuple[Path, ...] = ()
    """Folders and files below ``path`` that are none of it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One sample as a reader found it."""

    id: str
    labels: tuple[FaceLabel, ...] = ()
    split: str | None = None
    """What the data set's own files say; ``None`` = nothing."""


@dataclass(slots=True)
class Found:
    """Everything of one copy of a data set, all splits together."""

    store: Store
    records: list[Record] = field(default_factory=list)
    ignored: int = 0
    """Files that are not samples."""
    notes: list[str] = field(default_factory=list)
    """What was understood and what was passed over, a sentence each."""


Reader = Callable[[Place], Found]


def open_images(place: Place, *, sniff: bool = False, known: Sequence[Path] = ()) -> Found:
    """The images of a folder or zip, without records. Raises `DataError` if there are no images.

    ``known``: other files of the folder that are read for what they are.
    """
    images: Found
    if place.path.is_file():
        zipped = ZipStore(place.path, IMAGE_EXTENSIONS)
        images = Found(zipped, ignored=len(zipped.others) + zipped.hidden, notes=passed_over(zipped.others))
    else:
        listing = list_images(require_folder(place.path, "the folder"), sniff=sniff, exclude=place.exclude)
        read = [path for path in (*known, place.labels, place.attributes) if path is not None]
        images = Found(FileStore(place.path, listing.files), ignored=listing.ignored, notes=listing.notes(read))
    if not images.store.names():
        why = f" ({'; '.join(images.notes)})" if images.notes else ""
        raise DataError(f"{shown(place.path)} holds no images{why}; put JPEG or PNG files there")
    return images


def with_missing(names: list[str], labelled: Mapping[str, object], labels: Path | None) -> list[str]:
    """``names`` and also the labelled files that are not there: each becomes a counted row, none drops out.

    Raises `DataError` if no labelled file is there: then the labels belong to something else.
    """
    present = set(names)
    missing = [name for name in labelled if name not in present]
    if labelled and len(missing) == len(labelled):
        shown = ", ".join(repr(name) for name in missing[:_LISTED_AT_MOST])
        raise DataError(f"{labels} names none of the images beside it ({shown}, ...); write paths below the folder")
    return sorted([*names, *missing])


def require_file(path: Path | None, holds: str, place: Path) -> Path:
    """Raises a `DataError` which says what is missing unless ``path`` is a file."""
    if path is None or not path.is_file():
        raise DataError(f"{str(path)!r} is missing: it holds {holds} of the images in {str(place)!r}")
    return path
