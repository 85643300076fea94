"""Layouts of files in folders: any folder of clips, PETS 2009 S2.L1, the Surveillance Camera Fight Dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from unmask.bench.core.errors import DataError
from unmask.bench.data.clips.files import list_clips
from unmask.bench.data.clips.found import ClipRecord, FoundClips
from unmask.bench.data.clips.truth import read_truth
from unmask.bench.data.labels import read_rows

LABELS: Final = "labels.csv"
FIGHT_GROUPS: Final = ("fight", "noFight")


def read_folder(root: Path, split: str, exclude: Sequence[Path] = ()) -> FoundClips:
    """Every clip file below ``root`` but for those in the folders of ``exclude``."""
    listing = list_clips(root, exclude)
    if not listing.files:
        other = f"; {listing.ignored} other files were passed over" if listing.ignored else ""
        raise DataError(f"{str(root)!r} holds no clips{other}; put files such as .mp4 or .avi there")
    records = [ClipRecord(name, path) for name, path in listing.files.items()]
    return FoundClips(root, records, listing.ignored, tuple(listing.notes([root / LABELS], "clips")))


def read_pets2009(root: Path, split: str) -> FoundClips:
    """``vtest.avi`` with ``gt.txt``."""
    clip, truth = root / "vtest.avi", root / "gt.txt"
    for path in (clip, truth):
        if not path.is_file():
            raise DataError(f"{str(path)!r} is missing; pets2009 is vtest.avi and gt.txt in one folder")
    ignored = sum(1 for path in root.iterdir() if path not in (clip, truth))
    return FoundClips(root, [ClipRecord(clip.name, clip, truth=read_truth(truth))], ignored)


def read_surv_fight(root: Path, split: str) -> FoundClips:
    """``fight/`` and ``noFight/``, grouped by ``labels.csv`` (columns file and label) or else by these folders."""
    found = read_folder(root, split)
    groups = _labels(root / LABELS) if (root / LABELS).is_file() else None
    files = {record.id: record.path for record in found.records}
    if groups is None:
        groups = {name: PurePosixPath(name).parts[0] for name in files}
    # A labelled clip that is not there becomes a counted row.
    for name in groups:
        files.setdefault(name, None)
    found.records = [ClipRecord(name, path, groups.get(name, "")) for name, path in files.items()]
    unknown = sorted({record.group for record in found.records} - set(FIGHT_GROUPS))
    if unknown:
        raise DataError(f"{str(root)!r}: a clip is neither fight nor noFight but {unknown[0]!r}; mend {LABELS}")
    return found


def _labels(path: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    for line, row in read_rows(path):
        file, label = row.get("file", ""), row.get("label", "")
        if not file or label not in FIGHT_GROUPS:
            raise DataError(f"{path}, line {line}: needs a file, and fight or noFight in the column label")
        if ".." in PurePosixPath(file).parts or PurePosixPath(file).is_absolute():
            raise DataError(f"{path}, line {line}: {file!r} must be a path below the folder of the labels file")
        if file in groups:
            raise DataError(f"{path}, line {line}: {file!r} is named twice")
        groups[file] = label
    return groups
