"""Parts that need every frame of a clip, in order: faces with their tracks, flicker, people and who is who."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Box, Floats32, Image
from unmask.bench.core.video import PersonBox, PersonDetector, TrackingSession
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.keys import people_key, tracks_key
from unmask.bench.run.jobs.shards import ShardJob
from unmask.bench.run.reading.parts import Columns, Part
from unmask.bench.run.reading.regions import face_crop
from unmask.bench.run.reading.seen import Seen
from unmask.bench.store.detections import detection_columns, people_columns, track_columns
from unmask.bench.store.planned import PlannedPart
from unmask.bench.store.tables import Table, columns_of

People = Mapping[int, Sequence[PersonBox]]


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


class FramesPart(Part):
    """When each frame is shown."""

    def read(self, chunk: Sequence[Seen]) -> Columns:
        rows = [(frame.pts, frame.seconds) for seen in chunk if (frame := seen.item.frame) is not None]
        return columns_of(rows, {"pts": np.int64, "seconds": np.float64})


class TrackedFacesPart(Part):
    """The faces of all frames, linked to tracks by how a recogniser sees them."""

    def __init__(self, job: ShardJob, key: str, recogniser: Part) -> None:
        super().__init__("faces", key)
        self._recogniser, self._clip = recogniser, job.clip
        self._tracker, self._device = job.plan.part("face_tracker").spec, job.plan.settings.device
        self._flicker = Flicker()

    @cached_property
    def _session(self) -> TrackingSession:
        return opened.tracker(self._tracker, self._device).start()

    def read(self, chunk: Sequence[Seen]) -> Columns:
        faces = [face for seen in chunk for face in seen.faces]
        tracks: list[int] = []
        flicker = [np.zeros(0, np.float32)]
        embeddings = np.asarray(self._recogniser.columns(chunk)["embedding"]) if chunk else np.zeros((0, 0), np.float32)
        for seen in chunk:
            start, number = len(tracks), seen.item.number
            rows = _distinguishable(embeddings[start : start + len(seen.faces)], f"{self._clip}#{number}")
            boxes = [PersonBox(face.box, face.score) for face in seen.faces]
            tracks += (these := self._session.update(seen.image, boxes, rows))
            flicker.append(self._flicker.of(seen.image, number, seen.boxes, these))
        return {
            "frame": np.array([seen.item.number for seen in chunk for _ in seen.faces], np.int64),
            "track": np.array(tracks, np.int64),
            **detection_columns(faces),
            "flicker": np.concatenate(flicker),
        }

    def table(self) -> Table:
        table = dict(super().table())
        # Numbered through from 0 in the order in which people come in.
        table["track"] = np.unique(table["track"], return_inverse=True)[1].astype(np.int64)
        return table


def _distinguishable(embeddings: Floats32, frame: str) -> Floats32:
    """Faces that the recogniser cannot read get a random direction: like nobody, rather than like each other."""
    rows = np.array(embeddings, np.float32)
    for row in np.flatnonzero(~np.isfinite(rows).all(1)):
        drawn = np.random.default_rng(derive_seed(0, frame, str(row))).standard_normal(rows.shape[1])
        rows[row] = drawn / np.linalg.norm(drawn)
    return rows


class PeoplePart(Part):
    """The people in each frame. On a release, those of frames that were not changed are the original's."""

    def __init__(self, job: ShardJob, frames: str = "", before: People | None = None) -> None:
        """``frames``: the key of the release's frames; ``before``: the original's people by frame."""
        super().__init__("detections", people_key(job, frames))
        self._spec, self._device = job.plan.part("person_detector").spec, job.plan.settings.device
        self._before = before or {}
        self._people: tuple[int, list[list[PersonBox]]] = -1, []

    def people(self, chunk: Sequence[Seen]) -> list[list[PersonBox]]:
        """Of each frame; found once a chunk, for this part and for all trackers."""
        first = chunk[0].item.number
        if first != self._people[0]:
            looked = [k for k, seen in enumerate(chunk) if not seen.same]
            detector: PersonDetector = opened.open_instrument(self._spec, self._device)
            several = detector.detect([chunk[k].shown for k in looked]) if looked else ()
            detected = dict(zip(looked, several, strict=True))
            people = [list(detected.get(k, self._before.get(s.item.number, ()))) for k, s in enumerate(chunk)]
            self._people = first, people
        return self._people[1]

    def read(self, chunk: Sequence[Seen]) -> Columns:
        return people_columns([seen.item.number for seen in chunk], self.people(chunk) if chunk else [])


class TracksPart(Part):
    """Who is who among the people of all frames."""

    def __init__(self, job: ShardJob, people: PeoplePart, tracker: PlannedPart) -> None:
        super().__init__(f"people-{tracker.label}", tracks_key(job, people.key, tracker.card))
        self._people, self._spec, self._device = people, tracker.spec, job.plan.settings.device
        self.copied: Table | None = None
        """The original's, of a release that shows nothing else; frames are not looked at then."""

    @cached_property
    def _session(self) -> TrackingSession:
        return opened.tracker(self._spec, self._device).start()

    def take(self, chunk: Sequence[Seen]) -> None:
        if self.copied is None:
            for seen, people in zip(chunk, self._people.people(chunk), strict=True):
                self._session.update(seen.shown, people)

    def table(self) -> Table:
        return track_columns(self._session.tracks()) if self.copied is None else self.copied


def people_parts(job: ShardJob, frames: str = "", before: People | None = None) -> list[PeoplePart | TracksPart]:
    """The person detector and the trackers of a plan, over the originals or a release; see `PeoplePart`."""
    people = PeoplePart(job, frames, before)
    return [people, *(TracksPart(job, people, tracker) for tracker in job.plan.trackers)]
