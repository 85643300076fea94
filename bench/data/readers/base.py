"""What a reader gets and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.errors import BrokenPluginError, DataError, UnmaskError, reason_of
from unmask.bench.core.files import MAX_FILE_BYTES
from unmask.bench.core.images import IMAGE_EXTENSIONS
from unmask.bench.core.types import FaceLabel
from unmask.bench.core.video import Tracks
from unmask.bench.data.folders import list_clips, list_images, passed_over, quoted, require_folder
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
    split: str = "all"
    """The split of the SPEC. A reader that gives all splits need not look at it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One photo or clip of a copy."""

    id: str
    labels: tuple[FaceLabel, ...] = ()
    split: str | None = None
    """What the data set's own files say; ``None`` = nothing."""
    group: str = ""
    """See `SampleRef.group`."""
    truth: Tracks | None = None
    """The people that the data set annotates in a clip."""


@dataclass(slots=True)
class Contents:
    """Everything of one copy of a data set: all splits together, or at least what `Place.split` asks for."""

    store: Store
    records: list[Record] = field(default_factory=list)
    ignored: int = 0
    """Files that are not samples."""
    notes: list[str] = field(default_factory=list)
    """What was read and what was passed over, a sentence each."""


Reader = Callable[[Place], Contents]
"""Registered as a ``layout`` (photos) or ``clip_layout``. Raises `DataError`."""


def read_copy(kind: str, layout: str, place: Place) -> Contents:
    """What the reader of a layout gives; ``kind``: in the registry. Raises `BrokenPluginError` where one that is not
    ours fails other than with an `UnmaskError`."""
    read: Reader = registry.load(kind, layout)
    if layout in registry.TABLES[kind]:
        return read(place)
    what = f"the reader of {layout!r} (a plug-in)"
    try:
        contents = read(place)
    except UnmaskError:
        raise
    except Exception as error:
        raise BrokenPluginError(f"{what} failed at {quoted(place.path)}: {reason_of(error)}") from error
    if not isinstance(contents, Contents):
        raise BrokenPluginError(f"{what} must give {Contents.__name__}, not {type(contents).__name__}")
    return contents


def open_files(place: Place, *, clips: bool = False, sniff: bool = False, companions: Sequence[Path] = ()) -> Contents:
    """The images of a folder or zip, or the clips of a folder, without records. Raises `DataError` if there are none.

    ``sniff``: see `list_images`. ``companions``: other files of the folder that are read for what they are.
    """
    what, such = ("clips", ".mp4 or .avi") if clips else ("images", "JPEG or PNG")
    if place.path.is_file() and not clips:
        zipped = ZipStore(place.path, IMAGE_EXTENSIONS)
        contents = Contents(zipped, ignored=len(zipped.others) + zipped.hidden, notes=passed_over(zipped.others))
    else:
        root = require_folder(place.path, "the folder")
        listing = list_clips(root, place.exclude) if clips else list_images(root, sniff=sniff, exclude=place.exclude)
        read = [path for path in (*companions, place.labels, place.attributes) if path is not None]
        store = FileStore(root, listing.files, limit=None if clips else MAX_FILE_BYTES)
        contents = Contents(store, ignored=listing.ignored, notes=listing.notes(read, what))
    if not contents.store.names():
        why = f" ({'; '.join(contents.notes)})" if contents.notes else ""
        raise DataError(f"{quoted(place.path)} holds no {what}{why}; put {such} files there")
    return contents


def with_missing(names: list[str], labelled: Mapping[str, object], labels: Path | None) -> list[str]:
    """``names`` and also the labelled files that are not there: each becomes a counted row, none drops out.

    Raises `DataError` if no labelled file is there: then the labels belong to something else.
    """
    present = set(names)
    missing = [name for name in labelled if name not in present]
    if labelled and len(missing) == len(labelled):
        listed = ", ".join(repr(name) for name in missing[:_LISTED_AT_MOST])
        raise DataError(f"{labels} names none of the images beside it ({listed}, ...); write paths below the folder")
    return sorted([*names, *missing])
