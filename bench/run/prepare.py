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
from unmask.bench.run.reading.views import original_view_parts
from unmask.bench.store.detections import detection_columns, faces_by_item
from unmask.bench.store.readings import borrow, lend
from unmask.bench.store.tables import Table, columns_of

LOCATED: Final = ("images", "faces", "signatures")
LOCATED_IN_CLIPS: Final = ("clip", "frames", "faces")


def prepare_shard(job: ShardJob) -> bool:
    """Makes whatever is missing of a shard's tables; False if nothing was. An instrument of another version reads anew,
    and nothing else does. A photo that cannot be read, and a clip that cannot, gets a row that says why; such a clip
    has no frames."""
    folder, absent = job.folder.prepare_dir(job.dataset, job.shard), _absent(job)
    if not absent:
        return False
    borrowed = {part.name for part in absent if borrow(folder, part.name, part.key)}
    missing = _names(_absent(job) if borrowed else absent)
    if not missing:
        return True
    finding = bool(missing & set(_together(job)))
    faces = None if finding else faces_by_item(job.prepared("faces"))
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
    new = [part for part in parts if part.name in missing]
    write_parts(folder, new)
    for part in new:
        lend(folder, part.name, part.key)
    return True


def is_prepared(job: ShardJob) -> bool:
    """Whether `prepare_shard` would find nothing to do."""
    return not _absent(job)


def _absent(job: ShardJob) -> Sequence[Part]:
    return missing_parts(job.folder.prepare_dir(job.dataset, job.shard), _parts(job), _together(job))


def _together(job: ShardJob) -> Sequence[str]:
    """Tables that are only made together."""
    return LOCATED_IN_CLIPS if job.of_clips else LOCATED


def _names(parts: Sequence[Part]) -> set[str]:
    return {part.name for part in parts}


def _parts(job: ShardJob, missing: set[str] | None = None) -> list[Part]:
    """All parts of a shard, or those that are needed for the ``missing`` ones."""
    key = located_key(job)
    readings = list(original_parts(job, key))
    if not job.of_clips:
        located = [ImagesPart("images", key), FacesPart("faces", key), SignaturesPart("signatures", key)]
        views = original_view_parts(job, key)
        return [part for part in (*located, *readings, *views) if missing is None or part.name in missing]
    # Tracks are made of how one recogniser sees the faces: it reads them where tracks are made.
    linking = next(part for part in readings if part.name == job.plan.settings.default_recogniser)
    parts = [ClipPart("clip", key), FramesPart("frames", key), TrackedFacesPart(job, key, linking), *readings]
    if missing is not None and "faces" in missing:
        missing = missing | {linking.name}
    return [part for part in (*parts, *people_parts(job)) if missing is None or part.name in missing]


class ImagesPart(Part):
    """A row an input, with the reason where it cannot be read."""

    def read(self, chunk: Sequence[Seen]) -> Columns:
        rows = []
        for seen in chunk:
            item = seen.item
            height, width = (0, 0) if item.image is None else item.image.shape[:2]
            points = sum(label.at is not None for label in item.ref.labels)
            unplaced = 0 if item.image is None else points - sum(label.at is not None for label in _labels(seen))
            texts = item.reason, item.note, item.ref.digest
            rows.append((item.ref.id, item.image is not None, *texts, height, width, unplaced))
        numbers = dict.fromkeys(("height", "width", "unplaced_labels"), np.int32)
        kinds = dict.fromkeys(("reason", "note", "digest"), np.str_)
        return columns_of(rows, {"sample": np.str_, "readable": np.bool_, **kinds, **numbers})


def _labels(seen: Seen) -> list[FaceLabel]:
    return assign_labels(seen.faces, seen.item.ref.labels, seen.image.shape)


class FacesPart(Part):
    """A row a face of a photo, with its label."""

    def read(self, chunk: Sequence[Seen]) -> Columns:
        rows, faces = [], list[Detection]()
        for seen in (seen for seen in chunk if seen.faces):
            faces += seen.faces
            for k, label in enumerate(_labels(seen)):
                of_person = (
                    label.identity or "",
                    np.nan if label.age is None else label.age,
                    label.gender or "",
                    label.race or "",
                )
                rows.append((f"{seen.item.id}#{k}", seen.item.id, *of_person))
        person = {"identity": np.str_, "age": np.float32, "gender": np.str_, "race": np.str_}
        return columns_of(rows, {"face": np.str_, "sample": np.str_, **person}) | detection_columns(faces)


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
        unknown = {"width": 0, "height": 0, "rotation": 0, "codec": "", "pixel_format": "", "audio": False}
        row: dict[str, Any] = {name: getattr(info, name, default) for name, default in unknown.items()}
        rate, kbps = (None, None) if info is None else (info.rate, info.kbps)
        row |= {"problem": self.problem, "damage": "" if reader is None else reader.damage}
        row |= {"rate": np.nan if rate is None else float(rate), "kbps": np.nan if kbps is None else kbps}
        return {name: np.array([value]) for name, value in row.items()}
