"""UCF-Crime (Anomaly-Detection-Dataset): clips by their names, wherever the archives were unpacked below the folder.

Names say everything: ``Abuse001_x264.mp4`` is of the class Abuse, ``Normal_Videos_003_x264.mp4`` is a normal test clip
and ``Normal_Videos001_x264.mp4`` a normal training clip. Ids are the paths that the data set's own lists use
(``Abuse/Abuse001_x264.mp4``), so they do not depend on how a copy is laid out. Lists are read in the top folder.

Split ``thesis`` are the clips of UCF-Crime in which the thesis counted people (section 4.2, tables 4.1 and 4.2).
The names there drop what is alike: ``003.mp4`` is ``Normal_Videos_003_x264.mp4``. `THESIS_NOTES` says which are known.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Final

from unmask.bench.core.errors import DataError
from unmask.bench.data.folders import list_clips, read_text, require_folder
from unmask.bench.data.readers.base import Contents, Place, Record
from unmask.bench.data.stores import FileStore

LISTS: Final = {"train": ("Anomaly_Train.txt",), "test": ("Anomaly_Test.txt", "Temporal_Anomaly_Annotation.txt")}
"""Split -> files whose lines begin with one of its clips; the first that is there is read."""
NORMAL, ANOMALY = "normal", "anomaly"
_NAME = re.compile(r"(Normal_Videos_?|[A-Z][A-Za-z]+?)\d+(?:_\d+)?_x264\.mp4\Z")
_LISTED_AT_MOST: Final = 3

NORMAL_PRINTED: Final = (
    *(3, 6, 10, 14, 15, 18, 19, 24, 25, 27),
    *(312, 317, 345, 352, 360, 365, 401, 417, 439, 452),
)
"""Table 4.1."""
NORMAL_BETWEEN: Final = (
    *(33, 34, 41, 42, 48, 50, 51, 56, 59, 63, 67, 70, 100, 129, 150),
    *(168, 175, 182, 189, 196, 203, 210, 217, 224, 246, 247, 248, 251, 289, 310),
)
"""The normal test clips between 27 and 312 (Temporal_Anomaly_Annotation.txt)."""
ANOMALY_PRINTED: Final = (*(("Abuse", k) for k in range(1, 11)), *(("Assault", k) for k in range(4, 14)))
"""Table 4.2."""

THESIS_CLIPS: Final = (
    *(f"Testing_Normal_Videos_Anomaly/Normal_Videos_{k:03d}_x264.mp4" for k in sorted(NORMAL_PRINTED + NORMAL_BETWEEN)),
    *(f"{kind}/{kind}{k:03d}_x264.mp4" for kind, k in ANOMALY_PRINTED),
)
THESIS_NOTES: Final = (
    "Of the thesis's 50 normal and 50 abnormal clips these are 50 and 20: each of its tables 4.1 and 4.2 prints 20 "
    "rows above a sum over 50.",
    "The 20 normal clips printed are the first and last ten of the first 50 normal test clips; the 30 between them "
    "are deduced from that.",
    "The 30 abnormal clips between Abuse010 and Assault004 (of abuse, arrest, arson and assault) are not named, so "
    "sums over abnormal clips cannot be compared with the thesis's.",
)


def read_ucf_crime(place: Place) -> Contents:
    """The clips of a split. Raises `DataError` if a list is missing or a selected clip is."""
    root, split = place.path, place.split
    listing = list_clips(require_folder(root, "the folder"), place.exclude)
    here: dict[str, Path] = {}
    for path in listing.files.values():
        # The data set's second half (event recognition) repeats normal clips.
        if name := clip_id(path.name):
            here.setdefault(name, path)
    if not here:
        raise DataError(f"{str(root)!r} holds no clip such as Abuse001_x264.mp4; unpack the data set's archives there")
    names = list(here if split == "all" else THESIS_CLIPS if split == "thesis" else _listed(root, split))
    missing = [name for name in names if name not in here]
    if missing:
        listed = ", ".join(missing[:_LISTED_AT_MOST]) + (", ..." if len(missing) > _LISTED_AT_MOST else "")
        raise DataError(
            f"{len(missing)} of the {len(names)} clips of ucf-crime:split={split} are not in {str(root)!r} ({listed}); "
            "get the archives that hold them, or write ucf-crime:split=all for whatever is there"
        )
    store = FileStore(root, {name: here[name] for name in names}, limit=None)
    groups = {name: NORMAL if "/Normal_Videos" in name else ANOMALY for name in names}
    records = [Record(name, split=split, group=group) for name, group in groups.items()]
    ignored = listing.ignored + len(listing.files) - len(here)
    return Contents(store, records, ignored, list(THESIS_NOTES) if split == "thesis" else [])


def clip_id(name: str) -> str:
    """``Abuse001_x264.mp4`` -> ``Abuse/Abuse001_x264.mp4``; '' for a name that is none of the data set's."""
    match = _NAME.match(name)
    if not match:
        return ""
    folders = {"Normal_Videos_": "Testing_Normal_Videos_Anomaly", "Normal_Videos": "Training_Normal_Videos_Anomaly"}
    return f"{folders.get(match[1], match[1])}/{name}"


def _listed(root: Path, split: str) -> list[str]:
    """Ids of a split, each once."""
    path = next((root / name for name in LISTS[split] if (root / name).is_file()), root / LISTS[split][0])
    if not path.is_file():
        raise DataError(
            f"{str(path)!r} is missing: it says which clips are the split {split!r}; get it with the data set"
        )
    names: dict[str, None] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        name = clip_id(PurePosixPath(line.split()[0]).name)
        if not name:
            raise DataError(f"{path}, line {number}: {line.strip()!r} is not a clip such as Abuse/Abuse001_x264.mp4")
        names[name] = None
    if not names:
        raise DataError(f"{path} names no clip; get it again")
    return list(names)
