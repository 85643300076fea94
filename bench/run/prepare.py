"""Stage prepare: find the faces of the originals and take every reading of them, once for all methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import VideoError
from unmask.bench.core.types import Detection, FaceLabel
from unmask.bench.run.checks.views import signature_of
from unmask.bench.run.jobs.items import ShardItems
from unmask.bench.run.jobs.keys import located_key
from unmask.bench.run.jobs.shards import ShardJob
from unmask.bench.run.reading.located import assign_labels
from unmask.bench.run.reading.parts import Columns, Part, missing_parts, original_parts, write_parts
from unmask.bench.run.reading.seen import Seen, seen_originals
from unmask.bench.run.reading.sequences import FramesPart, TrackedFacesPart, people_parts
from unmask.bench.store.detections import detection_columns, faces_by_item
from unmask.bench.store.tables import Table, read_table

LOCATED: Final = ("images", "faces", "signatures")
LOCATED_IN_CLIPS: Final = ("clip", "frames", "faces")


def prepare_shard(job: ShardJob) -> bool:
    """Makes whatever is missing of a shard's tables; False if nothing was. An instrument of another version reads anew,
    and nothing else does.

    A photo that cannot be read, and a clip that cannot, gets a row that says why; such a clip has no frames.
    """
    folder = job.folder.prepare_dir(job.dataset, job.shard)
    together = LOCATED_IN_CLIPS if job.of_clips else LOCATED
    missing = {part.name for part in missing_parts(folder, _parts(job), together)}
    if not missing:
        return False
    finding = bool(missing & set(together))
    faces = None if finding else faces_by_item(read_table(folder / "faces.parquet"))
    parts, items = _parts(job, missing), ShardItems(job)
    clip = next((part for part in parts if isinstance(part, ClipPart)), None)
    try:
        for chunk in items:
            seen = seen_originals(job, chunk, faces)
            for part in parts:
                part.take(seen)
    except VideoError as error:
        # What was seen before is not used: half a clip of unknown length would pass for a whole one.
        parts = _parts(job, missing)
        clip = next((part for part in parts if isinstance(part, ClipPart)), None)
        if clip is not None:
            clip.problem = error.reason
    if clip is not None and not clip.problem:
        clip.items = items
    write_parts(folder, (part for part in parts if part.name in missing))
    return True


def _parts(job: ShardJob, missing: set[str] | None = None) -> list[Part]:
    """All parts of a shard, or those that are needed for the ``missing`` ones."""
    key = located_key(job)
    readings = list(original_parts(job, key))
    if not job.of_clips:
        located = [ImagesPart("images", key), FacesPart("faces", key), SignaturesPart("signatures", key)]
        return [part for part in (*located, *readings) if missing is None or part.name in missing]
    # Tracks are made of how one recogniser sees the faces: it reads them where tracks are made.
    linking = next(part for part in readings if part.name == job.plan.settings.default_recogniser)
    people = people_parts(job)
    parts = [ClipPart("clip", key), FramesPart("frames", key), TrackedFacesPart(job, key, linking), *readings, *people]
    needed = None if missing is None else set(missing)
    if needed is not None and "faces" in needed:
        needed.add(linking.name)
    return [part for part in parts if needed is None or part.name in needed]


class ImagesPart(Part):
    """A row an input, with the reason where it cannot be read."""

    def read(self, chunk: Sequence[Seen]) -> Columns:
        images = [seen.item.image for seen in chunk]
        shapes = [(0, 0) if image is None else image.shape[:2] for image in images]
        return {
            "sample": np.array([seen.item.ref.id for seen in chunk], np.str_),
            "readable": np.array([image is not None for image in images], np.bool_),
            "reason": np.array([seen.item.reason for seen in chunk], np.str_),
            "note": np.array([seen.item.note for seen in chunk], np.str_),
            "height": np.array([height for height, _ in shapes], np.int32),
            "width": np.array([width for _, width in shapes], np.int32),
            "unplaced_labels": np.array([_unplaced(seen) for seen in chunk], np.int32),
        }


def _unplaced(seen: Seen) -> int:
    """Labels with a point that no face answers to."""
    wanted = sum(label.at is not None for label in seen.item.ref.labels)
    return wanted - sum(label.at is not None for label in _labels(seen)) if seen.item.image is not None else 0


def _labels(seen: Seen) -> list[FaceLabel]:
    return assign_labels(seen.faces, seen.item.ref.labels, seen.image.shape)


class FacesPart(Part):
    """A row a face of a photo, with its label."""

    def read(self, chunk: Sequence[Seen]) -> Columns:
        rows: list[tuple[str, str, Detection, FaceLabel]] = []
        for seen in (seen for seen in chunk if seen.faces):
            sample = seen.item.id
            for k, (face, label) in enumerate(zip(seen.faces, _labels(seen), strict=True)):
                rows.append((f"{sample}#{k}", sample, face, label))
        return {
            "face": np.array([row[0] for row in rows], np.str_),
            "sample": np.array([row[1] for row in rows], np.str_),
            **detection_columns([row[2] for row in rows]),
            "identity": np.array([row[3].identity or "" for row in rows], np.str_),
            "age": np.array([np.nan if row[3].age is None else row[3].age for row in rows], np.float32),
            "gender": np.array([row[3].gender or "" for row in rows], np.str_),
            "race": np.array([row[3].race or "" for row in rows], np.str_),
        }


class SignaturesPart(Part):
    """A small copy of each photo."""

    def read(self, chunk: Sequence[Seen]) -> Columns:
        empty: list[NDArray[np.uint8]] = [signature_of(None)[None][:0]]
        return {"signature": np.concatenate([*empty, *(signature_of(seen.item.image)[None] for seen in chunk)])}


class ClipPart(Part):
    """One row: what a clip is, and what is wrong with it."""

    items: ShardItems | None = None
    """After the last frame; ``None`` = the clip could not be read."""
    problem = ""
    """Why it cannot be used; ''."""

    def take(self, chunk: Sequence[Seen]) -> None:
        """It is made of the file, not of frames."""

    def table(self) -> Table:
        reader = None if self.items is None else self.items.reader
        info = None if reader is None else reader.info
        rate, kbps = (None, None) if info is None else (info.rate, info.kbps)
        row: dict[str, Any] = {
            "problem": self.problem,
            "damage": "" if reader is None else reader.damage,
            "width": 0 if info is None else info.width,
            "height": 0 if info is None else info.height,
            "rotation": 0 if info is None else info.rotation,
            "rate": np.nan if rate is None else float(rate),
            "codec": "" if info is None else info.codec,
            "pixel_format": "" if info is None else info.pixel_format,
            "kbps": np.nan if kbps is None else kbps,
            "audio": info is not None and info.audio,
        }
        return {name: np.array([value]) for name, value in row.items()}
