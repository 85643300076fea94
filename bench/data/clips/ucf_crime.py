"""UCF-Crime (Anomaly-Detection-Dataset): clips by their names, wherever the archives were unpacked below the folder.

Names say everything: ``Abuse001_x264.mp4`` is of the class Abuse, ``Normal_Videos_003_x264.mp4`` is a normal test clip
and ``Normal_Videos001_x264.mp4`` a normal training clip. Ids are the paths that the data set's own lists use
(``Abuse/Abuse001_x264.mp4``), so they do not depend on how a copy is laid out. ``Anomaly_Train.txt``,
``Anomaly_Test.txt`` and ``Temporal_Anomaly_Annotation.txt`` are read where they lie in the top folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from unmask.bench.core.errors import DataError
from unmask.bench.data.clips import thesis
from unmask.bench.data.clips.clip_set import Spans
from unmask.bench.data.clips.files import list_clips
from unmask.bench.data.clips.found import ClipRecord, FoundClips
from unmask.bench.data.labels import read_text

LISTS: Final = {"train": "Anomaly_Train.txt", "test": "Anomaly_Test.txt"}
ANNOTATION: Final = "Temporal_Anomaly_Annotation.txt"
NORMAL, ANOMALY = "normal", "anomaly"
_NAME = re.compile(r"(Normal_Videos_?|[A-Z][A-Za-z]+?)\d+(?:_\d+)?_x264\.mp4\Z")
_LISTED_AT_MOST: Final = 3


def read_ucf_crime(root: Path, split: str) -> FoundClips:
    """The clips of a split. Raises `DataError` if a list is missing or a selected clip is."""
    listing = list_clips(root)
    here: dict[str, Path] = {}
    ignored = listing.ignored
    for path in listing.files.values():
        name = clip_id(path.name)
        # The data set's second half (event recognition) repeats normal clips.
        if not name or name in here:
            ignored += 1
        else:
            here[name] = path
    if not here:
        raise DataError(f"{str(root)!r} holds no clip such as Abuse001_x264.mp4; unpack the data set's archives there")
    spans = read_annotation(root / ANNOTATION) if (root / ANNOTATION).is_file() else {}
    names = list(here) if split == "all" else _selected(root, split, spans)
    missing = [name for name in names if name not in here]
    if missing:
        shown = ", ".join(missing[:_LISTED_AT_MOST]) + (", ..." if len(missing) > _LISTED_AT_MOST else "")
        raise DataError(
            f"{len(missing)} of the {len(names)} clips of ucf-crime:split={split} are not in {str(root)!r} ({shown}); "
            "get the archives that hold them, or write ucf-crime:split=all for whatever is there"
        )
    records = [ClipRecord(name, here[name], group_of(name), spans=spans.get(name)) for name in names]
    return FoundClips(root, records, ignored, thesis.NOTES if split == "thesis" else ())


def clip_id(name: str) -> str:
    """``Abuse001_x264.mp4`` -> ``Abuse/Abuse001_x264.mp4``; '' for a name that is none of the data set's."""
    found = _NAME.match(name)
    if not found:
        return ""
    folders = {"Normal_Videos_": "Testing_Normal_Videos_Anomaly", "Normal_Videos": "Training_Normal_Videos_Anomaly"}
    return f"{folders.get(found.group(1), found.group(1))}/{name}"


def group_of(identity: str) -> str:
    """``normal`` or ``anomaly``."""
    return NORMAL if PurePosixPath(identity).name.startswith("Normal_Videos") else ANOMALY


def read_annotation(path: Path) -> dict[str, Spans]:
    """Clip id -> when the incident happens, in frames as the file counts them; nothing for a normal clip.

    Lines are ``Abuse028_x264.mp4  Abuse  165  240  -1  -1``: a clip, its class, and up to two stretches. The test clips
    alone are annotated. Raises `DataError` with the line number.
    """
    found: dict[str, Spans] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        cells = line.split()
        if not cells:
            continue
        where = f"{path}, line {number}"
        name = clip_id(cells[0])
        try:
            values = [int(cell) for cell in cells[2:]]
        except ValueError as error:
            raise DataError(f"{where}: {error}") from error
        if not name or len(values) != 4:
            raise DataError(f"{where}: not a clip, its class and four frame numbers")
        pairs = [(values[k], values[k + 1]) for k in (0, 2) if values[k] != -1]
        if any(not 0 <= first <= last for first, last in pairs):
            raise DataError(f"{where}: a stretch must begin before it ends")
        found[name] = tuple(pairs)
    return found


def _selected(root: Path, split: str, spans: Iterable[str]) -> list[str]:
    """Ids of a split, each once."""
    if split == "thesis":
        return list(thesis.CLIPS)
    path = root / LISTS[split]
    if path.is_file():
        return list(dict.fromkeys(_read_list(path)))
    if split == "test" and spans:
        return list(spans)
    raise DataError(f"{str(path)!r} is missing: it says which clips are the split {split!r}; get it with the data set")


def _read_list(path: Path) -> list[str]:
    names = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        name = clip_id(PurePosixPath(line.strip()).name)
        if not name:
            raise DataError(f"{path}, line {number}: {line.strip()!r} is not a clip such as Abuse/Abuse001_x264.mp4")
        names.append(name)
    if not names:
        raise DataError(f"{path} names no clip; get it again")
    return names
