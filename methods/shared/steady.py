"""Boxes and landmarks that do not tremble from frame to frame: detectors place a face that stands still a few pixels
elsewhere in each frame, and what is invented for the erased box then differs by more than the face has moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from unmask.bench.core.types import Box, Detection

CALM: Final = 0.2
"""The share of a small move that a box, and the landmarks in it, follow in one frame."""
REACH: Final = 0.1
"""The move of an edge, as a share of the box's longer side, from which on a box follows at once: smoothing must not let
a face run out of its box."""
SAME: Final = 0.3
"""Intersection over union from which on a face is the one of an earlier frame."""
LAPSE: Final = 5
"""Frames for which a face that is not found is remembered."""


@dataclass(frozen=True, slots=True)
class _Track:
    face: Detection
    unseen: int = 0


class SteadyFaces:
    """Follows the faces of one clip at a time. Nothing is added to what a detector finds, and nothing left out."""

    def __init__(self) -> None:
        self._sequence = ""
        self._tracks: list[_Track] = []

    def steadied(self, faces: Sequence[Detection], sequence: str) -> list[Detection]:
        """The faces of the next frame of a clip, in the same order, with calmed boxes and landmarks. ``sequence``:
        `bench.core.types.Sample.sequence`; another one than before begins anew."""
        if sequence != self._sequence:
            self._sequence, self._tracks = sequence, []
        earlier_boxes = [track.face.box for track in self._tracks]
        pairs = sorted(
            ((box.iou(face.box), t, f) for t, box in enumerate(earlier_boxes) for f, face in enumerate(faces)),
            key=lambda pair: (-pair[0], pair[1], pair[2]),
        )
        earlier: dict[int, int] = {}
        for overlap, t, f in pairs:
            if overlap >= SAME and f not in earlier and t not in earlier.values():
                earlier[f] = t
        calm = [calmed(self._tracks[earlier[f]].face, face) if f in earlier else face for f, face in enumerate(faces)]
        lost = [track for t, track in enumerate(self._tracks) if t not in earlier.values() and track.unseen < LAPSE]
        self._tracks = [*map(_Track, calm), *(replace(track, unseen=track.unseen + 1) for track in lost)]
        return calm


def calmed(before: Detection, now: Detection) -> Detection:
    """``now``, with the box and landmarks of ``before`` moved towards its own: by `CALM` of a small difference of the
    boxes, by all of one of `REACH` or more. Landmarks that ``before`` does not know (NaN) are its own."""
    old, new = (np.array([box.x, box.y, box.x + box.w, box.y + box.h]) for box in (before.box, now.box))
    moved = np.abs(new - old).max() / (REACH * max(now.box.w, now.box.h))
    share = CALM + (1 - CALM) * min(1.0, float(moved) ** 2)
    left, top, right, bottom = old + share * (new - old)
    points = before.landmarks + np.float32(share) * (now.landmarks - before.landmarks)
    return replace(
        now,
        box=Box(float(left), float(top), float(right - left), float(bottom - top)),
        landmarks=np.where(np.isnan(points), now.landmarks, points),
    )
