"""Faces and people as columns of stored tables, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import Box, Detection
from unmask.bench.core.video import PersonBox, Tracks
from unmask.bench.store.tables import Table

Faces = dict[str | int, list[Detection]]
"""`Item.key` -> the faces of a photo or a frame, in order; items without a face are missing."""


def detection_columns(detections: Sequence[Detection | None]) -> dict[str, NDArray[Any]]:
    """box (N, 4), landmarks (N, 10) and score (N,) as columns; NaN rows where there is no detection."""
    box = np.full((len(detections), 4), np.nan, np.float32)
    points = np.full((len(detections), 10), np.nan, np.float32)
    score = np.full(len(detections), np.nan, np.float32)
    for k, item in enumerate(detections):
        if item is not None:
            box[k] = item.box.x, item.box.y, item.box.w, item.box.h
            points[k] = item.landmarks.reshape(-1)
            score[k] = item.score
    return {"box": box, "landmarks": points, "score": score}


def detections_of(table: Table) -> list[Detection | None]:
    """The inverse of `detection_columns`."""
    return [
        Detection(Box(*map(float, box)), points.reshape(5, 2), float(score)) if np.isfinite(box).all() else None
        for box, points, score in zip(table["box"], table["landmarks"], table["score"], strict=True)
    ]


def as_stored(detections: Sequence[Detection]) -> list[Detection]:
    """The detections as they read back from disk (float32), so that a resumed shard sees the very same numbers."""
    return [detection for detection in detections_of(detection_columns(detections)) if detection is not None]


def faces_by_item(table: Table) -> Faces:
    """The stored faces of each photo (by its id) or frame (by its number), in order."""
    faces: Faces = {}
    keys = table["frame"] if "frame" in table else table["sample"]
    for key, detection in zip(keys.tolist(), detections_of(table), strict=True):
        if detection is not None:
            faces.setdefault(key, []).append(detection)
    return faces


def people_columns(numbers: Sequence[int], people: Sequence[Sequence[PersonBox]]) -> dict[str, NDArray[Any]]:
    """The people of frames as columns: frame (N,), box (N, 4), score (N,)."""
    rows = [(number, person) for number, several in zip(numbers, people, strict=True) for person in several]
    box = [(p.box.x, p.box.y, p.box.w, p.box.h) for _, p in rows]
    return {
        "frame": np.array([number for number, _ in rows], np.int64),
        "box": np.array(box, np.float32).reshape(-1, 4),
        "score": np.array([p.score for _, p in rows], np.float32),
    }


def people_by_frame(table: Table) -> dict[int, list[PersonBox]]:
    """The inverse of `people_columns`; frames without anybody are missing."""
    people: dict[int, list[PersonBox]] = {}
    for frame, box, score in zip(table["frame"], table["box"], table["score"], strict=True):
        people.setdefault(int(frame), []).append(PersonBox(Box(*map(float, box)), float(score)))
    return people


def track_columns(tracks: Tracks) -> dict[str, NDArray[Any]]:
    return {"frame": tracks.frame, "track": tracks.track, "box": tracks.box}


def stored_tracks(table: Table) -> Tracks:
    """The inverse of `track_columns`."""
    return Tracks.sorted(table["frame"], table["track"], table["box"])
