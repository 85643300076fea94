"""Clips as files in folders: any folder of them, PETS 2009 S2.L1, the Surveillance Camera Fight Dataset."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from unmask.bench.core.errors import DataError
from unmask.bench.data.labels import file_id, read_rows
from unmask.bench.data.readers.base import Contents, Place, Record, open_files
from unmask.bench.data.readers.motchallenge import read_truth
from unmask.bench.data.stores import FileStore

LABELS: Final = "labels.csv"
FIGHT_GROUPS: Final = ("fight", "noFight")


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
