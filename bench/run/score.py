"""Stage score: judge the outputs of a shard. Each image is decoded once and each face found and cut once; every
reading that is missing is taken of the same crops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.core.errors import ImageError, StoreError
from bench.core.images import decode_image
from bench.core.types import Box, Detection, FaceView, Image, Outcome, Region, RegionPair
from bench.run import opened
from bench.run.anonymize import outputs_key
from bench.run.located import change, match_faces, outcomes
from bench.run.prepare import (
    FACE_ROLES,
    as_stored,
    detection_columns,
    detections_of,
    faces_by_sample,
    instrument_parts,
    located_key,
    part_key,
)
from bench.run.regions import REGIONS, region_pairs
from bench.run.shards import Gather, ShardJob, decode_chunks, scatter
from bench.store.tables import Table, read_table, table_key, write_table

STAGE_VERSION: Final = 3
"""Raise it whenever this stage's results could change."""


@dataclass(frozen=True)
class Judged:
    """One readable image of the data set with what the method made of it."""

    sample: str
    original: Image
    boxes: list[Box]
    """The original's faces."""
    output: Image | None
    reason: str
    """Why there is no output; ''."""
    found: list[Detection | None]
    """The face found again in the place of each original face."""
    changes: list[float]
    """Share of each face's pixels that changed."""
    _shared: dict[Region, list[RegionPair]] = field(default_factory=dict)

    @cached_property
    def views(self) -> list[FaceView | None]:
        """What face instruments see, shared by all of them so that each crop is cut once."""
        if self.output is None:
            return [None] * len(self.found)
        return [None if d is None else FaceView(self.output, d.box, d.landmarks) for d in self.found]

    @cached_property
    def untouched(self) -> bool:
        """Whether the output is the original, pixel for pixel (the control; images in which nobody was found)."""
        return self.output is not None and np.array_equal(self.output, self.original)

    def pairs(self, region: Region) -> list[RegionPair]:
        """The regions before and after, shared by all instruments; empty where there is no output."""
        if self.output is not None and region not in self._shared:
            self._shared[region] = region_pairs(self.original, self.output, self.boxes, region)
        return self._shared.get(region, [])


def score_shard(job: ShardJob) -> bool:
    """Makes whatever is missing of a shard's score tables; False if nothing was."""
    folder = job.folder.score_dir(job.dataset, job.method, job.shard)
    outcome_key = job.key("outcomes", STAGE_VERSION, located_key(job), outputs_key(job))
    parts = instrument_parts(job.plan, (*FACE_ROLES, "features", "pair"))
    keys = {name: part_key(job, outcome_key, card) for name, card in parts.items()}
    missing = [name for name, key in keys.items() if table_key(folder / f"{name}.parquet") != key]
    judge = table_key(folder / "outcomes.parquet") != outcome_key
    if not judge and not missing:
        return False

    known = None if judge else read_table(folder / "outcomes.parquet")
    outcome_rows = Gather()
    readings = {name: Gather() for name in missing}
    prepared = job.folder.prepare_dir(job.dataset, job.shard)
    before = {name: read_table(prepared / f"{name}.parquet") for name in missing if parts[name]["role"] != "pair"}
    faces = images = 0
    for chunk in _judged(job, known):
        if judge:
            outcome_rows.add(_outcome_rows(chunk))
        next_faces, next_images = faces + sum(len(item.boxes) for item in chunk), images + len(chunk)
        for name in missing:
            by_image = name.endswith(("@image", "@background"))
            rows = slice(images, next_images) if by_image else slice(faces, next_faces)
            originals = {column: values[rows] for column, values in before[name].items()} if name in before else None
            readings[name].add(_read(name, parts[name], chunk, originals, job.plan.settings.device))
        faces, images = next_faces, next_images
    if judge:
        write_table(folder / "outcomes.parquet", outcome_rows.table() or _outcome_rows([]), outcome_key)
    for name in missing:
        table = readings[name].table() or _read(name, parts[name], [], None, job.plan.settings.device)
        write_table(folder / f"{name}.parquet", table, keys[name])
    return True


def _judged(job: ShardJob, known: Table | None) -> Iterator[list[Judged]]:
    """Chunks of the shard's readable images, with the judge's detections (stored ones where ``known``)."""
    device = job.plan.settings.device
    judge = opened.detector(job.plan.instruments[0]["name"], device)
    originals = faces_by_sample(read_table(job.folder.prepare_dir(job.dataset, job.shard) / "faces.parquet"))
    outputs = job.folder.outputs_dir(job.dataset, job.method, job.shard)
    made = read_table(outputs / "outputs.parquet")
    files = {
        str(name): (str(file), str(error))
        for name, file, error in zip(made["sample"], made["file"], made["error"], strict=True)
    }
    stored = iter(detections_of(known)) if known is not None else None
    dataset, refs = job.open()
    for chunk in decode_chunks(dataset, refs):
        items = []
        for entry in chunk:
            if entry.image is None:
                continue
            boxes = [face.box for face in originals.get(entry.ref.id, [])]
            file, reason = files.get(entry.ref.id, ("", "no output was stored"))
            output = _load(outputs / file) if file else None
            if stored is not None:
                found = [next(stored) for _ in boxes]
            else:
                seen = as_stored(judge.detect([output])[0]) if output is not None and boxes else []
                found = match_faces(boxes, seen)
            changes = [float("nan") if output is None else change(entry.image, output, box) for box in boxes]
            items.append(Judged(entry.ref.id, entry.image, boxes, output, reason, found, changes))
        yield items


def _load(path: Path) -> Image:
    try:
        return decode_image(path.read_bytes(), path.name)
    except (OSError, ImageError) as error:
        raise StoreError(
            f"{path} cannot be read ({error}); delete its folder and run the same `unmask run` again"
        ) from error


def _outcome_rows(chunk: Sequence[Judged]) -> dict[str, NDArray[Any]]:
    faces: list[str] = []
    ended: list[str] = []
    reasons: list[str] = []
    found: list[Detection | None] = []
    changes: list[float] = []
    for item in chunk:
        faces += [f"{item.sample}#{k}" for k in range(len(item.boxes))]
        found += item.found
        changes += item.changes
        reasons += [item.reason if item.output is None else ""] * len(item.boxes)
        if item.output is None:
            ended += [Outcome.ERROR] * len(item.boxes)
        else:
            again = np.array([detection is not None for detection in item.found], np.bool_)
            ended += outcomes(np.array(item.changes, np.float64), again)
    return {
        "face": np.array(faces, np.str_),
        "outcome": np.array([str(outcome) for outcome in ended], np.str_),
        "reason": np.array(reasons, np.str_),
        "change": np.array(changes, np.float32),
        **detection_columns(found),
    }


def _read(
    name: str, card: Mapping[str, Any], chunk: Sequence[Judged], before: Table | None, device: str
) -> Mapping[str, NDArray[Any]]:
    """One instrument's readings of a chunk: a row a face (or image), NaN where there is nothing to read.

    ``before``: the same instrument's readings of the chunk's originals (none for ``pair`` instruments). Instruments are
    deterministic, so what is pixel for pixel the original is not read again; its reading is the original's.
    """
    if card["role"] in FACE_ROLES:
        views = [(view, item.untouched) for item in chunk for view in item.views]
        seen = [(k, view) for k, (view, same) in enumerate(views) if view is not None and not same]
        same = [k for k, (view, same) in enumerate(views) if view is not None and same]
        read = opened.face_instrument(card["name"], device).read
        return _spread(read, [view for _, view in seen], [k for k, _ in seen], len(views), same, before)
    region = next(r for r in REGIONS if name.endswith(f"@{r}"))
    at: list[int] = []
    n = 0
    pairs: list[RegionPair] = []
    for item in chunk:
        count = len(item.boxes) if region == "face" else 1
        if item.output is not None:
            at += range(n, n + count)
            pairs += item.pairs(region)
        n += count
    if card["role"] == "pair":
        return _spread(opened.pair_instrument(card["name"], device).compare, pairs, at, n, [], None)
    changed = [not np.array_equal(pair.original, pair.anonymized) for pair in pairs]
    return _spread(
        opened.image_instrument(card["name"], device).read,
        [pair.anonymized for pair, new in zip(pairs, changed, strict=True) if new],
        [k for k, new in zip(at, changed, strict=True) if new],
        n,
        [k for k, new in zip(at, changed, strict=True) if not new],
        before,
    )


def _spread(
    read: Callable[[Sequence[Any]], Mapping[str, NDArray[Any]]],
    pieces: Sequence[Any],
    at: Sequence[int],
    n: int,
    same: Sequence[int],
    before: Table | None,
) -> dict[str, NDArray[np.float32]]:
    columns = scatter(read([]), read(pieces) if pieces else {}, at, n)
    if before is not None and same:
        for column, values in columns.items():
            values[list(same)] = before[column][list(same)]
    return columns
