"""Does an output frame show its own input frame, or one of those before and after it?

Frames are compared in grey, reduced, where two frames of the input differ. There an output that follows its own frame
lies near that one, and an output that shows another frame lies near the other. Faces and people are left out, because a
method may have changed or removed them; an output that equals another frame everywhere, its faces included, is that
frame all the same. Nothing is said of frames between which nothing moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import ImageError, VideoError
from unmask.bench.core.types import Bools, Box, Image, MethodFailure
from unmask.bench.core.video import Frame
from unmask.bench.data.media import VideoReader
from unmask.bench.run.guard import ANOTHER, fault_of
from unmask.bench.run.shards import ShardJob, Workplace, dataset_jobs
from unmask.bench.run.signatures import SIDE, Signatures, signature_of
from unmask.bench.run.video.prepare import faces_by_frame, people_by_frame
from unmask.bench.run.views import background
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.tables import read_table

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
HEAD: Final = 2.0
BODY: Final = 1.1
"""How much larger than a face's (a person's) box the place is that a method may have changed."""
SAME_PICTURE: Final = 0.002
"""Of the reduced pixels may differ by `MOVED` between two output frames that show the same."""

Small = NDArray[np.float32]


class Neighbours:
    """The frames around each frame of a clip, read along with it."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        """``frames``: the clip's, from the start; they are read `WINDOW` ahead."""
        self._frames = frames
        self._small: dict[int, Small] = {}
        self._next = 0

    def shown(self, number: int, output: Image, changed: Sequence[Box], with_faces: frozenset[int]) -> int | None:
        """The frame that ``output`` (H, W, 3), given for frame ``number``, shows instead of it; ``None`` = its own.

        ``changed``: where a method may have changed the frame, pixels. ``with_faces``: the frames in which there are
        faces. Numbers must ascend from call to call.
        """
        self._read_to(number)
        own = self._small[number]
        outside = _outside(changed, output.shape, own.shape)
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
        while self._next <= number + WINDOW:
            frame = next(self._frames, None)
            if frame is None:
                break
            if frame.number >= number - WINDOW:
                self._small[frame.number] = reduced(frame.image)
            self._next = frame.number + 1
        for old in [k for k in self._small if k < number - WINDOW]:
            del self._small[old]


class FrameGuard:
    """What is wrong with the outputs for the frames of a clip: they lie wrongly, or show another frame or clip."""

    def __init__(self, job: ShardJob, reader: VideoReader) -> None:
        self._job, self._other_clip = job, ""
        original = job.folder.prepare_dir(job.dataset, job.shard)
        self._faces = faces_by_frame(read_table(original / "faces.parquet"))
        self._people = people_by_frame(read_table(original / "detections.parquet"))
        self._neighbours = Neighbours(iter(reader))

    def checked(self, frame: Frame, output: Image | MethodFailure) -> Image | MethodFailure:
        """The output (H, W, 3) of ``frame``, or what is wrong with it. Frames come in order."""
        if isinstance(output, MethodFailure) or np.array_equal(output, frame.image):
            return output
        if self._other_clip:
            return MethodFailure(self._other_clip)
        heads = [detection.box for _, detection in self._faces.get(frame.number, [])]
        bodies = [person.box for person in self._people.get(frame.number, [])]
        changed = [*(box.scaled(HEAD) for box in heads), *(box.scaled(BODY) for box in bodies)]
        other = self._neighbours.shown(frame.number, output, changed, frozenset(self._faces))
        if other is not None:
            return MethodFailure(f"the output shows frame {other} of the input instead of frame {frame.number}")
        reason = self._fault(frame, heads, output)
        return MethodFailure(reason) if reason else output

    def _fault(self, frame: Frame, heads: Sequence[Box], output: Image) -> str:
        """As of photos; whether an output is another clip of the data set is asked of its first frame."""
        if frame.number > 0:
            return fault_of("", frame.image, heads, output)
        first = partial(_first_frames, self._job.workplace, self._job.plan_run, self._job.dataset)
        reason = fault_of(
            self._job.clip, frame.image, heads, output, lambda: first().signatures, lambda n: first().read(n)
        )
        self._other_clip = reason if reason.startswith(ANOTHER) else ""
        return reason


@dataclass(frozen=True, slots=True)
class _FirstFrames:
    """The first frames of all clips of a data set."""

    signatures: Signatures
    clips: Mapping[str, ShardJob]

    def read(self, name: str) -> tuple[Image, Sequence[Box]]:
        """The first frame of a clip and its faces. Raises `ImageError`."""
        return _first_frame(self.clips[name])


@lru_cache(maxsize=2)
def _first_frames(workplace: Workplace, plan_run: str, dataset: str) -> _FirstFrames:
    """Once per process, and only where an output is not explained by its own clip."""
    plan = RunFolder(workplace.run).plan_named(plan_run)
    clips = {job.clip: job for job in map(workplace.place, dataset_jobs(plan, plan.dataset(dataset)))}
    names, grey, masks = [], [], []
    for name, job in clips.items():
        try:
            image, boxes = _first_frame(job)
        except ImageError:
            continue
        names.append(name)
        grey.append(signature_of(image))
        masks.append(background(boxes, image.shape[:2], (SIDE, SIDE)))
    return _FirstFrames(Signatures.of(names, np.stack(grey), masks), clips)


def _first_frame(job: ShardJob) -> tuple[Image, Sequence[Box]]:
    clips, ref = job.open_clip()
    try:
        frame = next(iter(VideoReader(clips.path(ref))))
    except VideoError as error:
        raise ImageError(error.reason) from error
    faces = faces_by_frame(read_table(job.folder.prepare_dir(job.dataset, job.shard) / "faces.parquet"))
    return frame.image, [detection.box for _, detection in faces.get(0, [])]


def reduced(image: Image) -> Small:
    """(H, W, 3) to (h, w) grey levels, `LONGER_SIDE` pixels at most."""
    height, width = image.shape[:2]
    factor = min(LONGER_SIDE / max(height, width), 1.0)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA).mean(axis=2), np.float32)


def same_picture(a: Small, b: Small) -> bool:
    """Whether two reduced frames show the same but for the noise of a codec."""
    return a.shape == b.shape and bool((np.abs(a - b) > MOVED).mean() <= SAME_PICTURE)


def _speaks_for(other: Bools, own: Bools, places: Bools, share: float) -> bool:
    votes = int(other.sum())
    return votes >= LEAST_PLACES and votes > AGAINST * int(own.sum()) and votes >= share * int(places.sum())


def _outside(boxes: Sequence[Box], shape: tuple[int, ...], size: tuple[int, ...]) -> Bools:
    """(h, w) True where none of the boxes (pixels of ``shape``) lies."""
    outside = np.ones(size, np.bool_)
    down, across = size[0] / shape[0], size[1] / shape[1]
    for box in boxes:
        left, top, right, bottom = Box(box.x * across, box.y * down, box.w * across, box.h * down).clipped(*size)
        outside[top:bottom, left:right] = False
    return outside


def _without_tone(seen: Small, own: Small, where: Bools) -> Small:
    """``seen`` with the gain and offset taken out that a changed luma range brings in; as it is where that makes no
    sense."""
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
