"""Does an output frame show its own input frame, or one of those before and after it?

Frames are compared in grey, reduced, where two frames of the input differ. There an output that follows its own frame
lies near that one, and an output that shows another frame lies near the other. Faces and people are left out, because a
method may have changed or removed them; an output that equals another frame everywhere, its faces included, is that
frame all the same. Nothing is said of frames between which nothing moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import Bools, Box, Image
from unmask.bench.core.video import Frame
from unmask.bench.run.checks.views import background, reduced_size

WINDOW: Final = 64
"""Frames before and after that are compared with; memory holds as many small ones."""
LONGER_SIDE: Final = 128
"""Pixels that frames are reduced to."""
MOVED: Final = 18
"""Grey levels by which two frames must differ in a place before it is asked which of them an output follows."""
NEAR: Final = 0.25
"""Of that difference: an output that is no farther from a frame follows it."""
NEARER: Final = 0.8
"""Outside faces and people an output must differ from the other frame by less than this part of what it differs from
its own: one that is blurred all over is near to none."""
LEAST_PLACES: Final = 12
"""Reduced pixels that must speak."""
AGAINST: Final = 4
"""Times as many places must speak for the other frame as for the own."""
MOSTLY: Final = 0.5
EVERYWHERE: Final = 0.9
"""Of the places that differ: an output that follows another frame in so many outside faces and people shows it, and
one that does in so many of all places equals it."""
SAME_PICTURE: Final = 0.002
"""Of the reduced pixels may differ by `MOVED` between two output frames that show the same."""

Small = NDArray[np.float32]


class Neighbours:
    """The frames around each frame of a clip, read along with it, `WINDOW` ahead."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self._small: dict[int, Small] = {}
        self._next = 0

    def shown(self, number: int, output: Image, changed: Sequence[Box], with_faces: frozenset[int]) -> int | None:
        """The frame that ``output`` (H, W, 3), given for frame ``number``, shows instead of it; ``None`` = its own.
        ``changed``: where a method may have changed the frame, pixels. ``with_faces``: the frames in which there are
        faces. Numbers must ascend from call to call."""
        self._read_to(number)
        own = self._small[number]
        outside = background(changed, output.shape[:2], own.shape, margin=1.0)
        seen = _without_tone(reduced(output), own, outside)
        off = seen - own
        if float(np.abs(off).max()) < MOVED:
            return None
        where = outside if outside.any() else np.ones_like(outside)
        least = NEARER * float(np.abs(off)[where].mean())
        apart = {k: np.abs(small - seen) for k, small in self._small.items()}
        near = [k for k, distance in apart.items() if float(distance[where].mean()) < least]
        for other in sorted(near, key=lambda k: float(apart[k].mean())):
            difference = self._small[other] - own
            differs = np.abs(difference) > MOVED
            for_own = differs & (np.abs(off) <= NEAR * np.abs(difference))
            for_other = differs & (np.abs(off - difference) <= NEAR * np.abs(difference))
            if _speaks_for(for_other & outside, for_own & outside, differs & outside, MOSTLY):
                return other
            if other in with_faces and _speaks_for(for_other, for_own, differs, EVERYWHERE):
                return other
        return None

    def _read_to(self, number: int) -> None:
        while self._next <= number + WINDOW and (frame := next(self._frames, None)) is not None:
            if frame.number >= number - WINDOW:
                self._small[frame.number] = reduced(frame.image)
            self._next = frame.number + 1
        self._small = {k: small for k, small in self._small.items() if k >= number - WINDOW}


def reduced(image: Image) -> Small:
    """(H, W, 3) to (h, w) grey levels, `LONGER_SIDE` pixels at most."""
    height, width = image.shape[:2]
    size = reduced_size(height, width, LONGER_SIDE)[::-1]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA).mean(axis=2), np.float32)


def same_picture(a: Small, b: Small) -> bool:
    """Whether two reduced frames show the same but for the noise of a codec."""
    return a.shape == b.shape and bool((np.abs(a - b) > MOVED).mean() <= SAME_PICTURE)


def _speaks_for(other: Bools, own: Bools, places: Bools, share: float) -> bool:
    votes = int(other.sum())
    return votes >= LEAST_PLACES and votes > AGAINST * int(own.sum()) and votes >= share * int(places.sum())


def _without_tone(seen: Small, own: Small, where: Bools) -> Small:
    """``seen`` without the gain and offset that a changed luma range brings in; as it is where that makes no sense."""
    x, y = seen[where], own[where]
    for _ in range(3):
        if len(x) < LEAST_PLACES or x.std() < 1:
            return seen
        gain = float(((x - x.mean()) * (y - y.mean())).mean() / x.var())
        offset = float(y.mean() - gain * x.mean())
        if not 0.7 < gain < 1.4:
            return seen
        rest = np.abs(gain * seen[where] + offset - own[where])
        keep = rest <= max(2 * float(np.median(rest)), 1.0)
        x, y = seen[where][keep], own[where][keep]
    return np.asarray(gain * seen + offset, np.float32)
