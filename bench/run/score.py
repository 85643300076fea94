"""Stage score: judge a release beside the originals. Each item is decoded once and each face found and cut once; every
reading that is missing is taken of the same crops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import Outcome
from unmask.bench.run.jobs.keys import scored_key
from unmask.bench.run.jobs.shards import ShardJob
from unmask.bench.run.outputs.releases import clip_problem, outputs_folder, release_items, variant_problem
from unmask.bench.run.reading.located import outcomes
from unmask.bench.run.reading.parts import Columns, Part, missing_parts, released_parts, write_parts
from unmask.bench.run.reading.seen import Judging, Seen
from unmask.bench.run.reading.sequences import Flicker, TracksPart, people_parts
from unmask.bench.store.detections import detection_columns, faces_by_item, people_by_frame
from unmask.bench.store.tables import Table, read_table

JUDGED: Final = ("outcomes", "extras")


def score_shard(job: ShardJob) -> bool:
    """Makes whatever is missing of a release's tables for a shard; False if nothing was, or if a clip could not be
    written in this variant."""
    if job.of_clips and variant_problem(outputs_folder(job), job.release.variant):
        return False
    folder = job.folder.score_dir(job.dataset, job.method, job.shard)
    parts = missing_parts(folder, _parts(job), JUDGED)
    if not parts:
        return False
    names = {part.name for part in parts}
    tables = None
    if not names & set(JUDGED):
        tables = read_table(folder / "outcomes.parquet"), read_table(folder / "extras.parquet")
    if not job.of_clips or not clip_problem(job):
        _take(job, parts, tables)
    write_parts(folder, parts)
    return True


def _take(job: ShardJob, parts: Sequence[Part], tables: tuple[Columns, Columns] | None) -> None:
    trackers = [part for part in parts if isinstance(part, TracksPart)]
    if trackers and _is_unchanged(job):
        for tracks in trackers:
            tracks.copied = _original(job, tracks.name)
    judging = Judging(job, faces_by_item(_original(job, "faces")), tables)
    for chunk in release_items(job):
        seen = judging.seen(chunk)
        for part in parts:
            part.take(seen)


def _is_unchanged(job: ShardJob) -> bool:
    """Whether a whole clip is the original's, pixel for pixel (the control; clips in which nobody was found)."""
    return all(released.same for chunk in release_items(job) for released in chunk)


def _parts(job: ShardJob) -> list[Part]:
    key = scored_key(job)
    parts: list[Part] = [OutcomesPart(job, key), ExtrasPart(job, key), *released_parts(job, key)]
    if job.of_clips:
        parts += [
            part
            for part in people_parts(job, key, people_by_frame(_original(job, "detections")))
            if isinstance(part, TracksPart)
        ]
    return parts


class OutcomesPart(Part):
    """A row a face of an original: how it ended, as far as pixels and detectors tell, and where it is found again; of
    clips also how much its region flickers.

    No face is `missed` here: recognisers say which of those that are ``explained`` are.
    """

    def __init__(self, job: ShardJob, key: str) -> None:
        super().__init__("outcomes", key)
        self._of_clips = job.of_clips
        self._flicker = Flicker()
        self._tracks: Iterator[int] = iter(_original(job, "faces")["track"].tolist() if job.of_clips else ())

    def read(self, chunk: Sequence[Seen]) -> Columns:
        ended: list[Outcome] = []
        for seen in chunk:
            there = np.array([name != "" for name in seen.found_by], np.bool_)
            ended += outcomes(there) if seen.output is not None else [Outcome.ERROR] * len(seen.faces)
        explanations = [each for seen in chunk for each in seen.explanations]
        columns = {
            "face": np.array([f"{seen.item.id}#{k}" for seen in chunk for k in range(len(seen.faces))], np.str_),
            "outcome": np.array([str(outcome) for outcome in ended], np.str_),
            "reason": np.array([_reason(seen) for seen in chunk for _ in seen.faces], np.str_),
            "found_by": np.array([name for seen in chunk for name in seen.found_by], np.str_),
            "residual": np.array([np.nan if e is None else e.residual for e in explanations], np.float32),
            "explained": np.array([e is not None and e.explained for e in explanations], np.bool_),
            "equal": np.array([e is not None and e.equal for e in explanations], np.bool_),
            **detection_columns([face for seen in chunk for face in seen.again]),
        }
        if self._of_clips:
            empty = np.zeros(0, np.float32)
            columns["flicker"] = np.concatenate([empty, *(self._flicker_of(seen) for seen in chunk)])
        return columns

    def _flicker_of(self, seen: Seen) -> NDArray[np.float32]:
        tracks = [next(self._tracks) for _ in seen.faces]
        return self._flicker.of(seen.shown, seen.item.number, seen.boxes, tracks)


class ExtrasPart(Part):
    """A row a face that is found where no original face is."""

    def __init__(self, job: ShardJob, key: str) -> None:
        super().__init__("extras", key)
        self._of_clips = job.of_clips

    def read(self, chunk: Sequence[Seen]) -> Columns:
        keys = [seen.item.key for seen in chunk for _ in seen.extra]
        where = {"frame": np.array(keys, np.int64)} if self._of_clips else {"sample": np.array(keys, np.str_)}
        return where | detection_columns([face for seen in chunk for face in seen.extra])


def _original(job: ShardJob, name: str) -> Table:
    return read_table(job.folder.prepare_dir(job.dataset, job.shard) / f"{name}.parquet")


def _reason(seen: Seen) -> str:
    return seen.released.reason if seen.released is not None and seen.output is None else ""
