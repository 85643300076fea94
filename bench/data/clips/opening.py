"""From a SPEC (``pets2009``, ``ucf-crime:split=thesis``, ``clips:PATH``) to an opened data set of clips."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from unmask.bench.core.canonical import digest
from unmask.bench.core.errors import DataError
from unmask.bench.core.registry import load
from unmask.bench.core.types import FetchProgress
from unmask.bench.core.video import ClipRef, Tracks
from unmask.bench.data import demo_clips
from unmask.bench.data.catalog import DatasetEntry
from unmask.bench.data.clips.clip_set import ClipSet
from unmask.bench.data.clips.files import ClipFiles, natural
from unmask.bench.data.clips.found import ClipRecord, FoundClips
from unmask.bench.data.clips.plain import read_folder
from unmask.bench.data.opening import card_of, chosen, chosen_copy, one_line, parse_dataset
from unmask.bench.fetch import cache


def open_clips(
    spec: str, *, root: Path | None = None, progress: FetchProgress | None = None, exclude: Sequence[Path] = ()
) -> ClipSet:
    """Opens the data set of clips of a SPEC and lists its clips; decodes nothing.

    ``root``: where local copies lie, else ``UNMASK_DATA``; several, joined by ``os.pathsep``, are searched in order.
    ``exclude``: folders inside a folder of clips whose files are none of it (the outputs of a method).
    Only ``demo-clips`` is fetched by itself; ``progress`` hears about that.
    Raises `SpecError`, `UnknownNameError`, `DataError` (a set of images, not found, empty, damaged) or `FetchError`.
    """
    parsed, entry = parse_dataset(spec)
    if not entry.clips:
        raise DataError(f"{entry.name} is a set of images, not of clips; use: unmask run")
    entry, split = chosen(parsed, entry)
    if entry.layout == "package-clips":
        files = demo_clips.fetch_demo_clips(progress)
        records = [ClipRecord(name, path) for name, path in files.items()]
        return _clip_set(entry, FoundClips(cache.cache_dir(), records), split, "the cache", entry.revision)
    copy = chosen_copy(parsed, entry, root)
    read = partial(read_folder, exclude=exclude) if entry.layout == "clips" else load("clip_layout", entry.layout)
    found = read(copy.place.path, split)
    return _clip_set(entry, found, split, str(copy.place.path), copy.revision or entry.revision)


def _clip_set(entry: DatasetEntry, found: FoundClips, split: str, where: str, revision: str) -> ClipSet:
    records = sorted(found.records, key=lambda record: natural(record.id))
    files = ClipFiles(found.root, {record.id: record.path for record in records})
    digests = files.digests()
    refs = tuple(ClipRef(record.id, record.group, digests[record.id]) for record in records)
    truths = {record.id: record.truth for record in records if record.truth is not None}
    card = card_of(entry, split, revision, _fingerprint(refs, truths))
    spans = {record.id: record.spans for record in records if record.spans is not None}
    notes = tuple(one_line(note) for note in found.notes)
    return ClipSet(card, refs, files, split, where, truths, spans, found.ignored, notes)


def _fingerprint(refs: tuple[ClipRef, ...], truths: Mapping[str, Tracks]) -> str:
    """sha256 over ids, groups, contents and annotation: equal for equal data on whatever machine."""
    return digest([[ref.id, ref.group, ref.digest, _truth_sha256(truths.get(ref.id))] for ref in refs])


def _truth_sha256(truth: Tracks | None) -> str:
    if truth is None:
        return ""
    columns = (truth.frame.astype("<i8"), truth.track.astype("<i8"), truth.box.astype("<f4"))
    return hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()
