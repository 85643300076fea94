"""Stage score: judge a release's clip, frame beside frame with the original, in one pass.

Instruments are deterministic: of a frame that is pixel for pixel the original's, every reading is the original's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import StoreError, VideoError
from unmask.bench.core.evidence import KNOWN_PLACE
from unmask.bench.core.types import Box, Detection, FaceView, Image, Outcome
from unmask.bench.core.video import Frame
from unmask.bench.data.media import VideoReader
from unmask.bench.run import opened
from unmask.bench.run.explained import Explanation, explanation
from unmask.bench.run.located import match_faces, outcomes
from unmask.bench.run.prepare import as_stored, detection_columns, detections_of
from unmask.bench.run.shards import Gather, ShardJob, frame_chunks, scatter
from unmask.bench.run.video.anonymize import output_key, written_problem
from unmask.bench.run.video.prepare import (
    Flicker,
    clip_key,
    faces_by_frame,
    people_by_frame,
    people_keys,
    reading_key,
    track_columns,
    track_people,
    usable,
)
from unmask.bench.store.tables import Table, read_table, table_key, write_table

STAGE_VERSION: Final = 4
"""Raise it whenever this stage's results could change."""


BLANK: Final = "blank"
"""Column of a recogniser's readings: what it makes of a black picture. An original that it cannot tell from that says
nothing at the known place."""
_LANDMARKS: Final = ((38.0, 52.0), (74.0, 52.0), (56.0, 72.0), (42.0, 92.0), (70.0, 92.0))
_BLACK: Final = FaceView(np.zeros((112, 112, 3), np.uint8), Box(0, 0, 112, 112), np.array(_LANDMARKS, np.float32))


@dataclass(frozen=True, slots=True)
class Pair:
    """A frame and what became of it."""

    frame: Frame
    output: Image
    error: str
    """Why the method gave nothing usable; ''."""
    same: bool
    """Whether the output is the original, pixel for pixel."""


def score_clip(job: ShardJob) -> bool:
    """Makes whatever is missing of a release's tables for a clip; False if nothing was, or if the clip could not be
    written at this quality."""
    plan, folder = job.plan, job.folder.score_dir(job.dataset, job.method, job.shard)
    method_job = replace(job, method=job.release.method)
    if written_problem(job.folder.outputs_dir(job.dataset, method_job.method, job.shard), job.release.variant):
        return False
    seen = job.key("scored", STAGE_VERSION, clip_key(job), output_key(method_job), job.release.variant)
    wanted = {
        "outcomes": seen,
        **{card.name: reading_key(job, seen, card) for card in plan.instruments_of("recogniser")},
    }
    _, tracks = people_keys(job, seen)
    wanted |= {f"people-{label}": key for label, key in tracks.items()}
    missing = {name for name, key in wanted.items() if table_key(folder / f"{name}.parquet") != key}
    if not missing:
        return False
    stored = None if "outcomes" in missing else read_table(folder / "outcomes.parquet")
    if not usable(job):
        tables = _Scoring(job, missing, stored).tables()
    elif _untouched(job, method_job):
        tables = _copied(job)
    else:
        scoring = _Scoring(job, missing, stored)
        for chunk in _pairs(job, method_job):
            scoring.take(chunk)
        tables = scoring.tables()
    for name, table in tables.items():
        if name in missing:
            write_table(folder / f"{name}.parquet", table, wanted[name])
    return True


def _pairs(job: ShardJob, method_job: ShardJob) -> Iterator[list[Pair]]:
    """The clip's frames beside the release's. Raises `StoreError` where the stored clip is short or broken."""
    outputs = job.folder.outputs_dir(job.dataset, method_job.method, job.shard)
    errors = read_table(outputs / "frames.parquet")["error"]
    path = (outputs / f"{job.release.variant}.mp4").local
    clips, ref = job.open_clip()
    try:
        stored = iter(VideoReader(path))
        for chunk in frame_chunks(VideoReader(clips.path(ref)), job.plan.settings.frames):
            pairs = []
            for frame in chunk:
                made = next(stored, None)
                if made is None or made.image.shape != frame.image.shape:
                    raise StoreError(f"{path} ends early; delete its folder and run the same `unmask run` again")
                same = np.array_equal(made.image, frame.image)
                pairs.append(Pair(frame, made.image, str(errors[frame.number]), same))
            yield pairs
    except VideoError as error:
        raise StoreError(
            f"{path} cannot be read ({error.reason}); delete its folder and run the same `unmask run` again"
        ) from error


def _untouched(job: ShardJob, method_job: ShardJob) -> bool:
    """Whether the whole clip is the original's, pixel for pixel (the control; clips in which nobody was found)."""
    return all(pair.same and not pair.error for chunk in _pairs(job, method_job) for pair in chunk)


def _copied(job: ShardJob) -> dict[str, Table]:
    """The tables of an untouched clip: what is known of the original, all of its faces missed."""
    original = job.folder.prepare_dir(job.dataset, job.shard)
    faces = read_table(original / "faces.parquet")
    count = len(faces["frame"])
    missed = {
        "outcome": np.full(count, str(Outcome.MISSED)),
        **_explained_columns([Explanation(0.0, True)] * count),
        **{name: faces[name] for name in ("box", "landmarks", "score", "flicker")},
    }
    names = job.plan.recognisers + [f"people-{t.label}" for t in job.plan.trackers]
    tables = {name: dict(read_table(original / f"{name}.parquet")) for name in names}
    for name in job.plan.recognisers:
        read = tables[name]["embedding"]
        tables[name] |= {KNOWN_PLACE: read, BLANK: np.full_like(read, np.nan)}
    return {"outcomes": missed, **tables}


class _Scoring:
    """What gathers while the pairs of frames of a clip go by.

    ``missing``: the tables that are wanted; ``stored``: the outcomes where they are there already.
    """

    def __init__(self, job: ShardJob, missing: Collection[str], stored: Table | None) -> None:
        self._plan, self._device = job.plan, job.plan.settings.device
        original = job.folder.prepare_dir(job.dataset, job.shard)
        faces = read_table(original / "faces.parquet")
        self._tracks = faces["track"]
        self._faces = faces_by_frame(faces)
        self._people = people_by_frame(read_table(original / "detections.parquet"))
        self._names = [name for name in self._plan.recognisers if name in missing]
        self._stored = None if stored is None else iter(detections_of(stored))
        self._before = {name: read_table(original / f"{name}.parquet") for name in self._names}
        self._outcomes = Gather()
        self._readings = {name: Gather() for name in self._names}
        self._tracking = {
            p.label: opened.tracker(p.spec, self._device).start()
            for p in self._plan.trackers
            if f"people-{p.label}" in missing
        }
        self._flicker = Flicker()

    def take(self, chunk: Sequence[Pair]) -> None:
        again = self._find_faces(chunk)
        if self._stored is None:
            for pair, found in zip(chunk, again, strict=True):
                self._outcomes.add(self._outcome_rows(pair, found))
        self._read(chunk, again)
        if not self._tracking:
            return
        people = self._find_people(chunk)
        images = [pair.output for pair in chunk]
        for session in self._tracking.values():
            track_people(session, images, people)

    def tables(self) -> dict[str, Table]:
        return {
            "outcomes": self._outcomes.table() or _outcome_columns([], [], [], np.zeros(0, np.float32)),
            **{
                name: gathered.table()
                or dict.fromkeys(
                    ("embedding", KNOWN_PLACE, BLANK), opened.face_instrument(name, self._device).read([])["embedding"]
                )
                for name, gathered in self._readings.items()
            },
            **{f"people-{label}": track_columns(session.tracks()) for label, session in self._tracking.items()},
        }

    def _known(self, pair: Pair) -> list[tuple[int, Detection]]:
        return self._faces.get(pair.frame.number, [])

    def _find_faces(self, chunk: Sequence[Pair]) -> list[list[Detection | None]]:
        """For each frame, the face found again in the place of each original face."""
        if self._stored is not None:
            stored = self._stored
            return [[next(stored) for _ in self._known(pair)] for pair in chunk]
        looked = [k for k, pair in enumerate(chunk) if self._known(pair) and not pair.same]
        judge = opened.detector(self._plan.detector.name, self._device)
        seen = dict(zip(looked, judge.detect([chunk[k].output for k in looked]) if looked else [], strict=True))
        again: list[list[Detection | None]] = []
        for k, pair in enumerate(chunk):
            known = [detection for _, detection in self._known(pair)]
            again.append(match_faces([d.box for d in known], as_stored(seen[k])) if k in seen else list(known))
        return again

    def _outcome_rows(self, pair: Pair, found: Sequence[Detection | None]) -> Mapping[str, NDArray[Any]]:
        known = self._known(pair)
        boxes = [detection.box for _, detection in known]
        explanations = [explanation(pair.frame.image, pair.output, box) for box in boxes]
        ended = [Outcome.ERROR] * len(known)
        if not pair.error:
            there = np.array([d is not None for d in found], np.bool_)
            ended = outcomes(there)
        tracks = [int(self._tracks[row]) for row, _ in known]
        flicker = self._flicker.of(pair.output, pair.frame.number, boxes, tracks)
        return _outcome_columns(ended, explanations, found, flicker)

    def _read(self, chunk: Sequence[Pair], again: Sequence[Sequence[Detection | None]]) -> None:
        """Every recogniser's reading of every face: found again (NaN where none is), and at the original's place."""
        found: list[FaceView | None] = []
        known_place: list[FaceView | None] = []
        copied: list[int] = []
        rows: list[int] = []
        for pair, detections in zip(chunk, again, strict=True):
            for (row, known), detection in zip(self._known(pair), detections, strict=True):
                if pair.same:
                    copied.append(len(rows))
                read = not pair.same and not pair.error
                found.append(_view(pair, detection) if read else None)
                known_place.append(_view(pair, known) if read else None)
                rows.append(row)
        for name in self._names:
            columns = {
                "embedding": self._embeddings(name, found),
                KNOWN_PLACE: self._embeddings(name, known_place),
                BLANK: np.repeat(self._embeddings(name, [_BLACK]), len(rows), axis=0),
            }
            for values in (columns["embedding"], columns[KNOWN_PLACE]):
                values[copied] = self._before[name]["embedding"][[rows[k] for k in copied]]
            self._readings[name].add(columns)

    def _embeddings(self, name: str, views: Sequence[FaceView | None]) -> NDArray[np.float32]:
        """(N, D); NaN where there is no view."""
        read = opened.face_instrument(name, self._device).read
        at = [k for k, view in enumerate(views) if view is not None]
        there = [view for view in views if view is not None]
        return scatter(read([]), read(there) if there else {}, at, len(views))["embedding"]

    def _find_people(self, chunk: Sequence[Pair]) -> list[list[Any]]:
        detector = opened.person_detector(self._plan.part("person_detector").spec, self._device)
        looked = [k for k, pair in enumerate(chunk) if not pair.same]
        found = dict(zip(looked, detector.detect([chunk[k].output for k in looked]) if looked else [], strict=True))
        return [found[k] if k in found else self._people.get(p.frame.number, []) for k, p in enumerate(chunk)]


def _view(pair: Pair, face: Detection | None) -> FaceView | None:
    return None if face is None else FaceView(pair.output, face.box, face.landmarks)


def _outcome_columns(
    ended: Sequence[Outcome],
    explanations: Sequence[Explanation],
    found: Sequence[Detection | None],
    flicker: NDArray[np.float32],
) -> Mapping[str, NDArray[Any]]:
    return {
        "outcome": np.array([str(outcome) for outcome in ended], np.str_),
        **_explained_columns(explanations),
        **detection_columns(found),
        "flicker": flicker,
    }


def _explained_columns(explanations: Sequence[Explanation]) -> Mapping[str, NDArray[Any]]:
    return {
        "residual": np.array([e.residual for e in explanations], np.float32),
        "explained": np.array([e.explained for e in explanations], np.bool_),
        "equal": np.array([e.equal for e in explanations], np.bool_),
    }
