"""Stage score: judge a release beside the originals. Each item is decoded once and each face found and cut once; every
reading that is missing is taken of the same crops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from unmask.bench.core.types import Outcome
from unmask.bench.run.jobs.keys import scored_key
from unmask.bench.run.jobs.shards import ShardJob
from unmask.bench.run.outputs.releases import outputs_folder, release_items, written_file
from unmask.bench.run.reading.located import outcomes
from unmask.bench.run.reading.parts import Columns, Part, missing_parts, released_parts, write_parts
from unmask.bench.run.reading.seen import Judging, Seen
from unmask.bench.run.reading.sequences import Flicker, TracksPart, people_parts
from unmask.bench.run.reading.views import released_view_parts
from unmask.bench.store.detections import detection_columns, faces_by_item, people_by_frame
from unmask.bench.store.tables import read_table

JUDGED: Final = ("outcomes", "extras")


def score_shard(job: ShardJob) -> bool:
    """Makes whatever is missing of a release's tables for a shard; False if nothing was, or if a clip could not be
    written in this variant."""
    folder, parts = job.folder.score_dir(job.dataset, job.method, job.shard), _absent(job)
    if not parts:
        return False
    names = {part.name for part in parts}
    tables = None
    if not names & set(JUDGED):
        tables = read_table(folder / "outcomes.parquet"), read_table(folder / "extras.parquet")
    if not job.clip_problem:
        _take(job, parts, tables)
    write_parts(folder, parts)
    return True


def is_scored(job: ShardJob) -> bool:
    """Whether `score_shard` would find nothing to do."""
    return not _absent(job)


def _absent(job: ShardJob) -> Sequence[Part]:
    if job.of_clips and written_file(outputs_folder(job), job.release.variant).problem:
        return ()
    return missing_parts(job.folder.score_dir(job.dataset, job.method, job.shard), _parts(job), JUDGED)


def _take(job: ShardJob, parts: Sequence[Part], tables: tuple[Columns, Columns] | None) -> None:
    trackers = [part for part in parts if isinstance(part, TracksPart)]
    # A clip that is the original's, pixel for pixel: the control, or nobody was found in it.
    if trackers and all(released.same for chunk in release_items(job) for released in chunk):
        for tracks in trackers:
            tracks.copied = job.prepared(tracks.name)
    judging = Judging(job, faces_by_item(job.prepared("faces")), tables)
    for chunk in release_items(job):
        seen = judging.seen(chunk)
        for part in parts:
            part.take(seen)


def _parts(job: ShardJob) -> list[Part]:
    key = scored_key(job)
    parts: list[Part] = [OutcomesPart(job, key), ExtrasPart(job, key), *released_parts(job, key)]
    parts += released_view_parts(job, key)
    if job.of_clips:
        parts += [
            part
            for part in people_parts(job, key, people_by_frame(job.prepared("detections")))
            if isinstance(part, TracksPart)
        ]
    return parts


class OutcomesPart(Part):
    """A row a face of an original: how it ended, as far as pixels and detectors tell, and where it is found again; of
    clips also how much its region flickers. No face is `missed` here: recognisers say which of those that are
    ``explained`` are."""

    def __init__(self, job: ShardJob, key: str) -> None:
        super().__init__("outcomes", key)
        self._of_clips = job.of_clips
        self._flicker = Flicker()
        self._tracks: Iterator[int] = iter(job.prepared("faces")["track"].tolist() if job.of_clips else ())

    def read(self, chunk: Sequence[Seen]) -> Columns:
        ended: list[Outcome] = []
        for seen in chunk:
            there = np.array([name != "" for name in seen.found_by], np.bool_)
            ended += outcomes(there) if seen.output is not None else [Outcome.ERROR] * len(seen.faces)
        explanations = [each for seen in chunk for each in seen.explanations]
        columns = {
            "face": np.array([f"{seen.item.id}#{k}" for seen in chunk for k in range(len(seen.faces))], np.str_),
            "outcome": np.array([str(outcome) for outcome in ended], np.str_),
            "reason": np.array([seen.failure for seen in chunk for _ in seen.faces], np.str_),
            "found_by": np.array([name for seen in chunk for name in seen.found_by], np.str_),
            "residual": np.array([np.nan if e is None else e.residual for e in explanations], np.float32),
            "explained": np.array([e is not None and e.explained for e in explanations], np.bool_),
            "equal": np.array([e is not None and e.equal for e in explanations], np.bool_),
            **detection_columns([face for seen in chunk for face in seen.again]),
        }
        if self._of_clips:
            flicker = [np.zeros(0, np.float32)]
            for seen in chunk:
                tracks = [next(self._tracks) for _ in seen.faces]
                flicker.append(self._flicker.of(seen.shown, seen.item.number, seen.boxes, tracks))
            columns["flicker"] = np.concatenate(flicker)
        return columns


class ExtrasPart(Part):
    """A row a face that is found where no original face is."""

    def __init__(self, job: ShardJob, key: str) -> None:
        super().__init__("extras", key)
        self._of_clips = job.of_clips

    def read(self, chunk: Sequence[Seen]) -> Columns:
        keys = [seen.item.key for seen in chunk for _ in seen.extra]
        where = {"frame": np.array(keys, np.int64)} if self._of_clips else {"sample": np.array(keys, np.str_)}
        return where | detection_columns([face for seen in chunk for face in seen.extra])
