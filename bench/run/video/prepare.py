"""Stage prepare: everything that is known of an original clip, once for all methods, in one pass over its frames."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.errors import VideoError
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Box, Detection, FaceView, Floats32, Image
from unmask.bench.core.video import Frame, PersonBox, TrackingSession, Tracks
from unmask.bench.data.media import VideoReader
from unmask.bench.run import opened
from unmask.bench.run.prepare import as_stored, detection_columns, detections_of
from unmask.bench.run.regions import face_crop
from unmask.bench.run.shards import Gather, ShardJob, frame_chunks
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import Table, read_table, table_key, write_table

STAGE_VERSION: Final = 1
"""Raise it whenever this stage's results could change."""


def clip_key(job: ShardJob) -> str:
    """Of the faces and their tracks."""
    plan = job.plan
    recogniser = next(card for card in plan.instruments if card.name == plan.settings.default_recogniser)
    parts = (plan.detector, recogniser, plan.part("face_tracker").card)
    return job.key("clip", STAGE_VERSION, *(card.identity for card in parts))


def reading_key(job: ShardJob, located: str, card: InstrumentCard) -> str:
    """Of one instrument's readings of the faces that were located under ``located``."""
    return job.key("reading", STAGE_VERSION, located, card.identity, job.plan.settings.device)


def people_keys(job: ShardJob, before: str = "") -> tuple[str, dict[str, str]]:
    """Of the detections, and of each tracker's tracks; ``before``: the key of the frames that are looked at."""
    plan = job.plan
    found = job.key("people", STAGE_VERSION, before, plan.part("person_detector").card.identity, plan.settings.device)
    return found, {t.label: job.key("tracks", STAGE_VERSION, found, t.card.identity) for t in plan.trackers}


def prepare_clip(job: ShardJob) -> bool:
    """Makes whatever is missing of a clip's tables; False if nothing was. A recogniser or tracker of another version
    reads anew, and nothing else does.

    A clip that cannot be read gets a row that says why, and no frames.
    """
    plan, folder = job.plan, job.folder.prepare_dir(job.dataset, job.shard)
    located = clip_key(job)
    keys = {card.name: reading_key(job, located, card) for card in plan.instruments_of("recogniser")}
    detections, tracks = people_keys(job)
    wanted = {
        **dict.fromkeys(("clip", "frames", "faces"), located),
        **keys,
        "detections": detections,
        **{f"people-{label}": key for label, key in tracks.items()},
    }
    missing = {name for name, key in wanted.items() if table_key(folder / f"{name}.parquet") != key}
    if not missing:
        return False
    for name, table in _look(job, missing).items():
        if name in missing:
            write_table(folder / f"{name}.parquet", table, wanted[name])
    return True


def _look(job: ShardJob, missing: Collection[str]) -> dict[str, Table]:
    """One pass over the clip for the ``missing`` tables: table name -> columns."""
    clips, ref = job.open_clip()
    stored = None
    if not {"clip", "frames", "faces"} & set(missing):
        stored = read_table(job.folder.prepare_dir(job.dataset, job.shard) / "faces.parquet")
    seen = _Pass(job.plan, job.clip, missing, stored)
    info: dict[str, Any] = {}
    problem = damage = ""
    try:
        reader = VideoReader(clips.path(ref))
        for chunk in frame_chunks(reader, job.plan.settings.frames):
            seen.take(chunk)
        damage = reader.damage
        known = reader.info
        info = {
            "width": known.width,
            "height": known.height,
            "rotation": known.rotation,
            "rate": np.nan if known.rate is None else float(known.rate),
            "codec": known.codec,
            "pixel_format": known.pixel_format,
            "kbps": np.nan if known.kbps is None else known.kbps,
            "audio": known.audio,
        }
    except VideoError as error:
        # Whatever was seen before is not used: half a clip of unknown length would pass for a whole one.
        problem, seen = error.reason, _Pass(job.plan, job.clip, missing, stored)
    return {"clip": _clip_row(info, problem, damage), **seen.tables()}


def _clip_row(info: Mapping[str, Any], problem: str, damage: str) -> Table:
    row = {
        "problem": problem,
        "damage": damage,
        "width": 0,
        "height": 0,
        "rotation": 0,
        "rate": np.nan,
        "codec": "",
        "pixel_format": "",
        "kbps": np.nan,
        "audio": False,
        **info,
    }
    return {name: np.array([value]) for name, value in row.items()}


class _Pass:
    """What gathers while the frames of a clip go by.

    ``missing``: the tables that are wanted; ``stored``: the faces where they are there already.
    """

    def __init__(self, plan: Plan, clip: str, missing: Collection[str], stored: Table | None) -> None:
        self._plan, self._clip = plan, clip
        self._device = plan.settings.device
        self._frames, self._faces, self._detections = Gather(), Gather(), Gather()
        self._stored = None if stored is None else faces_by_frame(stored)
        linking = {plan.settings.default_recogniser} if stored is None else set()
        self._readings = {name: Gather() for name in plan.recognisers if name in missing or name in linking}
        following = [part for part in plan.trackers if f"people-{part.label}" in missing]
        self._tracking = {part.label: opened.tracker(part.spec, self._device).start() for part in following}
        self._finds_people = bool(following) or "detections" in missing
        self._face_tracks = opened.tracker(plan.part("face_tracker").spec, self._device).start()
        self._flicker = Flicker()

    def take(self, chunk: Sequence[Frame]) -> None:
        images = [frame.image for frame in chunk]
        self._frames.add(
            {
                "pts": np.array([frame.pts for frame in chunk], np.int64),
                "seconds": np.array([frame.seconds for frame in chunk], np.float64),
            }
        )
        located = self._located(chunk)
        views = [FaceView(f.image, d.box, d.landmarks) for f, found in zip(chunk, located, strict=True) for d in found]
        readings = {name: opened.face_instrument(name, self._device).read(views) for name in self._readings}
        for name, columns in readings.items():
            self._readings[name].add(columns)
        if self._stored is None:
            embeddings = readings[self._plan.settings.default_recogniser]["embedding"]
            self._add_faces(chunk, located, np.asarray(embeddings))
        if self._finds_people:
            people = opened.person_detector(self._plan.part("person_detector").spec, self._device).detect(images)
            self._detections.add(people_columns([frame.number for frame in chunk], people))
            for session in self._tracking.values():
                track_people(session, images, people)

    def _located(self, chunk: Sequence[Frame]) -> list[list[Detection]]:
        if self._stored is not None:
            return [[detection for _, detection in self._stored.get(frame.number, [])] for frame in chunk]
        judge = opened.detector(self._plan.detector.name, self._device)
        return [as_stored(found) for found in judge.detect([frame.image for frame in chunk])]

    def _add_faces(self, chunk: Sequence[Frame], located: Sequence[Sequence[Detection]], embeddings: Floats32) -> None:
        start = 0
        for frame, found in zip(chunk, located, strict=True):
            seen = _distinguishable(embeddings[start : start + len(found)], f"{self._clip}#{frame.number}")
            boxes = [PersonBox(d.box, d.score) for d in found]
            given = self._face_tracks.update(frame.image, boxes, seen)
            start += len(found)
            self._faces.add(
                {
                    "frame": np.full(len(found), frame.number, np.int64),
                    "track": np.array(given, np.int64),
                    **detection_columns(found),
                    "flicker": self._flicker.of(frame.image, frame.number, [d.box for d in found], given),
                }
            )

    def tables(self) -> dict[str, Table]:
        none = np.zeros(0, np.int64)
        faces = self._faces.table() or {
            "frame": none,
            "track": none,
            **detection_columns([]),
            "flicker": np.zeros(0, np.float32),
        }
        # Numbered through from 0 in the order in which people come in.
        faces["track"] = np.unique(faces["track"], return_inverse=True)[1].astype(np.int64)
        return {
            "frames": self._frames.table() or {"pts": none, "seconds": np.zeros(0, np.float64)},
            "faces": faces,
            **{
                name: gathered.table() or opened.face_instrument(name, self._device).read([])
                for name, gathered in self._readings.items()
            },
            "detections": self._detections.table() or people_columns([], []),
            **{f"people-{label}": track_columns(session.tracks()) for label, session in self._tracking.items()},
        }


class Flicker:
    """How much each face region changed since the frame before."""

    def __init__(self) -> None:
        self._before: dict[int, Image] = {}
        self._number = -1

    def of(self, image: Image, number: int, boxes: Sequence[Box], tracks: Sequence[int]) -> NDArray[np.float32]:
        """(N,) mean absolute difference, 0..255, to the same track's region in frame ``number`` - 1; else NaN."""
        earlier = self._before if number == self._number + 1 else {}
        now = {track: face_crop(image, box) for track, box in zip(tracks, boxes, strict=True)}
        self._before, self._number = now, number
        return np.array(
            [np.abs(now[t].astype(np.int16) - earlier[t]).mean() if t in earlier else np.nan for t in tracks],
            np.float32,
        )


def track_people(session: TrackingSession, images: Sequence[Image], people: Sequence[Sequence[PersonBox]]) -> None:
    """Hands frames on to a tracker, one by one."""
    for image, found in zip(images, people, strict=True):
        session.update(image, found)


def people_columns(numbers: Sequence[int], people: Sequence[Sequence[PersonBox]]) -> dict[str, NDArray[Any]]:
    """Detections of people as columns."""
    rows = [(number, person) for number, found in zip(numbers, people, strict=True) for person in found]
    box = [(p.box.x, p.box.y, p.box.w, p.box.h) for _, p in rows]
    return {
        "frame": np.array([number for number, _ in rows], np.int64),
        "box": np.array(box, np.float32).reshape(-1, 4),
        "score": np.array([p.score for _, p in rows], np.float32),
    }


def people_by_frame(table: Table) -> dict[int, list[PersonBox]]:
    """The inverse of `people_columns`; frames without anybody are missing."""
    found: dict[int, list[PersonBox]] = {}
    for frame, box, score in zip(table["frame"], table["box"], table["score"], strict=True):
        found.setdefault(int(frame), []).append(PersonBox(Box(*map(float, box)), float(score)))
    return found


def track_columns(tracks: Tracks) -> dict[str, NDArray[Any]]:
    return {"frame": tracks.frame, "track": tracks.track, "box": tracks.box}


def stored_tracks(table: Table) -> Tracks:
    """The inverse of `track_columns`."""
    return Tracks.sorted(table["frame"], table["track"], table["box"])


def faces_by_frame(table: Table) -> dict[int, list[tuple[int, Detection]]]:
    """Frame -> its faces in order, each with its row in the table."""
    found: dict[int, list[tuple[int, Detection]]] = {}
    for row, (frame, detection) in enumerate(zip(table["frame"], detections_of(table), strict=True)):
        assert detection is not None  # only outcomes have faces that were not found
        found.setdefault(int(frame), []).append((row, detection))
    return found


def usable(job: ShardJob) -> bool:
    """Whether a prepared clip could be read."""
    row = read_table(job.folder.prepare_dir(job.dataset, job.shard) / "clip.parquet")
    return not str(row["problem"][0])


def _distinguishable(embeddings: Floats32, frame: str) -> Floats32:
    """Faces that the recogniser cannot read get a random direction: like nobody, rather than like each other."""
    rows = np.array(embeddings, np.float32)
    for row in np.flatnonzero(~np.isfinite(rows).all(1)):
        drawn = np.random.default_rng(derive_seed(0, frame, str(row))).standard_normal(rows.shape[1])
        rows[row] = drawn / np.linalg.norm(drawn)
    return rows
