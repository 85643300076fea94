"""Any folder of images, with an optional ``labels.csv`` (columns: `bench.data.labels`).

Samples are all files with an image's extension, broken or not, and files without one whose first bytes are an image's.
Hidden files, texts, ``labels.csv`` and the like are passed over and counted, and so are files without labels that are
named as the anonymized version of another (``a_anonymized.jpg`` beside ``a.jpg``). Names of folders are not taken for
people: only ``labels.csv`` says who is who.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from unmask.bench.core.errors import DataError, counted
from unmask.bench.core.files import refusal
from unmask.bench.core.names import folded
from unmask.bench.data.folders import MAX_TEXT_BYTES
from unmask.bench.data.labels import LabelTable, read_labels
from unmask.bench.data.readers.base import Contents, Place, Record, open_files, with_missing

LABELS = "labels.csv"
_WORDS: Final = r"(?:anon|anonymi[sz]ed?|blurred|de-?faced|de-?identified|pixelated|redacted)"
_OUTPUT: Final = re.compile(rf"(?P<a>.+)[-_. ]{_WORDS}|{_WORDS}[-_. ](?P<b>.+)", re.IGNORECASE)
"""What anonymizers call the output of ``a`` or ``b`` where they write it beside the input."""
T = TypeVar("T")


def read_folder(place: Place) -> Contents:
    """The samples below ``place.path`` with their labels. Raises `DataError`."""
    path = place.labels or place.path / LABELS
    images = open_files(place, sniff=True, companions=[path])
    table = _labels(place.path, path)
    faces, loosely = by_file(images.store.names(), table.faces)
    images.notes += table.notes
    if loosely:
        images.notes.append(
            f"{LABELS} writes {counted(loosely, 'file name')} otherwise than the files are called (capitals, blanks, "
            "accents); they were matched all the same"
        )
    outputs = _outputs(images.store.names(), faces)
    if outputs:
        images.ignored += len(outputs)
        images.notes.append(
            f"{counted(len(outputs), 'file')} left out: called as the anonymized version of another file beside it"
        )
    names = with_missing([name for name in images.store.names() if name not in outputs], faces, path)
    images.records = [Record(name, faces.get(name, ())) for name in names]
    images.notes += _about_labels(place.path, path, images.records)
    return images


def _outputs(names: Iterable[str], labelled: Mapping[str, object]) -> set[str]:
    """Files called as the output of another one, such as ``a_anonymized.jpg`` beside ``a.jpg``; none with labels."""
    paths = {name: PurePosixPath(name) for name in names}
    stems = {(path.parent, path.stem.lower()) for path in paths.values()}
    outputs = set()
    for name, path in paths.items():
        match = _OUTPUT.fullmatch(path.stem)
        if match and name not in labelled and (path.parent, (match["a"] or match["b"]).lower()) in stems:
            outputs.add(name)
    return outputs


def by_file(names: Iterable[str], labelled: Mapping[str, T]) -> tuple[dict[str, T], int]:
    """The labels under the names of the files that they mean, and how many are written otherwise than the file.

    A name that is no file's stands for the one file that differs from it in capitals, blanks around a part of the path
    or the form of accents (macOS decomposes them); never for a file that another label means.
    """
    present = set(names)
    loose, unmatched = _by_spelling(present - labelled.keys()), _by_spelling(labelled.keys() - present)
    meant = {unmatched[key]: loose[key] for key in unmatched.keys() & loose.keys()}
    return {meant.get(name, name): value for name, value in labelled.items()}, len(meant)


def _by_spelling(names: Iterable[str]) -> dict[str, str]:
    """Names by what their spellings have in common, where no other name has it too."""
    spelled = [("/".join(part.strip() for part in folded(name).split("/")), name) for name in names]
    counts = Counter(key for key, _ in spelled)
    return {key: name for key, name in spelled if counts[key] == 1}


def _labels(root: Path, path: Path) -> LabelTable:
    if not os.path.lexists(path):
        return LabelTable()
    reason = refusal(root, path, MAX_TEXT_BYTES)
    if reason:
        raise DataError(f"{path} cannot be read as labels: {reason}; put a text file there, or take it away")
    return read_labels(path)


def _about_labels(root: Path, path: Path, records: Iterable[Record]) -> list[str]:
    """What a reader may have expected of labels that are not there."""
    notes = []
    if not path.exists():
        similar = sorted(child.name for child in root.iterdir() if child.stem.lower() == "labels" and child.suffix)
        notes += [f"{name} is not read: labels must be in a CSV file called {LABELS}" for name in similar]
    folders = {str(PurePosixPath(record.id).parent) for record in records} - {"."}
    if len(folders) > 1 and not any(label.identity for record in records for label in record.labels):
        notes.append(
            f"nobody is named: the names of the {len(folders):,} folders are not taken for people; where each is a "
            f"person, write a {LABELS} with the columns file and identity"
        )
    return notes
