"""Stage score: judge the outputs of a shard. Each image is decoded once and each face found and cut once; every
reading that is missing is taken of the same crops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.evidence import ANY_LOOK, KNOWN_PLACE
from unmask.bench.core.types import FaceView, RegionPair
from unmask.bench.run import opened
from unmask.bench.run.anonymize import outputs_key
from unmask.bench.run.judged import Detections, Judged, extra_rows, judged_chunks, outcome_rows
from unmask.bench.run.prepare import (
    FACE_ROLES,
    face_reader,
    instrument_parts,
    located_key,
    part_key,
    second_detectors,
)
from unmask.bench.run.regions import REGIONS
from unmask.bench.run.shards import Gather, ShardJob, scatter
from unmask.bench.store.tables import Table, read_table, table_key, write_table

STAGE_VERSION: Final = 6
"""Raise it whenever this stage's results could change."""
EXTRA: Final = "+extra"
"""Behind a recogniser's name: its readings of the faces in ``extras.parquet``."""


def score_parts(job: ShardJob) -> dict[str, InstrumentCard]:
    """Part name -> instrument card: the parts of `instrument_parts`, and ``sface+extra`` of each recogniser."""
    parts = instrument_parts(job.plan, (*FACE_ROLES, "features", "pair"))
    return parts | {f"{card.name}{EXTRA}": card for card in job.plan.instruments_of("recogniser")}


def score_shard(job: ShardJob) -> bool:
    """Makes whatever is missing of a shard's score tables; False if nothing was."""
    folder = job.folder.score_dir(job.dataset, job.method, job.shard)
    outcome_key = job.key("outcomes", STAGE_VERSION, located_key(job), outputs_key(job), *second_detectors(job))
    parts = score_parts(job)
    keys = {name: part_key(job, outcome_key, name, card) for name, card in parts.items()}
    missing = [name for name, key in keys.items() if table_key(folder / f"{name}.parquet") != key]
    judge = any(table_key(folder / f"{name}.parquet") != outcome_key for name in ("outcomes", "extras"))
    if not judge and not missing:
        return False

    tables = (read_table(folder / f"{name}.parquet") for name in ("outcomes", "extras"))
    stored = None if judge else Detections.of(*tables)
    outcome_table, extra_table = Gather(), Gather()
    readings = {name: Gather() for name in missing}
    prepared = job.folder.prepare_dir(job.dataset, job.shard)
    before = {
        name: read_table(prepared / f"{name}.parquet")
        for name in missing
        if parts[name].role != "pair" and not name.endswith(EXTRA)
    }
    device = job.plan.settings.device
    faces = images = 0
    for chunk in judged_chunks(job, stored):
        if judge:
            outcome_table.add(outcome_rows(chunk))
            extra_table.add(extra_rows(chunk))
        next_faces, next_images = faces + sum(len(item.faces) for item in chunk), images + len(chunk)
        for name in missing:
            by_image = name.endswith(("@image", "@background"))
            rows = slice(images, next_images) if by_image else slice(faces, next_faces)
            originals = {column: values[rows] for column, values in before[name].items()} if name in before else None
            readings[name].add(_read(name, parts[name], chunk, originals, device))
        faces, images = next_faces, next_images
    if judge:
        write_table(folder / "extras.parquet", extra_table.table() or extra_rows([]), outcome_key)
        write_table(folder / "outcomes.parquet", outcome_table.table() or outcome_rows([]), outcome_key)
    for name in missing:
        table = readings[name].table() or _read(name, parts[name], [], None, device)
        write_table(folder / f"{name}.parquet", table, keys[name])
    return True


def _read(
    name: str, card: InstrumentCard, chunk: Sequence[Judged], before: Table | None, device: str
) -> Mapping[str, NDArray[Any]]:
    """One instrument's readings of a chunk: a row a face (or image), NaN where there is nothing to read.

    ``before``: the same instrument's readings of the chunk's originals (none for ``pair`` instruments). Instruments are
    deterministic, so what is pixel for pixel the original is not read again; its reading is the original's.
    """
    if card.role in FACE_ROLES:
        read = face_reader(name, card, device)
        if name.endswith(EXTRA):
            return read([view for item in chunk for view in item.extra_views])
        untouched = [item.untouched for item in chunk for _ in item.faces]
        known = [view for item in chunk for view in item.known_views]
        if name.endswith(ANY_LOOK):
            return _of_views(read, known, untouched, before)
        columns = _of_views(read, [view for item in chunk for view in item.views], untouched, before)
        if card.role == "recogniser":
            columns[KNOWN_PLACE] = _of_views(read, known, untouched, before)["embedding"]
        return columns
    region = next(r for r in REGIONS if name.endswith(f"@{r}"))
    at: list[int] = []
    n = 0
    pairs: list[RegionPair] = []
    for item in chunk:
        count = len(item.faces) if region == "face" else 1
        if item.output is not None:
            at += range(n, n + count)
            pairs += item.pairs(region)
        n += count
    if card.role == "pair":
        return _spread(opened.pair_instrument(card.name, device).compare, pairs, at, n, [], None)
    changed = [not np.array_equal(pair.original, pair.anonymized) for pair in pairs]
    return _spread(
        opened.image_instrument(card.name, device).read,
        [pair.anonymized for pair, new in zip(pairs, changed, strict=True) if new],
        [k for k, new in zip(at, changed, strict=True) if new],
        n,
        [k for k, new in zip(at, changed, strict=True) if not new],
        before,
    )


def _of_views(
    read: Callable[[Sequence[FaceView]], Mapping[str, NDArray[Any]]],
    views: Sequence[FaceView | None],
    untouched: Sequence[bool],
    before: Table | None,
) -> dict[str, NDArray[np.float32]]:
    """A row a view: NaN where there is none, the original's reading where the image is untouched."""
    there = [(k, view) for k, view in enumerate(views) if view is not None]
    new = [(k, view) for k, view in there if not untouched[k]]
    same = [k for k, _ in there if untouched[k]]
    return _spread(read, [view for _, view in new], [k for k, _ in new], len(views), same, before)


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
