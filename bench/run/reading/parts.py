"""Parts: what one instrument reads of a shard's items, chunk by chunk, and the table that comes of it.

A part knows its table's name, its key and its columns; nothing is opened before its first chunk. Of a release, what is
pixel for pixel the original is not read again: instruments are deterministic, so its reading is the original's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard, Role
from unmask.bench.core.evidence import ANY_LOOK, KNOWN_PLACE, LOOKS, LOOKS_VERSION
from unmask.bench.core.protocols import PairInstrument, Recogniser
from unmask.bench.core.types import Box, FaceView, Region, unit_of
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.keys import reading_key
from unmask.bench.run.jobs.shards import ShardJob
from unmask.bench.run.reading.regions import regions_of
from unmask.bench.run.reading.seen import Seen
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import Table, concatenate, table_key, write_table

FACE_ROLES: Final[tuple[Role, ...]] = ("recogniser", "attributes", "skin", "expression", "pose", "photometry")
EXTRA: Final = "+extra"
"""Behind a recogniser's name: its readings of the faces in ``extras.parquet``."""
BLANK: Final = "blank"
"""Of clips, a column of a recogniser's readings: what it makes of a black picture, NaN where nothing was changed. An
original that it cannot tell from that says nothing at the known place."""
LANDMARKS: Final = np.array([(38, 52), (74, 52), (56, 72), (42, 92), (70, 92)], np.float32)
"""Of a face that fills 112 x 112 pixels."""
_BLACK: Final = FaceView(np.zeros((112, 112, 3), np.uint8), Box(0, 0, 112, 112), LANDMARKS)
_JOINED_AT: Final = 64
"""Batches that are joined to one."""
Columns = Mapping[str, NDArray[Any]]


class Part:
    """One table of a shard. Items come in order, each once. Small batches are joined as they come: thousands of small
    arrays between a clip's large ones would leave the memory in holes, twenty kilobytes a frame."""

    def __init__(self, name: str, key: str) -> None:
        self.name, self.key = name, key
        self._joined: list[Columns] = []
        self._batches: list[Columns] = []
        self._latest: tuple[Sequence[Seen], Columns] | None = None

    def read(self, chunk: Sequence[Seen]) -> Columns:
        """The rows of a chunk; of an empty one the columns without rows."""
        raise NotImplementedError

    def columns(self, chunk: Sequence[Seen]) -> Columns:
        """`read`, for another part that needs it before this one takes the chunk."""
        if self._latest is None or self._latest[0] is not chunk:
            self._latest = chunk, self.read(chunk)
        return self._latest[1]

    def take(self, chunk: Sequence[Seen]) -> None:
        self._batches.append(self.columns(chunk))
        self._latest = None
        if len(self._batches) == _JOINED_AT:
            self._joined.append(concatenate(self._batches))
            self._batches = []

    def table(self) -> Table:
        return concatenate([*self._joined, *self._batches]) or self.read([])


class FacePart(Part):
    """A recogniser, or an estimator of attributes or skin, on the faces of originals."""

    def __init__(self, job: ShardJob, located: str, card: InstrumentCard, *, looks: bool = False) -> None:
        """``located``: the key of the faces. ``looks``: whether it reads their looks instead."""
        more = (LOOKS_VERSION, *LOOKS) if looks else ()
        super().__init__(f"{card.name}{ANY_LOOK if looks else ''}", reading_key(job, located, card, *more))
        self._card, self._device, self._looks = card, job.plan.settings.device, looks

    def read(self, chunk: Sequence[Seen]) -> Columns:
        return self.read_views([view for seen in chunk for view in seen.views])

    @property
    def read_views(self) -> Callable[[Sequence[FaceView]], Columns]:
        if self._looks:
            recogniser: Recogniser = opened.open_instrument(self._card.name, self._device)
            return recogniser.read_looks
        return opened.face_instrument(self._card.name, self._device).read


class ReleasedFacePart(FacePart):
    """The same on a release: of each face found again and, of recognisers, of what lies in its place; of photometry, of
    the latter alone."""

    def __init__(self, job: ShardJob, located: str, card: InstrumentCard, *, looks: bool = False) -> None:
        super().__init__(job, located, card, looks=looks)
        self._before = Before(job, self.name)
        self._blank = job.of_clips

    def read(self, chunk: Sequence[Seen]) -> Columns:
        same = [seen.same for seen in chunk for _ in seen.faces]
        before = self._before.rows(len(same))
        place = [view for seen in chunk for view in seen.known_views]
        if self._looks or self._card.role == "photometry":
            return self._spread(place, same, before)
        columns = self._spread([view for seen in chunk for view in seen.again_views], same, before)
        if self._card.role == "recogniser":
            columns[KNOWN_PLACE] = self._spread(place, same, before)["embedding"]
            if self._blank:
                columns[BLANK] = np.where(np.array(same, np.bool_)[:, None], np.float32(np.nan), self._black)
        return columns

    def _spread(self, views: Sequence[FaceView | None], same: Sequence[bool], before: Table) -> dict[str, Any]:
        """A row a view: NaN where there is none, the original's reading where nothing was changed."""
        there = [(k, view) for k, view in enumerate(views) if view is not None]
        changed = [(k, view) for k, view in there if not same[k]]
        kept = [k for k, _ in there if same[k]]
        pieces = [view for _, view in changed]
        return spread(self.read_views, pieces, [k for k, _ in changed], len(views), kept, before)

    @cached_property
    def _black(self) -> NDArray[np.float32]:
        """(1, D); read where it was compared with something first."""
        return spread(self.read_views, [_BLACK], [0], 1, [], {})["embedding"]


class ExtraFacePart(FacePart):
    """A recogniser on the faces that are found where no original face is."""

    def __init__(self, job: ShardJob, located: str, card: InstrumentCard) -> None:
        super().__init__(job, located, card)
        self.name = f"{card.name}{EXTRA}"

    def read(self, chunk: Sequence[Seen]) -> Columns:
        return self.read_views([view for seen in chunk for view in seen.extra_views])


class RegionPart(Part):
    """Features of one region of the originals (`bench.run.reading.regions`)."""

    def __init__(self, job: ShardJob, located: str, card: InstrumentCard, region: Region) -> None:
        super().__init__(f"{card.name}@{region}", reading_key(job, located, card))
        self._card, self._region, self._device = card, region, job.plan.settings.device

    def read(self, chunk: Sequence[Seen]) -> Columns:
        instrument = opened.image_instrument(self._card.name, self._device)
        return instrument.read([crop for seen in chunk for crop in seen.crops(self._region)])

    def _rows(self, chunk: Sequence[Seen]) -> tuple[int, list[int]]:
        """How many rows a chunk of a release has, and those that there is an output for."""
        count, there = 0, list[int]()
        for seen in chunk:
            rows = len(seen.faces) if unit_of(self._region) == "face" else 1
            there += range(count, count + rows) if seen.output is not None else ()
            count += rows
        return count, there


class ReleasedRegionPart(RegionPart):
    """The same of a release."""

    def __init__(self, job: ShardJob, located: str, card: InstrumentCard, region: Region) -> None:
        super().__init__(job, located, card, region)
        self._before = Before(job, self.name)

    def read(self, chunk: Sequence[Seen]) -> Columns:
        count, there = self._rows(chunk)
        pairs = [pair for seen in chunk for pair in seen.pairs(self._region)]
        changed = [not np.array_equal(pair.original, pair.anonymized) for pair in pairs]
        return spread(
            opened.image_instrument(self._card.name, self._device).read,
            [pair.anonymized for pair, new in zip(pairs, changed, strict=True) if new],
            [k for k, new in zip(there, changed, strict=True) if new],
            count,
            [k for k, new in zip(there, changed, strict=True) if not new],
            self._before.rows(count),
        )


class PairPart(RegionPart):
    """A full-reference comparison of one region of originals and outputs."""

    def read(self, chunk: Sequence[Seen]) -> Columns:
        count, there = self._rows(chunk)
        pairs = [pair for seen in chunk for pair in seen.pairs(self._region)]
        instrument: PairInstrument = opened.open_instrument(self._card.name, self._device)
        return spread(instrument.compare, pairs, there, count, [], {})


def original_parts(job: ShardJob, located: str) -> Iterator[FacePart | RegionPart]:
    """Everything that the plan's instruments read of originals."""
    for card in job.instruments(*FACE_ROLES):
        yield FacePart(job, located, card)
        if card.looks and job.looks_closely:
            yield FacePart(job, located, card, looks=True)
    for card in job.instruments("features"):
        yield from (RegionPart(job, located, card, region) for region in regions_of(job.planned))


def released_parts(job: ShardJob, located: str) -> Iterator[FacePart | RegionPart]:
    """The same of a release."""
    for card in job.instruments(*FACE_ROLES):
        yield ReleasedFacePart(job, located, card)
        if card.looks and job.looks_closely:
            yield ReleasedFacePart(job, located, card, looks=True)
        if card.role == "recogniser" and job.looks_closely:
            yield ExtraFacePart(job, located, card)
    for card in job.instruments("features", "pair"):
        part = PairPart if card.role == "pair" else ReleasedRegionPart
        yield from (part(job, located, card, region) for region in regions_of(job.planned))


def missing_parts(folder: Storage, parts: Iterable[Part], together: Sequence[str]) -> list[Part]:
    """Those without a table of their key in a folder. Of ``together``, names of parts, all are missing or none."""
    everything = list(parts)
    missing = {part.name for part in everything if table_key(folder / f"{part.name}.parquet") != part.key}
    if missing & set(together):
        missing |= set(together)
    return [part for part in everything if part.name in missing]


def write_parts(folder: Storage, parts: Iterable[Part]) -> None:
    for part in parts:
        write_table(folder / f"{part.name}.parquet", part.table(), part.key)


def spread(
    read: Callable[[Sequence[Any]], Columns],
    pieces: Sequence[Any],
    at: Sequence[int],
    count: int,
    kept: Sequence[int],
    before: Table,
) -> dict[str, NDArray[Any]]:
    """The readings of ``pieces`` as rows ``at`` of ``count``; rows ``kept`` are those of ``before``, others NaN."""
    columns, readings = {}, read(pieces) if pieces else {}
    for name, empty in read([]).items():
        kind = np.float16 if empty.dtype == np.float16 else np.float32
        columns[name] = np.full((count, *empty.shape[1:]), np.nan, kind)
        if pieces:
            columns[name][list(at)] = readings[name]
        if kept:
            columns[name][list(kept)] = before[name][list(kept)]
    return columns


class Before:
    """A table of the originals, a stretch of rows after the other."""

    def __init__(self, job: ShardJob, name: str) -> None:
        self._job, self._name, self._next = job, name, 0

    def rows(self, count: int) -> Table:
        if not count:
            return {}
        start, self._next = self._next, self._next + count
        return {name: values[start : self._next] for name, values in self._table.items()}

    @cached_property
    def _table(self) -> Table:
        return self._job.prepared(self._name)
