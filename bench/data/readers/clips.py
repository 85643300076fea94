"""Clips in folders: any folder of files, PETS 2009 S2.L1, the Surveillance Camera Fight Dataset, and MOTChallenge.

MOTChallenge folders (MOT15, 16, 17, 20): ``<sequence>/img1/*.jpg`` with ``seqinfo.ini`` and ``gt/gt.txt``.

A sequence may also be one video file with ``gt.txt`` or ``gt/gt.txt`` beside it. Sequences lie at any depth
(``MOT17/train/...``); those without ``gt.txt`` (the benchmark keeps its test set's to itself) have no annotation.

Ground truth of people: ``frame, id, left, top, width, height, consider, class, visibility``. Frames count from 1 in the
file and from 0 here. Rows that the benchmark does not consider (0 in the seventh column) and rows of another class than
pedestrian (1) are left out. Files of 2015 have ten columns and no class: the last three are positions in the world, and
all rows are of pedestrians.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from unmask.bench.core.errors import DataError, VideoError
from unmask.bench.core.files import is_hidden
from unmask.bench.core.video import CLIP_EXTENSIONS, Tracks
from unmask.bench.data.folders import quoted, read_text, require_folder, sample_id, walk
from unmask.bench.data.labels import file_id, read_rows
from unmask.bench.data.readers.base import Contents, Place, Record, open_files
from unmask.bench.data.sequences import is_sequence, list_sequence
from unmask.bench.data.stores import FileStore

LABELS: Final = "labels.csv"
FIGHT_GROUPS: Final = ("fight", "noFight")
TRUTHS = ("gt/gt.txt", "gt.txt")
PEDESTRIAN: Final = 1
MAX_FRAME: Final = 10_000_000
_COLUMNS: Final = (6, 7, 8, 9, 10)
_WITHOUT_CLASS: Final = 10


def read_clips(place: Place) -> Contents:
    """Every clip file below a folder. Raises `DataError` if there is none."""
    contents = open_files(place, clips=True, companions=[place.path / LABELS])
    contents.records = [Record(name) for name in contents.store.names()]
    return contents


def read_pets2009(place: Place) -> Contents:
    """``vtest.avi`` with ``gt.txt``. Raises `DataError` without one of them."""
    root = place.path
    clip, truth = root / "vtest.avi", root / "gt.txt"
    for path in (clip, truth):
        if not path.is_file():
            raise DataError(f"{str(path)!r} is missing; pets2009 is vtest.avi and gt.txt in one folder")
    ignored = sum(1 for path in root.iterdir() if path not in (clip, truth))
    records = [Record(clip.name, truth=read_truth(truth))]
    return Contents(FileStore(root, {clip.name: clip}, limit=None), records, ignored)


def read_surv_fight(place: Place) -> Contents:
    """``fight/`` and ``noFight/``, grouped by ``labels.csv`` (columns file and label) or else by these folders.

    A labelled clip that is not there becomes a counted row. Raises `DataError` for another group.
    """
    contents, labels = read_clips(place), place.path / LABELS
    names = contents.store.names()
    groups = _labels(labels) if labels.is_file() else {name: PurePosixPath(name).parts[0] for name in names}
    contents.records = [Record(name, group=groups.get(name, "")) for name in dict.fromkeys([*names, *groups])]
    unknown = sorted({record.group for record in contents.records} - set(FIGHT_GROUPS))
    if unknown:
        raise DataError(
            f"{str(place.path)!r}: a clip is neither fight nor noFight but {unknown[0]!r}; correct {LABELS}"
        )
    return contents


def _labels(path: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    for line, row in read_rows(path):
        file, label = file_id(row.get("file", ""), f"{path}, line {line}"), row.get("label", "")
        if label not in FIGHT_GROUPS:
            raise DataError(f"{path}, line {line}: needs fight or noFight in the column label")
        if file in groups:
            raise DataError(f"{path}, line {line}: {file!r} is named twice")
        groups[file] = label
    return groups


@dataclass(frozen=True, slots=True)
class Numbering:
    """The images that a file of ground truth speaks of."""

    images: int
    first: int
    """The number in the first one's name."""


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


def read_truth(path: Path, numbering: Numbering | None = None) -> Tracks:
    """The boxes that count. ``numbering``: of the images, where the clip is a folder of them.

    Raises `DataError` with the line number of the first row that makes no sense or lies beyond the last image, and
    where images are not numbered from 1 as frames are: nothing then says which image is meant.
    """
    rows: dict[tuple[int, int], tuple[float, ...]] = {}
    lines: dict[tuple[int, int], int] = {}
    left_out = Counter[str]()
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        frame, track, box, why_not = _row(line, where)
        if numbering is not None:
            _require_image(frame, numbering, where)
        if why_not:
            left_out[why_not] += 1
            continue
        key = frame - 1, track
        if key in rows:
            raise DataError(f"{where}: frame {frame} has track {track} on line {lines[key]} already")
        rows[key], lines[key] = box, number
    if not rows:
        others = ", ".join(f"{count} of {why}" for why, count in left_out.most_common(3))
        raise DataError(
            f"{path} has no box that counts{f' ({others})' if others else ''}; it needs lines of class 1 "
            "(pedestrian) that are considered, such as 1,1,100,50,40,80,1,1,1"
        )
    frames, tracks = zip(*rows, strict=True)
    return Tracks.sorted(frames, tracks, list(rows.values()))


def _require_image(frame: int, numbering: Numbering, where: str) -> None:
    first, images = numbering.first, numbering.images
    numbered = f"images are numbered from {first}"
    if frame > images:
        raise DataError(f"{where}: frame {frame} of a clip of {images} images; frames count from 1, {numbered}")
    if first != 1:
        raise DataError(
            f"{where}: frame {frame} may be image {frame} or image {frame + first - 1}, since frames count from 1 but "
            f"{numbered}; number the images from 1"
        )


def _row(line: str, where: str) -> tuple[int, int, tuple[float, ...], str]:
    """Frame, track, box, and why it does not count, '' = it does."""
    cells = line.replace(",", " ").split() if "," not in line else [cell.strip() for cell in line.split(",")]
    while cells and cells[-1] == "":  # some files end each line in a comma
        cells.pop()
    if len(cells) not in _COLUMNS:
        raise DataError(f"{where}: {len(cells)} values; a row is frame, id, left, top, width, height, consider, class")
    if len(cells) > 7 and any(letter.isalpha() for letter in cells[7]) and cells[7].lower() != "nan":
        raise DataError(f"{where}: the class is called {cells[7]!r}; write its number, 1 = pedestrian")
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    if not all(math.isfinite(value) for value in values):
        raise DataError(f"{where}: a value is not a finite number")
    frame, track = values[:2]
    if frame != int(frame) or track != int(track) or not 1 <= frame <= MAX_FRAME or abs(track) > MAX_FRAME:
        raise DataError(f"{where}: frame and id must be whole numbers, frames from 1")
    why_not = ""
    if len(values) >= 7 and values[6] <= 0:
        why_not = "boxes that are not considered (0 in column 7)"
    elif len(values) >= 8 and len(values) != _WITHOUT_CLASS and values[7] != PEDESTRIAN:
        why_not = f"class {values[7]:g}"
    elif values[4] <= 0 or values[5] <= 0:
        raise DataError(f"{where}: width and height must be positive")
    return int(frame), int(track), tuple(values[2:6]), why_not
