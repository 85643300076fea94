"""MOTChallenge folders (MOT15, 16, 17, 20): ``<sequence>/img1/*.jpg`` with ``seqinfo.ini`` and ``gt/gt.txt``.

A sequence may also be one video file with ``gt.txt`` or ``gt/gt.txt`` beside it. Sequences lie at any depth
(``MOT17/train/...``); those without ``gt.txt`` (the benchmark keeps its test set's to itself) have no annotation.
"""

from __future__ import annotations

from pathlib import Path

from unmask.bench.core.errors import DataError, VideoError
from unmask.bench.core.files import is_hidden
from unmask.bench.core.video import CLIP_EXTENSIONS
from unmask.bench.data.folders import quoted, require_folder, sample_id, walk
from unmask.bench.data.readers.base import Contents, Place, Record
from unmask.bench.data.readers.truth import Numbering, read_truth
from unmask.bench.data.sequences import is_sequence, list_sequence
from unmask.bench.data.stores import FileStore

TRUTHS = ("gt/gt.txt", "gt.txt")


def read_motchallenge(place: Place) -> Contents:
    """Every sequence below a folder, or the folder itself if it is one. Raises `DataError`."""
    root = require_folder(place.path, "the folder")
    files: dict[str, Path] = {}
    records: list[Record] = []
    ignored = 0

    def add(name: str, path: Path, truth: Path | None) -> None:
        files[name] = path
        records.append(Record(name, truth=None if truth is None else read_truth(truth, _numbering(path))))

    for folder, subfolders, names in walk(root):
        subfolders[:] = sorted(s for s in subfolders if not is_hidden(s) and not (folder / s).is_symlink())
        truth = next((folder / relative for relative in TRUTHS if (folder / relative).is_file()), None)
        shown = (folder / name for name in sorted(names) if not is_hidden(name))
        videos = [path for path in shown if path.suffix.lower() in CLIP_EXTENSIONS]
        if is_sequence(folder):
            identity = sample_id(folder.relative_to(root)) if folder != root else root.resolve().name
            add(identity, folder, truth)
            subfolders.clear()
        elif truth is not None and len(videos) == 1:
            add(sample_id(videos[0].relative_to(root)), videos[0], truth)
            subfolders.clear()
        elif truth is not None and videos:
            raise DataError(f"{quoted(folder)} holds {len(videos)} videos and one gt.txt; put each into its own folder")
        else:
            ignored += len(names)
    if not records:
        raise DataError(
            f"{quoted(root)} holds no sequence; it needs folders with seqinfo.ini and img1, or with a video and gt.txt"
        )
    without = sum(record.truth is None for record in records)
    notes = [f"{without} of {len(records)} sequences have no gt.txt."] if without else []
    return Contents(FileStore(root, files, limit=None), records, ignored, notes)


def _numbering(path: Path) -> Numbering | None:
    """``None`` for a video, whose frames nobody has counted yet, and for images that cannot be listed."""
    if not is_sequence(path):
        return None
    try:
        _, images, promised = list_sequence(path)
    except VideoError:
        return None
    return Numbering(max(len(images), promised or 0), int(images[0].stem))
